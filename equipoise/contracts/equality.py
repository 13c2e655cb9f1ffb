"""Declares what cannot differ: results of a strategy that equal those of another one by construction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from equipoise.contracts.hyperparameters import tunables
from equipoise.contracts.options import options
from equipoise.core.errors import EquipoiseError, shown

if TYPE_CHECKING:
    from equipoise.contracts.strategy import Strategy

#: What two strategies may have in common: the order of the rows of each label (average precision, AUROC), the decisions at one
#: half, the decisions at tuned thresholds, and the strategy's own decisions (those at one half if it does not decide).
COLUMNS = ("map", "fixed", "tuned", "own")


@dataclass(frozen=True)
class Equality:
    """A strategy's results that cannot differ from those of another strategy.

    It holds in exact arithmetic, if the folds are stratified perfectly, and at equal settings: for each hyperparameter that both
    search, at the same value. What a measurement shows nevertheless is noise. Rounding errors grow in networks with hidden
    layers, a search may settle elsewhere, and a label with an odd number of positives is not equally frequent in two folds. A
    label that all rows trained on have, or none has, has scores in no meaningful order, and is not meant.

    Attributes:
        strategy: the spec of the other strategy.
        columns: a column of this strategy (see `COLUMNS`) → the column of the other that it equals.
        why: the reason, as a clause in lower case.

    Raises:
        EquipoiseError: there is no such column, or the strategy is no text.
    """

    strategy: str
    columns: Mapping[str, str]
    why: str

    def __post_init__(self) -> None:
        # Here and not in the report: a row that holds anything else could not be stored.
        if not isinstance(self.strategy, str):
            raise EquipoiseError(f"same_as names a strategy by its spec, not by {shown(self.strategy)}")
        for column in (*self.columns, *self.columns.values()):
            if column not in COLUMNS:
                raise EquipoiseError(f"same_as has no column {shown(column)} (known: {', '.join(COLUMNS)})")

    @property
    def everything(self) -> bool:
        """Whether nothing at all can differ, as between hooks that return the same."""
        return all(self.columns.get(column) == column for column in COLUMNS)


def same(strategy: str | None, why: str, columns: Iterable[str] = COLUMNS, **others: str) -> list[Equality]:
    """A declaration for `Strategy.same_as`.

    >>> same("none", "it divides all logits by one number", ["map", "tuned"])
    [Equality(strategy='none', columns={'map': 'map', 'tuned': 'tuned'}, why='it divides all logits by one number')]

    Args:
        strategy: the spec of the other strategy; None (from `counterpart`): there is none, and the list is empty.
        columns: those that equal the same column of the other strategy.
        others: columns that equal another column, such as own="tuned".
    """
    if strategy is None:
        return []
    return [Equality(strategy, {**{column: column for column in columns}, **others}, why)]


def counterpart(strategy: Strategy, cls: type[Strategy], **values: Any) -> str | None:
    """The spec of a strategy of class `cls` with the settings of `strategy`, by name, and these `values`.

    None if there is none: a setting that both search has another default or range there, so that their searches differ.
    """
    ours, theirs = tunables(strategy), tunables(cls)
    for f in options(cls):
        if f.name in values or not hasattr(strategy, f.name):
            continue
        if f.name in strategy.fixed or f.name not in ours:
            values[f.name] = getattr(strategy, f.name)
        elif ours[f.name] != theirs.get(f.name):
            return None
    # Untuned settings at their defaults need no mention; a hyperparameter does, or it would be searched.
    pinned = {n for n in values if n in theirs}
    other: Strategy = cls(**values, pinned=frozenset(pinned))
    return other.spec
