"""An LSTM over the lanes of a population at once: one step in time is one batched product for all of them.

For CUDA, where a lane alone leaves the device idle; on CPU the library's kernel, lane by lane, is faster (measured).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def lstm(x: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor) -> Tensor:
    """States (K, T, B, H) of K lanes from zero states, as `torch.lstm` gives them lane by lane.

    Args:
        x: (K, T, B, E) inputs. w_ih: (K, 4H, E), w_hh: (K, 4H, H) and bias: (K, 4H), gates in the library's order
            (input, forget, cell, output).
    """
    with torch.autocast(x.device.type, enabled=False):  # errors would add up over time
        return _states(x.to(w_ih.dtype), w_ih, w_hh, bias)


def _states(x: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor) -> Tensor:
    """The inputs' part for all steps in one product, then the recurrence."""
    lanes, steps, batch, _ = x.shape
    flat = torch.baddbmm(bias[:, None], x.reshape(lanes, steps * batch, -1), w_ih.transpose(1, 2))
    states: Any = _Recurrence.apply
    out: Tensor = states(flat.view(lanes, steps, batch, -1), w_hh)
    return out


class _Recurrence(torch.autograd.Function):
    """From what the inputs give to each gate (K, T, B, 4H) to the states; the way back is written out.

    Hochreiter & Schmidhuber 1997, DOI 10.1162/neco.1997.9.8.1735, with the forget gate of Gers, Schmidhuber & Cummins 2000,
    DOI 10.1162/089976600300015015.
    """

    @staticmethod
    def forward(ctx: Any, given: Tensor, w_hh: Tensor) -> Tensor:
        lanes, steps, batch, width = given.shape
        hidden, back = width // 4, w_hh.transpose(1, 2)
        gates = torch.empty_like(given)
        cells, states = (given.new_zeros(lanes, steps + 1, batch, hidden) for _ in range(2))
        for t in range(steps):
            z = torch.baddbmm(given[:, t], states[:, t], back)
            i, f, g, o = z.split(hidden, -1)
            i.sigmoid_(), f.sigmoid_(), g.tanh_(), o.sigmoid_()
            torch.addcmul(f * cells[:, t], i, g, out=cells[:, t + 1])
            torch.mul(o, cells[:, t + 1].tanh(), out=states[:, t + 1])
            gates[:, t] = z
        ctx.save_for_backward(gates, cells, states, w_hh)
        return states[:, 1:]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        gates, cells, states, w_hh = ctx.saved_tensors
        lanes, steps, batch, width = gates.shape
        slopes = torch.empty_like(gates)
        to_state, to_cell = torch.zeros_like(cells[:, 0]), torch.zeros_like(cells[:, 0])
        for t in range(steps - 1, -1, -1):
            i, f, g, o = gates[:, t].split(width // 4, -1)
            squashed = cells[:, t + 1].tanh()
            to_state = to_state + grad[:, t]
            to_cell = to_cell + to_state * o * (1 - squashed * squashed)
            slopes[:, t] = torch.cat(
                [
                    to_cell * g * i * (1 - i),
                    to_cell * cells[:, t] * f * (1 - f),
                    to_cell * i * (1 - g * g),
                    to_state * squashed * o * (1 - o),
                ],
                -1,
            )
            to_cell = to_cell * f
            to_state = torch.bmm(slopes[:, t], w_hh)
        flat = slopes.reshape(lanes, steps * batch, width)
        before = states[:, :steps].reshape(lanes, steps * batch, -1)
        return slopes, torch.bmm(flat.transpose(1, 2), before)
