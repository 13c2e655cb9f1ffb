"""Hold the regime map against data sets that are not generated: `real_table` for docs/make_regimes.py.

A real data set has no known noise or overlap, so it is placed on the map by what can be measured in its labels: positives of a
median label, MeanIR, rDep, and the number of labels. A model of the differences in the worlds by these four measures predicts the
difference in the data set.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from equipoise.report.units import excess
from equipoise.worlds import effects
from equipoise.worlds.effects import Response
from equipoise.worlds.world import FIELDS, Worlds

Row = Mapping[str, Any]
Traits = Mapping[str, float]
MEASURES = ("positives", "mean_ir", "rdep", "count")


class Check(NamedTuple):
    """A prediction of one difference from `none`, and what was measured."""

    dataset: str
    strategy: str
    predicted: float
    error: float  # of the prediction: of the model, of worlds around it, and of the measurement
    measured: float
    outside: bool  # a measure of the data set is outside the range of the worlds


def columns(traits: Sequence[Traits]) -> dict[str, np.ndarray]:
    """The columns of the model; positives, MeanIR and the number of labels in powers of ten."""
    found = {effects.MEAN: np.ones(len(traits))}
    for name in MEASURES:
        values = np.array([one[name] for one in traits])
        found[name] = values if name == "rdep" else np.log10(values)
    return found


def models(
    worlds: Worlds, known: Mapping[str, Traits], rule: str, names: Sequence[str]
) -> dict[str, Response]:
    """Strategy → the model of its difference by the measures of the worlds."""
    by = columns([known[w.dataset] for w in worlds.worlds])
    return {name: effects.fit(worlds.differences(name, rule), by) for name in names}


def measured(rows: Sequence[Row], rule: str) -> dict[tuple[str, str], tuple[float, float]]:
    """(data set, strategy) → the mean difference from `none` over splits, and its standard error."""
    column = getattr(FIELDS, rule)
    scores = {
        (str(r["dataset"]), str(r["strategy"]), r["split"]): r["metrics"].get(column)
        for r in rows
        if r["status"] == "ok"
    }
    found: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for (dataset, strategy, split), score in scores.items():
        base = scores.get((dataset, "none", split))
        if strategy != "none" and base is not None and score is not None:
            found.setdefault((dataset, strategy), []).append((split, score - base))
    return {pair: _mean(values) for pair, values in found.items() if len(values) > 2}


def _mean(values: Sequence[tuple[int, float]]) -> tuple[float, float]:
    splits, differences = zip(*values, strict=True)
    # Splits share rows: see equipoise.report.units.
    share = 1 / len(splits) + excess([(0, split) for split in splits])
    return float(np.mean(differences)), float(np.std(differences, ddof=1) * math.sqrt(share))


def checks(
    worlds: Worlds, known: Mapping[str, Traits], rows: Sequence[Row], real: Mapping[str, Traits], rule: str
) -> list[Check]:
    """Each difference that was measured on a real data set with what the worlds predict for it."""
    differences = {p: v for p, v in measured(rows, rule).items() if p[0] in real}
    names = [
        s
        for s in dict.fromkeys(strategy for _, strategy in differences)
        if any(s in w.scores for w in worlds.worlds)
    ]
    fitted = models(
        worlds, known, rule, [n for n in names if np.nan_to_num(worlds.differences(n, rule)).any()]
    )
    lows, highs = ([f([t[m] for t in known.values()]) for m in MEASURES] for f in (min, max))
    found = []
    for (dataset, strategy), (mean, error) in differences.items():
        if strategy in fitted:
            model, traits = fitted[strategy], real[dataset]
            there = model.combine({k: float(v[0]) for k, v in columns([traits]).items()})
            spread = math.sqrt(there.error**2 + model.spread**2 + error**2)
            outside = any(
                not low <= traits[m] <= high for m, low, high in zip(MEASURES, lows, highs, strict=True)
            )
            found.append(Check(dataset, strategy, there.value, spread, mean, outside))
    return found


def summary(found: Sequence[Check]) -> dict[str, float]:
    """How good the predictions are: share within two errors, skill against "no difference", and their correlation."""
    predicted, actual = np.array([c.predicted for c in found]), np.array([c.measured for c in found])
    errors = np.array([c.error for c in found])
    return {
        "covered": float((abs(actual - predicted) <= 1.96 * errors).mean()),
        "skill": 1 - float(((actual - predicted) ** 2).sum() / (actual**2).sum()),
        "correlation": float(np.corrcoef(predicted, actual)[0, 1]),
        "sign": float((np.sign(actual) == np.sign(predicted)).mean()),
        "count": len(found),
    }
