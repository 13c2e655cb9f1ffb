"""The splits of a table: on which of them the most strategies can be compared, and how far they are correlated.

An unfinished sweep, or a strategy that was run on additional splits, must not make all other strategies incomplete.

Split i tests on fold i mod 5 of repetition i div 5. Two splits of one repetition share three quarters of their training rows
and no test row; two of different repetitions share a fifth of their test rows as well. docs/statistics.md has the measurement
of how far a strategy's differences are correlated on them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from equipoise.splits.outer import OFFICIAL, OUTER_FOLDS, Split
from equipoise.store.rows import Row

BASELINE = "none"
SplitId = tuple[int, Split]
#: The correlation of strategies' differences on two splits of one repetition, and of different repetitions.
SAME, OTHER = 0.03, 0.1


def unit_of(row: Row) -> SplitId:
    """Seed and split of a row."""
    # A row without a seed counts as seed 0.
    return int(row.get("seed") or 0), OFFICIAL if row["split"] == OFFICIAL else int(row["split"])


def tried_units(rows: list[Row], finished: set[SplitId]) -> dict[str, set[SplitId]]:
    """Return, for each strategy that finished any unit, the units it ran on, among those that some strategy finished.

    A failure counts as run: it makes its own strategy incomplete, but the other strategies keep the split.
    """
    alive = {row["strategy"] for row in rows if row["status"] == "ok"}
    tried: dict[str, set[SplitId]] = {}
    for row in rows:
        if row["strategy"] in alive and row["status"] != "skipped" and unit_of(row) in finished:
            tried.setdefault(row["strategy"], set()).add(unit_of(row))
    return tried


def common_units(tried: Mapping[str, set[SplitId]]) -> list[SplitId]:
    """Choose the units to compare on: those that give the most complete cells, with `none` among them if possible.

    `tried` maps a strategy to the units that it ran on.
    """
    # Trying every subset would be too many. The most common units are enough: add them one by one and keep the best prefix.
    count = Counter(unit for units in tried.values() for unit in units)
    ordered = sorted(count, key=lambda unit: (-count[unit], unit))
    best: tuple[tuple[bool, int, int], list[SplitId]] = ((False, 0, 0), [])
    for size in range(1, len(ordered) + 1):
        complete = [name for name, units in tried.items() if units.issuperset(ordered[:size])]
        worth = (BASELINE in complete, len(complete) * size, size)
        best = max(best, (worth, ordered[:size]), key=lambda choice: choice[0])
    return sorted(best[1])


def mean_correlation(units: Iterable[SplitId]) -> float:
    """The mean correlation ρ of all pairs of splits; 0 for fewer than two."""
    listed = [(seed, split) for seed, split in units if isinstance(split, int)]
    repetitions = Counter((seed, split // OUTER_FOLDS) for seed, split in listed)
    k = len(listed)
    if k < 2:
        return 0.0
    same = sum(size * (size - 1) for size in repetitions.values())
    return (same * SAME + (k * (k - 1) - same) * OTHER) / (k * (k - 1))


def excess(units: Iterable[SplitId]) -> float:
    """ρ/(1 − ρ), by which the variance of a mean over these splits exceeds s²/k, in units of s²."""
    rho = mean_correlation(units)
    return rho / (1 - rho)
