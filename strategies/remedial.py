"""REMEDIAL: split rows that carry both rare and frequent labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from equipoise.contracts.rows import Rows
from equipoise.contracts.strategy import Context, Strategy
from equipoise.resampling.decoupling import mixed, separable
from equipoise.resampling.label_bags import label_counts, minority


@dataclass(frozen=True)
class Remedial(Strategy):
    """REMEDIAL: split each row in which rare and frequent labels meet into one with the frequent and one with the rare labels.

    A row is split if its SCUMBLE exceeds the mean over all rows. A label is rare if IRLbl > MeanIR, the mean over labels with a
    positive. No label gains or loses a positive, so MeanIR does not change, but the number of rows grows. Nothing is random.
    REMEDIAL is meant to precede a resampler, e.g. `remedial+ml_ros`.

    A row may have a high SCUMBLE without a rare label, or with rare labels only. The paper splits it all the same, and one of
    its halves becomes a row without any label (yeast: 612 of 817 splits): a network learns from it that such inputs have none.
    `variant="no_empty"` leaves these rows whole.
    """

    name: ClassVar[str] = "remedial"
    changes: ClassVar[frozenset[str]] = frozenset({"halves"})
    reference: ClassVar[str] = (
        "Charte, Rivera, del Jesus & Herrera 2015, Resampling multilabel datasets by decoupling highly imbalanced labels, "
        "HAIS, DOI 10.1007/978-3-319-19644-2_41; with a resampler after it: 2019, REMEDIAL-HwR: tackling "
        "multilabel imbalance through label decoupling and data resampling hybridization, Neurocomputing, DOI "
        "10.1016/j.neucom.2017.01.118"
    )

    variant: str = field(default="paper", metadata={"choices": ("paper", "no_empty")})

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        split = separable(rows.Y) if self.variant == "no_empty" else mixed(rows.Y)
        if not len(split):
            return rows
        rare = minority(label_counts(rows.Y))
        originals, copies = rows.Y.copy(), rows.Y[split] * rare
        originals[split] *= ~rare
        # `repeat` moves synthetic rows (after an oversampler in a composition) to the end; labels must follow that order.
        positions = np.concatenate([np.arange(len(rows)), split])
        order = np.argsort(positions >= len(rows.index), kind="stable")
        return rows.repeat(split).relabel(np.vstack([originals, copies])[order])
