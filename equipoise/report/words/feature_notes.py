"""Puts what is unusual about the fitted features of a comparison's rows into one sentence."""

from __future__ import annotations

from collections.abc import Iterable

from equipoise.splits.outer import Split
from equipoise.store.rows import Row

#: Different notes in one sentence; shares of a vocabulary, for example, differ from split to split.
_MOST = 3


def features_sentence(rows: Iterable[Row]) -> str:
    """The sentence about the field `features` of rows; "" if there is nothing unusual. Rows without that field do not count."""
    splits: dict[str, set[Split]] = {}
    for row in rows:
        if isinstance(note := row.get("features"), str):
            splits.setdefault(note, set()).add(row["split"])
    if not any(splits):
        return ""
    if len(splits) == 1:
        return f"Features: {next(iter(splits))}."
    # The features of one split are the same for all strategies, so that a difference is one between splits.
    parts = [
        f"{note or 'the usual ones'} (split {', '.join(map(str, sorted(where, key=str)))})"
        for note, where in splits.items()
    ]
    more = [f"and {len(parts) - _MOST} other kinds"] if len(parts) > _MOST else []
    return f"Features differ between splits: {'; '.join([*parts[:_MOST], *more])}."
