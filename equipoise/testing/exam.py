"""The examination of one strategy: calls its hooks, watches for side effects, and compares repeated results."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from equipoise.contracts.strategy import Context, Strategy
from equipoise.core.errors import one_line
from equipoise.testing.findings import CHECKS, Findings
from equipoise.testing.guard import frozen, same, unchanged
from equipoise.testing.worlds import World

#: What to do where a hook fails on texts, since `Rows.X` is there for numbers only.
NUMERIC = 'a strategy that needs numbers declares requires = frozenset({"numeric"})'


class Stopped(Exception):
    """Raised after a hook has failed in a world and the failure has been noted: nothing more can be checked there."""


class Watched:
    """Calls what is examined, and notes exceptions and side effects as findings."""

    findings: Findings

    def run(self, hook: str, world: str, call: Callable[[], Any]) -> Any:
        """The result of a call, with side effects and exceptions noted as findings; an exception ends this world.

        Raises:
            Stopped: the call has raised an exception.
        """

        def side_effect(what: str) -> None:
            self.findings.note("global_state", hook, world, what)

        try:
            with unchanged(side_effect):
                return call()
        except Stopped:  # from a nested call, and noted there
            raise
        except Exception as error:
            self.findings.note("raises", hook, world, one_line(error), self.advice(hook, world, error))
            raise Stopped from error

    def advice(self, hook: str, world: str, error: Exception) -> str:
        """What to do about an exception; "" for what the rule says."""
        return ""

    def attempt(self, hook: str, world: str, check: Callable[[], None]) -> None:
        """Run a check in one world."""
        # A hook may return something so odd that the check itself raises; `run` notes that as a finding, too.
        with contextlib.suppress(Stopped):
            self.run(hook, world, check)


@dataclass(eq=False)
class Exam(Watched):
    """A strategy and the findings about it.

    Attributes:
        random: the hooks whose result depends on the random stream.
        results: (hook, world) → a copy of the hook's result, for comparison with another process.
    """

    strategy: Strategy
    findings: Findings = field(default_factory=Findings)
    random: set[str] = field(default_factory=set)
    results: dict[tuple[str, str], Any] = field(default_factory=dict)

    def advice(self, hook: str, world: str, error: Exception) -> str:
        if world == "text" and hook in ("resample", "training"):
            return NUMERIC
        # The kit calls a vectorised loss for one lane first, where dimensions that are counted from the left are others.
        shape = isinstance(error, RuntimeError | IndexError | ValueError)
        return CHECKS["lanes"] if hook == "loss" and self.strategy.vectorized and shape else ""

    @property
    def unusable(self) -> bool:
        """Whether a hook raises or returns what cannot be used: all that calls it later fails for the same reason."""
        return any(self.findings.failed(c, h) for c in ("raises", "shapes") for h in self.strategy.stages)

    def hook(self, name: str, world: World) -> Any:
        """Call a hook on fresh arguments, twice with the same random stream and once with another; the first result.

        Notes exceptions, side effects, changed arguments, and results that differ with the same stream.
        """
        quietly(lambda: getattr(self.strategy, name)(*arguments(self.strategy, name, world)))
        first = self._call(name, world, 0)
        expected = self.results[(name, world.name)] = self._as_arrays(name, world, first)
        again = self._as_arrays(name, world, self._call(name, world, 0))
        self.findings.demand(
            same(expected, again),
            "deterministic",
            name,
            world.name,
            "two calls with the same random stream give different results",
        )
        # Checks that compare results with permuted labels only make sense for hooks that do not draw random numbers.
        if not same(expected, self._as_arrays(name, world, self._call(name, world, 1))):
            self.random.add(name)
        return first

    def again(self, name: str, world: World) -> None:
        """Call a hook once and keep its result in `results`, without checking it."""
        self.results[(name, world.name)] = self._as_arrays(name, world, self._call(name, world, 0))

    def _call(self, name: str, world: World, seed: int) -> Any:
        args = arguments(self.strategy, name, world, seed)
        before = frozen(args)
        result = self.run(name, world.name, lambda: getattr(self.strategy, name)(*args))
        untouched = same(before, frozen(args))
        self.findings.demand(untouched, "in_place", name, world.name, "an argument was changed")
        return result

    def _as_arrays(self, name: str, world: World, result: Any) -> Any:
        """A hook's result as plain arrays; a fitted map is represented by its values at the world's logits."""
        if callable(result) and not isinstance(result, np.ndarray):
            if name == "head":
                h = world.hidden.copy()
                return self.run(name, world.name, lambda: frozen(result(h, world.last_layer(h))))
            return self.run(name, world.name, lambda: frozen(result(world.logits.copy())))
        return frozen(result)


def arguments(strategy: Strategy, hook: str, world: World, seed: int = 0) -> list[Any]:
    """Fresh arguments for a hook in a world, with the context last."""
    ctx: Context = world.ctx(seed)
    if hook == "resample":
        return [world.rows(strategy), ctx]
    if hook == "head":
        return [world.hidden.copy(), world.Y.copy(), world.weight.copy(), world.bias.copy(), ctx]
    if hook in ("adjust", "decide"):
        return [world.logits.copy(), world.Y.copy(), world.ctx(seed, folds=world.folds.copy())]
    return [world.Y.copy(), ctx]


def quietly(call: Callable[[], Any]) -> Sequence[str]:
    """Make a call without judging it, and return its side effects and error."""
    # The first call may import libraries, whose side effects are not the hook's fault. Real faults recur in later calls.
    problems: list[str] = []
    try:
        with unchanged(problems.append):
            call()
    except Exception as error:
        problems.append(str(error))
    return problems
