"""Recognises columns of dates, and turns them into numbers: year, month, weekday and hour."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from equipoise.readers.columns import Column

#: The parts, in this order; the weekday counts from Monday, 0.
PARTS = ("year", "month", "weekday", "hour")
_TIME = r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\s*(?:Z|UTC|[+-]\d{2}:?\d{2})?)?"
_ISO = re.compile(r"\d{4}-\d{1,2}-\d{1,2}" + _TIME)
#: The other ways to write a date, each with the format of `strptime`. The time of day is cut off.
_WRITTEN = (
    (re.compile(r"(\d{4}/\d{1,2}/\d{1,2})" + _TIME), "%Y/%m/%d"),
    (re.compile(r"(\d{1,2}\.\d{1,2}\.\d{4})" + _TIME), "%d.%m.%Y"),
    (re.compile(r"(\d{1,2} [A-Za-z]{3} \d{4})" + _TIME), "%d %b %Y"),
    (re.compile(r"(\d{1,2}-[A-Za-z]{3}-\d{4})" + _TIME), "%d-%b-%Y"),
    (re.compile(r"([A-Za-z]{3} \d{1,2}, \d{4})" + _TIME), "%b %d, %Y"),
)
_SLASHES = re.compile(r"((\d{1,2})/(\d{1,2})/\d{4})" + _TIME)
_HOUR = re.compile(r"[T ](\d{1,2}):\d{2}")
#: What `date_format` returns for ISO dates, and for dates of which it is not known whether the day or the month is first.
ISO, UNKNOWN = "iso", "day or month"


def date_format(column: Column) -> str:
    """How the dates of a column are written: ISO, UNKNOWN or a format of `strptime`; "" if it does not hold dates only."""
    # Columns of numbers have many cells, none of which need be read for this.
    if not len(column) or ((begin := column.cell(0).strip()) and not _looks_dated(begin)):
        return ""
    cells = [cell.strip() for cell in dict.fromkeys(column.values()) if cell.strip()]
    if not cells:
        return ""
    if all(_ISO.fullmatch(cell) for cell in cells):
        return ISO
    for pattern, form in _WRITTEN:
        if all(pattern.fullmatch(cell) for cell in cells):
            return form
    return _slashes([_SLASHES.fullmatch(cell) for cell in cells])


def _looks_dated(cell: str) -> bool:
    return any(pattern.fullmatch(cell) for pattern in (_ISO, _SLASHES, *(pattern for pattern, _ in _WRITTEN)))


def _slashes(matches: Sequence[re.Match[str] | None]) -> str:
    """5/9/2021 is in May or in September; a number above 12 somewhere in the column tells which."""
    if any(match is None for match in matches):
        return ""
    pairs = [(int(match[2]), int(match[3])) for match in matches if match is not None]
    first, second = max(a for a, _ in pairs), max(b for _, b in pairs)
    if (first > 12) == (second > 12):
        return UNKNOWN
    return "%d/%m/%Y" if first > 12 else "%m/%d/%Y"


def date_parts(column: Column, form: str) -> NDArray[np.float64]:
    """The parts of the dates (n, 4), in the order of `PARTS`; NaN where a cell is empty or no date."""
    return np.column_stack([column.map(partial(_part, form=form, part=i)) for i in range(len(PARTS))])


def _part(cells: list[str], form: str, part: int) -> NDArray[np.float64]:
    import pandas as pd

    # The hour is that of the clock that wrote it, so the time zone does not matter.
    if PARTS[part] == "hour":
        hours = [_HOUR.search(cell) for cell in cells]
        return np.array([0.0 if hour is None else float(hour[1]) for hour in hours])
    days = [_day(cell.strip(), form) for cell in cells]
    times = pd.to_datetime(pd.Series(days), format="%Y-%m-%d" if form == ISO else form, errors="coerce")
    return np.asarray(
        getattr(times.dt, {"weekday": "day_of_week"}.get(PARTS[part], PARTS[part])), dtype=np.float64
    )


def _day(cell: str, form: str) -> str:
    """The date without the time of day."""
    if form == ISO:
        return re.split("[T ]", cell)[0]
    pattern = next((pattern for pattern, known in _WRITTEN if known == form), _SLASHES)
    match = pattern.fullmatch(cell)
    return match[1] if match is not None else ""
