"""What is complete of a suite that takes days: which blocks are published, and what is said of the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from equipoise.publishing.coverage import coverage, in_words
from equipoise.publishing.index import write_index
from equipoise.publishing.rows import amount
from equipoise.publishing.suites import summary
from equipoise.store.store import Store

Say = Callable[..., Any]
#: Block 1 is what the fixture `swept` has run of its first data set, block 2 is the second with a strategy more.
BLOCKS = (
    'datasets = ["design-emails[rows=120]"]',
    'datasets = ["design-emails[rows=120,seed=1]"]\nstrategies = ["none", "focal", "asl"]',
    'datasets = ["emotions"]',
)


@pytest.fixture
def three(suite: Callable[..., Path]) -> str:
    """A suite of three blocks, of which the store has the first and a part of the second."""
    return str(suite(*BLOCKS))


def test_only_complete_blocks_are_taken(three: str, rows: list[dict[str, Any]]) -> None:
    found = coverage(rows, three)
    assert [block.complete for block in found.blocks] == [True, False, False]
    assert [(block.done, block.cells) for block in found.blocks] == [(6, 6), (4, 6), (0, 6)]
    assert {row["dataset"] for row in found.rows} == {"design-emails[rows=120]"}
    assert len(found.rows) == 6
    seconds = [
        r["cost"]["seconds_total"] for r in rows if "seed=1" in r["dataset"] and r["strategy"] != "scut"
    ]
    assert found.blocks[1].core_hours_left == pytest.approx(2 * sum(seconds) / 4 / 3600)
    assert summary(found.record()) == "block 1 of 3; 1 of 3 data sets"
    assert not [line for line in in_words(found) if "other code" in line]


def test_unfinished_blocks_are_taken_where_asked_for(three: str, rows: list[dict[str, Any]]) -> None:
    found = coverage(rows, three, unfinished=True)
    assert found.taken == (1, 2)
    assert len(found.rows) == 10, "scut is not planned in the second block"
    assert summary(found.record()) == "blocks 1 and 2 of 3; 2 of 3 data sets"


def test_rows_of_other_code_are_counted_and_named(three: str, rows: list[dict[str, Any]]) -> None:
    older = [
        {**row, "code": f"0123/{row['code'].partition('/')[2]}", "key": f"old{k}"}
        for k, row in enumerate(rows)
    ]
    found = coverage(older, three)
    assert found.taken == (1,), "all rows of the block are of one engine, so they can be compared"
    (line,) = [line for line in in_words(found) if line.startswith("  block 1:")]
    assert "6 rows were made by other code than is here (engine)" in line
    both = coverage([*older[:1], *rows[1:]], three)
    assert both.taken == ()
    assert both.blocks[0].mixed == "its rows were made by 2 versions of the engine"
    assert coverage([*older, *rows], three).blocks[0].mixed == "", "the last row of a cell counts"


def test_rows_of_other_libraries_or_data_do_not_make_a_block(three: str, rows: list[dict[str, Any]]) -> None:
    torch = [{**rows[0], "versions": {**rows[0]["versions"], "torch": "1.0"}}, *rows[1:]]
    assert coverage(torch, three).blocks[0].mixed == "its rows were made with 2 sets of library versions"
    data = [{**rows[0], "dataset_sha256": "0" * 64}, *rows[1:]]
    assert coverage(data, three).blocks[0].mixed == "its rows are of 2 contents of design-emails[rows=120]"


@pytest.mark.parametrize(("part", "name"), [(1, "linear"), (2, "none")])
def test_rows_before_and_after_an_edit_do_not_make_a_block(
    part: int, name: str, three: str, rows: list[dict[str, Any]]
) -> None:
    code = rows[0]["code"].split("/")
    code[part] = "0123"
    assert (rows[0]["strategy"], rows[0]["backbone"]) == ("none", "linear")
    edited = coverage([{**rows[0], "code": "/".join(code)}, *rows[1:]], three)
    assert edited.blocks[0].mixed == f"its rows were made by 2 versions of {name}"
    assert edited.taken == ()


def test_core_hours_are_never_written_as_powers_of_ten() -> None:
    assert [amount(v) for v in (0.00821, 2.187, 99.96, 999.4, 999.6, 12345.6)] == [
        *("0.00821", "2.19", "100", "999", "1,000", "12,346")
    ]
    assert [amount(v, 2) for v in (0.789, 99.4, 120.4)] == ["0.79", "99", "120"]


def test_a_row_without_a_younger_setting_is_one_with_its_default(
    three: str, rows: list[dict[str, Any]]
) -> None:
    older = [{**row, "settings": dict(row["settings"])} for row in rows]
    for row in older:
        del row["settings"]["group_equal_inputs"]
    assert coverage(older, three).blocks[0].complete
    for row in older:
        row["settings"]["group_equal_inputs"] = False
    assert coverage(older, three).blocks[0].done == 0
    for row in older:
        row["settings"] = {**row["settings"], "group_equal_inputs": True, "unknown": 1}
    assert coverage(older, three).blocks[0].done == 0


def test_failed_and_skipped_cells_are_done_and_said(three: str, rows: list[dict[str, Any]]) -> None:
    changed = [{**rows[0], "status": "failed", "cost": None}, {**rows[1], "status": "skipped"}, *rows[2:]]
    found = coverage(changed, three)
    assert found.blocks[0].complete
    assert found.blocks[0].states == {"failed": 1, "ok": 4, "skipped": 1}


def test_the_folder_says_what_is_missing(say: Say, swept: Path, three: str, tmp_path: Path) -> None:
    words = ["publish", "tiny-2026-11", "--results", str(swept), "--into", "out", "--suite", three]
    done = say(*words)
    assert done.code == 0, done
    assert "mine: block 1 of 3; 1 of 3 data sets" in done.out
    assert (
        "block 2, linear on design-emails[rows=120,seed=1]: 4 of 6 cells, less than .01 core-hours left"
        in done.out
    )
    folder = tmp_path / "out" / "tiny-2026-11"
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["rows"] == 6
    assert [block["published"] for block in manifest["suites"][0]["blocks"]] == [True, False, False]
    assert (folder / "mine.toml").read_text(encoding="utf-8") == Path(three).read_text(encoding="utf-8")
    assert manifest["commands"][0] == "equipoise run mine.toml", "without the folders of the file"
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "Block 1 of 3; 1 of 3 data sets. Rows of blocks" in readme
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "Here are, of the suite mine: block 1 of 3; 1 of 3 data sets. The README of this folder" in page
    assert "| 3 | no | not begun | linear | emotions |" in readme
    (line,) = write_index(folder.parent)
    assert line.state == "published: block 1 of 3; 1 of 3 data sets"
    assert say("verify", "out/tiny-2026-11", "--sample", "1").code == 0


def test_without_a_complete_block_nothing_is_published(
    say: Say, swept: Path, three: str, tmp_path: Path
) -> None:
    store = Store(tmp_path / "half")
    for row in Store(swept).rows()[:3]:
        store.append(row)
    words = ["publish", "tiny-2026-11", "--results", "half", "--into", "out", "--suite", three]
    refused = say(*words)
    assert refused.code == 2
    assert "no block of" in refused.err
    assert "--unfinished" in refused.err
    assert say(*words, "--unfinished").code == 0
    refused = say("publish", "tiny-2026-11", "--results", str(swept), "--unfinished")
    assert refused.code == 2
    assert "--unfinished goes with --suite" in refused.err


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([2], "block 2 of 9"),
        ([1, 2], "blocks 1 and 2 of 9"),
        ([1, 2, 3, 4, 6, 8, 9], "blocks 1 to 4, 6, 8 and 9 of 9"),
        ([3, 4, 5], "blocks 3 to 5 of 9"),
        ([], "no block of 9"),
    ],
)
def test_blocks_in_a_row_are_said_as_a_range(numbers: list[int], said: str) -> None:
    blocks = [{"number": n, "published": n in numbers, "datasets": ["a"]} for n in range(1, 10)]
    assert summary({"blocks": blocks}).startswith(f"{said}; ")
