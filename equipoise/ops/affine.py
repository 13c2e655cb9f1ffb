"""The affine map x·W + b for K lanes at once, and its gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from equipoise.ops.gradients import GradientBuffer, gradient_buffer
from equipoise.ops.precision import for_products
from equipoise.ops.sparse import EmbeddingBags, Stacked


def affine(x: Tensor | EmbeddingBags | Stacked, weight: Tensor, bias: Tensor) -> Tensor:
    """x·W + b, (K, B, h).

    Args:
        x: (K, B, d), dense or sparse; dense x may be padded with columns of zeros.
        weight: (K, d, h). bias: (K, 1, h), or (K, B, h) with a row for each example.
    """
    dense: Any = _Product.apply
    shift: Any = _Shift.apply
    # Products of a prediction are needed longer than a step, so they get memory of their own. Inside of `forward`, autograd
    # always reports that gradients are off.
    lending = torch.is_grad_enabled()
    product: Tensor = (
        dense(x, weight, gradient_buffer(weight), lending) if isinstance(x, Tensor) else x.times(weight)
    )
    out: Tensor = shift(product, bias, gradient_buffer(bias))
    return out


class _Product(torch.autograd.Function):
    """x·W for K lanes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, buffer: GradientBuffer | None, lending: bool) -> Tensor:
        ctx.buffer, ctx.rows, padding = buffer, weight.shape[1], x.shape[2] - weight.shape[1]
        # A parameter is padded with rows of zeros in memory already.
        if padding:
            weight = torch.nn.functional.pad(weight, (0, 0, 0, padding)) if buffer is None else buffer.wide
        x, weight = for_products(x), for_products(weight)
        ctx.save_for_backward(x, weight)
        out = (
            buffer.lend("product", (*x.shape[:2], weight.shape[2]))
            if buffer is not None and lending
            else None
        )
        return _bmm(x, weight, out)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        grad, buffer, grad_x = grad.to(x.dtype).contiguous(), ctx.buffer, None
        if ctx.needs_input_grad[0]:
            grad_x = _bmm(
                grad, weight.transpose(1, 2), None if buffer is None else buffer.lend("back", x.shape)
            )
        if buffer is None:
            return grad_x, _bmm(x.transpose(1, 2), grad, None)[:, : ctx.rows], None, None
        # The gradient goes into its buffer; autograd gets None.
        buffer.write(lambda out: _bmm(x.transpose(1, 2), grad, out[:, : x.shape[2]]))
        return grad_x, None, None, None


def _bmm(a: Tensor, b: Tensor, out: Tensor | None) -> Tensor:
    """The product a·b in float32, whatever the precision of a and b; written to `out` if there is one."""
    if a.dtype == torch.float32:
        return torch.bmm(a, b, out=out)
    product = torch.bmm(a, b)
    return product.float() if out is None else out.copy_(product)


class _Shift(torch.autograd.Function):
    """Adds the bias in place."""

    @staticmethod
    def forward(ctx: Any, product: Tensor, bias: Tensor, buffer: GradientBuffer | None) -> Tensor:
        ctx.buffer, ctx.by_row = buffer, bias.shape[1] == product.shape[1] > 1
        ctx.mark_dirty(product)
        return product.add_(bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, None]:
        # A bias with a row for each example is no parameter: it was computed from label inputs.
        if ctx.by_row or ctx.buffer is None:
            return grad, grad if ctx.by_row else grad.sum(1, keepdim=True), None
        ctx.buffer.write(lambda out: torch.sum(grad, 1, keepdim=True, out=out))
        return grad, None, None
