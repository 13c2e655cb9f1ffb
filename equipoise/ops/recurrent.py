"""Recurrent layers for all lanes of a population at once: each time step is one batched product.

They are for CUDA, where a single lane would leave the device idle. On CPU, PyTorch's kernel lane by lane is faster (measured).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def lstm(x: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor) -> Tensor:
    """The states (K, T, B, H) of K lanes, starting from zeros, as `torch.lstm` computes them lane by lane.

    Args:
        x: (K, T, B, E) inputs. w_ih: (K, 4H, E), w_hh: (K, 4H, H) and bias: (K, 4H), with the gates in PyTorch's order
            (input, forget, cell, output).
    """
    # In half precision, rounding errors would add up over the words of a text.
    with torch.autocast(x.device.type, enabled=False):
        return _lstm_states(x.to(w_ih.dtype), w_ih, w_hh, bias)


def _lstm_states(x: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor) -> Tensor:
    """The products with the inputs of all time steps at once, then the recurrence."""
    lanes, steps, batch, _ = x.shape
    flat = torch.baddbmm(bias[:, None], x.reshape(lanes, steps * batch, -1), w_ih.transpose(1, 2))
    states: Any = _Recurrence.apply
    out: Tensor = states(flat.view(lanes, steps, batch, -1), w_hh)
    return out


class _Recurrence(torch.autograd.Function):
    """From the inputs' part of each gate (K, T, B, 4H) to the states. The backward pass is written out.

    Autograd would record every operation of every time step; this keeps only gates, cells and states.

    Hochreiter & Schmidhuber 1997, DOI 10.1162/neco.1997.9.8.1735, with the forget gate of Gers, Schmidhuber & Cummins 2000,
    DOI 10.1162/089976600300015015.
    """

    @staticmethod
    def forward(ctx: Any, from_input: Tensor, w_hh: Tensor) -> Tensor:
        lanes, steps, batch, width = from_input.shape
        hidden, recurrent = width // 4, w_hh.transpose(1, 2)
        gates = torch.empty_like(from_input)
        cells, states = (from_input.new_zeros(lanes, steps + 1, batch, hidden) for _ in range(2))
        for t in range(steps):
            z = torch.baddbmm(from_input[:, t], states[:, t], recurrent)
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
        gate_grads = torch.empty_like(gates)
        state_grad, cell_grad = torch.zeros_like(cells[:, 0]), torch.zeros_like(cells[:, 0])
        # Back through time. The state and the cell of a time step influence its output and the next time step.
        for t in range(steps - 1, -1, -1):
            i, f, g, o = gates[:, t].split(width // 4, -1)
            tanh_cell = cells[:, t + 1].tanh()
            state_grad = state_grad + grad[:, t]
            cell_grad = cell_grad + state_grad * o * (1 - tanh_cell * tanh_cell)
            gate_grads[:, t] = torch.cat(
                [
                    cell_grad * g * i * (1 - i),
                    cell_grad * cells[:, t] * f * (1 - f),
                    cell_grad * i * (1 - g * g),
                    state_grad * tanh_cell * o * (1 - o),
                ],
                -1,
            )
            cell_grad = cell_grad * f
            state_grad = torch.bmm(gate_grads[:, t], w_hh)
        flat = gate_grads.reshape(lanes, steps * batch, width)
        before = states[:, :steps].reshape(lanes, steps * batch, -1)
        return gate_grads, torch.bmm(flat.transpose(1, 2), before)


def gru(x: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor) -> Tensor:
    """The states (K, T, B, H) of K lanes, starting from zeros, as `torch.gru` computes them lane by lane without a second bias.

    Cho et al. 2014, DOI 10.3115/v1/D14-1179, with the reset gate applied after the matrix product, as in PyTorch.

    Args:
        x: (K, T, B, E) inputs. w_ih: (K, 3H, E), w_hh: (K, 3H, H) and bias: (K, 3H), with the gates in PyTorch's order
            (reset, update, new).
    """
    # In half precision, rounding errors would add up over the words of a text.
    with torch.autocast(x.device.type, enabled=False):
        return _gru_states(x.to(w_ih.dtype), w_ih, w_hh, bias)


def _gru_states(x: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor) -> Tensor:
    """The products with the inputs of all time steps at once, then the recurrence."""
    lanes, steps, batch, _ = x.shape
    hidden, recurrent = w_hh.shape[2], w_hh.transpose(1, 2)
    flat = torch.baddbmm(bias[:, None], x.reshape(lanes, steps * batch, -1), w_ih.transpose(1, 2))
    state, states = x.new_zeros(lanes, batch, hidden), []
    for from_input in flat.view(lanes, steps, batch, -1).unbind(1):
        from_state = torch.bmm(state, recurrent)
        gates = torch.sigmoid(from_input[..., : 2 * hidden] + from_state[..., : 2 * hidden])
        reset, update = gates.chunk(2, -1)
        new = torch.tanh(from_input[..., 2 * hidden :] + reset * from_state[..., 2 * hidden :])
        state = torch.lerp(new, state, update)
        states.append(state)
    return torch.stack(states, 1)
