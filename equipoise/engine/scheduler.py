"""Cells that ask for trainings, and the answer to several at once: one population for all their lanes.

A search is written as a generator: it yields a `Request` where it needs lanes trained and is sent the result. `run_one` answers
one; `run_many` runs several side by side, so that a population is filled across trials, folds, tasks and strategies.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from equipoise.engine.lanes import Trained
    from equipoise.engine.train import Request

T = TypeVar("T")
K = TypeVar("K")
TrainingCoroutine: TypeAlias = "Generator[Request, list[Trained], T]"


def run_one(asking: TrainingCoroutine[T]) -> T:
    """Answer each request by itself; what the generator returns in the end."""
    from equipoise.engine.reuse import train_once

    answer: list[Trained] | None = None
    while True:
        try:
            request = next(asking) if answer is None else asking.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result
        answer = train_once([request])[0]


def run_many(askings: Mapping[K, TrainingCoroutine[T]]) -> Iterator[tuple[K, T | Exception]]:
    """What each returns, or the exception that ended it, as they end.

    All go on until each asks for training; then those trainings run as one, and so on. One that fails stops no other.
    """
    begun = {key: _go_on(asking, None) for key, asking in askings.items()}
    while begun:
        waiting: dict[K, Request] = {}
        for key, (request, ended) in begun.items():
            if request is not None:
                waiting[key] = request
            else:
                yield key, ended  # type: ignore[misc]
        answers = _answers(list(waiting.values()))
        begun = {key: _go_on(askings[key], answer) for key, answer in zip(waiting, answers, strict=True)}


def _go_on(
    asking: TrainingCoroutine[T], answer: list[Trained] | Exception | None
) -> tuple[Request | None, T | Exception | None]:
    """To the next request, or to the end: what was returned or raised."""
    try:
        if isinstance(answer, Exception):
            return asking.throw(answer), None
        return (next(asking) if answer is None else asking.send(answer)), None
    except StopIteration as end:
        return None, end.value
    except Exception as error:
        return None, error


def _answers(requests: Sequence[Request]) -> list[list[Trained] | Exception]:
    """Trained together, equal lanes once; where that fails, each by itself, so that the failure is its own."""
    from equipoise.engine.reuse import train_once

    if not requests:
        return []
    try:
        return [*train_once(requests)]
    except Exception as error:
        if len(requests) == 1:
            return [error]
        return [answer for request in requests for answer in _answers([request])]
