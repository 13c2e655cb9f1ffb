"""The matrix of strategies × data sets: how each strategy differs from `none` in every table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from equipoise.page.model import SAME, Line, Table
from equipoise.report.results import RANKED
from equipoise.report.significance import mean
from equipoise.report.words.numbers import number

#: A difference of at least so much gets the next stronger colour.
STRENGTHS = (0.005, 0.02, 0.05)


@dataclass(frozen=True)
class MatrixCell:
    """What a strategy gained in one table: the text, and the class of its colour, such as "up2"; "" for none."""

    text: str
    colour: str = ""


@dataclass(frozen=True)
class Matrix:
    """The differences in one measure. `rows` hold a strategy, its stages, its mean over the tables, and a cell for each table."""

    measure: str
    tables: list[Table]
    rows: list[tuple[str, tuple[str, ...], str, list[MatrixCell]]]


def matrix(tables: Sequence[Table], measure: str) -> Matrix | None:
    """The matrix over the tables that have differences in a measure, the best mean first; None if there are none."""
    compared = [table for table in tables if measure in table.measures and table.baseline is not None]
    lines = [{line.strategy: line for line in table.lines if not line.is_baseline} for table in compared]
    names = list(dict.fromkeys(name for of in lines for name in of))
    if not names:
        return None
    rows = []
    for name in names:
        own = [of.get(name) for of in lines]
        # Over the tables that have the strategy; the ranking, which needs complete strategies, is the fairer comparison.
        deltas = [line.deltas[measure].mean for line in own if line and measure in line.deltas]
        stages = next((line.stages for line in own if line), ())
        rows.append((mean(deltas), name, stages, [_cell(line, measure) for line in own]))
    # NaN compares with nothing, so a key of its own puts undefined means last.
    rows.sort(key=lambda row: (math.isnan(row[0]), -row[0] if math.isfinite(row[0]) else 0.0))
    return Matrix(measure, compared, [(n, s, number(m, True), cells) for m, n, s, cells in rows])


def _cell(line: Line | None, measure: str) -> MatrixCell:
    if line is None:
        return MatrixCell("not run")
    if line.state != RANKED:
        return MatrixCell(line.state)
    delta = line.deltas.get(measure)
    if delta is None or math.isnan(delta.mean):
        return MatrixCell("–")
    # Unable to differ, or equal on every split; ±.000 would read as a difference that was rounded.
    if delta.kind == SAME:
        return MatrixCell("same")
    strength = sum(abs(delta.mean) >= bound for bound in STRENGTHS)
    star = "*" if delta.kind in ("better", "worse") else ""
    colour = f"{'up' if delta.mean > 0 else 'down'}{strength}" if strength else ""
    return MatrixCell(number(delta.mean, True) + star, colour)
