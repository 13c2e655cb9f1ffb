"""Whether the budget or the ranges decided what a search found, rather than the data.

A training that still gets better when its steps end, or a winner at the end of a range, says that more steps or a wider range
might change the comparison.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from equipoise.contracts.hyperparameters import Tunable

#: Share of a range (on its own scale) that counts as its end.
END = 0.05
#: Share of the steps from which on scores of held-out rows must have settled.
LATE = 0.75
#: So many rows, and this share of them, make a warning: of draws at random a tenth lie at an end.
ROWS, SHARE = 3, 1 / 3


def edges(ranges: Mapping[str, Tunable], params: Mapping[str, Any]) -> list[str]:
    """The parameters that lie at an end of their range, as "lr (high)"; not where the default itself lies there."""
    return [
        f"{name} ({end})"
        for name, spec in ranges.items()
        if name in params and (end := _end(spec, params[name])) and end != _end(spec, spec.default)
    ]


def _end(spec: Tunable, value: Any) -> str:
    """ "low", "high" or ""."""
    if spec.low is None or spec.high is None:
        return ""
    low, high, here = (math.log(x) if spec.log else float(x) for x in (spec.low, spec.high, value))
    room = END * (high - low)
    return "low" if here - low <= room else "high" if high - here <= room else ""


def warning(rows: Iterable[Mapping[str, Any]]) -> str:
    """A sentence about where budget or ranges bind in finished rows of one comparison, "" where they do not.

    Rows without a record (of earlier versions) count for nothing.
    """
    told = [row for row in rows if row.get("settled") is not None]
    late = sum(float(row["settled"]) > LATE for row in told)
    ends = Counter(name for row in told for name in row.get("edges") or ())
    holders = Counter(name for row in told for name in row.get("params") or ())
    said = []
    if late >= ROWS and late > SHARE * len(told):
        said.append(
            f"held-out scores still changed in the last quarter of the steps in {late} of {len(told)} cells"
        )
    for name, count in ends.items():
        of = holders[name.rsplit(" ", 1)[0]]
        if count >= ROWS and count > SHARE * of:
            said.append(f"the winner's {name} lies at the end of its range in {count} of {of}")
    return f"The budget or a range may bind: {'; '.join(said)}." if said else ""
