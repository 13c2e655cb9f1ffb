"""The stream of batches of one lane.

Each lane draws from its own generator, so it sees the same batches whatever is trained beside it.
"""

from __future__ import annotations

import copy

import numpy as np


class BatchSampler:
    """An endless stream of row positions 0..m−1 of one lane.

    Without weights, it consists of shuffled epochs. With weights (m,), rows are drawn independently in proportion to them. With
    weights (S, m), the proportions move linearly from each of the S rows to the next while the first `total` positions are
    drawn, and then stay at the last.
    """

    def __init__(
        self, n_rows: int, weights: np.ndarray | None, rng: np.random.Generator, total: int = 1
    ) -> None:
        self._n, self._rng, self._drawn, self._total = n_rows, rng, 0, max(total, 1)
        frames = weights[0] if weights is not None and weights.shape[:-1] == (1,) else weights
        self._cumulative = (
            None if frames is None else np.cumsum(frames / frames.sum(-1, keepdims=True), axis=-1)
        )
        self._rest_of_epoch = np.empty(0, dtype=np.int64)
        self._returned = np.empty(0, dtype=np.int64)

    def again(self, returned: np.ndarray) -> BatchSampler:
        """A copy that continues from here, but first returns some positions that were drawn and not used.

        The copy has its own generator, so a paused state can be resumed several times.
        """
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
            return self._shuffled(count)
        if self._cumulative.ndim == 1:
            return self._draw(self._cumulative, self._rng.random(count))
        return self._interpolated(self._cumulative, count)

    def _shuffled(self, count: int) -> np.ndarray:
        epochs = [self._rest_of_epoch]
        drawn = len(self._rest_of_epoch)
        while drawn < count:
            epochs.append(self._rng.permutation(self._n))
            drawn += self._n
        joined = np.concatenate(epochs)
        self._rest_of_epoch = joined[count:]
        return joined[:count]

    def _draw(self, cumulative: np.ndarray, u: np.ndarray) -> np.ndarray:
        drawn = np.searchsorted(cumulative, u, side="right")
        # Rounding may leave the last cumulative weight just below 1, and u above it.
        return np.minimum(drawn, self._n - 1).astype(np.int64)

    def _interpolated(self, cumulative: np.ndarray, count: int) -> np.ndarray:
        """Draw with weights that change over time.

        Between two rows of weights, the later one is used with a probability that grows linearly from 0 to 1. That draws from
        their mixture without computing it.
        """
        u = self._rng.random((count, 2))
        last = len(cumulative) - 1
        time = np.minimum((self._drawn + np.arange(count)) / self._total, 1.0) * last
        earlier = np.minimum(time.astype(np.int64), last - 1)
        frame = earlier + (u[:, 0] < time - earlier)
        self._drawn += count
        drawn = np.empty(count, dtype=np.int64)
        for f in np.unique(frame):
            drawn[frame == f] = self._draw(cumulative[f], u[frame == f, 1])
        return drawn


def mean_probabilities(weights: np.ndarray) -> np.ndarray:
    """(m,) the probability of each row, averaged over the training, if rows are drawn with weights (m,) or (S, m)."""
    frames = np.atleast_2d(np.asarray(weights, dtype=np.float64))
    shares = frames / frames.sum(1, keepdims=True)
    # Linear between the frames: in the mean over time, an inner frame counts twice as much as the first and the last.
    counted = np.ones(len(frames))
    counted[1:-1] = 2.0
    # Not a matrix product: a library may add in another order on another machine.
    mean: np.ndarray = (shares * (counted / counted.sum())[:, None]).sum(0)
    return mean
