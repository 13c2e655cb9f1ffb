"""Writes scores, intervals, probabilities and durations, the same in tables, sentences and pages."""

from __future__ import annotations

import math
from typing import Protocol


def number(value: float, sign: bool = False) -> str:
    """Write a score as .655, or with its sign as +.021 or −.003; a dash if it is undefined."""
    if math.isnan(value):
        return "–"
    rounded = round(value, 3)  # before the sign is chosen, so that −.0001 is written ±.000
    text = f"{abs(rounded):.3f}".removeprefix("0")
    mark = "−" if rounded < 0 else "+" if sign and rounded > 0 else "±" if sign else ""
    return mark + text


class Interval(Protocol):
    """Anything with an interval, NaN if it has none."""

    @property
    def low(self) -> float:
        """The lower end."""

    @property
    def high(self) -> float:
        """The upper end."""


def interval(delta: Interval) -> str:
    """Write an interval as [−.003, +.045], or [+.0004, +.045]; "" if there is none."""
    if math.isnan(delta.low):
        return ""
    return f"[{_end(delta.low)}, {_end(delta.high)}]"


def _end(value: float) -> str:
    """An end of an interval, with a digit more where three would hide on which side of 0 it is."""
    if value == 0 or abs(value) >= 0.0005:
        return number(value, True)
    return f"{'−' if value < 0 else '+'}{abs(value):.4f}".replace("0.", ".")


def percent(share: float) -> str:
    """Write a probability as 38 %, < 1 % or > 99 %."""
    if 0 < share < 0.01:
        return "< 1 %"
    return "> 99 %" if 0.99 < share < 1 else f"{100 * share:.0f} %"


def duration(seconds: float) -> str:
    """Write a duration as 0.4s, 12s, 3.4min or 2.1h."""
    if math.isnan(seconds):
        return "–"
    # The bounds are where rounding would add a digit: 9.95 is written 10s and not 10.0s.
    if seconds < 99.5:
        return f"{seconds:.1f}s" if seconds < 9.95 else f"{seconds:.0f}s"
    return f"{seconds / 60:.1f}min" if seconds < 5970 else f"{seconds / 3600:.1f}h"
