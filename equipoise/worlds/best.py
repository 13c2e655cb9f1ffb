"""The factors of controlled worlds, read from their names, and the best possible scores on the test rows of their splits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from equipoise import bayes, metrics
from equipoise.catalog.datasets import source_of
from equipoise.contracts.dataset import DatasetSource
from equipoise.core.errors import EquipoiseError
from equipoise.readers.downloads import default_data_dir
from equipoise.report.units import BASELINE, SplitId, unit_of
from equipoise.splits.groups import groups_of
from equipoise.splits.outer import outer_split, split_hash
from equipoise.store.rows import Row
from equipoise.worlds.world import Best

#: The factors of a controlled world that change its distribution or its size. `seed` only draws other mails.
FACTORS = ("imbalance", "rows", "dependence", "noise", "labels", "overlap", "top")


def factors_of(datasets: Iterable[str]) -> dict[str, dict[str, float]]:
    """The factors of the data sets that are controlled worlds; others are left out."""
    found: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(datasets):
        try:
            source = source_of(name, {})
        except EquipoiseError:
            continue  # a file that is not here, or a plugin that is not installed
        # Without labels, `design-emails` is another data set with no known optimum.
        if isinstance(source, bayes.KnownWorld) and getattr(source, "labels", False):
            found[name] = {factor: float(getattr(source, factor)) for factor in FACTORS}
    return found


def best_of(rows: Iterable[Row]) -> dict[str, Best]:
    """What the exact posterior of each controlled world reaches on the test rows of its splits (mean over splits).

    The splits are those that `none` has finished in `rows`, on which `World` compares strategies. They are drawn again, since
    rows do not list their test rows. This takes about a second for 1000 mails.

    Raises:
        EquipoiseError: a split drawn here is not the one of its row.
    """
    splits: dict[str, dict[SplitId, str]] = {}
    for row in rows:
        if row["status"] == "ok" and row["strategy"] == BASELINE:
            splits.setdefault(str(row["dataset"]), {})[unit_of(row)] = str(row.get("split_sha256") or "")
    return {name: _best(source_of(name, {}), splits[name]) for name in factors_of(splits)}


def _best(source: DatasetSource, splits: Mapping[SplitId, str]) -> Best:
    data = source.load(default_data_dir())
    groups = groups_of(data)
    reached = []
    for (seed, split), sha in splits.items():
        train, test = outer_split(data.Y, split, seed, data.official, groups)
        # Rows of earlier versions do not say which rows their split tests.
        if sha and split_hash(train, test) != sha:
            raise EquipoiseError(
                f"{source.name}: split {split} of seed {seed} has other rows here than when it was run"
            )
        scores = bayes.scores_of(source, rows=test)
        certain = bayes.posterior_of(source, np.asarray(data.X[test])).marginals > 0.5
        reached.append((scores["map"].here, scores["macro_f1"].here, metrics.macro_f1(data.Y[test], certain)))
    return Best(*np.mean(reached, axis=0).tolist())
