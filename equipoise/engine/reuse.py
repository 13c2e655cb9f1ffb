"""Trains equal lanes of several cells only once: `platt` and `scut`, for example, need the same networks as `none`.

A lane's bits depend on nothing but the lane, so sharing changes no number. Nothing is kept from one call to the next.
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
from equipoise.contracts.tasks import LabelInputs
from equipoise.core.arrays import is_sparse
from equipoise.engine import train

if TYPE_CHECKING:
    from equipoise.engine.lanes import Trained
    from equipoise.engine.train import Request

#: The position of a lane: the number of its request, and its position there.
Where = tuple[int, int]


def train_once(requests: Sequence[Request]) -> list[list[Trained]]:
    """Like `equipoise.engine.train.train_requests`, but lanes that are equal in everything are trained once.

    The cost counts for the first request with such a lane. The others record how many lanes they reuse, and what training them
    would have taken.
    """
    content = Content()
    first: dict[object, Where] = {}
    sources = [
        [first.setdefault(content.of_lane(request, lane), (r, i)) for i, lane in enumerate(request.lanes)]
        for r, request in enumerate(requests)
    ]
    # Each request keeps the lanes that no earlier one has; `new_position` says where they are among those.
    kept = [_kept(r, sources[r]) for r in range(len(requests))]
    new_position = {(r, i): n for r, lanes in enumerate(kept) for n, i in enumerate(lanes)}
    listeners = _listeners(requests, sources)
    reduced = [
        dataclasses.replace(request, lanes=[request.lanes[i] for i in kept[r]], on_step=listeners[r])
        for r, request in enumerate(requests)
    ]
    before = [(request.cost.seconds, request.cost.steps) for request in requests]
    trained = train.train_requests(reduced)
    out = [[trained[r][new_position[r, i]] for r, i in of_request] for of_request in sources]
    _record_reuse(requests, sources, out, before)
    return out


def _kept(r: int, sources: Sequence[Where]) -> list[int]:
    """Positions of the lanes of request r that no lane before them equals."""
    return [i for i, source in enumerate(sources) if source == (r, i)]


def _record_reuse(
    requests: Sequence[Request],
    sources: Sequence[Sequence[Where]],
    out: Sequence[Sequence[Trained]],
    before: Sequence[tuple[float, int]],
) -> None:
    """Add the reused lanes to the costs of their requests, at the seconds per step of the request that trained them, or at an
    estimator's own.

    `before` holds the seconds and steps of each request before this training.
    """
    rates = [
        (request.cost.seconds - seconds) / max(request.cost.steps - steps, 1)
        for request, (seconds, steps) in zip(requests, before, strict=True)
    ]
    for r, request in enumerate(requests):
        for i, (lane, trained, source) in enumerate(zip(request.lanes, out[r], sources[r], strict=True)):
            if source == (r, i):
                continue
            # A resumed lane was counted when it started, and only its new steps cost anything now.
            steps_before = 0 if lane.resume is None else lane.resume.optimizer[0]
            request.cost.reused += lane.resume is None
            # A fitted estimator took no steps but knows its own time.
            request.cost.seconds_reused += (
                trained.seconds + (trained.steps_run - steps_before) * rates[source[0]]
            )


def _listeners(
    requests: Sequence[Request], sources: Sequence[Sequence[Where]]
) -> list[Callable[[int], None] | None]:
    """For each request, a callback that passes its steps on to all requests that use its lanes, itself included.

    A request that uses n of the m lanes that another trains hears of n/m of the steps.
    """
    users: list[Counter[int]] = [Counter() for _ in requests]
    for r, of_request in enumerate(sources):
        for source, _ in of_request:
            users[source][r] += 1

    def listener(r: int) -> Callable[[int], None] | None:
        n_lanes = len(_kept(r, sources[r]))
        callbacks = [(requests[u].on_step, n) for u, n in users[r].items() if requests[u].on_step is not None]

        def notify(steps: int) -> None:
            for on_step, lanes in callbacks:
                if on_step is not None and (share := steps * lanes // n_lanes):
                    on_step(share)

        return notify if callbacks else None

    return [listener(r) for r in range(len(requests))]


class Content:
    """Makes hashable descriptions of lanes, equal if and only if training cannot tell the lanes apart.

    Arrays are described by a hash of their bytes, strategies and backbones by their class and fields. Anything unknown is
    described by its identity: the worst that can happen is that equal lanes are trained twice. Objects must live as long as
    this one, since the identity of a deleted object may be used again.
    """

    def __init__(self) -> None:
        self._digests: dict[int, object] = {}

    def of_lane(self, request: Request, lane: Any) -> object:
        """Describe a lane together with what its request says about its training."""
        # All fields but these, so that a new field of a request or a lane counts without a change here.
        fields = {f.name for f in dataclasses.fields(request)} - {"lanes", "inputs", "cost", "on_step"}
        training = [(name, self.of(getattr(request, name))) for name in sorted(fields)]
        return id(request.inputs), tuple(training), self._of_fields(lane)

    def of(self, value: Any) -> object:
        """Describe any value of a lane."""
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
        if isinstance(value, Configurable | LabelInputs):
            return self._of_fields(value)
        return id(value)

    def _of_fields(self, value: Any) -> object:
        return type(value), tuple((name, self.of(part)) for name, part in sorted(vars(value).items()))

    def _of_array(self, array: np.ndarray) -> object:
        """Describe an array; its bytes are hashed once, however many lanes share it."""
        # Bytes of objects are addresses, which say nothing about their content.
        if array.dtype.hasobject:
            return id(array)
        if id(array) not in self._digests:
            digest = hashlib.blake2b(np.ascontiguousarray(array).data, digest_size=16).digest()
            self._digests[id(array)] = array.shape, array.dtype.str, digest
        return self._digests[id(array)]
