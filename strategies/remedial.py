"""REMEDIAL: split rows that carry both rare and frequent labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from equipoise.contracts.rows import Rows
from equipoise.contracts.strategy import Context, Strategy
from equipoise.measures import scumble_rows
from equipoise.resampling.label_bags import label_counts, minority

#: The mean of equal floats may come out slightly below them; without this tolerance all such rows would be split.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Remedial(Strategy):
    """REMEDIAL: split each row in which rare and frequent labels meet into one with the frequent and one with the rare labels.

    A row is split if its SCUMBLE exceeds the mean over all rows. A label is rare if IRLbl > MeanIR, the mean over labels with a
    positive. No label gains or loses a positive, so MeanIR does not change; a copy may be left without labels, though, and
    the number of rows grows. Nothing is random. REMEDIAL is meant to precede a resampler, e.g. `remedial+ml_ros`.
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
        originals, copies = rows.Y.copy(), rows.Y[split] * rare
        originals[split] *= ~rare
        # `repeat` moves synthetic rows (after an oversampler in a composition) to the end; labels must follow that order.
        positions = np.concatenate([np.arange(len(rows)), split])
        order = np.argsort(positions >= len(rows.index), kind="stable")
        return rows.repeat(split).relabel(np.vstack([originals, copies])[order])
