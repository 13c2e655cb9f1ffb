"""Files that a backbone reads count by their content: where they lie changes neither key nor seeds."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from equipoise.api import choose
from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.registry import registry
from equipoise.contracts.dataset import Dataset
from equipoise.experiment.cell import Cell
from equipoise.experiment.pipeline import run_alone
from equipoise.experiment.prepared import prepare
from equipoise.experiment.settings import Settings
from equipoise.publishing.suites import of_suite
from equipoise.readers import encoders
from equipoise.readers.static_encoder import Encoder
from equipoise.report.comparison import compare
from equipoise.report.export import render
from equipoise.store.rows import fingerprint
from equipoise.sweep.plan import make_plan

LINES = ["server 1 2 30", "paris -3 1 0", "down 0 5 1", "the 7 7 7"]
SUITE = """
datasets = ["mails"]
backbones = ["embedding_bag[vectors={}]"]
strategies = ["none"]
splits = 1
[settings]
trials = 1
folds = 2
epochs = 1
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """One file of word vectors in two places."""
    first, second = tmp_path / "vectors.txt", tmp_path / "moved" / "other.txt"
    second.parent.mkdir()
    first.write_text("\n".join(LINES), encoding="utf-8")
    shutil.copyfile(first, second)
    return first, second


def mails() -> Dataset:
    rng = np.random.default_rng(0)
    Y = (rng.random((80, 2)) < 0.4).astype(np.uint8)
    texts = [f"the {'server' * a} {'paris' * b} is down at {rng.integers(5)}" for a, b in Y]
    return Dataset("mails", np.array(texts, dtype=object), Y, ("a", "b"))


def planned(file: Path | str, strategy: str = "none") -> Cell:
    settings = {"trials": 1, "folds": 2, "epochs": 1}
    suite = choose(None, ["mails"], [f"embedding_bag[vectors={file}]"], [strategy], settings, 1, None)
    (cell,) = make_plan(suite, device="cpu", data={"mails": mails()}).cells
    return cell


def test_a_moved_file_gives_the_same_key_seeds_and_numbers(files: tuple[Path, Path]) -> None:
    cells = [planned(file) for file in files]
    assert cells[0].key == cells[1].key
    roles = [prepare(cell, mails(), get_backbone(cell.backbone)).role for cell in cells]
    assert roles[0] == roles[1]
    rows = [run_alone(cell, mails())[0] for cell in cells]
    assert [row["backbone"] for row in rows] == [f"embedding_bag[vectors={file}]" for file in files], (
        "as written"
    )
    prints = [fingerprint({**row, "backbone": ""}) for row in rows]
    assert prints[0] == prints[1]


def test_another_content_gives_another_key_and_other_seeds(files: tuple[Path, Path]) -> None:
    files[1].write_text("\n".join([*LINES[:-1], "the 7 7 8"]), encoding="utf-8")
    cells = [planned(file) for file in files]
    assert cells[0].key != cells[1].key
    assert cells[0].backbone_identity != cells[1].backbone_identity


def test_the_other_settings_stay_in_the_identity(files: tuple[Path, Path]) -> None:
    short, usual = (get_backbone(f"lstm[vectors={files[0]}{more}]") for more in (",max_tokens=7", ""))
    assert short.identity == f"lstm[max_tokens=7]@{short.content}"
    assert usual.identity == f"lstm@{usual.content}"


class Folder(Encoder):
    """A model of one file, which is never loaded."""

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.folder / "model.bin",)


@pytest.mark.parametrize("name", ["transformer", "sentence_embedding"])
def test_a_folder_counts_by_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for function in ("encoder", "transformer"):
        monkeypatch.setattr(
            encoders, function, lambda model, max_tokens=None: Folder(Path(model), max_tokens)
        )
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.bin").write_bytes(b"weights")
    shutil.copytree(tmp_path / "model", tmp_path / "copy")
    places = [get_backbone(f"{name}[model={tmp_path / where}]") for where in ("model", "copy")]
    assert places[0].spec != places[1].spec
    assert places[0].identity == places[1].identity == f"{name}@{places[0].content}"
    (tmp_path / "copy" / "model.bin").write_bytes(b"other weights")
    assert places[0].identity != places[1].identity


def test_backbones_without_files_are_named_by_their_spec() -> None:
    for name in set(registry("backbone").names()) - {"sentence_embedding", "transformer"}:
        assert get_backbone(name).identity == name
    spec = "lstm[hidden=8]"
    cell = Cell("d", "", spec, "none", 0, 0, Settings(), "cpu", "", identity=spec)
    assert cell.key == Cell("d", "", spec, "none", 0, 0, Settings(), "cpu", "").key


def test_the_report_puts_rows_of_both_places_together(files: tuple[Path, Path], tmp_path: Path) -> None:
    rows = [
        run_alone(planned(file, strategy), mails())[0]
        for file, strategy in zip(files, ("none", "focal"), strict=True)
    ]
    (comparison,) = compare(rows)
    assert [result.strategy for result in comparison.ranked] != []
    assert {result.strategy for result in comparison.results} == {"none", "focal"}
    console = Console(width=200, file=io.StringIO(), record=True)
    render(rows, console)
    assert str(files[0]) in console.export_text()
    suite = tmp_path / "suite.toml"
    suite.write_text(SUITE.format(files[1]), encoding="utf-8")
    assert [row["strategy"] for row in of_suite(rows, str(suite))] == ["none"], "its file has moved since"
    files[1].unlink()
    assert of_suite(rows, str(suite)) == [], "gone: only the spec can be compared"
