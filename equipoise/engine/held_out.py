"""Keeps the scores of lanes on their held-out rows, for pruning and for the record."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from equipoise.engine.lanes import Lane
from equipoise.ops.ranking import macro_average_precision

#: How many times held-out rows are scored in a training, at equal distances.
LOOKS = 4
#: A score has settled if it stays within this distance of its final value.
SETTLED = 0.005


class HeldOutScores:
    """The scores of each lane so far.

    Attributes:
        looks: lane → its (step, score) at regular moments. They go into the state of a paused lane.
    """

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._lanes = lanes
        self._last = [0.0] * len(lanes)
        self.looks: list[list[tuple[int, float]]] = [[] for _ in lanes]

    def score(
        self, numbers: np.ndarray, logits: Sequence[np.ndarray], steps: np.ndarray, recorded: np.ndarray
    ) -> None:
        """Score some lanes by their logits of their held-out rows.

        Args:
            numbers: (k,) which lanes. logits: (v, L) of each.
            steps: (k,) the steps that they have taken. recorded: (k,) bool, whether this is one of their regular moments.
        """
        scores = held_out_scores([self._lanes[k] for k in numbers], logits)
        for lane, score, step, record in zip(numbers, scores, steps, recorded, strict=True):
            self._last[lane] = float(score)
            if record:
                self.looks[lane].append((int(step), float(score)))

    def result(self, lane: int) -> tuple[float, float]:
        """The last score of a lane, and the share of its steps after which the score hardly changed."""
        return self._last[lane], _settled(self.looks[lane], self._lanes[lane].steps)


def at_look(done: np.ndarray, total: np.ndarray) -> np.ndarray:
    """(K,) whether lanes that have taken `done` of `total` steps have just finished another of `LOOKS` equal parts."""
    parts: np.ndarray = LOOKS * done // total > LOOKS * (done - 1) // total
    return parts


def held_out_scores(lanes: Sequence[Lane], logits: Sequence[np.ndarray]) -> list[float]:
    """The macro average precision of each lane on its held-out rows; computed at once for lanes with the same targets."""
    by_targets: dict[int, list[int]] = {}
    for i, lane in enumerate(lanes):
        by_targets.setdefault(id(lane.held_targets), []).append(i)
    out = [0.0] * len(lanes)
    for members in by_targets.values():
        targets = lanes[members[0]].held_targets
        assert targets is not None
        scores = macro_average_precision(np.stack([logits[i] for i in members]), targets)
        for i, score in zip(members, scores.tolist(), strict=True):
            out[i] = score
    return out


def _settled(looks: Sequence[tuple[int, float]], steps: int) -> float:
    """The share of the steps after which the score stayed within `SETTLED` of its final value; 1 if it was never scored."""
    if not looks:
        return 1.0
    last = looks[-1][1]
    unsettled = [i for i, (_, score) in enumerate(looks) if abs(score - last) > SETTLED]
    return looks[unsettled[-1] + 1 if unsettled else 0][0] / steps
