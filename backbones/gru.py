"""Gated recurrent units over words (Cho et al. 2014, DOI 10.3115/v1/D14-1179)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from equipoise.backbones.lstm import LSTM, needs_backward
from equipoise.contracts.backbone import Rate
from equipoise.core.lazy import lazy

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from equipoise.ops import recurrent
else:
    torch, recurrent = lazy("torch"), lazy("equipoise.ops.recurrent")


@dataclass(frozen=True)
class GRU(LSTM):
    """Word embeddings, a GRU (two in opposite directions if `bidirectional`), the maximum over the words, and a linear layer.

    Like `lstm`, but with three gates instead of four and without a cell state.
    """

    name: ClassVar[str] = "gru"
    reference: ClassVar[str] = (
        "Cho, van Merriënboer, Gulcehre, Bahdanau, Bougares, Schwenk & Bengio 2014, Learning phrase representations using "
        "RNN encoder-decoder for statistical machine translation, EMNLP, DOI 10.3115/v1/D14-1179"
    )
    rate: ClassVar[Rate | None] = Rate(row=140, token=12.0, character=0.15)
    gates: ClassVar[int] = 3

    def _plain_cell(self) -> type[torch.nn.LSTM] | type[torch.nn.GRU]:
        return torch.nn.GRU

    def _states_of_lane(self, x: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor) -> Tensor:
        # PyTorch's kernel wants a second bias, which adds nothing here.
        zeros, weights = x.new_zeros(1, len(x), self.hidden), [w_ih, w_hh, bias, torch.zeros_like(bias)]
        # As for the LSTM: not every CPU has a kernel in half precision.
        with torch.autocast(x.device.type, enabled=False):
            # After the weights: biases, layers, dropout, training, bidirectional, batch first.
            states: Tensor = torch.gru(x, zeros, weights, True, 1, 0.0, needs_backward(x), False, True)[0]
        return states

    def _states_of_lanes(self, x: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor) -> Tensor:
        return recurrent.gru(x.transpose(1, 2), w_ih, w_hh, bias).transpose(1, 2)
