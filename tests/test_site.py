"""The documentation site: pages made from the registry, links that stay inside, and a navigation that names every page."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from equipoise.catalog.registry import registry
from equipoise.catalog.strategies import get_strategy
from equipoise.publishing.readme import BEGIN, END

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


def test_the_command_on_every_strategy_page_can_run(hooks: dict[str, object]) -> None:
    built_in = [entry.name for entry in registry("strategy").entries() if entry.origin == "built-in"]
    assert len(built_in) > 50
    for name in built_in:
        page = hooks["strategy_page"](name)  # type: ignore[operator]
        (line,) = re.findall(r"^equipoise run .*$", page, re.MULTILINE)
        named = re.findall(r"--strategy '?([^' ]+)", line)
        assert named[-1].split("[")[0] == name
        assert len(named) == len(set(named)), f"{line}: run refuses a strategy that is given twice"
        assert "--backbone " in line, f"{line}: run asks for a backbone"
        if "--dataset emotions" in line:  # a table of numbers without a file of further rows
            assert not {"text", "file"} & get_strategy(name).requires


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


# --- published results
LINES = [
    ("linear", "focal", "map", 6, 1, "-0.0011", "-0.0042", "0.0021", "medical", "0.002", "birds", "-0.0124"),
    (
        "linear",
        "focal",
        "tuned_macro_f1",
        6,
        1,
        "0.0021",
        "-0.002",
        "0.006",
        "yeast",
        "0.01",
        "birds",
        "-0.004",
    ),
    ("mlp", "focal+scut", "map", 2, 0, "0.0104", "", "", "medical", "0.02", "birds", "0.0008"),
    ("linear", "scut", "map", 6, 1, "0.0", "0.0", "0.0", "yeast", "0.0", "yeast", "0.0"),
    ("linear", "scut", "own_macro_f1", 6, 1, "0.05", "0.04", "0.06", "yeast", "0.06", "birds", "0.04"),
]
FIELDS = (
    *("backbone", "strategy", "metric", "datasets", "generated", "mean", "low", "high"),
    *("best_dataset", "best", "worst_dataset", "worst"),
)
README = f"# NAME\n\n{BEGIN}\n\nSee [the page](index.html), [rows](rows.jsonl.gz) and [data](../../../docs/data.md).\n\n{END}\n"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A leaderboard, another suite, a withdrawn leaderboard, and a folder that was published by hand."""
    template = json.loads((ROOT / "results" / "published" / "quick-2026-11" / "manifest.json").read_bytes())
    block = {"number": 1, "datasets": ["yeast", "birds"], "published": True}
    for name, suite in {
        "lead-1": "leaderboard-2026-11",
        "quick-1": "quick",
        "old-1": "leaderboard-2025",
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        blocks = [block, {**block, "published": False}]
        more = {"name": name, "suites": [{"name": suite, "sha256": "0" * 64, "blocks": blocks}]}
        (folder / "manifest.json").write_text(json.dumps(template | more), encoding="utf-8")
        text = README.replace("NAME", name).replace(
            "See", "Withdrawn: wrong. See" if name == "old-1" else "See"
        )
        (folder / "README.md").write_text(text, encoding="utf-8")
        (folder / "index.html").write_text("<html>", encoding="utf-8")
        (folder / "effects.csv").write_text(
            "\n".join(",".join(map(str, line)) for line in (FIELDS, *LINES)) + "\n", encoding="utf-8"
        )
    (tmp_path / "by-hand").mkdir()
    return tmp_path


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "hooks_published.py"))


def test_a_page_shows_the_measured_effect_of_the_leaderboard(
    published: dict[str, Any], results: Path
) -> None:
    boards = published["leaderboards"](published["published"](results))
    assert [folder.name for folder in boards] == ["lead-1"]
    section = published["strategy_section"]("focal", boards)
    assert "[lead-1](../published/lead-1.md): block 1 of 2; 2 of 2 data sets." in section
    assert (
        "| linear | 6 (1 generated) | −.001<br>[−.004,\u00a0+.002] | +.002<br>[−.002,\u00a0+.006] |  | "
        "medical +.002<br>birds −.012 |" in section
    )
    assert "| mlp<br>`focal+scut` | 2 | +.010 |  |  | medical +.020<br>birds +.001 |" in section
    assert "own decision" not in section
    section = published["strategy_section"]("scut", boards)
    assert "| linear | 6 (1 generated) | 0 |  |  | +.050<br>[+.040,\u00a0+.060] |  |" in section
    assert "own decision: its macro-F1 minus that of `none` with tuned thresholds" in section


def test_what_was_not_measured_says_so(published: dict[str, Any], results: Path) -> None:
    boards = published["leaderboards"](published["published"](results))
    assert "Not measured in a published leaderboard yet." in published["strategy_section"]("ml_ros", boards)
    section = published["strategy_section"]("focal", [], elsewhere=True)
    assert section.endswith(
        "leaderboard yet. [First effects](../effects.md) has numbers of three data sets.\n"
    )
    assert "Not measured" not in published["strategy_section"]("none", boards)


def test_the_overview_stands_above_the_table(published: dict[str, Any], results: Path) -> None:
    boards = published["leaderboards"](published["published"](results))
    page = "# Strategies\n\nWords.\n\n| name | stage |\n|---|---|\n| `focal` | loss |\n"
    made = published["with_overview"](page, boards)
    assert made.index("## Measured effects") < made.index("## All strategies") < made.index("| name |")
    focal = "| [`focal`](strategies/focal.md) | loss | 6 (1 generated) | −.001<br>[−.004,\u00a0+.002] |"
    assert focal in made
    assert made.index("[`scut`](strategies/scut.md)") < made.index(focal), "in the order of the means in mAP"
    assert "focal+scut" not in made, "measured with another backbone"
    assert published["with_overview"](page, []) == page
    assert "\n| name |" in (ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")


def test_a_folder_has_a_page_whose_links_stay_inside(published: dict[str, Any], results: Path) -> None:
    folders = published["published"](results)
    assert {folder.name for folder in folders} == {"lead-1", "quick-1", "old-1"}
    page = published["folder_page"](next(folder for folder in folders if folder.name == "lead-1"))
    assert "[the page](lead-1/index.html)" in page
    assert "[data](../data.md)" in page
    assert "rows (`rows.jsonl.gz` in results/published/lead-1)" in page
    assert "| [lead-1](published/lead-1.md) | 2026-11-26 | 100 | block 1 of 2; 2 of 2 data sets |" in (
        published["folder_list"](folders)
    )
