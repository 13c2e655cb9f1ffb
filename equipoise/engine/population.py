"""Train a population of lanes side by side: as many at once as it has slots, the next one where one is done.

The bits of a lane do not depend on the others, on CPU with one thread, because (1) batched products give each lane the same
bits for any number of lanes from two on (a single lane is padded to two), (2) rows per batch are a multiple of 32, so the
vectorised part of an element-wise kernel ends where a lane ends, (3) predictions run in blocks of a fixed number of rows,
(4) every random number comes from the lane's own stream, (5) the optimizer takes one lane after the other. The tests check the
outcome for every backbone and strategy.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from equipoise.core.seeds import stream
from equipoise.engine.bank import ExampleBank, matrix
from equipoise.engine.first_weights import first_weights
from equipoise.engine.lanes import Lane, Paused, Trained
from equipoise.engine.loss import PopulationLoss
from equipoise.engine.optimizer import Adam
from equipoise.engine.predict import forward, predict_blocks
from equipoise.engine.sampler import BatchSampler
from equipoise.ops.buffers import give_back
from equipoise.ops.dropout import Dropout
from equipoise.ops.inputs import Inputs
from equipoise.ops.parameters import Parameters
from equipoise.ops.precision import products_in
from equipoise.ops.ranking import macro_average_precision
from equipoise.ops.sparse import EmbeddingBags, ahead_of

#: Steps whose batches are drawn at once.
CHUNK = 64
#: Looks at held-out rows in a training, at equal distances; how far the score may be from its last value to count as settled.
LOOKS, SETTLED = 4, 0.005
_NOBODY = -1


class Population:
    """Lanes of one signature on one device.

    Args:
        lanes: what to train; all with the same `signature`.
        inputs: the shared features, on the device.
        batch_size: rows per step, a multiple of 32.
        width: slots, on CUDA always as many (so that the same kernels run whatever the number of lanes); None: one a lane.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        inputs: Inputs,
        batch_size: int,
        device: torch.device,
        width: int | None = None,
    ) -> None:
        first = lanes[0]
        self._lanes, self._backbone, self._precision = lanes, first.backbone, first.precision
        self._device, self._batch = device, batch_size
        stacks = first.backbone.stacks(device)
        self._least = 2 if stacks else 1
        self._shrinks = width is None or device.type == "cpu"
        wanted = len(lanes) if width is None else width
        slots = max(self._least, min(wanted, len(lanes)) if self._shrinks else wanted)
        self._queue = deque(range(slots, len(lanes)))
        #: Which lane has each place; how many steps it is to do, and at which it leaves.
        self._who = np.array([k if k < len(lanes) else _NOBODY for k in range(slots)])
        here = [lanes[max(k, 0)] for k in self._who]
        self._examples = ExampleBank(lanes, inputs, device)
        self._params = Parameters.of(first_weights(here, inputs.width, batch_size), device)
        numbers = ([n.lr for n in here], [n.l2 for n in here], [n.steps for n in here])
        self._optimizer = Adam(self._params, *numbers, first.backbone.biases)
        rates = [n.backbone.dropout_rate for n in here]
        self._dropout = Dropout(rates, [n.role for n in here], device, shared=stacks)
        self._loss = PopulationLoss(here, device)
        self._halt = np.array([_halt(n) for n in here])
        #: Of each lane, the last score of its held-out rows, and what all looks at them said: steps done, score.
        self._score = [0.0] * len(lanes)
        self._looks: list[list[tuple[int, float]]] = [[] for _ in lanes]
        self._out: list[Trained | None] = [None] * len(lanes)
        self._streams = [self._stream(lane) for lane in here]
        self._chunk, self._cursor = torch.empty(0), CHUNK
        #: The next batch, where something was computed with it in advance.
        self._next: tuple[object, Tensor, Tensor | None] | None = None
        for place, lane in enumerate(here):
            self._resume(place, lane)

    def train(self, on_step: Callable[[np.ndarray], None] | None = None) -> list[Trained]:
        """Train until each lane's steps are done, or it is to pause.

        A lane is never stopped before: the schedule ends where the learning rate does, and no measure that could choose an
        earlier step suits all losses alike. Held-out rows are looked at a few times for the record.

        Args:
            on_step: called with the numbers of the lanes that are trained, after each step.
        """
        watching = self._lanes[0].held_out is not None
        while (self._who != _NOBODY).any():
            self._step()
            done = self._optimizer.steps
            if on_step is not None:
                on_step(self._who[self._who != _NOBODY])
            ended = (self._who != _NOBODY) & (done >= self._halt)
            if watching and (due := (self._who != _NOBODY) & (ended | self._at_look())).any():
                self._look(np.flatnonzero(due))
            for place in np.flatnonzero(ended).tolist():
                self._leave(place)
            self._fill()
        return [t for t in self._out if t is not None]

    def advance(self, steps: int) -> None:
        """Take steps without looking at held-out rows or stopping lanes: for measuring speed."""
        for _ in range(steps):
            self._step()

    def _step(self) -> None:
        (x, y, given), self._next = self._next or self._gathered(), None
        self._cursor += 1
        self._params.zero_grad()
        with products_in(self._precision, self._device):
            logits = forward(self._backbone, self._params, x, self._dropout, given).float()
        progress = np.minimum(self._optimizer.steps / self._optimizer.totals, 1.0)
        logits.backward(self._loss.grad_logits(logits.detach(), y, progress))
        self._optimizer.step(self._ahead())

    def _gathered(self) -> tuple[object, Tensor, Tensor | None]:
        """What the lanes learn from next."""
        if self._cursor == CHUNK:
            give_back()
            self._chunk, self._cursor = self._drawn(range(len(self._who)), CHUNK), 0
        return self._examples.gather(self._chunk[:, self._cursor])

    def _ahead(self) -> Callable[[int], None] | None:
        """What to compute for the next step as soon as a lane is updated: products of sparse rows on CPU."""
        apart = self._params.apart
        if not apart or (self._halt <= self._optimizer.steps + 1).all():
            return None
        self._next = self._gathered()
        rows = self._next[0]
        return ahead_of(rows, apart) if isinstance(rows, EmbeddingBags) else None

    def _drawn(self, slots: Sequence[int], steps: int) -> Tensor:
        """Places in the bank's lists for the next steps, (K, steps, B)."""
        count = steps * self._batch
        starts = [self._examples.starts[max(self._who[p], 0)] for p in slots]
        drawn = [
            start
            + (self._streams[p].take(count) if self._who[p] != _NOBODY else np.zeros(count, dtype=np.int64))
            for p, start in zip(slots, starts, strict=True)
        ]
        return torch.from_numpy(np.stack(drawn)).view(len(drawn), steps, self._batch).to(self._device)

    def _at_look(self) -> np.ndarray:
        """Whether a lane has just done another of `LOOKS` equal parts of its steps."""
        done, total = self._optimizer.steps, self._optimizer.totals
        parts: np.ndarray = LOOKS * done // total > LOOKS * (done - 1) // total
        return parts

    def _look(self, slots: np.ndarray) -> None:
        """Score the lanes that are due on their held-out rows."""
        lanes = [self._lanes[self._who[p]] for p in slots]
        asked = slots if len(slots) >= self._least else np.repeat(slots, 2)
        everybody = np.array_equal(asked, np.arange(len(self._who)))
        params = self._params if everybody else self._params.take(asked)
        rows = [_held_out(self._lanes[self._who[p]]) for p in asked]
        given = [matrix(self._lanes[self._who[p]].val_label_inputs) for p in asked]
        logits = predict_blocks(self._backbone, params, self._examples.inputs, rows, given)
        for place, score in zip(slots, _scores(lanes, logits), strict=True):
            self._score[self._who[place]] = float(score)
            if self._at_look()[place]:  # where it pauses does not count: the record must not depend on it
                self._looks[self._who[place]].append((int(self._optimizer.steps[place]), float(score)))

    def _leave(self, place: int) -> None:
        """A lane is done, or is put aside."""
        k, step = self._who[place], int(self._optimizer.steps[place])
        lane, looks = self._lanes[k], self._looks[k]
        state = self._state(place) if step < lane.steps else None
        settled = _settled(looks, lane.steps)
        self._out[k] = Trained(
            self._params.stack.copy(place), lane.backbone, step, self._score[k], settled, state
        )
        self._who[place] = _NOBODY

    def _fill(self) -> None:
        """The next lanes take the slots that are free; where none wait, slots are given up once they are a quarter of all."""
        free = np.flatnonzero(self._who == _NOBODY)
        taken = free[: len(self._queue)]
        for place in taken:
            self._who[place] = self._queue.popleft()
        if len(taken):
            self._begin(taken)
        elif self._shrinks and len(free) >= max(1, len(self._who) // 4) and len(free) < len(self._who):
            self._shrink()

    def _begin(self, slots: np.ndarray) -> None:
        lanes = [self._lanes[self._who[p]] for p in slots]
        self._dropout.put(slots.tolist(), [n.backbone.dropout_rate for n in lanes], [n.role for n in lanes])
        first = first_weights(lanes, self._examples.inputs.width, self._batch)
        for place, lane, weights in zip(slots, lanes, first, strict=True):
            self._params.stack.put(place, weights)
            self._optimizer.put(place, lane.lr, lane.l2, lane.steps)
            self._streams[place] = self._stream(lane)
            self._halt[place] = _halt(lane)
            self._resume(place, lane)
        self._next = None
        if left := CHUNK - self._cursor:
            index = torch.as_tensor(slots, device=self._device)
            self._chunk[index, self._cursor :] = self._drawn(slots.tolist(), left)
        self._loss = PopulationLoss([self._lanes[max(k, 0)] for k in self._who], self._device)

    def _shrink(self) -> None:
        keep = np.flatnonzero(self._who != _NOBODY)
        if len(keep) < self._least:
            keep = np.append(keep, np.flatnonzero(self._who == _NOBODY)[0])
        if len(keep) == len(self._who):
            return
        self._who, self._halt = self._who[keep], self._halt[keep]
        self._next = None
        self._chunk = self._chunk[torch.as_tensor(keep, device=self._device)]
        self._streams = [self._streams[p] for p in keep]
        self._params = self._params.take(keep)
        self._optimizer.keep(self._params, keep)
        self._dropout.keep(keep)
        self._loss = PopulationLoss([self._lanes[max(k, 0)] for k in self._who], self._device)

    def _stream(self, lane: Lane) -> BatchSampler:
        return BatchSampler(
            len(lane.targets), lane.weights, stream("batches", *lane.role), lane.steps * self._batch
        )

    def _state(self, place: int) -> Paused:
        left = (
            self._chunk[place, self._cursor :].cpu().numpy().ravel() - self._examples.starts[self._who[place]]
        )
        optimizer, dropout = self._optimizer.state(place), self._dropout.state(place)
        looks = tuple(self._looks[self._who[place]])
        return Paused(self._params.stack.copy(place), optimizer, self._streams[place], left, dropout, looks)

    def _resume(self, place: int, lane: Lane) -> None:
        if (state := lane.resume) is None:
            return
        self._params.stack.put(place, state.params)
        self._optimizer.restore(place, state.optimizer)
        self._dropout.restore(place, state.dropout)
        self._streams[place] = state.batches.again(state.drawn)
        self._looks[self._who[place]] = list(state.looks)


def _scores(lanes: Sequence[Lane], logits: Sequence[np.ndarray]) -> list[float]:
    """The watched score of each lane; lanes with the same held-out rows at once."""
    alike: dict[int, list[int]] = {}
    for i, lane in enumerate(lanes):
        alike.setdefault(id(lane.held_targets), []).append(i)
    out = [0.0] * len(lanes)
    for members in alike.values():
        targets = lanes[members[0]].held_targets
        assert targets is not None
        scores = macro_average_precision(np.stack([logits[i] for i in members]), targets)
        for i, score in zip(members, scores.tolist(), strict=True):
            out[i] = score
    return out


def _settled(looks: Sequence[tuple[int, float]], steps: int) -> float:
    """The share of the steps from which on the score stayed within `SETTLED` of what it was in the end; 1 without looks."""
    if not looks:
        return 1.0
    last = looks[-1][1]
    apart = [i for i, (_, score) in enumerate(looks) if abs(score - last) > SETTLED]
    return looks[apart[-1] + 1 if apart else 0][0] / steps


def _halt(lane: Lane) -> int:
    """The step at which it leaves."""
    return lane.steps if lane.pause is None else min(lane.pause, lane.steps)


def _held_out(lane: Lane) -> np.ndarray:
    if lane.held_out is None or lane.held_targets is None:
        raise ValueError("a lane without held-out rows cannot be watched")
    return lane.held_out
