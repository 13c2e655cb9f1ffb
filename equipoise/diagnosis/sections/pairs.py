"""Which labels go together, pair by pair: phi, mutual information and lift, with an exact permutation test.

Shuffling one label's column over the rows is what "independent" means here. All n! shuffles need not be drawn: the
number of rows with both labels then follows the hypergeometric distribution, so its tails are the permutation test
with every permutation in it (Fisher 1935, DOI 10.2307/2342435). A test by random draws could not go below
1 / (draws + 1), which no correction over a thousand pairs survives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from equipoise.core.arrays import Floats, Ints, label_matrix, ratio
from equipoise.measures import cooccurrence

LEVEL = 0.05
MOST_LABELS = 400  # 79,800 pairs, some seconds; beyond, the most frequent labels are tested
LIST_SEPARATOR = 200  # pairs that are written out; the counts cover all of them


@dataclass(frozen=True, eq=False)
class Pairs:
    """All tested pairs i < j of labels, each field (m,): positions, joint rows, measures, p-values as they come."""

    first: Ints
    second: Ints
    both: Ints
    phi: Floats
    information: Floats  # mutual information, bits
    lift: Floats
    p: Floats
    p_holm: Floats
    p_bh: Floats

    def record(self, at: int, labels: Sequence[str]) -> dict[str, Any]:
        """One pair as plain data."""
        return {
            "a": labels[self.first[at]],
            "b": labels[self.second[at]],
            "rows": int(self.both[at]),
            "phi": float(self.phi[at]),
            "mutual_information_bits": float(self.information[at]),
            "lift": float(self.lift[at]),
            "p": float(self.p[at]),
            "p_holm": float(self.p_holm[at]),
            "p_bh": float(self.p_bh[at]),
        }


def measure_pairs(Y: ArrayLike, most: int = MOST_LABELS) -> Pairs:
    """Measure and test every pair of the `most` most frequent labels of Y (n, L) that vary.

    A label without a positive, or with nothing but positives, has no phi and is in no pair.
    """
    bits = label_matrix(Y)
    rows, positives = len(bits), bits.sum(axis=0)
    varying = np.flatnonzero((positives > 0) & (positives < rows))
    kept = np.sort(varying[np.argsort(-positives[varying], kind="stable")][:most])
    upper = np.triu_indices(len(kept), k=1)
    both = cooccurrence(bits[:, kept])[upper] if len(kept) else np.zeros(0, dtype=np.int64)
    first, second = kept[upper[0]], kept[upper[1]]
    a, b = positives[first], positives[second]
    p = permutation_p(both, a, b, rows)
    return Pairs(
        first=first.astype(np.int64),
        second=second.astype(np.int64),
        both=both,
        phi=phi(both, a, b, rows),
        information=mutual_information(both, a, b, rows),
        lift=ratio(both * float(rows), a * b.astype(np.float64)),
        p=p,
        p_holm=holm(p),
        p_bh=benjamini_hochberg(p),
    )


def phi(both: Ints, a: Ints, b: Ints, rows: int) -> Floats:
    """Correlation of two 0/1 columns from their counts: −1..1, NaN where one is constant."""
    spread = np.sqrt(a * (rows - a).astype(np.float64)) * np.sqrt(b * (rows - b).astype(np.float64))
    return ratio(rows * both.astype(np.float64) - a * b.astype(np.float64), spread)


def mutual_information(both: Ints, a: Ints, b: Ints, rows: int) -> Floats:
    """Bits that knowing one label says about the other, as counted (0 log 0 = 0): biased up by about .72 / rows."""
    total = np.zeros(len(both))
    for joint, one, other in ((both, a, b), (a - both, a, rows - b), (b - both, rows - a, b)):
        total += _term(joint, one, other, rows)
    return np.maximum(total + _term(rows - a - b + both, rows - a, rows - b, rows), 0.0)


def _term(joint: Ints, one: Ints, other: Ints, rows: int) -> Floats:
    share = joint / rows
    expected = (one / rows) * (other / rows)
    return np.asarray(share * np.log2(np.where(joint > 0, share, 1.0) / np.where(joint > 0, expected, 1.0)))


def permutation_p(both: Ints, a: Ints, b: Ints, rows: int) -> Floats:
    """Two-sided exact p: the share of all shuffles whose joint count is at least as far from a·b / rows.

    phi is linear in the joint count when the margins are fixed, so this is the test by |phi| as well.
    """
    from scipy.stats import hypergeom

    expected = a * b.astype(np.float64) / rows
    distance = np.abs(both - expected) - 1e-9 * np.maximum(expected, 1.0)  # ties count as far
    below = hypergeom.cdf(np.floor(expected - distance), rows, a, b)
    above = hypergeom.sf(np.ceil(expected + distance) - 1, rows, a, b)
    return np.asarray(np.where(distance <= 0, 1.0, np.minimum(below + above, 1.0)), dtype=np.float64)


def holm(p: ArrayLike) -> Floats:
    """Adjusted for the chance of any false one (Holm 1979, no assumption on how tests depend)."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    steps = np.minimum(values[order] * (len(values) - np.arange(len(values))), 1.0)
    adjusted = np.empty_like(values)
    adjusted[order] = np.maximum.accumulate(steps)
    return adjusted


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Adjusted for the share of false ones among those called real (Benjamini & Hochberg 1995)."""
    from scipy.stats import false_discovery_control

    values = np.asarray(p, dtype=np.float64)
    return np.asarray(false_discovery_control(values)) if len(values) else values


def pairs_section(Y: ArrayLike, labels: Sequence[str]) -> dict[str, Any]:
    """The pairs as plain data: how many were tested and found, and the strongest of those that Holm leaves."""
    found = measure_pairs(Y)
    real = np.flatnonzero(found.p_holm < LEVEL)
    strongest = real[np.argsort(-np.abs(found.phi[real]), kind="stable")]
    return {
        "test": "exact permutation test, two-sided (hypergeometric)",
        "level": LEVEL,
        "labels_tested": len(np.union1d(found.first, found.second)),
        "tested": len(found.p),
        "found_holm": len(real),
        "found_bh": int((found.p_bh < LEVEL).sum()),
        "together": int((found.phi[real] > 0).sum()),
        "apart": int((found.phi[real] < 0).sum()),
        "strongest_together": [found.record(i, labels) for i in strongest if found.phi[i] > 0][
            :LIST_SEPARATOR
        ],
        "strongest_apart": [found.record(i, labels) for i in strongest if found.phi[i] < 0][:LIST_SEPARATOR],
    }
