"""Damaged rows, suites, specs and data files that once ended in a traceback, and sizes that no machine can hold."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.datasets import load_dataset
from equipoise.catalog.strategies import get_strategy
from equipoise.cli import main
from equipoise.core.errors import EquipoiseError, cut, shown
from equipoise.experiment.settings import Settings
from equipoise.readers.tables import split_names
from equipoise.report.export import PARTS, report_frame, to_json
from equipoise.store.rows import Selection, clean, encode
from equipoise.store.store import STATUS_ONLY, Store
from equipoise.sweep.suite import Block, Suite, parse_suite
from equipoise.sweep.worker_count import parse_workers

NAMES = {"dataset": "letters", "backbone": "linear", "strategy": "none"}
METRICS = {
    "fixed/macro_f1": 0.5,
    "tuned/macro_f1": 0.6,
    "own/macro_f1": 0.5,
    "scores/map": 0.7,
    "fixed/micro_f1": None,
}


def row(split: int, **more: Any) -> dict[str, Any]:
    return {"key": f"k{split}", "status": "ok", **NAMES, "split": split, "metrics": METRICS} | more


#: What damages a row → what the message says.
ROWS = {
    '{"key": "abc"}': "without status, dataset, backbone, strategy, split",
    json.dumps({n: v for n, v in row(9).items() if n != "status"}): "without status",
    json.dumps({n: v for n, v in row(9).items() if n != "dataset"}): "without dataset",
    json.dumps(row(9, trials=3)): "trials must be a list of mappings, not 3",
    json.dumps(row(9, metrics="x")): "metrics must be a mapping of names to numbers, not 'x'",
    json.dumps(row(9, metrics={"scores/map": 10**400})): "metrics must be",
    json.dumps(row(9) | {"split": None}): "split must be a number from 0, or official, not None",
    json.dumps(row(9) | {"split": True}): "split must be",
    json.dumps(row(9, audit={"before": 3})): "audit must be",
    json.dumps(row(9, edges=[1])): "edges must be a list of names",
    json.dumps(row(9, key="../up")): "key must be at most 64 letters",
    '{"key": "abc", "params": ' + "[" * 5000: "nested too deeply",
    json.dumps(row(9, params=json.loads('{"a":' * 200 + "1" + "}" * 200))): "nested too deeply",
    '{"key": "abc", "seed": ' + "9" * 5000 + "}": "4300 digits",
    '{"key": "abc"': "not JSON",
    "\0\0\0": "not JSON",
}


@pytest.mark.parametrize("line", ROWS, ids=range(len(ROWS)))
def test_a_damaged_row_is_reported_left_in_place_and_the_others_are_used(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = encode(row(0)) + line.encode() + b"\n" + encode(row(1))
    (tmp_path / "rows.jsonl").write_bytes(content)
    store = Store(tmp_path)
    # A report does not look at trials, and the statuses of cells need no metrics either.
    says = ROWS[line]
    for selection, unseen in ((None, ()), (PARTS, ("trials",)), (STATUS_ONLY, ("trials", "metrics"))):
        if not says.startswith(unseen):
            assert [found["key"] for found in store.rows(selection)] == ["k0", "k1"]
            assert store.damage is not None
            assert f"{store.rows_file}, line 2: not a row of this store, " in store.damage
            assert says in store.damage
    store.append(row(2))
    assert store.rows_file.read_bytes() == content + encode(row(2))
    if not says.startswith("trials"):
        monkeypatch.setattr(sys, "argv", ["equipoise", "report", "--results", str(tmp_path)])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        assert end.value.code == 2
        assert said.err.startswith("error: ")
        assert said.err.count("\n") == 1
        assert "3 splits" in said.out


def test_many_damaged_rows_are_one_message(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (tmp_path / "rows.jsonl").write_bytes(b"{}\n" * 900 + encode(row(0)))
    assert len(store.rows()) == 1
    assert store.damage is not None
    assert store.damage.endswith("; the same goes for lines 2, 3, 4, 5, 6 and 894 more")


def test_a_damaged_row_does_not_hide_an_earlier_sound_one(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(encode(row(0)) + b'{"key": "k0", "status": "failed"}\n')
    assert Store(tmp_path).statuses() == {"k0": "ok"}


@pytest.mark.parametrize("wrong", [{"trials": 3}, {"metrics": {"a": [1]}}, {"split": -1}, {"strategy": None}])
def test_what_could_not_be_read_back_is_not_written(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(EquipoiseError, match=f"row 'k0' cannot be stored: {next(iter(wrong))} must be"):
        Store(tmp_path).append({**row(0), **wrong})
    assert not (tmp_path / "rows.jsonl").exists()


def test_parts_of_rows_are_those_of_the_whole_rows(tmp_path: Path) -> None:
    """Also where the text of a field looks like the end of another, or like one to leave out."""
    tricky: list[dict[str, Any]] = [
        {
            "labels": ["a]b", 'c": ', "d}"],
            "error": '"per_label": {"x": [1]}',
            "per_label": {"f": [1.0, None]},
        },
        {
            "trials": [{"params": {"x": "]", "y": [1, [2]]}, "value": None}],
            "settings": {"trials": 3, "labels": [1]},
        },
        {"metrics": {}, "versions": {"a": "}"}, "plugins": [{"name": "x]"}], "note": "é\u2028"},
        {"metrics": None, "labels": None, "cost": {"seconds_total": None}},
    ]
    store = Store(tmp_path)
    for split, more in enumerate(tricky):
        store.append({**row(split), **more})
    whole = store.rows()
    for selection in (PARTS, STATUS_ONLY, Selection(), Selection(metrics=frozenset({"scores/map"}))):
        for found, full in zip(store.rows(selection), whole, strict=True):
            wanted = {name: part for name, part in full.items() if name not in selection.without}
            if selection.metrics is not None and wanted["metrics"] is not None:
                wanted["metrics"] = {n: v for n, v in wanted["metrics"].items() if n in selection.metrics}
            assert clean(found) == clean(wanted)
    assert to_json(store.rows(PARTS)) == to_json(whole)
    assert report_frame(store.rows(PARTS)).equals(report_frame(whole))


SPECS: dict[str, tuple[Callable[[str], Any], str]] = {
    "focal[gamma=" + "9" * 400 + "]": (get_strategy, "gamma"),
    "focal[gamma=" + "9" * 5000 + "]": (get_strategy, "gamma"),
    "focal[gamma=" + "(" * 3000 + "]": (get_strategy, "gamma"),
    "mlp[hidden=" + "-" * 3000 + "1]": (get_backbone, "hidden"),
    "x" * 5000 + ".py:focal": (get_strategy, "no plugin file at"),
    "~nosuchuser/x.csv": (load_dataset, "~nosuchuser has no home folder here"),
    "~nosuchuser/x.arff": (load_dataset, "~nosuchuser has no home folder here"),
    "x" * 5000: (load_dataset, "unknown dataset"),
    "x" * 5000 + ".csv": (load_dataset, "cannot read"),
}


@pytest.mark.parametrize("spec", SPECS, ids=range(len(SPECS)))
def test_an_odd_spec_is_one_short_line(spec: str) -> None:
    read, says = SPECS[spec]
    with pytest.raises(EquipoiseError, match=says) as caught:
        read(spec)
    assert len(str(caught.value)) < 500


SUITE = 'datasets = ["yeast"]\nbackbones = ["linear"]\nstrategies = ["none"]\n'
SUITES = {
    "name = 3": "unknown key in suite x: 'name'",
    "title = " + "[" * 5000: "nested too deeply",
    "seed = " + "9" * 5000: "cannot be read",
    "seed = 99999999999999999999": "seed must be below 2",
    "splits = 1000000000": "splits must be 10,000 or fewer, or official, got 1000000000",
    "[settings]\nepochs = 1000000000": "epochs must be 100,000 or less",
}


@pytest.mark.parametrize("line", SUITES, ids=range(len(SUITES)))
def test_an_odd_suite_is_one_short_line(line: str) -> None:
    with pytest.raises(EquipoiseError, match=SUITES[line]) as caught:
        parse_suite("x", SUITE + line, "x")
    assert len(str(caught.value)) < 500


ROWS_OF_TEN = "".join(f"{i},{i % 2},{i % 3 // 2}\n" for i in range(12))
ARFF = "@relation 'r: -C 1'\n@attribute a {0,1}\n@attribute x numeric\n@data\n"
FILES = {
    "label.csv": (
        "x,a,b\n" + ROWS_OF_TEN + "1,1e309,0\n",
        "line 14, column 'a' has '1e309'; a label is 0 or 1",
    ),
    "dense.arff": (
        ARFF.replace("{0,1}", "numeric") + "1,1\n" * 11 + "1e309,1\n",
        "has a number that is infinite|has inf",
    ),
    "sparse.arff": (
        ARFF + "{0 1,1 2}\n" * 11 + "{0 1e309}\n",
        "line 16, attribute 'a' has inf; a label is 0 or 1",
    ),
    "deep.jsonl": ('{"a": 1}\n' * 12 + '{"a": ' + "[" * 5000 + "\n", "deep.jsonl line 13: .*recursion"),
}


@pytest.mark.parametrize("name", FILES)
def test_an_odd_file_is_one_short_line(name: str, tmp_path: Path) -> None:
    content, says = FILES[name]
    (tmp_path / name).write_text(content)
    options = {"labels": "a+b"} if name.endswith("csv") else {}
    with pytest.raises(EquipoiseError, match=says) as caught:
        load_dataset(str(tmp_path / name), **options)
    assert len(str(caught.value)) < 500


def test_an_unknown_encoding_in_the_list_of_labels_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.arff").write_text(ARFF + "1,1\n" * 12)
    (tmp_path / "x.xml").write_text(
        '<?xml version="1.0" encoding="utn-8"?><labels><label name="a"/></labels>'
    )
    with pytest.raises(EquipoiseError, match=r"x\.xml: unknown encoding: utn-8"):
        load_dataset(str(tmp_path / "x.arff"))


@pytest.mark.parametrize("name", ["trials", "folds", "epochs", "batch_size", "trial_batch"])
def test_an_impossible_setting_is_refused_at_once(name: str) -> None:
    for value in (32 * 10**9, 32 * 10**40):
        with pytest.raises(EquipoiseError, match=f"{name} must be .*, got 32000"):
            Settings(**{name: value})


def test_impossible_numbers_of_splits_cells_and_workers_are_refused_at_once() -> None:
    block = Block(("a",), ("b",), ("c",), splits=10_000)
    with pytest.raises(EquipoiseError, match=r"110,000 cells .* are more than a sweep can hold, 100,000"):
        Suite("x", "", (block,) * 11)
    for count in ("1000000000", "9" * 5000):
        with pytest.raises(EquipoiseError, match="--workers must be 1024 or fewer, or auto"):
            parse_workers(count)


def test_names_joined_by_plus_signs_are_split_whatever_their_number() -> None:
    known = {f"x{i}": None for i in range(5000)} | {"c++": None, "java+c++": None}
    assert split_names("+".join(known), known) == list(known)
    assert split_names("x1 + java+c++ + nothing + x2", known) == ["x1", "java+c++", "nothing", "x2"]
    assert split_names("c+++x3", known) == ["c++", "x3"]


def test_long_messages_lose_their_middle() -> None:
    line = cut("begin " + "x" * 5000 + " end")
    assert len(line) == 480
    assert line.startswith("begin ")
    assert line.endswith(" end")
    assert cut("two\nlines") == "two lines"
    assert shown("a  b") == "'a  b'"
    assert shown(10**5000) == "a number of thousands of digits"
