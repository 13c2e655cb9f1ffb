"""Runs cells as coroutines, and answers the training requests of many cells with one population. It does not use asyncio.

A cell that needs lanes trained says `await trainer.train(lanes)`, which passes a `Request` to the function that drives the
coroutine. `run_one` answers each request by itself; `run_many` drives several coroutines side by side, so that one population
holds lanes of many trials, folds, tasks and strategies.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import torch

from equipoise.core.global_state import state_kept
from equipoise.core.signals import noted_sigint
from equipoise.engine.lanes import Lane, Trained
from equipoise.engine.reuse import train_once
from equipoise.engine.train import Request, TrainingCost
from equipoise.ops.inputs import Inputs

T = TypeVar("T")
K = TypeVar("K")
TrainingCoroutine: TypeAlias = "Coroutine[Request, list[Trained], T]"


@dataclass(eq=False)
class Trainer:
    """Trains lanes for one cell, on inputs that all its lanes share.

    Attributes:
        inputs: the features, on the device. The rows of a lane are positions in them.
        batch_size: rows of a gradient step.
        cost: the cost of all trainings so far.
    """

    inputs: Inputs
    batch_size: int
    device: torch.device
    cost: TrainingCost = field(default_factory=TrainingCost)

    async def train(
        self, lanes: Sequence[Lane], on_step: Callable[[int], None] | None = None
    ) -> list[Trained]:
        """Train lanes; the results come in the order of the lanes.

        Args:
            on_step: called now and then with the number of lane steps since its last call.
        """
        if not lanes:
            return []
        began = time.perf_counter()
        trained = await _Answer(Request(lanes, self.inputs, self.batch_size, self.device, self.cost, on_step))
        self.cost.waited += time.perf_counter() - began
        return trained


@dataclass(frozen=True)
class _Answer:
    """Awaiting this passes the request to the scheduler, which sends the trained lanes back."""

    request: Request

    def __await__(self) -> Generator[Request, list[Trained], list[Trained]]:
        return (yield self.request)


def run_one(coroutine: TrainingCoroutine[T]) -> T:
    """Drive one coroutine to its end, answering each request by itself; returns what the coroutine returns."""
    answer: list[Trained] | None = None
    while True:
        try:
            request = coroutine.send(answer)  # type: ignore[arg-type]  # the first thing sent must be None
        except StopIteration as end:
            result: T = end.value
            return result
        answer = train_once([request])[0]


def run_many(coroutines: Mapping[K, TrainingCoroutine[T]]) -> Iterator[tuple[K, T | BaseException]]:
    """Drive several coroutines; yields the result of each, or the exception that ended it, when it ends.

    All coroutines run until each awaits a training; these trainings are done together, and so on. An exception in one does not
    stop the others, even one such as SystemExit, which the code of a plugin may raise.

    Raises:
        KeyboardInterrupt: the user pressed Ctrl-C. One that a coroutine raises by itself ends that coroutine alone.
    """
    try:
        state = {key: _advance(coroutine, None) for key, coroutine in coroutines.items()}
        while state:
            waiting: dict[K, Request] = {}
            for key, (request, ended) in state.items():
                if request is not None:
                    waiting[key] = request
                else:
                    yield key, ended  # type: ignore[misc]
            answers = _answers(list(waiting.values()))
            state = {
                key: _advance(coroutines[key], answer) for key, answer in zip(waiting, answers, strict=True)
            }
    finally:
        # Those that an interrupt leaves in the middle, or that it kept from starting.
        for coroutine in coroutines.values():
            coroutine.close()


def _advance(
    coroutine: TrainingCoroutine[T], answer: list[Trained] | BaseException | None
) -> tuple[Request | None, T | BaseException | None]:
    """Run a coroutine to its next request or to its end; returns the request, or what was returned or raised."""
    ended: T | BaseException
    with _contained():
        try:
            if isinstance(answer, BaseException):
                return coroutine.throw(answer), None
            return coroutine.send(answer), None  # type: ignore[arg-type]  # the first thing sent must be None
        except StopIteration as end:
            ended = end.value
        except BaseException as error:
            ended = error
    return None, ended


def _answers(requests: Sequence[Request]) -> list[list[Trained] | BaseException]:
    """Answer requests together, or one by one if that fails, so that each gets its own failure."""
    if not requests:
        return []
    with _contained():
        try:
            return [*train_once(requests)]
        except BaseException as error:
            failure = error
    if len(requests) == 1:
        return [failure]
    return [answer for request in requests for answer in _answers([request])]


@contextlib.contextmanager
def _contained() -> Iterator[None]:
    """Undo what hooks change in the process; KeyboardInterrupt at the end if Ctrl-C came, whatever a hook made of that."""
    with noted_sigint() as came, state_kept():
        yield
    if came:
        raise KeyboardInterrupt
