"""The training examples of a population, gathered once per step for all lanes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from equipoise.contracts.tasks import LabelInputs
from equipoise.engine.lanes import Lane
from equipoise.ops.buffers import Workspace
from equipoise.ops.inputs import Inputs, Sparse
from equipoise.ops.sparse import EmbeddingBags

#: Features, targets (K, B, L) and label inputs (K, B, G) of a step.
Batch: TypeAlias = tuple[object, Tensor, Tensor | None]
#: Batches that one call of `gather` is for, whatever the number of lanes.
_SPARSE, _DENSE = 16, 64


class ExampleBank:
    """The examples of all lanes, on the device: the shared features followed by all synthesised rows, and lists of examples.

    Lanes with equal rows and targets (trials of one fold, strategies that do not resample) share one list. The lists lie one
    after the other, so an example is a single number: the start of its lane's list plus its position there.

    Attributes:
        starts: where the list of each lane begins.
        inputs: the features with the synthesised rows at the end.
    """

    def __init__(self, lanes: Sequence[Lane], inputs: Inputs, device: torch.device) -> None:
        self._workspace = Workspace()
        # Sparse rows of a step have at most so many entries (on devices other than the CPU).
        self._capacity = 0
        digests: dict[int, bytes] = {}
        keys = [_arrays(lane, digests) for lane in lanes]
        # Reversed, so that the first of several equal lanes stays in the dictionary.
        self._first: dict[tuple[object, ...], Lane] = dict(zip(reversed(keys), reversed(lanes), strict=True))
        distinct = list(self._first.values())
        synthetic, rows = _rows(distinct, len(inputs))
        ends = np.cumsum([0, *map(len, rows)])
        starts = dict(zip(self._first, ends.tolist(), strict=False))
        self.starts = [int(starts[key]) for key in keys]
        self.inputs = inputs.extended(synthetic) if synthetic else inputs
        self._rows = torch.from_numpy(np.concatenate(rows)).to(device)
        self._targets = torch.from_numpy(np.concatenate([lane.targets for lane in distinct])).to(device)
        label_inputs = [m for lane in distinct if (m := matrix(lane.label_inputs)) is not None]
        self._label_inputs = (
            torch.from_numpy(np.concatenate(label_inputs)).to(device) if label_inputs else None
        )

    def steps_at_once(self, lanes: int) -> int:
        """For how many steps `gather` should be called at once: with few lanes, a call takes long beside its copying."""
        return max(1, (_SPARSE if isinstance(self.inputs, Sparse) else _DENSE) // lanes)

    def announce(self, examples: Tensor) -> None:
        """Announce the examples (K, S, B) of the next steps, before `gather` is called for some of them.

        On devices other than the CPU, the host must know how much memory sparse rows need. It waits for that number here, for
        many steps at once, and not in every step. The memory never shrinks, so that after some time no step needs more.
        """
        if isinstance(self.inputs, Sparse) and examples.device.type != "cpu":
            rows = self._rows.index_select(0, examples.reshape(-1)).view(examples.shape)
            self._capacity = max(self._capacity, self.inputs.most_entries(rows))

    def gather(self, examples: Tensor) -> Iterator[Batch]:
        """The batch of each of S steps, from examples (K, S, B).

        Features that are not sparse are gathered when their step comes. The memory of features is used again for the next
        step, that of targets and label inputs by the next call.
        """
        lanes, steps, size = examples.shape
        # Step by step, all lanes of one after the other.
        ordered = examples.transpose(0, 1).reshape(steps * lanes, size).contiguous()
        rows = self._rows.index_select(0, ordered.view(-1)).view(steps, lanes, size)
        y = self._pick("targets", self._targets, ordered).view(steps, lanes, size, -1)
        labels: Iterable[Tensor | None] = repeat(None, steps)
        if self._label_inputs is not None:
            labels = self._pick("label inputs", self._label_inputs, ordered).view(steps, lanes, size, -1)
        return zip(self._features(rows), y, labels, strict=True)

    def _features(self, rows: Tensor) -> Iterator[object]:
        """The features of rows (S, K, B), step by step."""
        if isinstance(inputs := self.inputs, Sparse):
            if rows.device.type == "cpu":
                return iter(EmbeddingBags.of(inputs.matrix, rows.flatten(0, 1).numpy()).steps(len(rows)))
            return (inputs.gather(of_step, capacity=self._capacity) for of_step in rows)
        return (inputs.gather(of_step, self._workspace) for of_step in rows)

    def _pick(self, name: str, values: Tensor, examples: Tensor) -> Tensor:
        """Rows of `values` as float32 (K, B, …), in memory that the next batch uses again."""
        # Kept as uint8 and converted here: all targets of a large data set would take four times the memory.
        picked = values.index_select(0, examples.reshape(-1))
        shape = (*examples.shape, values.shape[1])
        return self._workspace.take(name, shape, torch.float32, values.device).copy_(picked.view(shape))


def matrix(label_inputs: LabelInputs | None) -> np.ndarray | None:
    """Label inputs as an array (m, G); None if there are none."""
    return None if label_inputs is None else label_inputs.matrix()


def _arrays(lane: Lane, digests: dict[int, bytes]) -> tuple[object, ...]:
    """The identity of a lane's list of examples; `digests` holds those of arrays that were hashed before, by their id."""
    contents = []
    for array in (lane.index, lane.targets):
        if id(array) not in digests:
            digests[id(array)] = hashlib.blake2b(np.ascontiguousarray(array).data).digest()
        contents.append(digests[id(array)])
    return *contents, id(lane.synthetic), id(lane.label_inputs)


def _rows(lanes: Sequence[Lane], end: int) -> tuple[list[object], list[np.ndarray]]:
    """The synthesised rows of all lanes, and for each lane the positions of its rows in the extended inputs.

    `end` is the number of rows before the first synthesised one.
    """
    synthetic: list[object] = []
    rows = []
    for lane in lanes:
        parts = [np.asarray(lane.index, dtype=np.int64)]
        if lane.synthetic is not None and lane.synthetic.shape[0]:
            synthetic.append(lane.synthetic)
            parts.append(np.arange(end, end + lane.synthetic.shape[0]))
            end += lane.synthetic.shape[0]
        rows.append(np.concatenate(parts))
    return synthetic, rows
