"""The generated pages in docs/ are up to date with the code."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def test_the_table_of_strategies_is_up_to_date() -> None:
    made = runpy.run_path(str(DOCS / "make_strategies.py"))["table"]()
    kept = (DOCS / "strategies.md").read_text(encoding="utf-8")
    assert made == kept, "run: python docs/make_strategies.py"


def test_measured_tables_go_between_their_marks() -> None:
    filled = runpy.run_path(str(DOCS / "make_performance.py"))["filled"]
    page = "a\n<!-- measured: one -->\nold\n<!-- end -->\nb\n<!-- measured: two -->\nkept\n<!-- end -->\n"
    made = filled(page, {"one": "new\n"})
    assert made == page.replace("old", "new")
    assert filled(made, {"one": "new\n"}) == made
    kept = (DOCS / "performance.md").read_text(encoding="utf-8")
    assert (
        filled(kept, dict.fromkeys(("training", "training-long", "sweep", "growth", "profile"), "x")).count(
            "\nx\n"
        )
        == 5
    )


def test_the_page_on_competence_shows_the_rows() -> None:
    script = runpy.run_path(str(DOCS / "make_competence.py"))
    kept = (DOCS / "competence.md").read_text(encoding="utf-8")
    assert script["page"]() == kept, "run: python docs/make_competence.py"
    unshown = [
        name for name in script["tables"](script["competence_rows"].load()) if f": {name} -->" not in kept
    ]
    assert not unshown, f"docs/competence.md has no place for: {', '.join(unshown)}"
