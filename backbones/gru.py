"""Gated recurrent units over words (Cho et al. 2014, DOI 10.3115/v1/D14-1179)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from equipoise.backbones.lstm import LSTM, needs_backward
from equipoise.contracts.backbone import Rate

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class GRU(LSTM):
    """Word embeddings, a GRU (two in opposite directions if `bidirectional`), the maximum over the words, a linear layer.

    As `lstm`, with three gates in the place of four and no cell state.
    """

    name: ClassVar[str] = "gru"
    reference: ClassVar[str] = "Cho et al. 2014, DOI 10.3115/v1/D14-1179"
    rate: ClassVar[Rate | None] = Rate(row=140, token=12.0, character=0.15)
    gates: ClassVar[int] = 3

    def _of_lane(self, x: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor) -> Tensor:
        import torch

        zeros, flat = x.new_zeros(1, len(x), self.hidden), [w_ih, w_hh, bias, torch.zeros_like(bias)]
        with torch.autocast(x.device.type, enabled=False):  # as for the LSTM
            states: Tensor = torch.gru(x, zeros, flat, True, 1, 0.0, needs_backward(x), False, True)[0]
        return states

    def _of_lanes(self, x: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor) -> Tensor:
        from equipoise.ops.gru import gru

        return gru(x.transpose(1, 2), w_ih, w_hh, bias).transpose(1, 2)
