"""Measures and tests every pair of labels: phi, mutual information and lift, with an exact permutation test.

Under independence every permutation of one label's column is equally likely. They need not be drawn: the number of rows
with both labels then follows the hypergeometric distribution, so its tails give the p-value over all n! permutations
(Fisher 1935, DOI 10.2307/2342435). A test by random permutations could not give a p-value below 1 / (draws + 1), which
would never be significant after the correction for a thousand pairs.
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
MOST_LABELS = 400  # 79,800 pairs take some seconds; of more labels the most frequent ones are tested
MOST_LISTED = 200  # pairs listed one by one; the counts cover all pairs


@dataclass(frozen=True, eq=False)
class Pairs:
    """The m tested pairs of labels i < j; each field has shape (m,)."""

    first: Ints  # index of label i
    second: Ints  # index of label j
    both: Ints  # rows with both labels
    phi: Floats
    information: Floats  # mutual information, bits
    lift: Floats
    p: Floats  # not adjusted
    p_holm: Floats
    p_bh: Floats

    def record(self, index: int, labels: Sequence[str]) -> dict[str, Any]:
        """One pair as plain data."""
        return {
            "a": labels[self.first[index]],
            "b": labels[self.second[index]],
            "rows": int(self.both[index]),
            "phi": float(self.phi[index]),
            "mutual_information_bits": float(self.information[index]),
            "lift": float(self.lift[index]),
            "p": float(self.p[index]),
            "p_holm": float(self.p_holm[index]),
            "p_bh": float(self.p_bh[index]),
        }


def measure_pairs(Y: ArrayLike, most: int = MOST_LABELS) -> Pairs:
    """Measure and test every pair of the `most` most frequent labels of Y (n, L) that vary.

    A label without positives, or with positives only, has no phi and is in no pair.
    """
    bits = label_matrix(Y)
    rows, positives = len(bits), bits.sum(axis=0)
    varying = np.flatnonzero((positives > 0) & (positives < rows))
    chosen = np.sort(varying[np.argsort(-positives[varying], kind="stable")][:most])
    upper = np.triu_indices(len(chosen), k=1)
    both = cooccurrence(bits[:, chosen])[upper] if len(chosen) else np.zeros(0, dtype=np.int64)
    first, second = chosen[upper[0]], chosen[upper[1]]
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
    """The correlation of two 0/1 columns from their counts a, b and the joint count: −1..1, NaN if one is constant."""
    spread = np.sqrt(a * (rows - a).astype(np.float64)) * np.sqrt(b * (rows - b).astype(np.float64))
    return ratio(rows * both.astype(np.float64) - a * b.astype(np.float64), spread)


def mutual_information(both: Ints, a: Ints, b: Ints, rows: int) -> Floats:
    """The mutual information of two labels in bits, as counted (0 log 0 = 0); biased upwards by about .72 / rows."""
    # The sum over the four cells of the contingency table.
    total = np.zeros(len(both))
    for joint, first, second in ((both, a, b), (a - both, a, rows - b), (b - both, rows - a, b)):
        total += _term(joint, first, second, rows)
    return np.maximum(total + _term(rows - a - b + both, rows - a, rows - b, rows), 0.0)


def _term(joint: Ints, first: Ints, second: Ints, rows: int) -> Floats:
    share = joint / rows
    expected = (first / rows) * (second / rows)
    return np.asarray(share * np.log2(np.where(joint > 0, share, 1.0) / np.where(joint > 0, expected, 1.0)))


def permutation_p(both: Ints, a: Ints, b: Ints, rows: int) -> Floats:
    """The exact two-sided p-value: the share of permutations whose joint count is at least as far from a·b / rows.

    With fixed margins phi is linear in the joint count, so this also is the test with |phi|.
    """
    from scipy.stats import hypergeom

    expected = a * b.astype(np.float64) / rows
    # Slightly reduced, so that rounding does not exclude counts at exactly the same distance.
    distance = np.abs(both - expected) - 1e-9 * np.maximum(expected, 1.0)
    below = hypergeom.cdf(np.floor(expected - distance), rows, a, b)
    above = hypergeom.sf(np.ceil(expected + distance) - 1, rows, a, b)
    return np.asarray(np.where(distance <= 0, 1.0, np.minimum(below + above, 1.0)), dtype=np.float64)


def holm(p: ArrayLike) -> Floats:
    """P-values adjusted for the family-wise error rate, for tests with any dependence (Holm 1979)."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    steps = np.minimum(values[order] * (len(values) - np.arange(len(values))), 1.0)
    adjusted = np.empty_like(values)
    adjusted[order] = np.maximum.accumulate(steps)
    return adjusted


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """P-values adjusted for the false discovery rate (Benjamini & Hochberg 1995)."""
    from scipy.stats import false_discovery_control

    values = np.asarray(p, dtype=np.float64)
    return np.asarray(false_discovery_control(values)) if len(values) else values


def pairs_section(Y: ArrayLike, labels: Sequence[str]) -> dict[str, Any]:
    """The pairs as plain data: how many were tested and are significant, and the strongest pairs that are so after Holm."""
    pairs = measure_pairs(Y)
    significant = np.flatnonzero(pairs.p_holm < LEVEL)
    strongest = significant[np.argsort(-np.abs(pairs.phi[significant]), kind="stable")]
    return {
        "test": "exact permutation test, two-sided (hypergeometric)",
        "level": LEVEL,
        "labels_tested": len(np.union1d(pairs.first, pairs.second)),
        "tested": len(pairs.p),
        "found_holm": len(significant),
        "found_bh": int((pairs.p_bh < LEVEL).sum()),
        "together": int((pairs.phi[significant] > 0).sum()),
        "apart": int((pairs.phi[significant] < 0).sum()),
        "strongest_together": [pairs.record(i, labels) for i in strongest if pairs.phi[i] > 0][:MOST_LISTED],
        "strongest_apart": [pairs.record(i, labels) for i in strongest if pairs.phi[i] < 0][:MOST_LISTED],
    }
