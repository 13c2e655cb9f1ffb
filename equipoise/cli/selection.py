"""Reads the options by which `run` and `time` select cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from equipoise.catalog.registry import registry
from equipoise.catalog.specs import with_settings
from equipoise.core.errors import EquipoiseError, shown
from equipoise.splits.outer import OFFICIAL, Split


def with_columns(datasets: Sequence[str], table: Mapping[str, str]) -> list[str]:
    """Dataset specs in which the options of a user's own file (`--text`, `--labels`, …) are written in brackets.

    Raises:
        EquipoiseError: there are such options and not exactly one dataset.
    """
    if not table:
        return list(datasets)
    if len(datasets) != 1:
        names = ", ".join("--" + name.replace("_", "-") for name in table)
        raise EquipoiseError(f"{names} describe one file: give one --dataset")
    return [with_settings(datasets[0], table)]


def all_named(strategies: Sequence[str]) -> list[str]:
    """Strategy specs, `all` replaced by the names of every strategy that can be loaded."""
    return [n for s in strategies for n in (registry("strategy").names() if s == "all" else [s])]


def splits_of(text: str | None) -> Split | None:
    """The number of outer splits, or "official"; None where the option is not given.

    Raises:
        EquipoiseError: it is neither.
    """
    if text is None or text == OFFICIAL:
        return text
    try:
        return int(text)
    except ValueError:
        raise EquipoiseError(f"--splits must be a number from 1, or {OFFICIAL}; got {shown(text)}") from None
