"""Each lane's own stream of batches.

Nothing is drawn over all lanes at once, so a lane sees the same numbers whoever trains beside it.
"""

from __future__ import annotations

import copy

import numpy as np


class BatchSampler:
    """An endless stream of row positions 0..m−1 of one lane.

    Without weights: shuffled passes over all rows, one after the other. With weights (m,): independent draws in proportion
    to them. With key frames of weights (S, m): draws in proportion to a mixture that moves from frame to frame, evenly, while
    the first `total` rows are drawn, and stays at the last.
    """

    def __init__(
        self, n_rows: int, weights: np.ndarray | None, rng: np.random.Generator, total: int = 1
    ) -> None:
        self._n, self._rng, self._drawn, self._total = n_rows, rng, 0, max(total, 1)
        frames = weights[0] if weights is not None and weights.shape[:-1] == (1,) else weights
        self._cumulative = (
            None if frames is None else np.cumsum(frames / frames.sum(-1, keepdims=True), axis=-1)
        )
        self._left = np.empty(0, dtype=np.int64)
        self._returned = np.empty(0, dtype=np.int64)

    def again(self, returned: np.ndarray) -> BatchSampler:
        """A stream of its own that goes on from here, after some positions that were drawn and not used."""
        other = copy.copy(self)
        other._rng, other._returned = copy.deepcopy(self._rng), np.array(returned, dtype=np.int64)
        return other

    def take(self, count: int) -> np.ndarray:
        """The next `count` positions, int64."""
        returned, self._returned = self._returned[:count], self._returned[count:]
        drawn = self._next(count - len(returned))
        return np.concatenate([returned, drawn]) if len(returned) else drawn

    def _next(self, count: int) -> np.ndarray:
        if self._cumulative is None:
            return self._pass_on(count)
        if self._cumulative.ndim == 1:
            return self._draw(self._cumulative, self._rng.random(count))
        return self._between(self._cumulative, count)

    def _pass_on(self, count: int) -> np.ndarray:
        passes = [self._left]
        have = len(self._left)
        while have < count:
            passes.append(self._rng.permutation(self._n))
            have += self._n
        joined = np.concatenate(passes)
        self._left = joined[count:]
        return joined[:count]

    def _draw(self, cumulative: np.ndarray, u: np.ndarray) -> np.ndarray:
        drawn = np.searchsorted(cumulative, u, side="right")
        return np.minimum(drawn, self._n - 1).astype(np.int64)

    def _between(self, cumulative: np.ndarray, count: int) -> np.ndarray:
        """A row between two frames is drawn from the later one with the probability of how far it has come."""
        u = self._rng.random((count, 2))
        last = len(cumulative) - 1
        place = np.minimum((self._drawn + np.arange(count)) / self._total, 1.0) * last
        earlier = np.minimum(place.astype(np.int64), last - 1)
        frame = earlier + (u[:, 0] < place - earlier)
        self._drawn += count
        drawn = np.empty(count, dtype=np.int64)
        for f in np.unique(frame):
            drawn[frame == f] = self._draw(cumulative[f], u[frame == f, 1])
        return drawn
