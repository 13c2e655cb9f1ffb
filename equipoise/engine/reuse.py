"""Trainings that several cells ask for: equal lanes are trained once, and everybody is given the result.

A lane's bits depend on nothing but the lane, so this changes no number; what `platt` and `scut` train is what `none` does.
Nothing is kept from one call to the next.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from equipoise.contracts.hyperparameters import Configurable
from equipoise.core.arrays import is_sparse

if TYPE_CHECKING:
    from equipoise.engine.lanes import Trained
    from equipoise.engine.train import Request

#: Where a lane is: the number of its request, and its place there.
Where = tuple[int, int]


def train_once(requests: Sequence[Request]) -> list[list[Trained]]:
    """As `equipoise.engine.train.train_requests`, each of the lanes that are equal in everything being trained once.

    The work counts for the first who asks; the others' `Work` says how many lanes they were given and what those took.
    """
    from equipoise.engine.train import train_requests

    content = Content()
    first: dict[object, Where] = {}
    sources = [
        [first.setdefault(content.of_lane(request, lane), (r, i)) for i, lane in enumerate(request.lanes)]
        for r, request in enumerate(requests)
    ]
    kept = {at: n for r in range(len(requests)) for n, at in enumerate(_first_asked(r, sources[r]))}
    told = _listeners(requests, sources)
    asked = [
        dataclasses.replace(request, lanes=[request.lanes[i] for i in _kept(r, sources[r])], on_step=told[r])
        for r, request in enumerate(requests)
    ]
    before = [(request.work.seconds, request.work.steps) for request in requests]
    trained = train_requests(asked)
    out = [[trained[r][kept[r, i]] for r, i in own] for own in sources]
    _note(requests, sources, out, before)
    return out


def _kept(r: int, sources: Sequence[Where]) -> list[int]:
    """Places of the lanes that a request is the first to ask for."""
    return [i for i, source in enumerate(sources) if source == (r, i)]


def _first_asked(r: int, sources: Sequence[Where]) -> list[Where]:
    return [(r, i) for i in _kept(r, sources)]


def _note(
    requests: Sequence[Request],
    sources: Sequence[Sequence[Where]],
    out: Sequence[Sequence[Trained]],
    before: Sequence[tuple[float, int]],
) -> None:
    """What was given, at the seconds for each step that its training took where it was asked for first."""
    rates = [
        (request.work.seconds - seconds) / max(request.work.steps - steps, 1)
        for request, (seconds, steps) in zip(requests, before, strict=True)
    ]
    for r, request in enumerate(requests):
        for i, (lane, trained, source) in enumerate(zip(request.lanes, out[r], sources[r], strict=True)):
            if source == (r, i):
                continue
            begun = 0 if lane.resume is None else lane.resume.optimizer[0]
            request.work.reused += lane.resume is None
            request.work.seconds_reused += (trained.steps_run - begun) * rates[source[0]]


def _listeners(
    requests: Sequence[Request], sources: Sequence[Sequence[Where]]
) -> list[Callable[[int], None] | None]:
    """For each request, who hears of its steps: itself, and whoever waits for some of the same lanes, by how many."""
    waiting: list[Counter[int]] = [Counter() for _ in requests]
    for r, own in enumerate(sources):
        for source, _ in own:
            waiting[source][r] += 1

    def listener(r: int) -> Callable[[int], None] | None:
        own = len(_kept(r, sources[r]))
        heard = [(requests[w].on_step, n) for w, n in waiting[r].items() if requests[w].on_step is not None]

        def tell(steps: int) -> None:
            for on_step, lanes in heard:
                if on_step is not None and (share := steps * lanes // own):
                    on_step(share)

        return tell if heard else None

    return [listener(r) for r in range(len(requests))]


class Content:
    """Hashable descriptions of lanes: equal where the lanes are equal in everything that training depends on.

    Arrays count by their bytes, strategies and backbones by their class and fields; anything unknown by its identity, which
    errs on the side of training twice. Objects must stay alive as long as this does.
    """

    def __init__(self) -> None:
        self._digests: dict[int, object] = {}

    def of_lane(self, request: Request, lane: Any) -> object:
        """Of a lane and of what its request says about its training."""
        fields = {f.name for f in dataclasses.fields(request)} - {"lanes", "inputs", "work", "on_step"}
        how = [(name, self.of(getattr(request, name))) for name in sorted(fields)]
        return id(request.inputs), tuple(how), self._of_fields(lane)

    def of(self, value: Any) -> object:
        """Of any value in a lane."""
        if value is None or isinstance(value, bool | int | float | str | np.generic | torch.device):
            return type(value), repr(value)
        if isinstance(value, tuple | list):
            return type(value), tuple(self.of(part) for part in value)
        if isinstance(value, frozenset):
            return frozenset, tuple(sorted(map(repr, value)))
        if isinstance(value, np.ndarray):
            return self._of_array(value)
        if is_sparse(value) and hasattr(value, "indptr"):
            return value.format, value.shape, *map(self._of_array, (value.data, value.indices, value.indptr))
        if isinstance(value, Configurable) or _is_plain(value):
            return self._of_fields(value)
        return id(value)

    def _of_fields(self, value: Any) -> object:
        return type(value), tuple((name, self.of(part)) for name, part in sorted(vars(value).items()))

    def _of_array(self, array: np.ndarray) -> object:
        """Of an array, whose bytes are read once however many lanes have it."""
        if array.dtype.hasobject:
            return id(array)
        if id(array) not in self._digests:
            digest = hashlib.blake2b(np.ascontiguousarray(array).data, digest_size=16).digest()
            self._digests[id(array)] = array.shape, array.dtype.str, digest
        return self._digests[id(array)]


def _is_plain(value: Any) -> bool:
    from equipoise.contracts.tasks import LabelInputs

    return isinstance(value, LabelInputs)
