"""Total correlation: how much information all labels together share, and how much of it is due to chance.

TC = Σ H(Y_j) − H(Y) ≥ 0, and 0 for independent labels (Watanabe 1960, DOI 10.1147/rd.41.0066). The estimate from a sample
is too large, because n rows cannot show all labelsets. Permuting every column by itself keeps the label frequencies and
removes all dependence, so the total correlation of permuted labels is an estimate of that bias. It is the bias for
independent labels; dependent labels have fewer likely labelsets and less bias, so the corrected value is conservative.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from equipoise.core.arrays import Bools, Floats, label_matrix
from equipoise.core.seeds import stream

SHUFFLES = 200
MOST_ROWS = 5000
# The total number of cells to permute; larger data get fewer permutations, but at least 40.
_CELLS = 60_000_000


def total_correlation(Y: ArrayLike) -> float:
    """The plug-in estimate of the total correlation of Y (n, L), in bits."""
    bits = label_matrix(Y)
    return _entropies(bits) - _joint(_keys(bits, _weights(bits.shape[1], 0)))


def joint_section(Y: ArrayLike, seed: int, shuffles: int = SHUFFLES, most: int = MOST_ROWS) -> dict[str, Any]:
    """The total correlation of Y (n, L) with its bias and p-value by permutation, as plain data.

    More than `most` rows are sampled. The p-value counts the observed value as one of the permutations (Phipson & Smyth
    2010, DOI 10.2202/1544-6115.1585), so it is never 0.
    """
    bits = label_matrix(Y)
    rng = stream("diagnose", "total correlation", seed)
    if len(bits) > most:
        bits = bits[np.sort(rng.choice(len(bits), most, replace=False))]
    bits = bits[:, bits.any(axis=0) & ~bits.all(axis=0)]  # a constant label adds 0 to both entropies
    draws = int(np.clip(_CELLS // max(1, bits.size), 40, shuffles))
    observed = total_correlation(bits) if bits.size else 0.0
    null = _null(bits, draws, rng) if bits.shape[1] > 1 else np.zeros(draws)
    entropies = _entropies(bits)
    corrected = max(observed - float(null.mean()), 0.0)
    return {
        "total_correlation_bits": observed,
        "bias_bits": float(null.mean()),
        "corrected_bits": corrected,
        "sum_of_label_entropies_bits": entropies,
        "share": corrected / entropies if entropies > 0 else 0.0,
        # 1e-9: rounding must not break a tie.
        "p": float((1 + (null >= observed - 1e-9).sum()) / (draws + 1)),
        "shuffles": draws,
        "rows": len(bits),
        "labels": int(bits.shape[1]),
        "saturated": bool(bits.size and len(np.unique(bits, axis=0)) > 0.5 * len(bits)),
    }


def _null(bits: Bools, draws: int, rng: np.random.Generator) -> Floats:
    """The total correlations, (draws,), after independent permutations of all columns; they keep the label entropies."""
    weights, entropies = _weights(bits.shape[1], 0), _entropies(bits)
    return np.array([entropies - _joint(_keys(rng.permuted(bits, axis=0), weights)) for _ in range(draws)])


def _weights(labels: int, salt: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """A random 64-bit number per label; the sum over a labelset identifies it.

    The probability that two of 5000 different labelsets have the same sum is about 10⁻¹².
    """
    return stream("diagnose", "labelset keys", salt).integers(0, 2**64, labels, dtype=np.uint64)


def _keys(bits: Bools, weights: np.ndarray[Any, np.dtype[np.uint64]]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """The number of each row's labelset, (n,). Sums wrap around modulo 2⁶⁴, which does no harm."""
    rows, labels = np.nonzero(bits)
    keys = np.zeros(len(bits), dtype=np.uint64)
    np.add.at(keys, rows, weights[labels])
    return keys


def _joint(keys: np.ndarray[Any, np.dtype[np.uint64]]) -> float:
    """The entropy of the labelsets, in bits."""
    shares = np.unique(keys, return_counts=True)[1] / len(keys)
    return float(-(shares * np.log2(shares)).sum())


def _entropies(bits: Bools) -> float:
    """The sum of the entropies of the single labels, in bits."""
    share = bits.mean(axis=0) if len(bits) else np.zeros(bits.shape[1])
    both = np.stack([share, 1.0 - share])
    return float(-(both * np.log2(np.where(both > 0, both, 1.0))).sum())  # 0 log 0 = 0
