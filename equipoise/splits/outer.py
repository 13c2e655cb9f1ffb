"""Outer splits and stratified folds: seeded, disjoint, and with an even share of every label, rare ones included.

Rows are assigned to folds by iterative stratification (`equipoise.splits.iterative`, which balances labels) and then swapped
between folds (`equipoise.splits.swaps`, which balances pairs of labels). All decisions rest on integers and random draws, so
the folds are the same on every platform.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.contracts.dataset import TEST
from equipoise.core.errors import EquipoiseError
from equipoise.splits.groups import dealt
from equipoise.splits.iterative import labelset_order, stratify
from equipoise.splits.swaps import swap_refine
from equipoise.splits.units import Index, Units

OUTER_FOLDS = 5
#: Used instead of a split number for the split that comes with the data (`Dataset.official`).
OFFICIAL = "official"
Split = int | str


def outer_split(
    Y: ArrayLike,
    split: Split,
    seed: int,
    official: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> tuple[Index, Index]:
    """Row positions (train, test) of an outer split, both ascending.

    Split i tests on fold i mod 5 of repetition i div 5 of a stratified 5-fold; each repetition draws new folds. The official
    split needs `official` (n,), the part of each row (see `Dataset`). Its development rows are used for training, because
    held-out rows are always drawn from the training rows.

    Rows of one group (n,), any integers, are on one side of a numbered split; see `stratified_folds` for groups that are too
    large, which are never tested on. The official split is what it is.

    Raises:
        EquipoiseError: a split that is neither a number ≥ 0 nor "official", or data without a usable official split.
    """
    if split == OFFICIAL:
        return official_split(official)
    if not isinstance(split, int) or split < 0:
        raise EquipoiseError(f"split must be 0 or more, or {OFFICIAL!r}, not {split!r}")
    # A repetition has the same folds for all its five splits: the random stream depends on the repetition alone.
    repetition, fold = divmod(int(split), OUTER_FOLDS)
    folds = _folds(np.asarray(Y), OUTER_FOLDS, _generator(seed, repetition), groups)
    return np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)


def official_split(official: ArrayLike | None) -> tuple[Index, Index]:
    """Row positions (train, test) of the split that comes with the data.

    Raises EquipoiseError if there is no such split, or if it has no training or no test rows.
    """
    if official is None:
        raise EquipoiseError("this data set has no official split")
    is_test = np.asarray(official) == TEST
    if is_test.all() or not is_test.any():
        raise EquipoiseError(
            f"this data set's official split has no {'training' if is_test.all() else 'test'} rows"
        )
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def split_name(split: Split) -> str:
    """The name of a split in sentences: "split 0" or "official split"."""
    return f"{OFFICIAL} split" if split == OFFICIAL else f"split {split}"


def stratified_folds(Y: ArrayLike, k: int, seed: int, groups: ArrayLike | None = None) -> Index:
    """Fold ids 0..k-1, (n,), for a 0/1 matrix (n, L), with labels and pairs of labels spread evenly over the folds.

    Without `groups`, fold sizes differ by at most one. With them (n,), any integers, all rows of a group are in one fold, and
    sizes are as equal as groups allow. A group of more than n / k rows would be a fold by itself: it is in none, −1, and so
    always trained on. If fewer than k groups are left, they cannot make folds, and rows are dealt one by one. Groups of one
    row each give the same folds as no groups.

    The same arguments give the same folds; global random state is not used. Raises EquipoiseError if k < 2 or if there are
    fewer rows than folds.
    """
    return _folds(np.asarray(Y), k, _generator(seed), groups)


def split_hash(*indices: ArrayLike) -> str:
    """SHA-256 (hex) of the contents of one or more index arrays, in order; the same on every platform."""
    digest = hashlib.sha256(b"equipoise split 1\0")  # a version, in case the format changes
    for index in indices:
        packed = np.ascontiguousarray(index, dtype="<i8")
        # Without the size, [1], [2, 3] and [1, 2], [3] would have the same hash.
        digest.update(packed.size.to_bytes(8, "little"))
        digest.update(packed.tobytes())
    return digest.hexdigest()


def _generator(seed: int, *more: int) -> np.random.Generator:
    if seed < 0:
        raise EquipoiseError(f"seed must be 0 or more, not {seed}")
    return np.random.Generator(np.random.PCG64([int(seed), *more]))


def _folds(
    Y: NDArray[np.generic], k: int, rng: np.random.Generator, groups: ArrayLike | None = None
) -> Index:
    if Y.ndim != 2:
        raise EquipoiseError(f"Y must have shape (rows, labels), not {Y.shape}")
    if k < 2 or len(Y) < k:
        raise EquipoiseError(
            f"cannot make {k} folds of {len(Y)} rows; use at least 2 folds and no more folds than rows"
        )
    folds = np.full(len(Y), -1, dtype=np.int64)
    # Groups that are too large for a fold are in none.
    rows = np.ones(len(Y), dtype=np.bool_) if groups is None else dealt(np.asarray(groups), k)
    if rows is None:
        groups, rows = None, np.ones(len(Y), dtype=np.bool_)
    present = np.ascontiguousarray(Y[rows] != 0)
    units = Units.rows(present) if groups is None else Units.grouped(present, np.asarray(groups)[rows])
    order = labelset_order(units, rng)
    of_units = stratify(units, k, order, rng)
    swap_refine(present, units, of_units, k, order, rng)
    folds[rows] = of_units[units.of_row]
    return folds
