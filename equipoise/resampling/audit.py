"""Audit of a resampling: what it did to the training rows, in numbers and in one sentence.

It is needed because published resampling methods often make the labels less balanced, that is, raise MeanIR.
"""

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

RARE = 3  # a labelset with at most this many rows counts as rare
_Hashes = NDArray[np.uint64]
_CHANGE = 1e-3  # a relative change of MeanIR up to this counts as none


def audit(before: Rows, after: Rows) -> dict[str, Any]:
    """Statistics of the rows before and after resampling: {"before": …, "after": …, "synthetic": number of synthetic rows}.

    Where external rows were offered, also {"external": {"offered": …, "included": number of them among the rows after}}; a cell
    adds "file" (rows of the file), and how many of them its split leaves out: "parent_tested" (a parent is a test row) and
    "equal_tested" (a test row equals the row or a parent).

    "before" and "after" have rows, unlabelled (rows without any label), duplicates (rows equal to an earlier one in features
    and labels), labelsets, singletons and rare_labelsets (labelsets with 1 and with 1–3 rows), mean_ir, cvir, scumble, and
    label_counts (a list).
    """
    # Resampling only selects rows of the shared features, so these are hashed once for both sides.
    shared = _hashes(before.shared) if before.shared is not None else None
    out = {
        "before": _state(before, shared),
        "after": _state(after, shared),
        "synthetic": after.n_synthetic,
    }
    if before.offered is not None:
        out["external"] = {"offered": len(before.offered), "included": after.n_included}
    return out


def _state(rows: Rows, shared: _Hashes | None) -> dict[str, Any]:
    _, ids, sizes = labelset_ids(rows.Y)
    # Without numeric features (texts), two rows are equal if they are the same training row.
    original = rows.index.astype(np.uint64) if shared is None else shared[rows.index]
    synthetic = _hashes(rows.synthetic) if rows.synthetic is not None else original[:0]
    # Features and labelset in one number; an odd factor keeps multiplication modulo 2⁶⁴ free of collisions.
    content = np.concatenate([original, synthetic]) * np.uint64(2 * len(sizes) + 1) + ids.astype(np.uint64)
    return {
        "rows": len(rows),
        "unlabelled": int((~rows.Y.any(1)).sum()),
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
    """One number per row, (n,): equal for equal rows, different otherwise except with a probability of about 10⁻¹²."""
    # A fixed seed, so that hashes are reproducible; odd salts, so that multiplying by them loses no bits.
    salt = np.random.Generator(np.random.PCG64(0)).integers(1 << 63, size=X.shape[1], dtype=np.uint64) | 1
    if is_sparse(X):
        X = scipy.sparse.csr_matrix(X)
        mixed = _mixed(X.data, salt[X.indices])
        # Row sums as differences of a cumulative sum: exact, because both are taken modulo 2⁶⁴.
        ends = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed)])
        return np.asarray(ends[X.indptr[1:]] - ends[X.indptr[:-1]])
    out = np.empty(len(X), dtype=np.uint64)
    for rows in row_chunks(*X.shape):
        out[rows] = _mixed(X[rows], salt).sum(1)
    return out


def _mixed(values: np.ndarray, salt: _Hashes) -> _Hashes:
    """Values mixed with the salts of their columns; 0 stays 0, so that CSR entries that are not stored add nothing."""
    plain = np.ascontiguousarray(values, dtype=np.float64) + 0.0  # turns −0 into 0
    product = plain.view(np.uint64) * salt
    # A xor-shift and SplitMix64's multiplier, so that every bit of a value reaches the whole hash.
    return np.asarray((product ^ (product >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9))


def sentence(strategy: str, dataset: str, audits: Sequence[Mapping[str, Any]]) -> str:
    """A sentence on what a resampler did, averaged over audits (e.g. one per split); "" if there are none.

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
    # Rows of earlier versions do not have it.
    bare = float(
        np.mean([after.get("unlabelled", 0) - before.get("unlabelled", 0) for before, after in pairs])
    )
    copies = mean["duplicates"][1] - mean["duplicates"][0]
    details = [_change("rows", mean["rows"], 0), _change("SCUMBLE", mean["scumble"], 3)]
    external = [a["external"] for a in audits if a and "external" in a]
    if external:
        included, in_file = (np.mean([e.get(name, 0) for e in external]) for name in ("included", "file"))
        details += [f"{included:.0f} of {in_file:.0f} external rows"]
    details += [f"{copies:.0f} exact cop{'y' if round(copies) == 1 else 'ies'}"] if copies >= 0.5 else []
    details += [f"{bare:.0f} more without any label"] if bare >= 0.5 else []
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
