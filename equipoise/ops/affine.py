"""The affine map x·W + b for K lanes at once, and its gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from equipoise.ops.chain import apply, will_go_back
from equipoise.ops.gradients import GradientBuffer, gradient_buffer
from equipoise.ops.precision import for_products

#: Outputs up to here are computed in sixteens, unless their number is a multiple of four; the library's products of
#: 5 to 15 columns take twice as long as those of 16.
_FEW, _FOUR, _SIXTEEN = 32, 4, 16


def affine(x: Any, weight: Tensor, bias: Tensor) -> Tensor:
    """x·W + b, (K, B, h).

    Args:
        x: (K, B, d), the `x` of a batched `forward` or what follows from it: a tensor, which may be padded with columns of
            zeros, or sparse rows.
        weight: (K, d, h). bias: (K, 1, h), or (K, B, h) with a row for each example.
    """
    # Products of a prediction are needed longer than a step, so they get memory of their own. Inside of `forward`, autograd
    # always reports that gradients are off.
    lending = will_go_back()
    if isinstance(x, Tensor):
        buffers = (gradient_buffer(weight), gradient_buffer(bias))
        out: Tensor = apply(_Affine, x, weight, bias, *buffers, lending)
    else:
        out = apply(_Shift, x.times(weight), bias, gradient_buffer(bias))
    return out


class _Affine(torch.autograd.Function):
    """x·W + b for K lanes."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        buffer: GradientBuffer | None,
        bias_buffer: GradientBuffer | None,
        lending: bool,
    ) -> Tensor:
        ctx.buffer, ctx.rows, more = buffer, weight.shape[1], x.shape[2] - weight.shape[1]
        ctx.bias_buffer, ctx.by_row = bias_buffer, _is_by_row(bias, x)
        # A parameter is padded with rows of zeros in memory already.
        if more:
            weight = torch.nn.functional.pad(weight, (0, 0, 0, more)) if buffer is None else buffer.wide
        x, weight = for_products(x), for_products(weight)
        ctx.save_for_backward(x, weight)
        lender = buffer if lending else None
        if buffer is not None and (columns := _sixteenfold(weight)):
            padded = buffer.lend("weight", (*weight.shape[:2], columns))
            padded[..., : weight.shape[2]].copy_(weight)
            product = _bmm(x, padded, _lent(lender, "product", x, columns))[..., : weight.shape[2]]
            return torch.add(product, bias, out=_lent(lender, "shifted", x, weight.shape[2]))
        return _bmm(x, weight, _lent(lender, "product", x, weight.shape[2])).add_(bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        grad_out, buffer, grad_x, grad_weight = grad.to(x.dtype).contiguous(), ctx.buffer, None, None
        if ctx.needs_input_grad[0]:
            grad_x = _bmm(
                grad_out, weight.transpose(1, 2), None if buffer is None else buffer.lend("back", x.shape)
            )
        if buffer is None:
            grad_weight = _bmm(x.transpose(1, 2), grad_out, None)[:, : ctx.rows]
        else:
            buffer.write(
                lambda out: _write_grad_weight(
                    x, grad_out, out[:, : x.shape[2]], buffer, _sixteenfold(weight)
                )
            )
        # Gradients that went into their buffers are None for autograd.
        return grad_x, grad_weight, _to_bias(ctx.bias_buffer, ctx.by_row, grad), None, None, None


def _is_by_row(bias: Tensor, x: Tensor) -> bool:
    """Whether every row has a bias of its own."""
    return bias.shape[1] == x.shape[1] > 1


def _sixteenfold(weight: Tensor) -> int:
    """How many columns the product with a weight (K, d, h) is computed with, where more are faster; else 0."""
    outputs = weight.shape[2]
    if weight.device.type != "cpu" or weight.dtype != torch.float32:
        return 0
    return -(-outputs // _SIXTEEN) * _SIXTEEN if outputs <= _FEW and outputs % _FOUR else 0


def _lent(buffer: GradientBuffer | None, name: str, x: Tensor, columns: int) -> Tensor | None:
    return None if buffer is None else buffer.lend(name, (*x.shape[:2], columns))


def _write_grad_weight(x: Tensor, grad: Tensor, out: Tensor, buffer: GradientBuffer, columns: int) -> None:
    """xᵀ·grad into `out`, with columns of zeros beside the gradient where that is faster."""
    x_t = x.transpose(1, 2)
    if not columns:
        _bmm(x_t, grad, out)
        return
    padded = buffer.lend("grad", (*grad.shape[:2], columns))
    padded[..., : grad.shape[2]].copy_(grad)
    product = _bmm(x_t, padded, buffer.lend("grad weight", (*out.shape[:2], columns)))
    out.copy_(product[..., : grad.shape[2]])


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
        ctx.buffer, ctx.by_row = buffer, _is_by_row(bias, product)
        ctx.mark_dirty(product)
        return product.add_(bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, None]:
        return grad, _to_bias(ctx.buffer, ctx.by_row, grad), None


def _to_bias(buffer: GradientBuffer | None, by_row: bool, grad: Tensor) -> Tensor | None:
    """The gradient of the bias; None where it was written to its own place."""
    if by_row or buffer is None:
        return grad if by_row else grad.sum(1, keepdim=True)
    buffer.write(lambda out: torch.sum(grad, 1, keepdim=True, out=out))
    return None
