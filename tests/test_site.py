"""The documentation site: pages made from the registry, links that stay inside, and a navigation that names every page."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytest.importorskip("mkdocs", reason="the extra docs is not installed")


@pytest.fixture(scope="module")
def hooks() -> dict[str, object]:
    return runpy.run_path(str(ROOT / "docs" / "hooks.py"))


def test_a_page_says_what_a_strategy_does_and_where_it_is_from(hooks: dict[str, object]) -> None:
    page = hooks["strategy_page"]("focal")  # type: ignore[operator]
    assert page.startswith("# focal\n\nFocal loss: cross-entropy times")
    assert "DOI 10.1109/ICCV.2017.324" in page
    assert "| `gamma` | 2.0; 0.0 to 5.0 |" in page
    assert "**Equals `none` at:** `gamma=0.0`, `alpha=-1.0`" in page


def test_pages_of_a_kind_list_every_name(hooks: dict[str, object]) -> None:
    page = hooks["listing"]("backbone", "Backbones", "")  # type: ignore[operator]
    for file in (ROOT / "backbones").glob("*.py"):
        if file.stem in ("linear", "mlp", "lstm", "textcnn"):
            assert f"| `{file.stem}` |" in page


def test_links_out_of_the_site_become_names(hooks: dict[str, object]) -> None:
    outside = hooks["OUTSIDE"]
    made = outside.sub(
        r"\1 (`\2` in the repository)", "see [the loop](../benchmarks/by_hand.py), [this](training.md)"
    )  # type: ignore[attr-defined]
    assert made == "see the loop (`benchmarks/by_hand.py` in the repository), [this](training.md)"


def test_the_navigation_names_every_page() -> None:
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"[\w-]+\.md", config))
    missing = {page.name for page in (ROOT / "docs").glob("*.md")} - named
    assert not missing, f"mkdocs.yml does not name {', '.join(sorted(missing))}"
