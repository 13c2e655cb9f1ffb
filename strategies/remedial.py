"""REMEDIAL: rows in which rare and frequent labels meet are split in two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from equipoise.contracts.rows import Rows
from equipoise.contracts.strategy import Context, Strategy
from equipoise.measures import scumble_rows
from equipoise.resampling.label_bags import label_counts, minority

_ROUNDING = 1e-12  # a mean of equal numbers may come out a little below them


@dataclass(frozen=True)
class Remedial(Strategy):
    """Split each row whose SCUMBLE exceeds the mean: one copy keeps the frequent labels, the other the rare ones.

    Deterministic. Rare: IRLbl > MeanIR (over labels with a positive); the mean of SCUMBLE runs over all rows. No label gains
    or loses a positive, so MeanIR stays as it was. Meant to go before a resampler, e.g. `remedial+ml_ros`.
    """

    name: ClassVar[str] = "remedial"
    reference: ClassVar[str] = (
        "Charte, Rivera, del Jesus & Herrera 2015, DOI 10.1007/978-3-319-19644-2_41; "
        "with a resampler after it (REMEDIAL-HwR) 2019, DOI 10.1016/j.neucom.2017.01.118"
    )

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        mixed = scumble_rows(rows.Y)
        split = np.flatnonzero(mixed > mixed.mean() + _ROUNDING)
        if not len(split):
            return rows
        rare = minority(label_counts(rows.Y))
        kept, copies = rows.Y.copy(), rows.Y[split] * rare
        kept[split] *= ~rare
        positions = np.concatenate([np.arange(len(rows)), split])
        order = np.argsort(positions >= len(rows.index), kind="stable")  # Rows puts synthesised rows last
        return rows.repeat(split).relabel(np.vstack([kept, copies])[order])
