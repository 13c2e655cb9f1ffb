"""The page of the report: what it says of small stores, and that nothing on it needs a network."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from equipoise.page.cost import Spot, frontier, scatter
from equipoise.page.data import _probability
from equipoise.page.model import Line
from equipoise.page.pictures import ticks

Rows = Callable[..., list[dict[str, Any]]]
Make = Callable[..., str]
Parse = Callable[[str], Any]


def test_the_table_of_strategies(page: Make, rows_of: Rows, parsed: Parse) -> None:
    found = parsed(page(rows_of()))
    head, *rows = found.tables["table-1-strategies"]
    assert head[:2] == ["strategy", "stage"]
    assert [row[0] for row in rows] == ["focal", "pos_weight", "none", "ml_ros"]
    column = {name: head.index(name) for name in head}
    by_name = {row[0]: row for row in rows}
    assert by_name["focal"][column["stage"]] == "loss"
    assert by_name["ml_ros"][column["stage"]] == "resample"
    # .6 + .02 for the mean of five splits + the gain, up to the noise of the rows.
    assert float(by_name["none"][column["F1 tuned"]]) == pytest.approx(0.62, abs=0.008)
    assert by_name["focal"][column["Δ tuned"]].startswith("+.05")
    assert by_name["ml_ros"][column["Δ tuned"]].startswith("−.0")
    assert by_name["none"][column["Δ tuned"]] == ""
    assert all(len(row) == len(head) for row in rows)


def test_every_table_is_rectangular(page: Make, rows_of: Rows, parsed: Parse) -> None:
    found = parsed(page([*rows_of(), *rows_of(dataset="words", backbone="mlp", splits=2)]))
    assert len(found.tables) >= 12
    for name, rows in found.tables.items():
        assert {len(row) for row in rows} == {len(rows[0])}, name


def test_labels_come_rarest_first_with_their_group(page: Make, rows_of: Rows, parsed: Parse) -> None:
    rows = rows_of(labels=["most", "many", "some", "few", *(f"tail {i}" for i in range(12))])
    head, *lines = parsed(page(rows)).tables["table-1-labels"]
    counts = [float(line[2]) for line in lines]
    assert counts == sorted(counts)
    assert [line[1] for line in lines if line[0] in ("most", "few", "tail 9")] == ["tail", "medium", "head"]
    assert head[4:6] == ["none: F1 tuned", "none: AP"]


def test_the_matrix_names_what_has_no_number(
    page: Make, rows_of: Rows, row_without_result: Callable[..., dict[str, Any]], parsed: Parse
) -> None:
    words = [row for row in rows_of(dataset="words") if row["strategy"] != "pos_weight"]
    failed = row_without_result("scut", 0, "failed", "ValueError: no luck")
    found = parsed(page([*rows_of(), *words, failed]))
    rows = {row[0]: row for row in found.tables["matrix-tuned_macro_f1"]}
    assert rows["pos_weight"][-1] == "not run"
    assert rows["scut"][-2:] == ["failed", "not run"]
    assert rows["focal"][2].startswith("+.05")
    missing = {row[0]: row for row in found.tables["missing-table"]}
    assert missing["scut"][1] == "failed"
    assert missing["scut"][3:] == ["0 of 5", "ValueError: no luck; not run on split 1, 2, 3, 4"]


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("one split", "One split"),
        ("no baseline", "no baseline"),
        ("all failed", "no strategy finished"),
        ("one strategy", "Only 'none' is complete"),
        ("official", "official split"),
        ("old rows", "no results for single labels"),
    ],
)
def test_little_to_tell_is_told(
    case: str,
    says: str,
    page: Make,
    rows_of: Rows,
    row_without_result: Callable[..., dict[str, Any]],
    parsed: Parse,
) -> None:
    rows = {
        "one split": rows_of(splits=1),
        "no baseline": [row for row in rows_of() if row["strategy"] != "none"],
        "all failed": [row_without_result(n, 0, "failed", "it broke") for n in ("none", "focal")],
        "one strategy": [row for row in rows_of() if row["strategy"] == "none"],
        "official": [row | {"split": "official"} for row in rows_of(splits=1)],
        "old rows": [
            {k: v for k, v in row.items() if k not in ("per_label", "labels", "versions", "created")}
            for row in rows_of()
        ],
    }[case]
    found = parsed(page(rows))
    assert says in found.text
    assert "nan" not in found.text.lower().split()
    for name in ("Verdict", "Across data sets", "How to read it", "What was skipped or failed, and why"):
        assert name in found.text


def test_every_link_leads_somewhere_on_the_page(page: Make, rows_of: Rows, parsed: Parse) -> None:
    found = parsed(page([*rows_of(), *rows_of(dataset="words")]))
    ids = [attrs["id"] for _, attrs in found.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = [attrs["href"] for attrs in found.all("a")]
    assert "#table-2" in links
    assert {link[1:] for link in links} <= set(ids)
    for svg in found.all("svg"):
        assert set(str(svg["aria-labelledby"]).split()) <= set(ids)


def test_nothing_is_requested(page: Make, rows_of: Rows, parsed: Parse) -> None:
    html = page(rows_of())
    found = parsed(html)
    assert not [tag for tag, attrs in found.elements if {"src", "action", "srcset", "style"} & set(attrs)]
    assert not found.all("link")
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|import\(", html)
    # The policy allows exactly the style and the script of the page.
    policy = next(a["content"] for a in found.all("meta") if a.get("http-equiv"))
    assert "default-src 'none'" in policy
    for tag in ("style", "script"):
        text = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        assert len(text) == 1
        digest = base64.b64encode(hashlib.sha256(text[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


EVIL = "</script><img src=x onerror=alert(1)>"


def test_names_from_the_data_are_shown_as_text(page: Make, rows_of: Rows, parsed: Parse) -> None:
    rows = rows_of(labels=[EVIL, "b", "c"], dataset=f"data {EVIL}", backbone='"><script>alert(2)</script>')
    rows = [row | {"strategy": EVIL} if row["strategy"] == "pos_weight" else row for row in rows]
    html = page(rows)
    found = parsed(html)
    assert not found.all("img")
    assert len(found.all("script")) == 2  # the data, and ours
    assert not [attrs for _, attrs in found.elements if any(name.startswith("on") for name in attrs)]
    assert [row for row in found.tables["table-1-labels"] if row[0] == EVIL]
    assert [row for row in found.tables["table-1-strategies"] if row[0] == EVIL]


def test_the_embedded_data_are_whole_and_safe(page: Make, rows_of: Rows) -> None:
    html = page(rows_of(dataset=EVIL))
    text = re.search(r'<script type="application/json" id=data>(.*?)</script>', html, re.DOTALL)
    assert text is not None
    assert "<" not in text[1]
    data = json.loads(text[1])
    (table,) = data["tables"]
    names = [*data["table_columns"], *data["columns"]]
    records = [dict(zip(names, [*table["table"], *row], strict=True)) for row in table["rows"]]
    assert {r["strategy"] for r in records} == {"none", "focal", "ml_ros", "pos_weight"}
    focal = next(r for r in records if r["strategy"] == "focal")
    assert focal["dataset"] == EVIL
    assert focal["delta_tuned_macro_f1"] == pytest.approx(0.05, abs=0.01)
    assert focal["delta_tuned_macro_f1_low"] < focal["delta_tuned_macro_f1"]


def test_no_rounding_makes_a_probability_zero() -> None:
    assert [_probability(p) for p in (0.0, 3.21e-7, 0.00011, 0.04567, 1.0)] == [0, 3e-7, 0.0001, 0.0457, 1]
    assert _probability(None) is None
    assert _probability(float("nan")) is None


def test_the_source_can_be_run_again(page: Make, rows_of: Rows, parsed: Parse) -> None:
    rows = [*rows_of(dataset="yeast"), *rows_of(dataset="a b.csv", splits=2)]
    found = parsed(page(rows))
    end = "--backbone linear --strategy none --strategy focal --strategy ml_ros --strategy pos_weight --trials 4 --folds 2"
    assert f"equipoise run --dataset yeast {end} --splits 5 --seed 0" in found.text
    assert f"equipoise run --dataset 'a b.csv' {end} --splits 2 --seed 0" in found.text
    assert ["python", "3.11.7"] in found.tables["versions-table"]
    assert ["engine hash", "0123456789abcdef"] in found.tables["versions-table"]
    data = {row[0]: row for row in found.tables["data-table"]}
    assert "MULAN" in data["yeast"][2]
    assert data["yeast"][4] == "ab" * 32
    assert "not recorded here" in data["a b.csv"][2]


def test_the_support_of_rare_combinations_is_stated(page: Make, rows_of: Rows, parsed: Parse) -> None:
    assert "rcr@3 20, rcr@10 100, unseen combinations 15." in parsed(page(rows_of())).text


def _line(name: str, seconds: float, quality: float) -> Line:
    return Line(name, (), "ranked", 1, 5, {"map": quality}, {}, seconds, "", "")


def test_the_frontier_holds_what_no_cheaper_strategy_equals() -> None:
    lines = [
        _line("slow", 9.0, 0.6),
        _line("dear", 8.0, 0.5),
        _line("fast", 1.0, 0.4),
        _line("mid", 3.0, 0.5),
    ]
    lines += [_line("equal", 3.5, 0.5), _line("unknown", float("nan"), 0.9)]
    assert frontier(lines, "map") == ["fast", "mid", "slow"]


def test_costs_are_marked_also_where_they_are_alike() -> None:
    for costs in ((2.5, 2.7, 2.9), (0.4, 60.0, 9000.0)):
        spots = [Spot(f"s{i}", cost, 0.5 + i / 10, True) for i, cost in enumerate(costs)]
        drawn = str(scatter("x", "title", "what", spots, lambda cost: f"{cost:g} s"))
        marks = [float(m) for m in re.findall(r'<text class="t"[^>]*>([\d.]+) s</text>', drawn)]
        assert len(marks) >= 2
        assert all(costs[0] / 2 < mark < costs[-1] * 2 for mark in marks)
        assert drawn.count("h0") == 3


def test_ticks_are_round_and_inside() -> None:
    assert ticks(-0.13, 0.21, 7) == pytest.approx([-0.1, -0.05, 0, 0.05, 0.1, 0.15, 0.2])
    assert ticks(0.5, 0.5) == [0.5]


def test_no_code_that_rows_name_is_run(
    page: Make, rows_of: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "on the path"
    folder.mkdir()
    (folder / "trap_of_rows.py").write_text("open(__file__ + '.ran', 'w').close()")
    monkeypatch.syspath_prepend(str(folder))
    names = {"focal": "trap_of_rows:Trap", "ml_ros": f"{folder}/trap_of_rows.py:Trap[p=1]+scut"}
    rows = [row | {"strategy": names.get(row["strategy"], row["strategy"])} for row in rows_of()]
    assert "trap_of_rows:Trap" in page(
        [*rows, *[row | {"key": row["key"][::-1], "dataset": "b"} for row in rows]]
    )
    assert [file.name for file in folder.iterdir()] == ["trap_of_rows.py"]
