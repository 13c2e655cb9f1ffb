"""x·W + b for K lanes at once, and its gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from equipoise.ops.gradients import GradientBuffer, gradient_buffer
from equipoise.ops.precision import for_products
from equipoise.ops.sparse import EmbeddingBags, Stacked


def affine(x: Tensor | EmbeddingBags | Stacked, weight: Tensor, bias: Tensor) -> Tensor:
    """x·W + b: weight (K, d, h), bias (K, 1, h) or (K, B, h) → (K, B, h); x may have columns of zeros behind its d."""
    dense: Any = _Product.apply
    shift: Any = _Shift.apply
    lending = torch.is_grad_enabled()
    product: Tensor = (
        dense(x, weight, gradient_buffer(weight), lending) if isinstance(x, Tensor) else x.times(weight)
    )
    out: Tensor = shift(product, bias, gradient_buffer(bias))
    return out


class _Product(torch.autograd.Function):
    """x·W for K lanes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, at: GradientBuffer | None, lending: bool) -> Tensor:
        ctx.at, ctx.rows, more = at, weight.shape[1], x.shape[2] - weight.shape[1]
        if more:
            weight = torch.nn.functional.pad(weight, (0, 0, 0, more)) if at is None else at.wide
        x, weight = for_products(x), for_products(weight)
        ctx.save_for_backward(x, weight)
        out = at.lend("product", (*x.shape[:2], weight.shape[2])) if at is not None and lending else None
        return _bmm(x, weight, out)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        grad, at, to_x = grad.to(x.dtype).contiguous(), ctx.at, None
        if ctx.needs_input_grad[0]:
            to_x = _bmm(grad, weight.transpose(1, 2), None if at is None else at.lend("back", x.shape))
        if at is None:
            return to_x, _bmm(x.transpose(1, 2), grad, None)[:, : ctx.rows], None, None
        at.write(lambda out: _bmm(x.transpose(1, 2), grad, out[:, : x.shape[2]]))
        return to_x, None, None, None


def _bmm(a: Tensor, b: Tensor, out: Tensor | None) -> Tensor:
    """a·b in float32, in `out` if there is one, whatever the precision of a and b."""
    if a.dtype == torch.float32:
        return torch.bmm(a, b, out=out)
    product = torch.bmm(a, b)
    return product.float() if out is None else out.copy_(product)


class _Shift(torch.autograd.Function):
    """+ b, in place."""

    @staticmethod
    def forward(ctx: Any, product: Tensor, bias: Tensor, at: GradientBuffer | None) -> Tensor:
        ctx.at, ctx.each = at, bias.shape[1] == product.shape[1] > 1
        ctx.mark_dirty(product)
        return product.add_(bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, None]:
        if ctx.each or ctx.at is None:
            return grad, grad if ctx.each else grad.sum(1, keepdim=True), None
        ctx.at.write(lambda out: torch.sum(grad, 1, keepdim=True, out=out))
        return grad, None, None
