"""Binary cross-entropy whose gradient has the same bits for one lane and for many."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


class BinaryCrossEntropy(torch.autograd.Function):
    """Unreduced binary cross-entropy from logits; under `torch.vmap`, PyTorch's kernel computes all lanes at once.

    vmap's own rule splits the kernel into several operations. That rounds the gradient differently and takes three times as
    long.
    """

    @staticmethod
    def forward(logits: Tensor, targets: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, targets, reduction="none")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None]:
        logits, targets = ctx.saved_tensors
        to_targets = -logits * grad if ctx.needs_input_grad[1] else None
        return (torch.sigmoid(logits) - targets) * grad, to_targets

    @staticmethod
    def vmap(
        info: Any, dims: tuple[int | None, int | None], logits: Tensor, targets: Tensor
    ) -> tuple[Tensor, int]:
        both = (_first(x, d, info.batch_size) for x, d in zip((logits, targets), dims, strict=True))
        apply: Any = BinaryCrossEntropy.apply
        return apply(*both), 0


def grad_logits(logits: Tensor, targets: Tensor, out: Tensor | None = None) -> Tensor:
    """The gradient of `BinaryCrossEntropy`, averaged over each lane's (B, L), in logits (K, B, L)."""
    # Bit for bit as autograd computes it: the mean passes back 1/n, by which the gradient is multiplied.
    return torch.sigmoid(logits, out=out).sub_(targets).mul_(1 / logits[0].numel())


def _first(x: Tensor, dim: int | None, size: int) -> Tensor:
    """x with the lanes as its first dimension; `dim` is where vmap has them, None if x is the same for all lanes."""
    return x.expand(size, *x.shape) if dim is None else x.movedim(dim, 0)
