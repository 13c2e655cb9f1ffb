"""What the lanes of a population learn from, gathered once per step for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from equipoise.engine.inputs import Inputs
from equipoise.engine.lanes import Lane
from equipoise.tasks import Given


class Bank:
    """On the device: the shared features with all synthesised rows behind them, and each lane's list of examples.

    Lanes that were given the same arrays (trials of one fold, say) share one list.
    """

    def __init__(self, lanes: Sequence[Lane], inputs: Inputs, device: torch.device) -> None:
        self._first: dict[tuple[int, ...], Lane] = {_arrays(lane): lane for lane in lanes}
        distinct = list(self._first.values())
        made, rows = _rows(distinct, len(inputs))
        ends = np.cumsum([0, *map(len, rows)])
        starts = dict(zip(self._first, ends.tolist(), strict=False))
        #: Where each lane's list begins.
        self.starts = [int(starts[_arrays(lane)]) for lane in lanes]
        self.inputs = inputs.extended(made) if made else inputs
        self._rows = torch.from_numpy(np.concatenate(rows)).to(device)
        self._targets = torch.from_numpy(np.concatenate([lane.targets for lane in distinct])).to(device)
        further = [matrix(lane.given) for lane in distinct]
        there = [m for m in further if m is not None]
        self._given = torch.from_numpy(np.concatenate(there)).to(device) if there else None

    def gather(self, places: Tensor) -> tuple[object, Tensor, Tensor | None]:
        """Features, targets (K, B, L) and further inputs (K, B, G) of the examples at places (K, B)."""
        flat = places.reshape(-1)
        pick: Callable[[Tensor], Tensor] = lambda m: m.index_select(0, flat).view(*places.shape, -1).float()  # noqa: E731
        x = self.inputs.gather(self._rows.index_select(0, flat).view(places.shape))
        return x, pick(self._targets), None if self._given is None else pick(self._given)


def matrix(given: Given | None) -> np.ndarray | None:
    """Further inputs as an array, (m, G)."""
    return None if given is None else given.matrix()


def _arrays(lane: Lane) -> tuple[int, ...]:
    given = (0, 0) if lane.given is None else (id(lane.given.labels), id(lane.given))
    return id(lane.index), id(lane.targets), id(lane.synthetic), *given


def _rows(lanes: Sequence[Lane], end: int) -> tuple[list[object], list[np.ndarray]]:
    """Synthesised rows of all lanes, and each lane's rows of the inputs with those behind them."""
    made: list[object] = []
    rows = []
    for lane in lanes:
        own = [np.asarray(lane.index, dtype=np.int64)]
        if lane.synthetic is not None and lane.synthetic.shape[0]:
            made.append(lane.synthetic)
            own.append(np.arange(end, end + lane.synthetic.shape[0]))
            end += lane.synthetic.shape[0]
        rows.append(np.concatenate(own))
    return made, rows
