"""Rows in which rare and frequent labels meet, which REMEDIAL splits, and what a split would leave without labels."""

from __future__ import annotations

import numpy as np

from equipoise.core.arrays import Ints
from equipoise.measures import scumble_rows
from equipoise.resampling.label_bags import label_counts, minority

#: The mean of equal floats may come out slightly below them; without this tolerance all such rows would be split.
_ROUNDING = 1e-12


def mixed(Y: np.ndarray) -> Ints:
    """The rows of Y (n, L) whose SCUMBLE exceeds the mean over all rows, ascending.

    Source: Charte, Rivera, del Jesus & Herrera 2015, DOI 10.1007/978-3-319-19644-2_41.
    """
    concurrence = scumble_rows(Y)
    return np.flatnonzero(concurrence > concurrence.mean() + _ROUNDING)


def separable(Y: np.ndarray) -> Ints:
    """Those of the `mixed` rows that have a rare label and another one, so that both halves of a split have labels."""
    rows = mixed(Y)
    rare = Y[rows][:, minority(label_counts(Y))].sum(1, dtype=np.int64)
    return rows[(rare > 0) & (rare < Y[rows].sum(1, dtype=np.int64))]
