"""One strategy under examination: hooks are called under guard, and what they give back is compared."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from equipoise.contracts.strategy import Context, Strategy
from equipoise.testing.findings import Findings
from equipoise.testing.guard import frozen, same, unchanged
from equipoise.testing.worlds import World


class Stopped(Exception):
    """A hook failed in a world, which has been noted: there is nothing further to check there."""


@dataclass(eq=False)
class Exam:
    """A strategy and what has been found about it.

    Attributes:
        random: hooks that gave another result with another stream.
        results: (hook, world) → a frozen copy of what the hook gave, for comparison with another process.
    """

    strategy: Strategy
    findings: Findings = field(default_factory=Findings)
    random: set[str] = field(default_factory=set)
    results: dict[tuple[str, str], Any] = field(default_factory=dict)

    def run(self, hook: str, world: str, call: Callable[[], Any]) -> Any:
        """The result of a call under guard; an exception is a finding, and ends this world."""

        def moved(what: str) -> None:
            self.findings.note("global_state", hook, world, what)

        try:
            with unchanged(moved):
                return call()
        except Stopped:
            raise
        except Exception as error:
            self.findings.note("raises", hook, world, f"{type(error).__name__}: {error}")
            raise Stopped from error

    def attempt(self, hook: str, world: str, check: Callable[[], None]) -> None:
        """A whole check: where what the hook returned is so odd that the check itself fails, that is a finding, too."""
        with contextlib.suppress(Stopped):
            self.run(hook, world, check)

    def hook(self, name: str, world: World) -> Any:
        """Call a hook three times on fresh arguments: twice with one stream, once with another; the first result.

        Notes what it raises, changes in place or outside of itself, and whether it repeats itself.
        """
        quietly(lambda: getattr(self.strategy, name)(*arguments(name, world)))
        first = self._called(name, world, 0)
        kept = self.results[(name, world.name)] = self._described(name, world, first)
        again = self._described(name, world, self._called(name, world, 0))
        self.findings.demand(
            same(kept, again), "deterministic", name, world.name, "two calls with one stream differ"
        )
        if not same(kept, self._described(name, world, self._called(name, world, 1))):
            self.random.add(name)
        return first

    def again(self, name: str, world: World) -> None:
        """Only the result, for comparison."""
        self.results[(name, world.name)] = self._described(name, world, self._called(name, world, 0))

    def _called(self, name: str, world: World, seed: int) -> Any:
        given = arguments(name, world, seed)
        before = frozen(given)
        result = self.run(name, world.name, lambda: getattr(self.strategy, name)(*given))
        untouched = same(before, frozen(given))
        self.findings.demand(untouched, "in_place", name, world.name, "an argument was changed")
        return result

    def _described(self, name: str, world: World, result: Any) -> Any:
        """A result as plain arrays; a fitted map as what it does to logits of the world."""
        if callable(result) and not isinstance(result, np.ndarray):
            return self.run(name, world.name, lambda: frozen(result(world.logits.copy())))
        return frozen(result)


def arguments(hook: str, world: World, seed: int = 0) -> list[Any]:
    """Fresh arguments of a hook in a world, the context last."""
    ctx: Context = world.ctx(seed)
    if hook == "resample":
        return [world.rows(), ctx]
    if hook in ("adjust", "decide"):
        return [world.logits.copy(), world.Y.copy(), world.ctx(seed, folds=world.folds.copy())]
    return [world.Y.copy(), ctx]


def quietly(call: Callable[[], Any]) -> Sequence[str]:
    """A first call, not judged: what an import changes is not the hook's doing. A fault shows in later calls as well."""
    moved: list[str] = []
    try:
        with unchanged(moved.append):
            call()
    except Exception as error:
        moved.append(str(error))
    return moved
