"""What a resampling did to the training rows, in numbers and in a sentence: published balancers often raise MeanIR."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from equipoise.contracts.rows import Rows
from equipoise.core.arrays import is_sparse, row_chunks
from equipoise.measures import cvir, labelset_ids, mean_ir, scumble
from equipoise.resampling.label_bags import label_counts

RARE = 3  # rows up to which a labelset counts as rare
_Hashes = NDArray[np.uint64]
_CHANGE = 1e-3  # share of MeanIR below which it counts as unchanged


def audit(before: Rows, after: Rows) -> dict[str, Any]:
    """Return what resampling made of the rows: {"before": …, "after": …, "synthetic": synthesised rows}.

    Before and after hold rows, duplicates (rows that repeat an earlier one, features and labels), labelsets, singletons
    and rare_labelsets (labelsets of 1 and of 1–3 rows), mean_ir, cvir, scumble, and label_counts (a list).
    """
    shared = _hashes(before.shared) if before.shared is not None else None
    return {
        "before": _state(before, shared),
        "after": _state(after, shared),
        "synthetic": after.n_synthetic,
    }


def _state(rows: Rows, shared: _Hashes | None) -> dict[str, Any]:
    _, ids, sizes = labelset_ids(rows.Y)
    own = rows.index.astype(np.uint64) if shared is None else shared[rows.index]
    made = _hashes(rows.synthetic) if rows.synthetic is not None else own[:0]
    content = np.concatenate([own, made]) * np.uint64(2 * len(sizes) + 1) + ids.astype(np.uint64)
    return {
        "rows": len(rows),
        "duplicates": len(rows) - len(np.unique(content)),
        "labelsets": len(sizes),
        "singletons": int((sizes == 1).sum()),
        "rare_labelsets": int((sizes <= RARE).sum()),
        "mean_ir": mean_ir(rows.Y),
        "cvir": cvir(rows.Y),
        "scumble": scumble(rows.Y),
        "label_counts": label_counts(rows.Y).tolist(),
    }


def _hashes(X: Any) -> _Hashes:
    """(n,) a number a row, equal for equal rows and else different but for a chance of about 1 in 10¹²."""
    salt = np.random.Generator(np.random.PCG64(0)).integers(1 << 63, size=X.shape[1], dtype=np.uint64) | 1
    if is_sparse(X):
        X = scipy.sparse.csr_matrix(X)
        mixed = _mixed(X.data, salt[X.indices])
        ends = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed)])
        return np.asarray(
            ends[X.indptr[1:]] - ends[X.indptr[:-1]]
        )  # sums modulo 2⁶⁴, so differences of sums are exact
    out = np.empty(len(X), dtype=np.uint64)
    for rows in row_chunks(*X.shape):
        out[rows] = _mixed(X[rows], salt).sum(1)
    return out


def _mixed(values: np.ndarray, salt: _Hashes) -> _Hashes:
    """Numbers from values and the salts of their columns; 0 for 0, so that absent entries of CSR count for nothing."""
    plain = np.ascontiguousarray(values, dtype=np.float64) + 0.0  # makes −0 into 0
    product = plain.view(np.uint64) * salt
    return np.asarray((product ^ (product >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9))


def sentence(strategy: str, dataset: str, audits: Sequence[Mapping[str, Any]]) -> str:
    """Say what a resampler did, on average over audits, e.g. one a split; nothing where there is none.

    >>> state = {"rows": 100, "scumble": 0.1, "duplicates": 0}
    >>> sentence("ml_ros", "emotions", [{"before": {**state, "mean_ir": 1.478}, "after": {**state, "mean_ir": 1.486}}])
    'ml_ros made emotions less balanced: MeanIR 1.478 → 1.486 (rows 100, SCUMBLE .100)'
    """
    pairs = [(a["before"], a["after"]) for a in audits if a and "before" in a and "after" in a]
    if not pairs:
        return ""
    mean = {
        name: [float(np.mean([part[side][name] for part in pairs])) for side in (0, 1)]
        for name in ("mean_ir", "rows", "scumble", "duplicates")
    }
    copies = mean["duplicates"][1] - mean["duplicates"][0]
    details = [_change("rows", mean["rows"], 0), _change("SCUMBLE", mean["scumble"], 3)]
    details += [f"{copies:.0f} exact copies"] if copies >= 0.5 else []
    return f"{strategy} {_verdict(dataset, mean['mean_ir'])} ({', '.join(details)})"


def _verdict(dataset: str, mean_irs: Sequence[float]) -> str:
    old, new = mean_irs
    shown = _change("MeanIR", mean_irs, 3)
    if not math.isfinite(old) or abs(new - old) <= _CHANGE * old:
        return f"left {dataset} about as balanced as it was: {shown}"
    return f"made {dataset} {'less' if new > old else 'more'} balanced: {shown}"


def _change(name: str, values: Sequence[float], digits: int) -> str:
    old, new = (f"{v:.{digits}f}".removeprefix("0" if digits else "") for v in values)
    return f"{name} {old} → {new}" if old != new else f"{name} {old}"
