"""The generated pages say what the code says."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def test_the_table_of_strategies_is_up_to_date() -> None:
    made = runpy.run_path(str(DOCS / "make_strategies.py"))["table"]()
    kept = (DOCS / "strategies.md").read_text(encoding="utf-8")
    assert made == kept, "run: python docs/make_strategies.py"
