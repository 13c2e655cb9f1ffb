"""Dropout for the lanes of a population, each with its own stream of random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.core.seeds import seed_of
from equipoise.ops.buffers import Workspace


class Drop:
    """What a backbone is given to call: `drop(h)`, or `drop.relu(h)` for drop(relu(h)). This one leaves h as it is."""

    def __call__(self, h: Tensor) -> Tensor:
        return h

    def relu(self, h: Tensor) -> Tensor:
        """drop(relu(h)); h itself may be used up."""
        return self(torch.relu(h))


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
        self._device, self._shared, self._workspace = device, shared, Workspace()
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
        self._levels = torch.as_tensor(levels - 32768, device=self._device).to(torch.int16)
        self.scale = torch.as_tensor(65536.0 / (65536.0 - levels), device=self._device).to(torch.float32)
        sources = {id(bits): bits for bits in self._bits}
        self._sources = list(sources.values())
        place = {key: i for i, key in enumerate(sources)}
        self._source = torch.tensor([place[id(bits)] for bits in self._bits], device=self._device)

    def stacked(self) -> Drop:
        """For h (K, …), each lane with its mask."""
        return _Stacked(self)

    def of_lane(self, k: int) -> Drop:
        """For h of lane k alone, without a lane dimension."""
        return _OfLane(self, k)

    def mask(self, shape: Sequence[int]) -> Tensor:
        """The next mask of every lane, (K, …); good until the next one is drawn."""
        drawn = self._draw(self._sources, int(np.prod(shape[1:])))
        if len(drawn) < len(self._share):
            out = self._workspace.take("drawn", (len(self._share), drawn.shape[1]), drawn.dtype, self._device)
            drawn = torch.index_select(drawn, 0, self._source, out=out)
        mask = self._workspace.take("mask", shape, torch.float32, self._device)
        kept = drawn.ge_(self._levels[:, None]).view(tuple(shape))
        return mask.copy_(kept).mul_(self.scale.view(-1, *([1] * (len(shape) - 1))))

    def mask_of(self, k: int, shape: Sequence[int]) -> Tensor:
        """The next mask of one lane."""
        drawn = self._draw([self._bits[k]], int(np.prod(shape))).view(tuple(shape))
        return drawn.ge_(self._levels[k]).float().mul_(self.scale[k])

    def _draw(self, sources: Sequence[np.random.SFC64], count: int) -> Tensor:
        words = np.empty((len(sources), -(-count // 4)), dtype=np.uint64)
        for i, bits in enumerate(sources):
            words[i] = bits.random_raw(words.shape[1])
        return torch.from_numpy(words.view(np.int16)[:, :count]).to(self._device)


class _Stacked(Drop):
    def __init__(self, dropout: Dropout) -> None:
        self._of = dropout

    def __call__(self, h: Tensor) -> Tensor:
        return (
            h * self._of.mask(h.shape).clone() if self._of.active else h
        )  # the way back needs a mask of its own

    def relu(self, h: Tensor) -> Tensor:
        rectified: Any = _Rectified.apply
        of = self._of
        out: Tensor = rectified(h, of.mask(h.shape), of.scale) if of.active else rectified(h, None, None)
        return out


class _OfLane(Drop):
    def __init__(self, dropout: Dropout, k: int) -> None:
        self._of, self._k = dropout, k

    def __call__(self, h: Tensor) -> Tensor:
        return h * self._of.mask_of(self._k, h.shape) if self._of.active else h


class _Rectified(torch.autograd.Function):
    """mask × relu(h) in the place of h; what comes out is more than 0 where its gradient passes, times the lane's scale."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, mask: Tensor | None, scale: Tensor | None) -> Tensor:
        ctx.mark_dirty(h)
        ctx.scale = None if scale is None else scale.view(len(h), *([1] * (h.dim() - 1)))
        h.relu_()
        if mask is not None:
            h.mul_(mask)
        ctx.save_for_backward(h)
        return h

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (out,) = ctx.saved_tensors
        into: Any = torch.ops.aten.threshold_backward.grad_input
        onward: Tensor = into(grad, out, 0.0, grad_input=out)  # whoever else read it has gone back already
        return (onward if ctx.scale is None else onward.mul_(ctx.scale)), None, None
