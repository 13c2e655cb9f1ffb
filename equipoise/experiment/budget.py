"""Signs that the budget or a search range, rather than the data, decided what a search chose.

If a training still improves when its steps end, or if the winner lies at the end of a range, then more steps or a wider range
might change the comparison.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from equipoise.contracts.hyperparameters import Tunable

#: Share of a range, on its own scale, that counts as its end.
END = 0.05
#: Held-out scores that settled after this share of the steps still changed in the last quarter. Training looks at them after each
#: quarter, rounded up to a whole step (.751 of 990 steps), so the limit lies between the third look and the last.
LATE = 0.875
#: A warning needs this many rows and this share of them: even of random draws, a tenth lie at an end.
ROWS, SHARE = 3, 1 / 3


def edges(ranges: Mapping[str, Tunable], params: Mapping[str, Any]) -> list[str]:
    """The parameters that lie at an end of their range, as "lr (high)"; not those whose default lies at that end, too."""
    return [
        f"{name} ({end})"
        for name, spec in ranges.items()
        if name in params and (end := _end(spec, params[name])) and end != _end(spec, spec.default)
    ]


def _end(spec: Tunable, value: Any) -> str:
    """The end of the range at which a value lies: "low", "high", or "" for neither."""
    if spec.low is None or spec.high is None:
        return ""
    low, high, position = (math.log(x) if spec.log else float(x) for x in (spec.low, spec.high, value))
    margin = END * (high - low)
    return "low" if position - low <= margin else "high" if high - position <= margin else ""


def warning(rows: Iterable[Mapping[str, Any]]) -> str:
    """A sentence that says where the budget or a range may bind in the finished rows of one comparison; "" if nowhere.

    Rows of earlier versions, which do not record it, are ignored.
    """
    recorded = [row for row in rows if row.get("settled") is not None]
    late = sum(float(row["settled"]) > LATE for row in recorded)
    ends = Counter(name for row in recorded for name in row.get("edges") or ())
    searched = Counter(name for row in recorded for name in row.get("params") or ())
    findings = []
    if late >= ROWS and late > SHARE * len(recorded):
        findings.append(
            f"held-out scores still changed in the last quarter of the steps in {late} of {len(recorded)} cells"
        )
    for name, count in ends.items():
        # Not every cell searches every parameter: the share is taken among the cells that do. `name` is "lr (high)".
        total = searched[name.rsplit(" ", 1)[0]]
        if count >= ROWS and count > SHARE * total:
            findings.append(f"the winner's {name} lies at the end of its range in {count} of {total}")
    return f"The budget or a range may bind: {'; '.join(findings)}." if findings else ""
