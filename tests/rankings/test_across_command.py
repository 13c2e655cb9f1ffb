"""`equipoise report --across`, from a store to what is printed, as JSON and as pictures."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import equipoise
from equipoise.cli import main

pytest.importorskip("statsmodels")
pytest.importorskip("baycomp")
Make = Callable[..., list[dict[str, Any]]]
Stored = Callable[..., Path]
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Run `equipoise report …` and return its exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["equipoise", "report", *map(str, args)])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_the_answer_comes_first_and_both_metrics_are_shown(
    command: Command, make_rows: Make, make_store: Stored
) -> None:
    code, out, err = command("--across", "--results", make_store(make_rows()))
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "mAP · linear · 8 data sets"
    assert lines[1].startswith("▸ By mAP on linear, over 8 data sets: ")
    assert out.index("mAP · linear") < out.index("macro-F1 with tuned thresholds · linear")
    assert max(map(len, lines)) <= 80
    for shown in ("set-7", "label_powerset", "critical difference", "Nemenyi"):
        assert shown in out
    assert re.search(r"label_powerset +1\.0 .* \+\.0[45]\d\* ", out), "the gain with its star"
    assert "row against column" not in out


def test_wins_on_request_and_one_metric(command: Command, make_rows: Make, make_store: Stored) -> None:
    folder = make_store(make_rows())
    code, out, _ = command("--across", "--results", folder, "--metric", "map", "--wins")
    assert code == 0
    assert "row against column" in out
    assert "macro-F1 with tuned thresholds ·" not in out


def test_json_holds_every_ranking(command: Command, make_rows: Make, make_store: Stored) -> None:
    code, out, _ = command("--across", "--results", make_store(make_rows()), "--json")
    by_map, by_f1 = json.loads(out)
    assert code == 0
    assert (by_map["metric"], by_f1["metric"]) == ("map", "tuned_macro_f1")
    assert "label_powerset" in by_map["tied_for_first"]
    assert by_map["strategies"][0]["effect"]["low"] > 0
    assert len(by_map["wins"]) == len(by_map["strategies"]) == 6


def test_stores_are_joined(command: Command, make_rows: Make, make_store: Stored) -> None:
    one = make_store(make_rows(datasets=["a", "b", "c"]), "one")
    two = make_store(make_rows(datasets=["d", "e"]), "two")
    _, alone, _ = command("--across", "--results", one)
    assert "only 3 data sets are complete" in alone
    assert "Nemenyi" not in alone
    code, out, _ = command("--across", "--results", one, "--also", two, "--metric", "map")
    assert code == 0
    assert out.startswith("mAP · linear · 5 data sets")
    assert [len(r.blocks) for r in equipoise.rank(one, two)] == [5]


def test_pictures_are_drawn(command: Command, make_rows: Make, make_store: Stored, tmp_path: Path) -> None:
    folder = make_store(make_rows(backbones=("linear", "mlp[hidden=8]")))
    code, out, _ = command(
        "--across", "--results", folder, "--metric", "map", "--pictures", tmp_path / "new" / "p"
    )
    assert code == 0
    drawn = sorted(path.name for path in (tmp_path / "new" / "p").iterdir())
    assert drawn == [
        f"{kind}-map-{backbone}.svg"
        for kind in ("cost", "ranks")
        for backbone in ("all-backbones", "linear", "mlp-hidden-8")
    ]
    assert all(name in out for name in drawn)
    for path in (tmp_path / "new" / "p").iterdir():
        assert ElementTree.parse(path).getroot().tag.endswith("svg")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--wins"], "error: --wins goes with --across"),
        (["--metric", "map"], "error: --metric goes with --across"),
        (
            ["--across", "--metric", "auroc"],
            "error: --metric must be one of map, tuned_macro_f1; got 'auroc'",
        ),
        (["--across", "--picture", "x.png"], "error: --picture draws the tables; with --across, draw with"),
        (["--across", "--results", "nowhere"], "error: no rows in nowhere"),
    ],
)
def test_mistakes_are_one_line(command: Command, args: list[str], message: str) -> None:
    code, out, err = command(*args)
    assert (code, out) == (2, "")
    assert err.startswith(message)
    assert err.count("\n") == 1


def test_nothing_to_draw_is_one_line(command: Command, make_rows: Make, make_store: Stored) -> None:
    folder = make_store(make_rows(datasets=2))
    code, out, err = command("--across", "--results", folder, "--pictures", "here")
    assert (code, out) == (2, "")
    assert err.startswith("error: nothing to draw into here: only 2 data sets are complete")


def test_a_folder_that_is_a_file_is_one_line(command: Command, make_rows: Make, make_store: Stored) -> None:
    Path("taken").write_text("")
    code, _, err = command("--across", "--results", make_store(make_rows()), "--pictures", "taken")
    assert (code, err) == (2, "error: cannot draw into taken: File exists\n")


def test_families_with_equally_many_wins_are_not_named(
    command: Command, make_rows: Make, make_store: Stored
) -> None:
    one = make_rows({"none": 0, "focal": 0.05, "ml_ros": 0}, datasets=list("abc"))
    two = make_rows({"none": 0, "focal": 0, "ml_ros": 0.05}, datasets=list("def"))
    for row in one + two:
        low = row["dataset"] in "ad"
        row["per_label"] = {"fixed/n_train": [400, 320 if low else 16], "fixed/n_test": [100, 9]}
    _, out, _ = command("--across", "--results", make_store(one + two), "--metric", "map")
    assert re.search(r"MeanIR 5 to 30 +4 +several +2 of 4 +\n", out)
    assert re.search(r"MeanIR below 5 +2 +several +1 of 2 +\n", out)
    assert "labels below 20" not in out, "a trait with one level says nothing"


def test_names_with_brackets_are_printed_whole(command: Command, make_rows: Make, make_store: Stored) -> None:
    rows = make_rows({"none": 0, "focal[gamma=3]": 0.01, "hill": 0}, backbones=("linear", "lstm[units=8]"))
    _, out, _ = command("--across", "--results", make_store(rows), "--metric", "map")
    assert "focal[gamma=3]" in out
    assert "\nlstm[units=8] " in out


def test_python_says_where_there_are_no_rows(tmp_path: Path) -> None:
    with pytest.raises(equipoise.EquipoiseError, match=r"no rows in .*empty"):
        equipoise.rank(tmp_path / "empty")
