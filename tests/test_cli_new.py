"""`equipoise new`: the file it writes conforms, runs, and is never written over another."""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import Mock

import pytest

from equipoise import run
from equipoise.cli.main import main
from equipoise.cli.options import New
from equipoise.cli.plugins.new import PLACEHOLDERS, class_name, filled


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("equipoise.catalog.registry._REGISTRIES", {})
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())


def equipoise(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit code of a command."""
    monkeypatch.setattr("sys.argv", ["equipoise", *words])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


def test_a_new_strategy_conforms_and_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert equipoise(monkeypatch, "new", "strategy", "rare_first") == 0
    assert "equipoise check ./rare_first.py" in capsys.readouterr().out
    assert equipoise(monkeypatch, "check", "./rare_first.py", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [
        {"strategy": "rare_first", "findings": [], "warnings": [], "hints": []}
    ]
    cell = "--dataset design-emails[rows=120] --backbone linear --trials 2 --folds 2 --epochs 1 --splits 1 --workers 1"
    words = [*cell.split(), "--strategy", "none", "--strategy", "./rare_first.py", "--results", "results"]
    assert equipoise(monkeypatch, "run", *words) == 0
    rows = [json.loads(line) for line in Path("results/rows.jsonl").read_text().splitlines()]
    assert [(row["strategy"], row["status"]) for row in rows] == [("none", "ok"), ("rare_first", "ok")]
    assert "rare_first.power" in rows[1]["params"], "its hyperparameter is searched"


def test_a_file_that_is_there_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine.py").write_text("precious", encoding="utf-8")
    assert equipoise(monkeypatch, "new", "strategy", "mine") == 2
    assert (
        capsys.readouterr().err
        == "error: mine.py is there already: choose another name, or delete it first\n"
    )
    assert Path("mine.py").read_text(encoding="utf-8") == "precious"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("3-Rare", "must be a Python identifier, e.g. rare; got '3-Rare'"),
        ("rare first", "e.g. rare_first; got 'rare first'"),
        ("class", "e.g. my_class; got 'class'"),
        ("none_", "e.g. my_none; got 'none_'"),
        ("../mine", "e.g. mine; got '../mine'"),
        ("", "e.g. my_strategy; got ''"),
        ("numpy", "numpy.py would hide the module numpy of Python's: choose another name"),
        ("json", "json.py would hide the module json"),
        ("focal", "strategy name 'focal' is taken (built-in)"),
    ],
)
def test_a_name_that_cannot_be_is_one_line(
    name: str, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert equipoise(monkeypatch, "new", "strategy", name) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not list(Path().glob("*.py"))


@pytest.mark.parametrize("kind", New)
def test_nothing_of_the_template_s_own_name_is_left(kind: New) -> None:
    text = filled(kind.value, "rare_first")
    assert [name for name in PLACEHOLDERS[kind.value] if name in text] == []
    assert class_name("rare_first") == "RareFirst"
    own = {"dataset": 'RareFirst("rare_first", '}
    assert own.get(kind.value, 'name: ClassVar[str] = "rare_first"') in text


@pytest.mark.parametrize("kind", ["backbone", "dataset"])
def test_a_new_backbone_or_data_set_conforms(
    kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert equipoise(monkeypatch, "new", kind, "first_try") == 0
    assert "equipoise check ./first_try.py" in capsys.readouterr().out
    assert equipoise(monkeypatch, "check", "./first_try.py", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [
        {kind: "first_try", "findings": [], "warnings": [], "hints": []}
    ]
    combination = {"dataset": "design-emails[rows=120]", "backbone": "linear"} | {kind: "./first_try.py"}
    frame = run(**combination, strategy=["none", "focal"], trials=1, folds=2, epochs=1, splits=1)
    assert list(frame["status"]) == ["ok", "ok"], list(frame.get("error", ()))
