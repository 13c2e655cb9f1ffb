"""How many lanes to train side by side: what a short measurement of this machine says, within the memory there is.

On CPU the number changes no bit of any lane, only the time. On CUDA it may, so there it is fixed for a device and a kind of lane.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from equipoise.core.system import cpus, memory
from equipoise.engine.lanes import Lane
from equipoise.engine.population import Population
from equipoise.ops.inputs import Inputs, Sparse

#: Lanes of a population on CUDA (padded); half as many, or a quarter, …, where the device cannot hold them.
CUDA = 64
#: Backbones whose lanes run one after the other gain nothing from more; a few keep gathering and looks cheap.
LOOPED = 8
#: The same goes for the products of sparse rows, which are most of the work there is with them.
_SPARSE = 32
_TRIED = (8, 16, 32, 64, 128, 256)
#: Steps that are timed at a time, after one to warm up, for so many seconds; the best time counts.
_STEPS, _WARM, _SECONDS = 3, 1, 0.03
#: A wider population must be faster by this factor to be worth its memory; one slower by that ends the search.
_GAIN, _LOSS = 1.04, 0.85
#: Share of the memory (free on CPU, all of a device) that one population may take.
_SHARE = 0.2

_known: dict[object, dict[int, float]] = {}


def population_size(lanes: Sequence[Lane], inputs: Inputs, batch_size: int, device: torch.device) -> int:
    """The number of slots for lanes of one signature."""
    if (limit := lanes[0].backbone.lanes_at_once) is not None:
        return limit
    if device.type == "cuda":
        held = torch.cuda.get_device_properties(device).total_memory
        most = max_lanes(lanes[0], inputs, batch_size, held)
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
    best = next(n for n in tried if speeds[n] >= enough)
    return min(len(lanes), most) if best == tried[-1] and len(lanes) < 2 * best else best


def max_lanes(lane: Lane, inputs: Inputs, batch_size: int, memory: int) -> int:
    """How many lanes of this kind fit into a share of so many bytes, at least two."""
    shapes = lane.backbone.init(inputs.width, lane.targets.shape[1], torch.Generator().manual_seed(0))
    numbers = sum(p.numel() for p in shapes.values())
    bytes_each = 4 * (6 * numbers + 8 * batch_size * (lane.targets.shape[1] + 256))
    return max(2, int(_SHARE * memory / bytes_each))


def free_memory() -> int:
    """Bytes that this process may count on: its share where each CPU has a worker."""
    return (memory() or 4 << 30) // max(1, cpus() // 2)


def _speed(lanes: Sequence[Lane], inputs: Inputs, batch_size: int, device: torch.device, count: int) -> float:
    """Lane steps a second with that many slots."""
    some = [lanes[k % len(lanes)] for k in range(count)]
    population = Population(some, inputs, batch_size, device)
    population.advance(_WARM)
    best, spent = 0.0, 0.0
    while spent < _SECONDS:
        began = time.process_time()  # of this process alone: what else the machine does is not measured
        population.advance(_STEPS)
        took = max(time.process_time() - began, 1e-6)
        best, spent = max(best, count * _STEPS / took), spent + took
    return best
