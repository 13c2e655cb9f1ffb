"""x·W + b for K lanes at once, and its gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from equipoise.ops.gradients import GradientBuffer, gradient_buffer
from equipoise.ops.precision import for_products
from equipoise.ops.sparse import EmbeddingBags, Stacked

#: Outputs up to here are computed in sixteens, unless their number is a multiple of four; the library's products of
#: 5 to 15 columns take twice as long as those of 16.
_FEW, _FOUR, _SIXTEEN = 32, 4, 16


def affine(x: Tensor | EmbeddingBags | Stacked, weight: Tensor, bias: Tensor) -> Tensor:
    """x·W + b: weight (K, d, h), bias (K, 1, h) or (K, B, h) → (K, B, h); x may have columns of zeros behind its d."""
    lending = torch.is_grad_enabled()
    if isinstance(x, Tensor):
        dense: Any = _Affine.apply
        out: Tensor = dense(x, weight, bias, gradient_buffer(weight), gradient_buffer(bias), lending)
    else:
        shift: Any = _Shift.apply
        out = shift(x.times(weight), bias, gradient_buffer(bias))
    return out


class _Affine(torch.autograd.Function):
    """x·W + b for K lanes."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        at: GradientBuffer | None,
        bias_at: GradientBuffer | None,
        lending: bool,
    ) -> Tensor:
        ctx.at, ctx.rows, more = at, weight.shape[1], x.shape[2] - weight.shape[1]
        ctx.bias_at, ctx.each = bias_at, _is_each(bias, x)
        if more:
            weight = torch.nn.functional.pad(weight, (0, 0, 0, more)) if at is None else at.wide
        x, weight = for_products(x), for_products(weight)
        ctx.save_for_backward(x, weight)
        lender = at if lending else None
        if at is not None and (columns := _sixteenfold(weight)):
            padded = at.lend("weight", (*weight.shape[:2], columns))
            padded[..., : weight.shape[2]].copy_(weight)
            product = _bmm(x, padded, _lent(lender, "product", x, columns))[..., : weight.shape[2]]
            return torch.add(product, bias, out=_lent(lender, "shifted", x, weight.shape[2]))
        return _bmm(x, weight, _lent(lender, "product", x, weight.shape[2])).add_(bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        own, at, to_x, to_weight = grad.to(x.dtype).contiguous(), ctx.at, None, None
        if ctx.needs_input_grad[0]:
            to_x = _bmm(own, weight.transpose(1, 2), None if at is None else at.lend("back", x.shape))
        if at is None:
            to_weight = _bmm(x.transpose(1, 2), own, None)[:, : ctx.rows]
        else:
            at.write(lambda out: _to_weight(x, own, out[:, : x.shape[2]], at, _sixteenfold(weight)))
        return to_x, to_weight, _to_bias(ctx.bias_at, ctx.each, grad), None, None, None


def _is_each(bias: Tensor, x: Tensor) -> bool:
    """Whether every row has a bias of its own."""
    return bias.shape[1] == x.shape[1] > 1


def _sixteenfold(weight: Tensor) -> int:
    """How many columns the product with a weight (K, d, h) is computed with, where more are faster; else 0."""
    outputs = weight.shape[2]
    if weight.device.type != "cpu" or weight.dtype != torch.float32:
        return 0
    return -(-outputs // _SIXTEEN) * _SIXTEEN if outputs <= _FEW and outputs % _FOUR else 0


def _lent(at: GradientBuffer | None, name: str, x: Tensor, columns: int) -> Tensor | None:
    return None if at is None else at.lend(name, (*x.shape[:2], columns))


def _to_weight(x: Tensor, grad: Tensor, out: Tensor, at: GradientBuffer, columns: int) -> None:
    """xᵀ·grad into `out`, with columns of zeros beside the gradient where that is faster."""
    turned = x.transpose(1, 2)
    if not columns:
        _bmm(turned, grad, out)
        return
    padded = at.lend("grad", (*grad.shape[:2], columns))
    padded[..., : grad.shape[2]].copy_(grad)
    product = _bmm(turned, padded, at.lend("to weight", (*out.shape[:2], columns)))
    out.copy_(product[..., : grad.shape[2]])


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
        ctx.at, ctx.each = at, _is_each(bias, product)
        ctx.mark_dirty(product)
        return product.add_(bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, None]:
        return grad, _to_bias(ctx.at, ctx.each, grad), None


def _to_bias(at: GradientBuffer | None, each: bool, grad: Tensor) -> Tensor | None:
    """The gradient of the bias; None where it was written to its own place."""
    if each or at is None:
        return grad if each else grad.sum(1, keepdim=True)
    at.write(lambda out: torch.sum(grad, 1, keepdim=True, out=out))
    return None
