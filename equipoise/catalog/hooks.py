"""Does a strategy override hooks, and can they be called? A misspelt hook would otherwise be the baseline under another name."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator

from equipoise.catalog.offers import arguments_of
from equipoise.contracts.strategy import STAGES, Strategy
from equipoise.core.code_hash import OURS
from equipoise.core.errors import EquipoiseError

#: All hooks, `merge` and `vote` of `tasks` included.
HOOKS = (*STAGES, "merge", "vote")


def require_hooks(strategy: Strategy) -> None:
    """Refuse a strategy that overrides no hook, or one in a form that cannot be called, before anything is trained.

    Raises:
        EquipoiseError: the first fault, in one line.
    """
    for fault in hook_faults(strategy):
        raise EquipoiseError(f"strategy {strategy.name or strategy.spec!r}: {fault}")


def hook_faults(strategy: Strategy) -> Iterator[str]:
    """A sentence for each fault in the hooks of a strategy, or of the parts of a composition."""
    for part in strategy.parts:
        # The base class is the baseline itself.
        if type(part).__module__.partition(".")[0] == OURS:
            continue
        if not part.stages:
            yield _without_hooks(part)
        for hook in HOOKS:
            if fault := _wrong_form(part, hook):
                yield fault


def _without_hooks(strategy: Strategy) -> str:
    known = ", ".join(HOOKS)
    for name in _own_names(type(strategy)):
        if close := difflib.get_close_matches(name.lower(), HOOKS, n=1):
            return (
                f"class {type(strategy).__name__} overrides no hook, so it would be the baseline under another name; "
                f"did you mean {close[0]!r} instead of {name!r}? (hooks: {known})"
            )
    return f"class {type(strategy).__name__} overrides no hook, so it would be the baseline under another name (hooks: {known})"


def _wrong_form(strategy: Strategy, hook: str) -> str | None:
    """What is wrong with the arguments of a hook; None if it can be called."""
    if getattr(type(strategy), hook) is getattr(Strategy, hook):
        return None
    # Without `self`.
    wanted = list(inspect.signature(getattr(Strategy, hook)).parameters)[1:]
    own = getattr(strategy, hook)
    if not callable(own):
        return (
            f"{type(strategy).__name__}.{hook} must be a method, not an object of type {type(own).__name__}"
        )
    try:
        signature = inspect.signature(own)
    except (TypeError, ValueError):
        # Of compiled code, which has no signature; calling it will show.
        return None
    try:
        signature.bind(*wanted)
    except TypeError:
        expected = ", ".join(["self", *wanted])
        return f"{type(strategy).__name__}.{hook} must take ({expected}), not {arguments_of(own)}"
    return None


def _own_names(cls: type[Strategy]) -> list[str]:
    """The public methods that a class and its bases below `Strategy` define besides the contract's."""
    bases = [c for c in cls.__mro__ if issubclass(c, Strategy) and c is not Strategy]
    return [
        name
        for base in bases
        for name, value in vars(base).items()
        if callable(value) and not name.startswith("_") and not hasattr(Strategy, name)
    ]
