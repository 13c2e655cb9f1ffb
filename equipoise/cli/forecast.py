"""What a sweep would take, from speeds measured on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from equipoise.errors import EquipoiseError

if TYPE_CHECKING:
    from equipoise.dataset import Dataset
    from equipoise.settings import Settings

#: Looking at held-out rows, thresholds, metrics and records, as a share of the time that training takes (measured).
BESIDE = 0.3


def forecast(
    data: Dataset, records: Sequence[Mapping[str, Any]], settings: Settings, splits: int, price: float | None
) -> dict[str, Any]:
    """Cells, core-hours at most, and minutes with a worker on each CPU, of all combinations that were timed.

    Training at most as many rows as the settings allow (early stopping saves some), the search at the speed of the widest
    population that was timed and the refit at that of the narrowest. `price` is per core-hour; `cost` is in its unit.

    Raises:
        EquipoiseError: splits < 1.
    """
    from equipoise.workers import cpus

    if splits < 1:
        raise EquipoiseError(f"--splits must be 1 or more, got {splits}")
    timed = [r for r in records if r["skipped"] is None]
    seconds = splits * sum(_seconds(data, r, settings) for r in timed)
    cells, hours = splits * len(timed), seconds / 3600
    workers = min(cpus(), max(cells, 1))
    return {
        "cells": cells,
        "backbones": len({r["backbone"] for r in timed}),
        "strategies": len({r["strategy"] for r in timed}),
        "splits": splits,
        "trials": settings.trials,
        "folds": settings.folds,
        "epochs": settings.epochs,
        "core_hours": hours,
        "workers": workers,
        "minutes": 60 * hours / workers,
        "cost": None if price is None else price * hours,
    }


def in_words(told: Mapping[str, Any]) -> str:
    """The same in a sentence or two."""
    from equipoise.cost import in_words as hours

    things = (("backbone", "backbones"), ("strategy", "strategies"), ("split", "splits"))
    counted = ", ".join(f"{told[many]} {one if told[many] == 1 else many}" for one, many in things)
    text = (
        f"A sweep of these ({counted}: {told['cells']} cells, each {told['trials']} trials × {told['folds']} folds of at most "
        f"{told['epochs']} epochs): {hours(told['core_hours'])} at most, about {_short(told['minutes'])} with "
        f"{told['workers']} worker{'s' if told['workers'] > 1 else ''} here."
    )
    return text if told["cost"] is None else f"{text} Cost at this price: {told['cost']:.2g}."


def _seconds(data: Dataset, record: Mapping[str, Any], settings: Settings) -> float:
    from equipoise.splits import OUTER_FOLDS

    speeds = {int(k): v for k, v in record["rows_per_s"].items()}
    rows = data.n_rows * (1 - 1 / OUTER_FOLDS) * settings.epochs * record["networks"]
    inner = settings.folds - 1 if settings.folds > 1 else 0.75
    training = rows * settings.trials * inner / speeds[max(speeds)] + rows / speeds[min(speeds)]
    return float(training * (1 + BESIDE))


def _short(minutes: float) -> str:
    if minutes < 1:
        return "a minute"
    if minutes < 120:
        return f"{minutes:.0f} minutes"
    return f"{minutes / 60:.1f} hours" if minutes < 48 * 60 else f"{minutes / 1440:.1f} days"
