"""Compares two runs of the benchmarks and says what became slower by more than the noise of the two measurements.

The noise of a timing is stated from the measurements themselves: the visits of one run measure the same code (A/A), and their
spread is noise. The smallest spreads mean little, since visits may agree by chance; so no timing's noise is below what is usual
in the two runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.core.errors import EquipoiseError
from equipoise.timings.records import Run, Timing

#: The least noise, as a share. Where code and data come to lie in memory differs from process to process and moves times by some
#: percent (Mytkowicz et al. 2009, DOI 10.1145/1508244.1508275); visits in one process do not show that.
FLOOR = 0.08
#: The stated noise is a multiple of the spread of the timing itself, or of this quantile of the spreads of all timings of both
#: runs if that is more. Both were chosen on four runs of unchanged code, with 15 busy processes on two cores: none of 211
#: comparisons was called a change (with 1.5 and 0.75: 3), and a loss made slower by a third was found. Of two later runs, back to
#: back, none of 36 timings was. Between runs with 15 and with 8 other busy processes, 7 of 144 comparisons were.
OWN, USUAL = 2.0, 0.75
#: Runs whose load averages differ by more than this for each CPU are compared with a warning.
LOADS_APART = 1.0
SLOWER, FASTER, SAME, UNKNOWN = "slower", "faster", "same", "noise unknown"


@dataclass(frozen=True)
class Change:
    """One timing in both runs: seconds of a call before and after, the noise as a share, and a verdict."""

    name: str
    before: float
    after: float
    noise: float | None
    verdict: str

    @property
    def ratio(self) -> float:
        """The time after as a multiple of the time before."""
        return self.after / self.before


@dataclass(frozen=True)
class Comparison:
    """Two runs compared.

    Attributes:
        changes: the timings that are in both runs, the most slowed down first.
        only_before, only_after: the names of the others.
        not_comparable: name → why the two times cannot be compared.
        versions: library → its versions before and after, where they differ.
        loads: the load averages for each CPU before and after if they are far apart; else None.
    """

    changes: list[Change]
    only_before: list[str]
    only_after: list[str]
    not_comparable: Mapping[str, str]
    versions: Mapping[str, tuple[str, str]]
    loads: tuple[float, float] | None = None

    def of(self, verdict: str) -> list[Change]:
        """The changes with a verdict."""
        return [change for change in self.changes if change.verdict == verdict]


def compare(before: Run, after: Run) -> Comparison:
    """Compare two runs.

    Raises:
        EquipoiseError: they have no timing in common, or none that was measured on the same device, threads and processor.
    """
    common = [name for name in before.timings if name in after.timings]
    if not common:
        raise EquipoiseError(f"{before.path} and {after.path} have no timing in common")
    pairs = {name: (before.timings[name], after.timings[name]) for name in common}
    reasons = {name: why for name, (b, a) in pairs.items() if (why := difference(b, a))}
    if len(reasons) == len(common):
        why = next(iter(reasons.values()))
        raise EquipoiseError(f"{before.path} and {after.path} cannot be compared: {why}")
    usual = usual_spread([timing for pair in pairs.values() for timing in pair])
    changes = [change(*pair, usual) for name, pair in pairs.items() if name not in reasons]
    return Comparison(
        sorted(changes, key=lambda c: -c.ratio),
        [name for name in before.timings if name not in after.timings],
        [name for name in after.timings if name not in before.timings],
        reasons,
        _versions(before, after),
        loads_apart(before, after),
    )


def change(before: Timing, after: Timing, usual: float) -> Change:
    """Compare one timing; `usual` is the least spread to be expected."""
    noise = noise_of(before, after, usual)
    ratio = after.seconds / before.seconds
    if noise is None:
        verdict = UNKNOWN
    elif ratio > 1 + noise:
        verdict = SLOWER
    else:
        verdict = FASTER if 1 / ratio > 1 + noise else SAME
    return Change(before.name, before.seconds, after.seconds, noise, verdict)


def noise_of(before: Timing, after: Timing, usual: float) -> float | None:
    """By how much a ratio of the two times may differ from 1 by noise alone; None if one of them was visited once."""
    if before.visit_spread is None or after.visit_spread is None:
        return None
    return max(FLOOR, OWN * max(before.visit_spread, after.visit_spread, usual))


def usual_spread(timings: Sequence[Timing]) -> float:
    """A high quantile of the spreads of timings, 0 if there are none."""
    known = [t.visit_spread for t in timings if t.visit_spread is not None]
    return float(np.quantile(known, USUAL)) if known else 0.0


def difference(before: Timing, after: Timing) -> str:
    """Why two times cannot be compared, in words; "" if they can."""
    unequal = [
        f"{what} {before.machine[what]} before, {after.machine[what]} after"
        for what in before.machine
        if before.machine[what] != after.machine[what]
    ]
    return "; ".join(unequal)


def loads_apart(before: Run, after: Run) -> tuple[float, float] | None:
    """The load averages of two runs for each CPU if they differ by more than one; None otherwise, or if one is unknown."""
    if before.load is None or after.load is None or abs(before.load - after.load) <= LOADS_APART:
        return None
    return before.load, after.load


def _versions(before: Run, after: Run) -> dict[str, tuple[str, str]]:
    old, new = (dict(next(iter(run.timings.values())).versions) for run in (before, after))
    names = sorted(old.keys() | new.keys())
    return {n: (old.get(n, "none"), new.get(n, "none")) for n in names if old.get(n) != new.get(n)}
