"""Chooses how many lanes to train side by side: the fastest number, by a short measurement, that fits into memory.

On CPU the number changes no bit of any lane, only the time. On CUDA it may, so there it depends on the device and the kind of
lane alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from equipoise.core.system import cpus, memory
from equipoise.engine.lanes import Lane
from equipoise.engine.population import Population
from equipoise.ops.inputs import Inputs, Sparse

#: Slots of a population on CUDA; half as many, or a quarter, …, if the device's memory is too small for them.
CUDA = 64
#: Slots for backbones whose lanes run one after the other: a few share the cost of gathering batches and scoring.
LOOPED = 8
#: Most slots with sparse features, whose products take most of the time and run one lane after the other, too.
_SPARSE = 32
#: Sizes that are measured, from small to large.
_TRIED = (8, 16, 32, 64, 128, 256)
#: A measurement warms up for `_WARM` steps, then repeats `_STEPS` steps for `_SECONDS` seconds; the best time counts.
_STEPS, _WARM, _SECONDS = 4, 1, 0.03
#: A larger population must be faster by `_GAIN` to be worth its memory; one with less than `_LOSS` of the best speed ends the
#: search.
_GAIN, _LOSS = 1.04, 0.85
#: Share of the memory (the free memory on CPU, all memory of a device) that one population may take.
_SHARE = 0.2
#: Kind of lane → size → measured speed. A process measures each kind once.

_known: dict[object, dict[int, float]] = {}


def population_size(lanes: Sequence[Lane], inputs: Inputs, batch_size: int, device: torch.device) -> int:
    """The number of slots of a population for lanes of one signature."""
    if (limit := lanes[0].backbone.lanes_at_once) is not None:
        return limit
    if device.type == "cuda":
        # All of the device's memory, not the free part: the number must not depend on what else runs.
        total = torch.cuda.get_device_properties(device).total_memory
        most = max_lanes(lanes[0], inputs, batch_size, total)
        return next(n for n in (CUDA, 32, 16, 8, 4, 2) if n <= most)
    if not lanes[0].backbone.batched:
        return LOOPED
    most = max_lanes(lanes[0], inputs, batch_size, free_memory())
    kind = (lanes[0].signature, type(inputs), inputs.width, batch_size)
    speeds = _known.setdefault(kind, {})
    most = min(most, _SPARSE) if isinstance(inputs, Sparse) else most
    tried = [n for n in _TRIED if n <= min(most, max(len(lanes), _TRIED[0]))] or [most]
    for count in tried:
        if count not in speeds:
            speeds[count] = _speed(lanes, inputs, batch_size, device, count)
        if speeds[count] < _LOSS * max(speeds.values()):
            break
    enough = max(speeds[n] for n in tried if n in speeds) / _GAIN
    # A slow size ended the loop early, but sizes beyond it may be known from an earlier call with more lanes.
    best = next(n for n in tried if speeds[n] >= enough)
    # One population for all lanes if the largest size is best and the lanes would not fill it twice.
    return min(len(lanes), most) if best == tried[-1] and len(lanes) < 2 * best else best


def max_lanes(lane: Lane, inputs: Inputs, batch_size: int, memory: int) -> int:
    """How many lanes of this kind fit into the share of `memory` bytes that a population may take; at least two."""
    params = lane.backbone.init(inputs.width, lane.targets.shape[1], torch.Generator().manual_seed(0))
    numbers = sum(p.numel() for p in params.values())
    # Parameters, gradients, moments and temporary copies; then about eight tensors (B, L) or (B, 256) of a step.
    bytes_each = 4 * (6 * numbers + 8 * batch_size * (lane.targets.shape[1] + 256))
    return max(2, int(_SHARE * memory / bytes_each))


def free_memory() -> int:
    """Bytes of free memory for this process, if other processes use half of the CPUs."""
    return (memory() or 4 << 30) // max(1, cpus() // 2)


def _speed(lanes: Sequence[Lane], inputs: Inputs, batch_size: int, device: torch.device, count: int) -> float:
    """Lane steps a second of a population with `count` slots."""
    some = [lanes[k % len(lanes)] for k in range(count)]
    population = Population(some, inputs, batch_size, device)
    population.advance(_WARM)
    best, spent = 0.0, 0.0
    while spent < _SECONDS:
        # Processor time, so that other programs do not disturb the measurement.
        began = time.process_time()
        population.advance(_STEPS)
        took = max(time.process_time() - began, 1e-6)
        best, spent = max(best, count * _STEPS / took), spent + took
    return best
