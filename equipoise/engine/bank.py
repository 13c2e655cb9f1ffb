"""What the lanes of a population learn from, gathered once per step for all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from equipoise.contracts.tasks import LabelInputs
from equipoise.engine.lanes import Lane
from equipoise.ops.buffers import Workspace
from equipoise.ops.inputs import Inputs


class ExampleBank:
    """On the device: the shared features with all synthesised rows behind them, and each lane's list of examples.

    Lanes with equal rows and targets (trials of one fold, strategies that leave the rows alone) share one list.
    """

    def __init__(self, lanes: Sequence[Lane], inputs: Inputs, device: torch.device) -> None:
        self._workspace = Workspace()
        digests: dict[int, bytes] = {}
        keys = [_arrays(lane, digests) for lane in lanes]
        self._first: dict[tuple[object, ...], Lane] = dict(zip(reversed(keys), reversed(lanes), strict=True))
        distinct = list(self._first.values())
        made, rows = _rows(distinct, len(inputs))
        ends = np.cumsum([0, *map(len, rows)])
        starts = dict(zip(self._first, ends.tolist(), strict=False))
        #: Where each lane's list begins.
        self.starts = [int(starts[key]) for key in keys]
        self.inputs = inputs.extended(made) if made else inputs
        self._rows = torch.from_numpy(np.concatenate(rows)).to(device)
        self._targets = torch.from_numpy(np.concatenate([lane.targets for lane in distinct])).to(device)
        further = [matrix(lane.label_inputs) for lane in distinct]
        there = [m for m in further if m is not None]
        self._given = torch.from_numpy(np.concatenate(there)).to(device) if there else None

    def gather(self, places: Tensor) -> tuple[object, Tensor, Tensor | None]:
        """Features, targets (K, B, L) and further inputs (K, B, G) of the examples at places (K, B).

        They are good until the next batch.
        """
        flat = places.reshape(-1)
        x = self.inputs.gather(self._rows.index_select(0, flat).view(places.shape), self._workspace)
        further = None if self._given is None else self._pick("given", self._given, places)
        return x, self._pick("targets", self._targets, places), further

    def _pick(self, name: str, values: Tensor, places: Tensor) -> Tensor:
        """As float32; good until the next batch."""
        picked = values.index_select(0, places.reshape(-1))
        shape = (*places.shape, values.shape[1])
        return self._workspace.take(name, shape, torch.float32, values.device).copy_(picked.view(shape))


def matrix(given: LabelInputs | None) -> np.ndarray | None:
    """Further inputs as an array, (m, G)."""
    return None if given is None else given.matrix()


def _arrays(lane: Lane, digests: dict[int, bytes]) -> tuple[object, ...]:
    """What tells lists of examples apart; `digests`: of arrays seen before, by their identity."""
    own = []
    for array in (lane.index, lane.targets):
        if id(array) not in digests:
            digests[id(array)] = hashlib.blake2b(np.ascontiguousarray(array).data).digest()
        own.append(digests[id(array)])
    return *own, id(lane.synthetic), id(lane.label_inputs)


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
