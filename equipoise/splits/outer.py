"""Stratified folds for many labels at once: seeded, disjoint, fair to rare labels.

Rows are dealt by iterative stratification (equipoise.splits.iterative: labels), then exchanged one for one between folds
(equipoise.splits.swaps: pairs of labels, and the labels again). Everything that decides is a whole number or a random draw,
so that no platform's rounding moves a row.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.contracts.dataset import TEST
from equipoise.core.errors import EquipoiseError
from equipoise.splits.iterative import Index, labelset_order, stratify
from equipoise.splits.swaps import swap_refine

OUTER_FOLDS = 5
#: In the place of an outer split's number: the split that comes with the data (`Dataset.official`).
OFFICIAL = "official"
Split = int | str


def outer_split(
    Y: ArrayLike, split: Split, seed: int, official: ArrayLike | None = None
) -> tuple[Index, Index]:
    """(train, test) row positions of outer split number `split`, or of the official one; both ascending.

    Split i is fold i mod 5 of repetition i div 5 of a stratified 5-fold; each repetition shuffles anew. The official
    split needs `official` (n,), the part of each row as `Dataset` has it. Its development rows train: what needs rows
    held out draws them from the training rows.
    """
    if split == OFFICIAL:
        return official_split(official)
    if not isinstance(split, int) or split < 0:
        raise EquipoiseError(f"split must be 0 or more, or {OFFICIAL!r}, not {split!r}")
    repetition, fold = divmod(int(split), OUTER_FOLDS)
    folds = _folds(np.asarray(Y), OUTER_FOLDS, _generator(seed, repetition))
    return np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)


def official_split(official: ArrayLike | None) -> tuple[Index, Index]:
    """(train, test) row positions of the split that comes with the data.

    Raises EquipoiseError when it comes with none, or with one that has no rows to train or to test on.
    """
    if official is None:
        raise EquipoiseError("these data come with no official split")
    tests = np.asarray(official) == TEST
    if tests.all() or not tests.any():
        raise EquipoiseError(f"their official split has no {'training' if tests.all() else 'test'} rows")
    return np.flatnonzero(~tests), np.flatnonzero(tests)


def split_name(split: Split) -> str:
    """ "split 0", "official split"."""
    return f"{OFFICIAL} split" if split == OFFICIAL else f"split {split}"


def stratified_folds(Y: ArrayLike, k: int, seed: int) -> Index:
    """(n,) fold ids 0..k-1 for an (n, L) 0/1 matrix; each fold has nearly the whole's share of labels and pairs.

    Fold sizes differ by at most one. The same Y, k and seed give the same folds; no global random state is
    touched. Raises EquipoiseError when k < 2 or there are fewer rows than folds.
    """
    return _folds(np.asarray(Y), k, _generator(seed))


def split_hash(*indices: ArrayLike) -> str:
    """Content hash (sha256 hex) of one or more index arrays, in order; independent of platform."""
    digest = hashlib.sha256(b"equipoise split 1\0")
    for index in indices:
        packed = np.ascontiguousarray(index, dtype="<i8")
        digest.update(packed.size.to_bytes(8, "little"))
        digest.update(packed.tobytes())
    return digest.hexdigest()


def _generator(seed: int, *more: int) -> np.random.Generator:
    if seed < 0:
        raise EquipoiseError(f"seed must be 0 or more, not {seed}")
    return np.random.Generator(np.random.PCG64([int(seed), *more]))


def _folds(Y: NDArray[np.generic], k: int, rng: np.random.Generator) -> Index:
    if Y.ndim != 2:
        raise EquipoiseError(f"Y must have shape (rows, labels), not {Y.shape}")
    if k < 2 or len(Y) < k:
        raise EquipoiseError(f"cannot make {k} folds of {len(Y)} rows; at least 2 folds, at most one per row")
    present = np.ascontiguousarray(Y != 0)
    order = labelset_order(present, rng)
    folds = stratify(present, k, order, rng)
    swap_refine(present, folds, k, order, rng)
    return folds
