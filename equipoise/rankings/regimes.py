"""Which family of strategies wins where: by imbalance, size, dependence of labels, and backbone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from equipoise.core.arrays import Floats
from equipoise.rankings.families import family
from equipoise.rankings.model import FEWEST_BLOCKS, Block, FamilyResult, Regime
from equipoise.rankings.ranks import DIGITS
from equipoise.rankings.scores import Numbers
from equipoise.report.comparison import BASELINE, Comparison
from equipoise.report.significance import LEVEL


@dataclass(frozen=True)
class Trait:
    """A measure of `Block.traits` with its cut points, which are fixed so that levels mean the same in every report."""

    name: str
    measure: str
    words: str
    cuts: tuple[float, float]

    def level(self, value: float) -> str:
        """The level of a value, in words: "MeanIR below 5", "MeanIR 5 to 30", "MeanIR from 30"."""
        low, high = self.cuts
        if value < low:
            return f"{self.words} below {low:g}"
        return f"{self.words} from {high:g}" if value >= high else f"{self.words} {low:g} to {high:g}"

    @property
    def levels(self) -> tuple[str, str, str]:
        """All levels, from low to high."""
        return self.level(-math.inf), self.level(self.cuts[0]), self.level(math.inf)


TRAITS = (
    Trait("imbalance", "mean_ir", "MeanIR", (5, 30)),
    Trait("labels", "labels", "labels", (20, 60)),
    Trait("size", "positives", "positives of a median label", (30, 150)),
    Trait("rows", "rows", "rows", (1000, 5000)),
    Trait("dependence", "rdep", "rDep", (0.2, 0.5)),
)


def regimes(
    values: Numbers, stands_for: Mapping[str, str], tables: Sequence[Comparison], blocks: Sequence[Block]
) -> tuple[Regime, ...]:
    """Every level with tables, by trait; then every backbone if there are several. Traits that have one level say nothing."""
    return tuple(
        _regime(trait, level, columns, values, stands_for)
        for trait, levels in _partitions(tables, blocks)
        if len(levels) > 1
        for level, columns in levels.items()
    )


def _partitions(
    tables: Sequence[Comparison], blocks: Sequence[Block]
) -> Iterator[tuple[str, dict[str, list[int]]]]:
    """For each trait its levels with the positions of their tables; data sets without the measure are in none."""
    of = {block.dataset: block.traits for block in blocks}
    for trait in TRAITS:
        measured = [float(of[table.dataset].get(trait.measure, math.nan)) for table in tables]
        found = {
            level: [
                t for t, value in enumerate(measured) if not math.isnan(value) and trait.level(value) == level
            ]
            for level in trait.levels
        }
        yield trait.name, {level: columns for level, columns in found.items() if columns}
    names = dict.fromkeys(table.backbone for table in tables)
    yield (
        "backbone",
        {name: [t for t, table in enumerate(tables) if table.backbone == name] for name in names},
    )


def _regime(
    trait: str, level: str, columns: list[int], values: Numbers, stands_for: Mapping[str, str]
) -> Regime:
    # What cannot differ from another strategy wins whenever that one does, and would count for its family twice.
    tested = [k for k, name in enumerate(values.strategies) if stands_for[name] == name]
    # A family is what a user would choose among; single strategies win too seldom to say anything.
    families: dict[str, list[int]] = {}
    for k in tested:
        families.setdefault(family(values.strategies[k]), []).append(k)
    scores = np.round(values.scores[:, columns], DIGITS)
    best = scores == scores[tested].max(axis=0)
    # (k, t): of several best strategies on a table, each has an equal part of the win.
    shares = best / best[tested].sum(axis=0)
    results = [
        FamilyResult(
            name,
            len(members),
            wins=float(shares[members].sum()),
            # A family of many strategies wins more often than a small one by their number alone.
            by_chance=len(columns) * len(members) / len(tested),
            **_gain(values, members, columns),
        )
        for name, members in families.items()
    ]
    # By name where wins are equal, so that the order of rows decides nothing.
    results.sort(key=lambda result: (-result.wins, result.family))
    datasets = dict.fromkeys(values.datasets[values.of_table[t]] for t in columns)
    return Regime(trait, level, tuple(datasets), len(columns), tuple(results))


def _gain(values: Numbers, members: Iterable[int], columns: list[int]) -> dict[str, float]:
    """Mean difference from `none` of a family, with the interval that its data sets allow; {} for `none` itself."""
    rows = [k for k in members if values.strategies[k] != BASELINE]
    if not rows or values.baseline is None:
        return {}
    of_table = values.differences[rows][:, columns].mean(axis=0)
    # Tables of one data set depend on each other, so they are averaged before data sets are compared.
    where = values.of_table[columns]
    return _interval(np.array([of_table[where == b].mean() for b in np.unique(where)]))


def _interval(differences: Floats) -> dict[str, float]:
    n, mean = len(differences), float(differences.mean())
    if n < FEWEST_BLOCKS:
        return {"mean": mean}
    # No weights: few data sets are in a range, and a variance between so few cannot be estimated.
    error = float(differences.std(ddof=1)) / math.sqrt(n)
    half = float(scipy.special.stdtrit(n - 1, 0.5 + LEVEL / 2)) * error
    return {"mean": mean, "low": mean - half, "high": mean + half}


def traits_of(rows: Iterable[Mapping[str, object]]) -> dict[str, dict[str, float]]:
    """Measures of data sets from their rows' label counts (fields `labels` and `per_label`): mean_ir, labels, positives.

    Training and test rows of a split are the whole data set. Rows of earlier versions without counts are passed over.
    """
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        columns = row.get("per_label")
        if str(row["dataset"]) in found or not isinstance(columns, Mapping):
            continue
        # The first row with counts is enough, since the labels are the same in all splits.
        train, test = columns.get("fixed/n_train"), columns.get("fixed/n_test")
        if isinstance(train, list) and isinstance(test, list) and len(train) == len(test) > 0:
            found[str(row["dataset"])] = _counted(np.add(train, test, dtype=np.float64))
    return found


def _counted(counts: Floats) -> dict[str, float]:
    # A label without positives has no ratio to the most frequent one.
    present = counts[counts > 0]
    if not present.size:
        return {"labels": float(len(counts))}
    return {
        "mean_ir": float((present.max() / present).mean()),
        "labels": float(len(counts)),
        "positives": float(np.median(present)),
    }
