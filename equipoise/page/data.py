"""The numbers of the page as compact JSON inside it, from which the script makes the downloads."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from equipoise.page.model import Delta, Line, Table

#: Fields of a difference and the ends of their column names.
PARTS = {
    "mean": "",
    "low": "_low",
    "high": "_high",
    "p": "_p",
    "better": "_better",
    "equal": "_equal",
    "worse": "_worse",
}
DIGITS = (
    4  # decimal places of scores, significant digits of seconds; more than these measurements are good for
)
#: Differences whose probabilities are left out: those of a decision that tuning replaces, and of a threshold.
FEWER = ("fixed_macro_f1", "own_macro_f1", "fixed_minus_tuned")


def data_of(tables: Sequence[Table]) -> dict[str, Any]:
    """Names of columns, and for each table its own columns once and a list for each strategy.

    Columns in which no strategy has a value are left out. Undefined numbers are None.
    """
    lines = [line for table in tables for line in table.lines]
    means = _names(line.means for line in lines)
    compared = _names(line.deltas for line in lines)
    extra = _names(line.extra for line in lines)
    names = ["strategy", "stages", "state", "rank", "splits", *means]
    names += [f"delta_{name}{PARTS[part]}" for name in compared for part in _parts_of(name)]
    names += ["seconds", *extra, "why"]
    records = [[_record(line, means, compared, extra) for line in table.lines] for table in tables]
    used = [any(row[i] is not None for rows in records for row in rows) for i in range(len(names))]
    return {
        "table_columns": ["dataset", "backbone", "table", "splits_of"],
        "columns": [name for name, kept in zip(names, used, strict=True) if kept],
        "tables": [
            {
                "table": [table.dataset, table.backbone, table.title, table.splits],
                "rows": [[value for value, kept in zip(row, used, strict=True) if kept] for row in rows],
            }
            for table, rows in zip(tables, records, strict=True)
        ],
    }


def embedded(data: dict[str, Any]) -> Markup:
    """JSON for a script element: no sign in it can end the element, whatever names the data have."""
    text = json.dumps(data, separators=(",", ":"))  # in ASCII, so without the line separators of Unicode
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def _names(mappings: Any) -> list[str]:
    # In the order of first appearance, so that equal rows give equal bytes.
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def _record(line: Line, means: Sequence[str], compared: Sequence[str], extra: Sequence[str]) -> list[Any]:
    numbers = [
        *(_rounded(line.means.get(name)) for name in means),
        *(
            (_probability if part == "p" else _rounded)(_part(line.deltas.get(name), part))
            for name in compared
            for part in _parts_of(name)
        ),
        _rounded(line.seconds),
        *(_rounded(line.extra.get(name)) for name in extra),
    ]
    about = [line.strategy, " ".join(line.stages) or None, line.state, line.rank, line.splits]
    return [*about, *numbers, line.why or None]


def _parts_of(name: str) -> list[str]:
    return [part for part in PARTS if name not in FEWER or part in ("mean", "low", "high", "p")]


def _part(delta: Delta | None, part: str) -> float | None:
    return None if delta is None else getattr(delta, part)


def _probability(value: float | None) -> float | int | None:
    """A p-value, which no rounding makes 0: that would say that chance alone could never have done it."""
    tiny = value is not None and 0 < value < 10**-DIGITS
    return float(f"{value:.1g}") if tiny else _rounded(value)


def _rounded(value: float | None) -> float | int | None:
    if value is None or not math.isfinite(value):
        return None
    rounded = round(value, DIGITS) if abs(value) < 1 else float(f"{value:.{DIGITS}g}")
    return int(rounded) if rounded == int(rounded) else rounded  # 0 instead of -0.0: a tenth of the size
