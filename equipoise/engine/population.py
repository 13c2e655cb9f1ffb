"""Trains a population of lanes side by side. Each slot holds a lane; when a lane ends, the next one takes its slot.

On CPU with one thread, the bits of a lane do not depend on the other lanes, for these reasons:

1. Batched matrix products give each lane the same bits for any number of lanes from two on. One lane alone may take another
   kernel, so a single lane is padded to two.
2. Rows per batch are a multiple of 32, and all parameters begin at a multiple of 64 bytes (`ops.parameters`). So the vectorised
   part of an element-wise kernel ends where a lane ends, and no element falls into another kind of arithmetic.
3. Predictions run in blocks of a fixed number of rows.
4. Every random number comes from a stream of the lane.
5. The optimizer updates one lane after the other.

`tests/test_engine_bits.py` checks this for every backbone and strategy.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from equipoise.core.seeds import stream
from equipoise.engine.backpropagation import Backpropagation
from equipoise.engine.bank import Batch, ExampleBank, matrix
from equipoise.engine.held_out import HeldOutScores, at_look
from equipoise.engine.lanes import Lane, Paused, Trained
from equipoise.engine.loss import PopulationLoss
from equipoise.engine.optimizer import Adam
from equipoise.engine.predict import predict_blocks
from equipoise.engine.sampler import BatchSampler
from equipoise.engine.starts.first_weights import first_weights
from equipoise.ops.buffers import give_back
from equipoise.ops.dropout import Dropout
from equipoise.ops.inputs import Inputs, fed_to
from equipoise.ops.parameters import Parameters
from equipoise.ops.sparse import EmbeddingBags, ahead_of

#: Batches are drawn for this many steps at once.
CHUNK = 64
#: The lane number of a slot without a lane.
_FREE = -1


class Population:
    """Lanes of one signature on one device.

    Args:
        lanes: what to train; all with the same `signature`.
        inputs: the shared features, on the device.
        batch_size: rows per step, a multiple of 32.
        width: the number of slots; None for one a lane. On CUDA it never changes, so that the same kernels run whatever the
            number of lanes.
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
        self._lanes, self._backbone = lanes, first.backbone
        self._device, self._batch = device, batch_size
        stacks = first.backbone.stacks(device)
        self._min_slots = 2 if stacks else 1
        self._shrinks = width is None or device.type == "cpu"
        wanted = len(lanes) if width is None else width
        slots = max(self._min_slots, min(wanted, len(lanes)) if self._shrinks else wanted)
        # Lanes that wait for a slot.
        self._queue = deque(range(slots, len(lanes)))
        # Slot → number of its lane. Free slots go on computing, and nobody reads the result.
        self._lane_of = np.array([k if k < len(lanes) else _FREE for k in range(slots)])
        in_slots = [lanes[max(k, 0)] for k in self._lane_of]
        inputs = fed_to(inputs, stacks)
        self._examples = ExampleBank(lanes, inputs, device)
        self._params = Parameters.of(first_weights(in_slots, inputs.width, batch_size), device)
        numbers = ([n.lr for n in in_slots], [n.l2 for n in in_slots], [n.steps for n in in_slots])
        self._optimizer = Adam(self._params, *numbers, first.backbone.biases)
        rates = [n.backbone.dropout_rate for n in in_slots]
        self._dropout = Dropout(rates, [n.role for n in in_slots], device, shared=stacks)
        self._loss = PopulationLoss(in_slots, device)
        self._backpropagation = Backpropagation(first.backbone, first.precision, device, self._dropout)
        # Slot → the step after which its lane ends or pauses.
        self._stop_at = np.array([_stop_step(n) for n in in_slots])
        self._held_out = HeldOutScores(lanes)
        self._out: list[Trained | None] = [None] * len(lanes)
        self._samplers = [self._sampler(lane) for lane in in_slots]
        # The examples of the next steps, (slots, CHUNK, B), and the position of the next step among them.
        self._chunk, self._cursor = torch.empty(0), CHUNK
        # Batches of the next steps that are gathered already.
        self._batches: Iterator[Batch] = iter(())
        #: The next batch, if something was computed with it in advance.
        self._next: Batch | None = None
        for slot, lane in enumerate(in_slots):
            self._resume(slot, lane)

    def train(self, on_step: Callable[[np.ndarray], None] | None = None) -> list[Trained]:
        """Train every lane to its last step, or to the step at which it pauses; the results are in the order of the lanes.

        A lane is never stopped early: its learning rate reaches zero at its last step, and no score that could choose an
        earlier step suits all losses equally. Held-out rows are scored a few times, for the record and for pruning only.

        Args:
            on_step: called after each step with the numbers of the lanes that took it.
        """
        has_held_out = self._lanes[0].held_out is not None
        while (busy := self._lane_of != _FREE).any():
            self._step()
            if on_step is not None:
                on_step(self._lane_of[busy])
            ended = busy & (self._optimizer.steps >= self._stop_at)
            if has_held_out and (due := busy & (ended | self._at_look())).any():
                self._look(np.flatnonzero(due))
            if ended.any():
                for slot in np.flatnonzero(ended).tolist():
                    self._finish(slot)
                self._fill()
        return [t for t in self._out if t is not None]

    def advance(self, steps: int) -> None:
        """Take steps without scoring held-out rows or ending lanes, to measure speed."""
        for _ in range(steps):
            self._step()

    def _step(self) -> None:
        """One gradient step of every slot."""
        batch, self._next = self._next or self._gathered(), None
        self._cursor += 1
        self._optimizer.feed()
        self._dropout.feed()
        self._learn(*batch)

    def _learn(self, x: object, y: Tensor, label_inputs: Tensor | None) -> None:
        """The gradients of a batch and the update.

        On devices other than the CPU this is what a CUDA graph could hold: the same operations in every step, none of which
        copies from or to the host or depends on the value of a tensor (tests/test_capture.py).
        """
        self._params.zero_grad()
        self._backpropagation.run(self._params, self._loss, self._optimizer.progress, (x, y, label_inputs))
        self._optimizer.step(self._ahead())

    def _gathered(self) -> Batch:
        """What the lanes learn from next."""
        if (batch := next(self._batches, None)) is not None:
            return batch
        if self._cursor == CHUNK:
            give_back()
            self._chunk, self._cursor = self._drawn(range(len(self._lane_of)), CHUNK), 0
            self._examples.announce(self._chunk)
        end = self._cursor + self._examples.steps_at_once(len(self._lane_of))
        self._batches = self._examples.gather(self._chunk[:, self._cursor : end])
        return next(self._batches)

    def _forget_batches(self) -> None:
        """Forget the batches that were gathered for the lanes in the slots before a change."""
        self._next, self._batches = None, iter(())

    def _ahead(self) -> Callable[[int], None] | None:
        """What to compute for the next step as soon as a lane is updated: products of sparse rows on CPU."""
        apart = self._params.apart
        if not apart or (self._stop_at <= self._optimizer.steps + 1).all():
            return None
        self._next = self._gathered()
        rows = self._next[0]
        return ahead_of(rows, apart) if isinstance(rows, EmbeddingBags) else None

    def _drawn(self, slots: Sequence[int], steps: int) -> Tensor:
        """Draw the examples of the next steps for some slots, (K, steps, B)."""
        count = steps * self._batch
        starts = [self._examples.starts[max(self._lane_of[p], 0)] for p in slots]
        drawn = [
            start
            + (
                self._samplers[p].take(count)
                if self._lane_of[p] != _FREE
                else np.zeros(count, dtype=np.int64)
            )
            for p, start in zip(slots, starts, strict=True)
        ]
        return torch.from_numpy(np.stack(drawn)).view(len(drawn), steps, self._batch).to(self._device)

    def _at_look(self) -> np.ndarray:
        """(slots,) whether a lane has just finished another of `LOOKS` equal parts of its steps."""
        return at_look(self._optimizer.steps, self._optimizer.totals)

    def _look(self, slots: np.ndarray) -> None:
        """Score the lanes in these slots on their held-out rows."""
        # A single slot is predicted twice, for the same bits as beside others.
        padded = slots if len(slots) >= self._min_slots else np.repeat(slots, 2)
        all_slots = np.array_equal(padded, np.arange(len(self._lane_of)))
        params = self._params if all_slots else self._params.take(padded)
        rows = [_held_out(self._lanes[self._lane_of[p]]) for p in padded]
        label_inputs = [matrix(self._lanes[self._lane_of[p]].val_label_inputs) for p in padded]
        logits = predict_blocks(self._backbone, params, self._examples.inputs, rows, label_inputs)
        # Scores at a pause are not recorded, so that pruning does not change the record of the trials that survive.
        recorded = self._at_look()[slots]
        # Of a padded slot, the second prediction is not needed.
        self._held_out.score(
            self._lane_of[slots], logits[: len(slots)], self._optimizer.steps[slots], recorded
        )

    def _finish(self, slot: int) -> None:
        """Store the result of the lane in a slot, which has ended or pauses, and free the slot."""
        k, step = self._lane_of[slot], int(self._optimizer.steps[slot])
        lane = self._lanes[k]
        state = self._state(slot) if step < lane.steps else None
        score, settled = self._held_out.result(k)
        self._out[k] = Trained(self._params.stack.copy(slot), lane.backbone, step, score, settled, state)
        self._lane_of[slot] = _FREE

    def _fill(self) -> None:
        """Give free slots to waiting lanes; if none waits, remove free slots once they are a quarter of all."""
        # Shrinking copies all parameters, so it does not happen for every lane that ends.
        free = np.flatnonzero(self._lane_of == _FREE)
        taken = free[: len(self._queue)]
        for slot in taken:
            self._lane_of[slot] = self._queue.popleft()
        if len(taken):
            self._begin(taken)
        elif (
            self._shrinks and len(free) >= max(1, len(self._lane_of) // 4) and len(free) < len(self._lane_of)
        ):
            self._shrink()

    def _begin(self, slots: np.ndarray) -> None:
        """Start the lanes that have just been given these slots."""
        lanes = [self._lanes[self._lane_of[p]] for p in slots]
        self._dropout.put(slots.tolist(), [n.backbone.dropout_rate for n in lanes], [n.role for n in lanes])
        first = first_weights(lanes, self._examples.inputs.width, self._batch)
        for slot, lane, weights in zip(slots, lanes, first, strict=True):
            self._params.stack.put(slot, weights)
            self._optimizer.put(slot, lane.lr, lane.l2, lane.steps)
            self._samplers[slot] = self._sampler(lane)
            self._stop_at[slot] = _stop_step(lane)
            self._resume(slot, lane)
        self._forget_batches()
        # The rest of the current chunk holds batches of the lanes that had the slots before.
        if left := CHUNK - self._cursor:
            index = torch.as_tensor(slots, device=self._device)
            self._chunk[index, self._cursor :] = self._drawn(slots.tolist(), left)
            self._examples.announce(self._chunk[:, self._cursor :])
        self._loss = PopulationLoss([self._lanes[max(k, 0)] for k in self._lane_of], self._device)

    def _shrink(self) -> None:
        """Remove the free slots, except one where a single lane must be padded to two."""
        keep = np.flatnonzero(self._lane_of != _FREE)
        if len(keep) < self._min_slots:
            keep = np.append(keep, np.flatnonzero(self._lane_of == _FREE)[0])
        if len(keep) == len(self._lane_of):
            return
        self._lane_of, self._stop_at = self._lane_of[keep], self._stop_at[keep]
        self._forget_batches()
        self._chunk = self._chunk[torch.as_tensor(keep, device=self._device)]
        self._samplers = [self._samplers[p] for p in keep]
        self._params = self._params.take(keep)
        self._optimizer.keep(self._params, keep)
        self._dropout.keep(keep)
        self._loss = PopulationLoss([self._lanes[max(k, 0)] for k in self._lane_of], self._device)

    def _sampler(self, lane: Lane) -> BatchSampler:
        return BatchSampler(
            len(lane.targets), lane.weights, stream("batches", *lane.role), lane.steps * self._batch
        )

    def _state(self, slot: int) -> Paused:
        """Everything that the remaining steps of the lane in a slot depend on."""
        # Batches that are drawn but not used yet come first when the lane resumes.
        left = (
            self._chunk[slot, self._cursor :].cpu().numpy().ravel()
            - self._examples.starts[self._lane_of[slot]]
        )
        optimizer, dropout = self._optimizer.state(slot), self._dropout.state(slot)
        looks = tuple(self._held_out.looks[self._lane_of[slot]])
        return Paused(self._params.stack.copy(slot), optimizer, self._samplers[slot], left, dropout, looks)

    def _resume(self, slot: int, lane: Lane) -> None:
        """Put the lane's paused state, if it has one, into its slot."""
        if (state := lane.resume) is None:
            return
        self._params.stack.put(slot, state.params)
        self._optimizer.restore(slot, state.optimizer)
        self._dropout.restore(slot, state.dropout)
        self._samplers[slot] = state.batches.again(state.drawn)
        self._held_out.looks[self._lane_of[slot]] = list(state.looks)


def _stop_step(lane: Lane) -> int:
    """The step after which a lane ends or pauses."""
    return lane.steps if lane.pause is None else min(lane.pause, lane.steps)


def _held_out(lane: Lane) -> np.ndarray:
    if lane.held_out is None or lane.held_targets is None:
        raise ValueError("a lane without held-out rows cannot be scored")
    return lane.held_out
