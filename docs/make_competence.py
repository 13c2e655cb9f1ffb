"""Put the rows of benchmarks/published/competence.jsonl into docs/competence.md: `python docs/make_competence.py`."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE / "competence.md"
sys.path.append(str(HERE.parent / "benchmarks"))
try:
    import competence_rows
finally:
    sys.path.pop()


def tables(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Name → table: the goals, the scores of each data set, and what the rows were measured with."""
    names = sorted({row["dataset"] for row in rows})
    return {
        "goals": competence_rows.goals_table(competence_rows.outcomes(rows, names)),
        "versions": competence_rows.versions_line(rows),
        **{name: competence_rows.scores_table(rows, name) for name in names},
    }


def page() -> str:
    """The page as it should be."""
    filled = runpy.run_path(str(HERE / "make_performance.py"))["filled"]
    made: str = filled(PAGE.read_text(encoding="utf-8"), tables(competence_rows.load()))
    return made


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
