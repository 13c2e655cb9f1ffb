"""Train a population of lanes side by side; predict with them.

The bits of a lane do not depend on the others, on CPU with one thread, because (1) batched products give each lane the same
bits for any number of lanes from two on (a single lane is padded to two), (2) rows per batch are a multiple of 32, so the
vectorised part of an element-wise kernel ends where a lane ends, (3) predictions run in blocks of a fixed number of rows,
(4) every random number comes from the lane's own stream. The tests check the outcome for every backbone and strategy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from equipoise.engine.inputs import Inputs
from equipoise.engine.lanes import Lane, Trained
from equipoise.engine.loss import PopulationLoss
from equipoise.engine.parameters import AdamW, Parameters
from equipoise.engine.predict import forward, predict_blocks
from equipoise.engine.ranking import macro_average_precision
from equipoise.engine.streams import BatchStream, Dropout
from equipoise.seeds import seed_of, stream
from equipoise.tasks import Given

#: Steps whose batches are drawn at once.
CHUNK = 64


class Population:
    """Lanes of one signature on one device.

    Args:
        lanes: what to train; all with the same `signature`.
        inputs: the shared features, on the device.
        batch_size: rows per step, a multiple of 32.
        width: pad to this many lanes (on CUDA, so that the same kernels run whatever their number); 0: no more than needed.
    """

    def __init__(
        self, lanes: Sequence[Lane], inputs: Inputs, batch_size: int, device: torch.device, width: int = 0
    ) -> None:
        fill = max(width, 2 if lanes[0].backbone.stacked else 1) - len(lanes)
        self._lanes = [*lanes, *([lanes[0]] * fill)]
        self._least, self._shrinks = (2 if lanes[0].backbone.stacked else 1), width == 0
        self._steps = np.array([lane.steps for lane in self._lanes])
        self._alive = np.arange(len(self._lanes))
        self._stopped = np.arange(len(self._lanes)) >= len(lanes)
        self._backbone, self._device, self._batch = lanes[0].backbone, device, batch_size
        self._bank, self._rows, self._targets, self._starts = _bank(self._lanes, inputs, device)
        self._given = _given(self._lanes, device)
        self._params = Parameters([_init(lane, inputs.width) for lane in self._lanes], device)
        self._optimizer = AdamW(
            self._params, [n.lr for n in self._lanes], [n.weight_decay for n in self._lanes]
        )
        rates = [n.backbone.dropout_rate for n in self._lanes]
        self._dropout = Dropout(rates, [n.role for n in self._lanes], device)
        self._streams = [
            BatchStream(len(n.targets), n.weights, stream("batches", *n.role), n.steps * batch_size)
            for n in self._lanes
        ]
        self._loss = PopulationLoss(self._lanes, device)
        self._chunk = torch.empty(0)
        self._best: list[tuple[float, int, dict[str, Tensor]]] = [(-math.inf, 0, {}) for _ in lanes]
        self._run = [0] * len(lanes)

    def train(self, every: int, patience: int, on_step: Callable[[int], None] | None = None) -> list[Trained]:
        """Train until each lane's steps are done or its early stopping says so.

        Args:
            every: steps between two looks at the held-out rows.
            patience: looks without a better macro average precision before a lane stops.
            on_step: called with the number of lanes after each step.
        """
        last = int(self._steps.max())
        watching = self._lanes[0].held_out is not None
        for step in range(last):
            if step % CHUNK == 0:
                self._chunk = self._draw(min(CHUNK, last - step))
            self._step(self._chunk[:, step % CHUNK], step)
            if on_step is not None:
                on_step(int((~self._stopped).sum()))
            ending = self._steps[self._alive] == step + 1
            due = ending | ((step + 1) % every == 0)
            if watching and due.any():
                self._look(step + 1, patience * every, due)
            if ending.any():
                self._finish(np.flatnonzero(ending), step + 1, watching)
            if self._stopped.all():
                break
        return [
            Trained(params, self._lanes[k].backbone, step, self._run[k])
            for k, (_, step, params) in enumerate(self._best)
        ]

    def advance(self, steps: int) -> None:
        """Take steps without looking at held-out rows or stopping lanes: for measuring speed."""
        for step in range(steps):
            if step % CHUNK == 0:
                self._chunk = self._draw(min(CHUNK, steps - step))
            self._step(self._chunk[:, step % CHUNK], step)

    def _draw(self, steps: int) -> Tensor:
        """Places in the bank's list of rows, (K, steps, B)."""
        places = [self._starts[k] + self._streams[k].take(steps * self._batch) for k in self._alive]
        return torch.from_numpy(np.stack(places)).view(len(places), steps, self._batch).to(self._device)

    def _step(self, places: Tensor, step: int) -> None:
        x, y = self._bank.gather(self._rows[places]), self._targets[places].float()
        self._params.zero_grad()
        given = None if self._given is None else self._given[places].float()
        logits = forward(self._backbone, self._params, x, self._dropout, given)
        self._loss(logits, y, np.minimum(step / self._steps[self._alive], 1.0)).sum().backward()
        self._optimizer.step()

    def _finish(self, places: np.ndarray, step: int, watching: bool) -> None:
        """Lanes whose steps are done stop; those that nobody watches keep the parameters they have now."""
        for i in places:
            k = self._alive[i]
            if not self._stopped[k]:
                self._stopped[k] = True
                if not watching:
                    self._best[k], self._run[k] = (0.0, step, self._params.copy(i)), step
        self._shrink()

    def _look(self, step: int, patience: int, due: np.ndarray) -> None:
        """Score the lanes that are due on their held-out rows; keep the best parameters; stop those that no longer get better.

        Another lane's end is no occasion: when a lane is looked at must not depend on the lanes beside it.
        """
        held = [_held_out(self._lanes[k]) for k in self._alive]
        rows = [h for h, _ in held]
        given = [_matrix(self._lanes[k].held_given) for k in self._alive]
        for i, logits in enumerate(predict_blocks(self._backbone, self._params, self._bank, rows, given)):
            k = self._alive[i]
            if self._stopped[k] or not due[i]:
                continue
            score = macro_average_precision(logits, held[i][1])
            if score > self._best[k][0]:
                self._best[k] = (score, step, self._params.copy(i))
            self._run[k] = step
            self._stopped[k] = step - self._best[k][1] >= patience
        if not (self._steps[self._alive] == step).any():
            self._shrink()

    def _shrink(self) -> None:
        """Let stopped lanes leave once they are a quarter of the population; two always stay where batched products need them."""
        going_on = ~self._stopped[self._alive]
        if (
            not self._shrinks
            or not going_on.any()
            or going_on.mean() > 0.75
            or len(self._alive) <= self._least
        ):
            return
        keep = np.flatnonzero(going_on)
        if len(keep) < self._least:
            keep = np.append(keep, np.flatnonzero(~going_on)[0])
        self._alive, self._chunk = self._alive[keep], self._chunk[torch.as_tensor(keep, device=self._device)]
        for part in (self._params, self._optimizer, self._dropout, self._loss):
            part.keep(keep)


def _bank(
    lanes: Sequence[Lane], inputs: Inputs, device: torch.device
) -> tuple[Inputs, Tensor, Tensor, list[int]]:
    """Shared features with all synthesised rows behind them; each lane's rows and targets, one lane after the other."""
    made, rows, starts, end, at = [], [], [], len(inputs), 0
    for lane in lanes:
        own = [np.asarray(lane.index, dtype=np.int64)]
        if lane.synthetic is not None and lane.synthetic.shape[0]:
            made.append(lane.synthetic)
            own.append(np.arange(end, end + lane.synthetic.shape[0]))
            end += lane.synthetic.shape[0]
        rows.append(np.concatenate(own))
        starts.append(at)
        at += len(rows[-1])
    bank = inputs.extended(made) if made else inputs
    targets = torch.from_numpy(np.concatenate([lane.targets for lane in lanes])).to(device)
    return bank, torch.from_numpy(np.concatenate(rows)).to(device), targets, starts


def _init(lane: Lane, width: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed_of("init", *lane.role) % 2**63)
    params = lane.backbone.init(width, lane.targets.shape[1], generator)
    if lane.given is not None:  # zeros: a chain begins as binary relevance, with the same initial weights
        params["given"] = torch.zeros(lane.given.labels.shape[1], params[lane.backbone.entry].shape[-1])
    return params


def _given(lanes: Sequence[Lane], device: torch.device) -> Tensor | None:
    """Each lane's further inputs, one lane after the other; None where lanes have none."""
    matrices = [m for lane in lanes if (m := _matrix(lane.given)) is not None]
    return torch.from_numpy(np.concatenate(matrices)).to(device) if matrices else None


def _matrix(given: Given | None) -> np.ndarray | None:
    return None if given is None else given.matrix()


def _held_out(lane: Lane) -> tuple[np.ndarray, np.ndarray]:
    if lane.held_out is None or lane.held_targets is None:
        raise ValueError("a lane without held-out rows cannot be watched")
    return lane.held_out, lane.held_targets
