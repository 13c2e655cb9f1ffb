"""Counts duplicate rows: all of them, those whose labels contradict each other, and those across the split."""

from __future__ import annotations

from typing import Any

import numpy as np

from equipoise.contracts.dataset import Dataset
from equipoise.core.arrays import Ints
from equipoise.diagnosis.sections.similar import near_pairs
from equipoise.splits.groups import exact_groups

SHOWN = 5  # examples of each kind

Split = tuple[Ints, Ints]  # (train, test) row positions


def duplicates_section(data: Dataset, split: Split, seed: int) -> dict[str, Any]:
    """Counts and examples of duplicates as plain data; rows are counted from 0."""
    # Near duplicates are searched among one row of each group, so they are not counted again.
    groups = exact_groups(data.X)
    pairs, compared = near_pairs(data, groups, seed)
    train = np.zeros(data.n_rows, dtype=np.bool_)
    train[split[0]] = True
    test = np.zeros(data.n_rows, dtype=np.bool_)
    test[split[1]] = True
    return {
        "exact": _exact(data, groups),
        "near": _near(data, pairs, compared),
        "across_split": {
            "test_rows": int(test.sum()),
            "exact": len(_shared(groups, train, test)),
            "near": len(_near_shared(groups, pairs, train, test)),
            "examples": _shared(groups, train, test)[:SHOWN].tolist(),
        },
    }


def _exact(data: Dataset, groups: Ints) -> dict[str, Any]:
    sizes = np.bincount(groups)
    members = [np.flatnonzero(groups == g) for g in np.flatnonzero(sizes > 1)[:SHOWN]]
    clashing = _contradicting(data.Y, groups)
    clashes = [np.flatnonzero(groups == g) for g in clashing[:SHOWN]]
    return {
        "groups": int((sizes > 1).sum()),
        "rows_too_many": int((sizes - 1).sum()),
        "contradicting_groups": len(clashing),
        "contradicting_rows": int(sizes[clashing].sum()),
        "examples": [rows[:SHOWN].tolist() for rows in members],
        "contradicting_examples": [_clash(data, rows) for rows in clashes],
    }


def _contradicting(Y: np.ndarray, groups: Ints) -> Ints:
    """The groups whose rows do not all have the same labels: each row is compared with the first one of its group."""
    first = np.unique(groups, return_index=True)[1]
    differs = (first[groups] != np.arange(len(groups))) & (Y[first[groups]] != Y).any(axis=1)
    return np.unique(groups[differs])


def _clash(data: Dataset, rows: Ints) -> dict[str, Any]:
    """A group of equal inputs with different labels: its first rows, and the labels in which they differ."""
    part = data.Y[rows]
    differing = np.flatnonzero(part.min(axis=0) != part.max(axis=0))
    return {"rows": rows[:SHOWN].tolist(), "labels": [data.labels[j] for j in differing]}


def _near(data: Dataset, pairs: Any, compared: int) -> dict[str, Any]:
    contradicting = (data.Y[pairs[:, 0]] != data.Y[pairs[:, 1]]).any(axis=1)
    return {
        "pairs": len(pairs),
        "rows": len(np.unique(pairs)),
        "contradicting_pairs": int(contradicting.sum()),
        "rows_compared": compared,
        "examples": pairs[:SHOWN].tolist(),
    }


def _shared(groups: Ints, train: Any, test: Any) -> Ints:
    """The test rows that are equal to a training row."""
    return np.flatnonzero(test & np.isin(groups, groups[train]))


def _near_shared(groups: Ints, pairs: Any, train: Any, test: Any) -> Ints:
    """The test rows that are nearly equal, but not equal, to a training row."""
    both_ways = np.concatenate([pairs, pairs[:, ::-1]])  # the test row may be either one of the pair
    linked = both_ways[train[both_ways[:, 1]] & test[both_ways[:, 0]], 0]
    return np.setdiff1d(linked, _shared(groups, train, test))
