"""Hold the regime map against the data sets of a leaderboard: tables for docs/make_regimes.py.

    python docs/regimes_real.py FOLDER  # put the rows of a published leaderboard into benchmarks/published/regimes-real.csv

A real data set has no known noise or overlap, so it is placed on the map by what can be measured in its labels: positives of a
median label, MeanIR, rDep, and the number of labels. A model of the differences in the worlds by these four measures predicts the
difference in the data set. A controlled world in the leaderboard is in the table of rules, but it is not predicted: it says
nothing about what carries over to other data.
"""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from regimes_tables import table

from equipoise.core.arrays import Floats
from equipoise.publishing.folder import read_folder
from equipoise.report.units import excess
from equipoise.worlds import effects
from equipoise.worlds.best import factors_of
from equipoise.worlds.effects import Response
from equipoise.worlds.world import FIELDS, RULES, Worlds

REAL = Path(__file__).parent.parent / "benchmarks" / "published" / "regimes-real.csv"
Row = Mapping[str, Any]
Traits = Mapping[str, float]
MEASURES = ("positives", "mean_ir", "rdep", "count")


class Measured(NamedTuple):
    """A strategy on a data set: the mean difference from `none` over splits (for `none`: its score) and its standard error."""

    dataset: str
    strategy: str
    rule: str
    mean: float
    error: float


class Check(NamedTuple):
    """A prediction of a difference from `none`, beside what was measured."""

    measured: Measured
    predicted: float
    error: float  # of the prediction: of the model, of worlds around it, and of the measurement


def measure(rows: Sequence[Row]) -> list[Measured]:
    """Every strategy on every data set with three splits or more."""
    found = []
    for rule in RULES:
        column = getattr(FIELDS, rule)
        scores: dict[tuple[str, str], dict[int, float]] = {}
        for row in rows:
            if row["status"] == "ok" and (score := row["metrics"].get(column)) is not None:
                scores.setdefault((row["dataset"], row["strategy"]), {})[row["split"]] = score
        for (dataset, strategy), of_split in scores.items():
            base = scores.get((dataset, "none"), {})
            shared = sorted(set(of_split) & set(base))
            if len(shared) > 2:
                values = [of_split[s] - (base[s] if strategy != "none" else 0.0) for s in shared]
                # Splits share rows: see equipoise.report.units.
                part = 1 / len(shared) + excess([(0, s) for s in shared])
                error = float(np.std(values, ddof=1)) * math.sqrt(part)
                found.append(Measured(dataset, strategy, rule, float(np.mean(values)), error))
    return found


def load() -> list[Measured]:
    """What is in benchmarks/published/regimes-real.csv."""
    with REAL.open(encoding="utf-8", newline="") as file:
        return [
            Measured(r["dataset"], r["strategy"], r["rule"], float(r["mean"]), float(r["error"]))
            for r in csv.DictReader(file)
        ]


def columns(traits: Sequence[Traits]) -> dict[str, np.ndarray]:
    """The columns of the model; positives, MeanIR and the number of labels in powers of ten."""
    found = {effects.MEAN: np.ones(len(traits))}
    for name in MEASURES:
        values = np.array([one[name] for one in traits])
        found[name] = values if name == "rdep" else np.log10(values)
    return found


def models(worlds: Worlds, known: Mapping[str, Traits], rule: str) -> dict[str, Response]:
    """Strategy → the model of its difference by the measures of the worlds, for strategies that were run in all of them."""
    by = columns([known[w.dataset] for w in worlds.worlds])
    return {
        name: effects.fit(values, by)
        for name in worlds.complete
        if (values := worlds.differences(name, rule)).any()
    }


def checks(worlds: Worlds, known: Mapping[str, Traits], real: Sequence[Measured], rule: str) -> list[Check]:
    """Each difference on a real data set with what the worlds predict for it."""
    fitted = models(worlds, known, rule)
    found = []
    for one in real:
        if one.rule == rule and one.strategy in fitted and not factors_of([one.dataset]):
            model = fitted[one.strategy]
            there = model.combine({k: float(v[0]) for k, v in columns([known[one.dataset]]).items()})
            found.append(Check(one, there.value, math.sqrt(there.error**2 + model.spread**2 + one.error**2)))
    return found


def checks_table(worlds: Worlds, known: Mapping[str, Traits], real: Sequence[Measured]) -> str:
    """How good the predictions are, for each score."""
    head = [
        "score",
        "differences",
        "within 1.96 errors",
        "right sign",
        "right sign of one guess for all",
        "correlation",
        "root mean square: measured",
        "predicted",
    ]
    lines = [[*head, "left unexplained"]]
    for rule in RULES:
        found = checks(worlds, known, real, rule)
        actual, guess, error = np.array([(c.measured.mean, c.predicted, c.error) for c in found]).T
        squares = (np.sqrt((v**2).mean()) for v in (actual, guess, actual - guess))
        shares = ((abs(actual - guess) < 1.96 * error).mean(), *signs(actual, guess))
        numbers = [*(f"{100 * s:.0f} %" for s in shares), f"{np.corrcoef(actual, guess)[0, 1]:.2f}"]
        lines.append([rule, str(len(found)), *numbers, *(f"{s:.3f}"[1:] for s in squares)])
    return table(lines)


def signs(actual: Floats, guess: Floats) -> tuple[float, float]:
    """The share of right signs, and that of the better of two guesses that need no model: always a loss, or always a gain."""
    right = (np.sign(actual) == np.sign(guess)).mean()
    return float(right), float(max((actual < 0).mean(), (actual > 0).mean()))


def rules_table(known: Mapping[str, Traits], real: Sequence[Measured], tested: Sequence[str]) -> str:
    """For each data set: where it lies, what tuned thresholds give, and the largest and smallest differences of strategies."""
    head = [
        "data set",
        "median positives",
        "MeanIR",
        "rDep",
        "labels",
        "`none` at ½",
        "tuned",
        "best gain at ½",
        "tuning ÷ that",
    ]
    lines = [[*head, "best in mAP", "best, tuned", "worst in mAP"]]
    of = {(m.dataset, m.strategy, m.rule): m for m in real}
    for name in dict.fromkeys(m.dataset for m in real):
        traits, here = known[name], {(s, r): m for (d, s, r), m in of.items() if d == name and s in tested}
        best = {
            rule: max((m for (_, r), m in here.items() if r == rule), key=lambda m: m.mean) for rule in RULES
        }
        worst = min((m for (_, r), m in here.items() if r == "map"), key=lambda m: m.mean)
        untuned, tuned = of[name, "none", "untuned"].mean, of[name, "none", "tuned"].mean
        where = [f"{traits[m]:.{2 if m == 'rdep' else 0}f}" for m in MEASURES]
        share = f"{100 * (tuned - untuned) / best['untuned'].mean:.0f} %"
        told = [_told(best["untuned"]), share, *(_told(m) for m in (best["map"], best["tuned"], worst))]
        lines.append([name.replace(",", ", "), *where, f"{untuned:.3f}"[1:], f"{tuned:.3f}"[1:], *told])
    return table(lines)


def _told(one: Measured) -> str:
    # Four degrees of freedom for five splits.
    text = f"{one.mean:+.3f} ± {2.78 * one.error:.3f}".replace("0.", ".").replace("-", "−")
    return f"`{one.strategy}` {text}"


if __name__ == "__main__":
    listed = [row for row in read_folder(Path(sys.argv[1])).rows if row["backbone"] == "linear"]
    with REAL.open("w", encoding="utf-8", newline="") as _file:
        _writer = csv.writer(_file, lineterminator="\n")
        _writer.writerow(Measured._fields)
        for _one in measure(listed):
            _writer.writerow([*_one[:3], f"{_one.mean:.6g}", f"{_one.error:.6g}"])
