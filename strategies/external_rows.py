"""Rows of the user's own, such as paraphrases by a language model or back-translations, beside the training rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.options import option
from equipoise.contracts.rows import Rows
from equipoise.contracts.strategy import Context, Strategy


@dataclass(frozen=True)
class ExternalRows(Strategy):
    """Add rows of your own (augmented by any program) to the training rows, never where a row they were made from is held out.

    `external_rows[file=./more.csv]` reads a table with the columns of the data set's own file and a column `parent`: the row of
    the data set, counted from 0, that each row was made from (several as 3;17). Beside a built-in data set, the columns are
    `text`, or the features by name. Labels are 0/1 columns or a column of names; without either, a row has its parent's labels.

    A row is left out wherever a parent of it is held out or tested on, and wherever a row equal to itself or to a parent is.
    Texts are equal if their words are. Features are fitted on the training rows of the data set alone. `share` is the share of
    the rows that is added, drawn at random; a larger share contains a smaller one. The number of gradient steps stays that of
    the data set's rows.
    """

    name: ClassVar[str] = "external_rows"
    reference: ClassVar[str] = (
        "Bayer, Kaufhold & Reuter 2022, A survey on data augmentation for text classification, ACM Computing Surveys, DOI "
        "10.1145/3544558"
    )
    requires: ClassVar[frozenset[str]] = frozenset({"file"})
    changes: ClassVar[frozenset[str]] = frozenset({"rows"})
    off: ClassVar[Mapping[str, Any]] = {"share": 0.0}

    file: str = option("")
    share: float = tunable(1.0, low=0.0, high=1.0)

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        count = 0 if rows.offered is None else round(self.share * len(rows.offered))
        if rows.offered is None or count == 0:
            return rows
        # The first rows of one order, so that the trials of a search differ by as few rows as possible.
        return rows.include(np.sort(ctx.rng.permutation(len(rows.offered))[:count]))
