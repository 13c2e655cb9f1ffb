"""A GRU for all lanes of a population at once, for CUDA; like the LSTM of `equipoise.ops.lstm`."""

from __future__ import annotations

import torch
from torch import Tensor


def gru(x: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor) -> Tensor:
    """The states (K, T, B, H) of K lanes, starting from zeros, as `torch.gru` computes them lane by lane without a second bias.

    Cho et al. 2014, DOI 10.3115/v1/D14-1179, with the reset gate applied after the matrix product, as in PyTorch.

    Args:
        x: (K, T, B, E) inputs. w_ih: (K, 3H, E), w_hh: (K, 3H, H) and bias: (K, 3H), with the gates in PyTorch's order
            (reset, update, new).
    """
    # In half precision, rounding errors would add up over the words of a text.
    with torch.autocast(x.device.type, enabled=False):
        return _states(x.to(w_ih.dtype), w_ih, w_hh, bias)


def _states(x: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor) -> Tensor:
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
