"""Dropout for the lanes of a population, each with its own random stream."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.core.seeds import seed_of
from equipoise.ops.buffers import Workspace
from equipoise.ops.chain import apply


class Drop:
    """The dropout that a backbone's `forward` receives: `drop(h)`, or `drop.relu(h)` for drop(relu(h)).

    This class drops nothing and is used in prediction.
    """

    def __call__(self, h: Tensor) -> Tensor:
        return h

    def relu(self, h: Tensor) -> Tensor:
        """drop(relu(h)). The result may overwrite h."""
        return self(torch.relu(h))


class Dropout:
    """Inverted dropout for K lanes, each with its own probability and its own stream of 16-bit numbers.

    A lane gets the same masks alone or beside others. Its probability is rounded to a multiple of 1/65536, and what is kept is
    scaled by the rounded one. A lane with probability 0 is not changed, bit for bit. Lanes of one role draw the same numbers;
    with `shared`, lanes of one role that start together draw them once.
    """

    def __init__(
        self,
        probabilities: Sequence[float],
        roles: Sequence[tuple[object, ...]],
        device: torch.device,
        shared: bool = False,
    ) -> None:
        self._device, self._shared, self._workspace = device, shared, Workspace()
        self._on_host = device.type == "cpu"
        # On other devices: the numbers of each mask of a step, in the order of the masks, and how many are used.
        self._fed: list[Tensor] = []
        self._used = 0
        self._probability = np.zeros(len(roles))
        self._generators = [np.random.SFC64(0)] * len(roles)
        self.put(range(len(roles)), probabilities, roles)

    def put(
        self, lanes: Sequence[int], probabilities: Sequence[float], roles: Sequence[tuple[object, ...]]
    ) -> None:
        """Start new lanes in some slots."""
        generators: dict[tuple[object, ...], np.random.SFC64] = {}
        for k, probability, role in zip(lanes, probabilities, roles, strict=True):
            if role not in generators or not self._shared:
                generators[role] = np.random.SFC64(seed_of("dropout", *role))
            self._generators[k], self._probability[k] = generators[role], probability
        self._attach()

    def state(self, k: int) -> Any:
        """The state of lane k's stream."""
        return self._generators[k].state

    def restore(self, k: int, state: Any) -> None:
        """Continue lane k's stream from a state."""
        # A generator of its own: a shared one would move the streams of other lanes.
        self._generators[k] = np.random.SFC64(0)
        self._generators[k].state = state
        self._attach()

    def keep(self, lanes: np.ndarray) -> None:
        """Keep only these lanes."""
        self._generators, self._probability = [self._generators[i] for i in lanes], self._probability[lanes]
        self._attach()

    def _attach(self) -> None:
        """Prepare the tensors of all lanes, after a change of lanes."""
        # A number below `levels` of the 65536 possible ones drops its element; they are drawn as signed integers, from −32768.
        levels = np.minimum(np.round(self._probability * 65536), 65535).astype(np.int64)
        self.active = bool(levels.any())
        self._levels = torch.as_tensor(levels - 32768, device=self._device).to(torch.int16)
        self.scale = torch.as_tensor(65536.0 / (65536.0 - levels), device=self._device).to(torch.float32)
        sources = {id(bits): bits for bits in self._generators}
        self._sources = list(sources.values())
        position = {key: i for i, key in enumerate(sources)}
        self._source = torch.tensor([position[id(bits)] for bits in self._generators], device=self._device)
        self._fed = []

    def feed(self) -> None:
        """Before each step on a device other than the CPU: draw the numbers of the step's masks and copy them to the device.

        They are as many as in the step before. A step that asks for others, as the first one does, draws them itself.
        """
        self._used = 0
        for numbers in self._fed:
            numbers.copy_(self._draw(self._sources, numbers.shape[1]))

    def stacked(self) -> Drop:
        """Dropout for h (K, …) of all lanes, each with its own mask."""
        return _Stacked(self)

    def of_lane(self, k: int) -> Drop:
        """Dropout for h of lane k, without a lane dimension."""
        return _OfLane(self, k)

    def mask(self, shape: Sequence[int]) -> Tensor:
        """The next mask of every lane, (K, …); its memory is used again for the next one."""
        drawn = self._numbers(math.prod(shape[1:]))
        if len(drawn) < len(self._probability):
            out = self._workspace.take(
                "drawn", (len(self._probability), drawn.shape[1]), drawn.dtype, self._device
            )
            drawn = torch.index_select(drawn, 0, self._source, out=out)
        mask = self._workspace.take("mask", shape, torch.float32, self._device)
        kept = drawn.ge_(self._levels[:, None]).view(tuple(shape))
        return mask.copy_(kept).mul_(self.scale.view(-1, *([1] * (len(shape) - 1))))

    def _numbers(self, count: int) -> Tensor:
        """The numbers of the next mask, for each source; from `feed` if they are there."""
        if self._used < len(self._fed) and self._fed[self._used].shape[1] == count:
            self._used += 1
            return self._fed[self._used - 1]
        drawn = self._draw(self._sources, count).to(self._device, copy=not self._on_host)
        if not self._on_host:
            # Numbers that were fed for masks of other shapes are of no use.
            self._fed[self._used :] = [drawn]
            self._used += 1
        return drawn

    def mask_of(self, k: int, shape: Sequence[int]) -> Tensor:
        """The next mask of one lane."""
        count = math.prod(shape)
        words = self._generators[k].random_raw(-(-count // 4))
        drawn = torch.from_numpy(words.view(np.int16)[:count]).view(tuple(shape)).to(self._device)
        return drawn.ge_(self._levels[k]).float().mul_(self.scale[k])

    def _draw(self, sources: Sequence[np.random.SFC64], count: int) -> Tensor:
        """The next `count` numbers of each generator, int16, drawn four at a time as 64 bits; good until the next draw."""
        words = -(-count // 4)
        drawn = self._workspace.take("words", (len(sources), words), torch.int64, torch.device("cpu"))
        for row, bits in zip(drawn.numpy().view(np.uint64), sources, strict=True):
            row[:] = bits.random_raw(words)
        return drawn.view(torch.int16)[:, :count]


class _Stacked(Drop):
    def __init__(self, dropout: Dropout) -> None:
        self._dropout = dropout

    def __call__(self, h: Tensor) -> Tensor:
        # The backward pass needs the mask, whose memory the next call would overwrite.
        return h * self._dropout.mask(h.shape).clone() if self._dropout.active else h

    def relu(self, h: Tensor) -> Tensor:
        dropout = self._dropout
        mask = (dropout.mask(h.shape), dropout.scale) if dropout.active else (None, None)
        out: Tensor = apply(_Rectified, h, *mask)
        return out


class _OfLane(Drop):
    def __init__(self, dropout: Dropout, k: int) -> None:
        self._dropout, self._k = dropout, k

    def __call__(self, h: Tensor) -> Tensor:
        return h * self._dropout.mask_of(self._k, h.shape) if self._dropout.active else h


class _Rectified(torch.autograd.Function):
    """mask × relu(h), computed in place of h.

    The output is positive exactly where the gradient passes, with the lane's scale as its factor. So the backward pass needs
    the output only, and neither h nor the mask.
    """

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
