"""Each lane's own random streams: the order of its batches and its dropout masks.

Nothing is drawn over all lanes at once, so a lane sees the same numbers whoever trains beside it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

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
        self._returned = np.empty(0, dtype=np.int64)

    def again(self, returned: np.ndarray) -> BatchStream:
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


class Dropout:
    """Inverted dropout for K lanes, each with its own probability and its own stream of 16-bit numbers.

    A lane with probability 0 is left as it is, bit for bit. Lanes of one role draw the same numbers; with `shared`, those
    that begin together draw them once.
    """

    def __init__(
        self,
        probabilities: Sequence[float],
        roles: Sequence[tuple[object, ...]],
        device: torch.device,
        shared: bool = False,
    ) -> None:
        self._device, self._shared = device, shared
        self._share = np.zeros(len(roles))
        self._bits = [np.random.SFC64(0)] * len(roles)
        self.put(range(len(roles)), probabilities, roles)

    def put(
        self, lanes: Sequence[int], probabilities: Sequence[float], roles: Sequence[tuple[object, ...]]
    ) -> None:
        """Start anew at some places."""
        begun: dict[tuple[object, ...], np.random.SFC64] = {}
        for k, probability, role in zip(lanes, probabilities, roles, strict=True):
            if role not in begun or not self._shared:
                begun[role] = np.random.SFC64(seed_of("dropout", *role))
            self._bits[k], self._share[k] = begun[role], probability
        self._attach()

    def state(self, k: int) -> Any:
        """Where lane k's stream is."""
        return self._bits[k].state

    def restore(self, k: int, state: Any) -> None:
        """Go on from a state."""
        self._bits[k] = np.random.SFC64(0)
        self._bits[k].state = state
        self._attach()

    def keep(self, lanes: np.ndarray) -> None:
        """Go on with these lanes only."""
        self._bits, self._share = [self._bits[i] for i in lanes], self._share[lanes]
        self._attach()

    def _attach(self) -> None:
        levels = np.minimum(np.round(self._share * 65536), 65535).astype(np.int64)
        self.active = bool(levels.any())
        self._levels = torch.as_tensor(levels - 32769, device=self._device).float()
        self._scale = torch.as_tensor(65536.0 / (65536.0 - levels), device=self._device).to(torch.float32)
        sources = {id(bits): bits for bits in self._bits}
        self._sources = list(sources.values())
        place = {key: i for i, key in enumerate(sources)}
        self._source = torch.tensor([place[id(bits)] for bits in self._bits], device=self._device)

    def stacked(self, h: Tensor) -> Tensor:
        """h (K, …) with each lane's mask."""
        if not self.active:
            return h
        shape = (len(h), *([1] * (h.dim() - 1)))
        drawn = self._draw(self._sources, h[0].numel())
        if len(drawn) < len(h):
            drawn = drawn.index_select(0, self._source)
        return h * _mask(drawn.view(h.shape), self._levels.view(shape), self._scale.view(shape))

    def of_lane(self, k: int) -> Callable[[Tensor], Tensor]:
        """The mask of lane k alone, for h without a lane dimension."""

        def drop(h: Tensor) -> Tensor:
            if not self.active:
                return h
            drawn = self._draw([self._bits[k]], h.numel()).view(h.shape)
            return h * _mask(drawn, self._levels[k], self._scale[k])

        return drop

    def _draw(self, sources: Sequence[np.random.SFC64], count: int) -> Tensor:
        words = np.empty((len(sources), -(-count // 4)), dtype=np.uint64)
        for i, bits in enumerate(sources):
            words[i] = bits.random_raw(words.shape[1])
        return torch.from_numpy(words.view(np.int16)[:, :count]).to(self._device)


def _mask(drawn: Tensor, level: Tensor, scale: Tensor) -> Tensor:
    """scale where drawn ≥ level, else 0; in arithmetic on whole numbers, several times faster than comparing."""
    return drawn.float().sub_(level).clamp_(0, 1).mul_(scale)
