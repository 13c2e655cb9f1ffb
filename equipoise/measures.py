"""Measures of the imbalance of a multilabel data set; they need the label matrix Y (n, L) only.

One rule holds throughout: **a label without a positive has IRLbl = inf and is excluded from every average over
labels** (MeanIR, maxIR, CVIR). Programs differ here: mldr counts it as zero, Mulan excludes the label. Excluding it
is the only choice under which an additional empty column of Y changes nothing. A measure that is 0/0 is NaN,
never 0, unless its docstring says otherwise (SCUMBLE of an empty row).
"""

from __future__ import annotations

import math

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from equipoise.core.arrays import Floats, Ints, label_matrix, mean_defined, ratio, row_chunks

CHI2_CRITICAL = 6.635  # chi-square with one degree of freedom at p = .01, as printed by the source of rDep
# Share of ones below which a sparse product counts co-occurrences faster than a dense one.
SPARSE_BELOW = 0.09
# SCUMBLE of a row below this is rounding: two labels of n and n + 1 rows give about 1 / (8 n²), 1e-13 at a million rows.
ROUNDING = 1e-13


def irlbl(Y: ArrayLike) -> Floats:
    """Imbalance ratio per label, (L,): IRLbl_j = max_k n_k / n_j; 1 for the most frequent label, inf if n_j = 0.

    Source: Charte, Rivera, del Jesus, Herrera 2015, DOI 10.1016/j.neucom.2014.08.091.
    """
    counts = label_matrix(Y).sum(axis=0)
    return np.where(counts > 0, counts.max() / np.maximum(counts, 1), np.inf)


def mean_ir(Y: ArrayLike) -> float:
    """MeanIR: the mean of IRLbl over the labels with a positive; NaN if no label has one.

    Source: Charte et al. 2015, DOI 10.1016/j.neucom.2014.08.091 (labels without a positive are excluded, as in Mulan).
    """
    return mean_defined(_finite_irlbl(Y))


def max_ir(Y: ArrayLike) -> float:
    """maxIR: the largest IRLbl among the labels with a positive; NaN if no label has one.

    Source: Charte et al. 2015, DOI 10.1016/j.neucom.2014.08.091.
    """
    finite = _finite_irlbl(Y)
    return float(finite.max()) if finite.size else math.nan


def cvir(Y: ArrayLike) -> float:
    """CVIR: sd(IRLbl, n−1) / MeanIR over the labels with a positive; NaN with fewer than two such labels.

    Source: Charte et al. 2015, DOI 10.1016/j.neucom.2014.08.091.
    """
    return _variation(_finite_irlbl(Y))


def scumble_rows(Y: ArrayLike) -> Floats:
    """SCUMBLE of each row, (n,): 1 − geometric / arithmetic mean of the IRLbl of the row's active labels.

    It lies in [0, 1): it is 0 if the active labels are equally frequent, and near 1 if a very rare label occurs with a
    very frequent one. A row without a label has SCUMBLE 0. Labels without a positive are active in no row, so they do
    not matter.

    Source: Charte, Rivera, del Jesus, Herrera 2014, DOI 10.1007/978-3-319-07617-1_10; 2019, DOI
    10.1016/j.neucom.2016.08.158.
    """
    bits = label_matrix(Y)
    ratios = irlbl(bits)
    rows, labels = np.nonzero(bits)
    active = np.maximum(bits.sum(axis=1), 1)  # at least 1: an empty row has sum 0, and 0 / 1 = 0
    arithmetic = np.bincount(rows, weights=ratios[labels], minlength=len(bits)) / active
    # The geometric mean is computed from logarithms, because a product of many ratios would overflow.
    logs = np.bincount(rows, weights=np.log(ratios[labels]), minlength=len(bits)) / active
    share = np.exp(logs) / np.where(arithmetic > 0, arithmetic, 1.0)
    # Equal ratios give ±1e-16 instead of 0, and the variation of such noise would look like a measure of the data.
    scores = 1.0 - share
    return np.asarray(np.where(scores < ROUNDING, 0.0, scores))


def scumble(Y: ArrayLike) -> float:
    """SCUMBLE: the mean of `scumble_rows` over all rows (empty ones count as 0); NaN without rows.

    Source: Charte et al. 2014, DOI 10.1007/978-3-319-07617-1_10.
    """
    return mean_defined(scumble_rows(Y))


def scumble_cv(Y: ArrayLike) -> float:
    """SCUMBLE.CV: sd(n−1) / mean of `scumble_rows`; NaN if all are 0 or there are fewer than two rows.

    Source: Charte et al. 2019, DOI 10.1016/j.neucom.2016.08.158.
    """
    return _variation(scumble_rows(Y))


def cardinality(Y: ArrayLike) -> float:
    """Mean number of labels per row; NaN without rows.

    Source: Tsoumakas and Katakis 2007, DOI 10.4018/jdwm.2007070101.
    """
    return mean_defined(label_matrix(Y).sum(axis=1))


def density(Y: ArrayLike) -> float:
    """Cardinality / L: the share of ones in Y (labels without a positive count in L); NaN without rows.

    Source: Tsoumakas and Katakis 2007, DOI 10.4018/jdwm.2007070101.
    """
    bits = label_matrix(Y)
    return cardinality(bits) / int(bits.shape[1])


def labelset_ids(Y: ArrayLike) -> tuple[Ints, Ints, Ints]:
    """Number the labelsets (distinct rows) of Y; k is their number.

    Returns:
        The first row of each labelset (k,), the labelset number of each row (n,), and the rows of each labelset (k,).
    """
    bits = label_matrix(Y)
    # A row packed into bytes is compared as one value, which is much faster than `unique` along an axis.
    packed = np.ascontiguousarray(np.packbits(bits, axis=1))
    keys = packed.view(np.dtype((np.void, packed.shape[1]))).reshape(len(bits))
    _, first, ids, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    return first.astype(np.int64), ids.astype(np.int64), counts.astype(np.int64)


def labelsets(Y: ArrayLike) -> tuple[NDArray[np.uint8], Ints]:
    """The distinct rows of Y, (k, L) uint8, and the number of rows of each, (k,); the most frequent come first.

    The empty labelset counts as a labelset, as in published counts.
    Source: Tsoumakas and Katakis 2007, DOI 10.4018/jdwm.2007070101.
    """
    bits = label_matrix(Y)
    first, _, counts = labelset_ids(bits)
    order = np.argsort(-counts, kind="stable")
    return bits[first[order]].astype(np.uint8), counts[order]


def singletons(Y: ArrayLike) -> int:
    """The number of labelsets that occur in exactly one row.

    Source: Charte and Charte 2015 (the R package mldr), DOI 10.32614/RJ-2015-027.
    """
    return int((labelset_ids(Y)[2] == 1).sum())


def tcs(Y: ArrayLike, n_inputs: int) -> float:
    """TCS, the theoretical complexity score: ln(inputs × labels × labelsets) with all labels counted; NaN for ln 0.

    Source: Charte, Rivera, del Jesus, Herrera 2016, DOI 10.1007/978-3-319-32034-2_42.
    """
    bits = label_matrix(Y)
    product = n_inputs * bits.shape[1] * len(labelset_ids(bits)[2])
    return math.log(product) if product > 0 else math.nan


def cooccurrence(Y: ArrayLike) -> Ints:
    """The number of rows with both labels, (L, L); the diagonal holds the number of positives of each label."""
    bits = label_matrix(Y)
    if np.count_nonzero(bits) < SPARSE_BELOW * bits.size:
        sparse = scipy.sparse.csr_array(bits.astype(np.int64))
        return np.asarray((sparse.T @ sparse).todense())
    counts = np.zeros((bits.shape[1], bits.shape[1]), dtype=np.int64)
    for rows in row_chunks(*bits.shape):
        part = bits[rows].astype(np.float32)  # exact: a chunk has far fewer than 2**24 rows
        counts += (part.T @ part).astype(np.int64)
    return counts


def rdep(Y: ArrayLike) -> float:
    """rDep: the share of label pairs that are unconditionally dependent, N φ² > 6.635 (χ², one df, p = .01).

    A pair with a constant label (no positive, or all positive) has no φ and counts as independent; the denominator is
    all L(L−1)/2 pairs. NaN with a single label.

    Source: Chekina et al. 2013, DOI 10.1007/s10994-012-5312-9; named rDep by Moyano et al. 2017, DOI
    10.1016/j.knosys.2017.01.018.
    """
    bits = label_matrix(Y)
    rows, positives = len(bits), bits.sum(axis=0).astype(np.float64)
    spread = positives * (rows - positives)
    covariance = rows * cooccurrence(bits) - np.outer(positives, positives)
    chi2 = rows * ratio(covariance**2, np.outer(spread, spread))
    pairs = chi2[np.triu_indices(bits.shape[1], k=1)]
    return float((pairs > CHI2_CRITICAL).mean()) if pairs.size else math.nan


def describe(Y: ArrayLike, n_inputs: int | None = None) -> dict[str, float]:
    """Every measure of this module by name; `tcs` and `inputs` only if the number of inputs is given."""
    bits = label_matrix(Y)
    counts = labelset_ids(bits)[2]
    measures: dict[str, float] = {"rows": len(bits), "labels": bits.shape[1], "labelsets": len(counts)}
    measures["singletons"] = int((counts == 1).sum())
    measures["empty_rows"] = int((~bits.any(axis=1)).sum())
    measures["empty_labels"] = int((~bits.any(axis=0)).sum())
    for measure in (cardinality, density, mean_ir, max_ir, cvir, scumble, scumble_cv, rdep):
        measures[measure.__name__] = measure(bits)
    return measures if n_inputs is None else {**measures, "inputs": n_inputs, "tcs": tcs(bits, n_inputs)}


def _finite_irlbl(Y: ArrayLike) -> Floats:
    ratios = irlbl(Y)
    return ratios[np.isfinite(ratios)]


def _variation(values: Floats) -> float:
    """The coefficient of variation, sd(n−1) / mean; NaN if it is undefined."""
    if values.size < 2 or values.mean() == 0:
        return math.nan
    return float(values.std(ddof=1) / values.mean())
