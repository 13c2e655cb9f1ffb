"""Each lane's own random streams: the order of its batches and its dropout masks.

Nothing is drawn over all lanes at once, so a lane sees the same numbers whoever trains beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from equipoise.seeds import seed_of


class BatchStream:
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

    def take(self, count: int) -> np.ndarray:
        """The next `count` positions, int64."""
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


class Dropout:
    """Inverted dropout for K lanes, each with its own probability and its own stream of 16-bit numbers.

    A lane with probability 0 is left as it is, bit for bit.
    """

    def __init__(
        self, probabilities: Sequence[float], roles: Sequence[tuple[object, ...]], device: torch.device
    ) -> None:
        levels = np.round(np.asarray(probabilities) * 65536).astype(np.int64)
        self.active = bool(levels.any())
        self._device = device
        self._bits = [np.random.SFC64(seed_of("dropout", *role)) for role in roles]
        self._levels = torch.as_tensor(levels - 32768, device=device).to(torch.int32)
        self._scale = torch.as_tensor(65536.0 / (65536.0 - levels), device=device).to(torch.float32)

    def keep(self, lanes: np.ndarray) -> None:
        """Go on with these lanes only."""
        self._bits = [self._bits[i] for i in lanes]
        index = torch.as_tensor(lanes, device=self._device)
        self._levels, self._scale = self._levels[index], self._scale[index]

    def stacked(self, h: Tensor) -> Tensor:
        """h (K, …) with each lane's mask."""
        if not self.active:
            return h
        shape = (len(h), *([1] * (h.dim() - 1)))
        drawn = self._draw(range(len(h)), h[0].numel()).view(h.shape)
        mask = (drawn >= self._levels.view(shape)).to(h.dtype)
        return h * (mask * self._scale.view(shape))

    def of_lane(self, k: int) -> Callable[[Tensor], Tensor]:
        """The mask of lane k alone, for h without a lane dimension."""

        def drop(h: Tensor) -> Tensor:
            if not self.active:
                return h
            drawn = self._draw([k], h.numel()).view(h.shape)
            return h * ((drawn >= self._levels[k]).to(h.dtype) * self._scale[k])

        return drop

    def _draw(self, lanes: Sequence[int], count: int) -> Tensor:
        words = np.empty((len(lanes), -(-count // 4)), dtype=np.uint64)
        for i, k in enumerate(lanes):
            words[i] = self._bits[k].random_raw(words.shape[1])
        return torch.from_numpy(words.view(np.int16)[:, :count]).to(self._device)
