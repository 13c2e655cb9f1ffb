"""`external_rows` in use: with pretrained encoders, in compositions, in a row's key, and where there is no file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from equipoise import get_strategy
from equipoise.api import choose
from equipoise.contracts.dataset import Dataset
from equipoise.core.errors import EquipoiseError
from equipoise.experiment.pipeline import run_alone
from equipoise.experiment.settings import Settings
from equipoise.readers import encoders
from equipoise.store.store import Store
from equipoise.strategies.external_rows import ExternalRows
from equipoise.sweep.plan import Plan, make_plan
from equipoise.sweep.run import sweep
from equipoise.testing import check

TINY = {"trials": 2, "folds": 3, "epochs": 2}
ROWS = 120
WORDS = ("server", "database", "layout", "colour", "deadline", "budget")


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to work in, and no MLflow."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())


def some(kind: str) -> Dataset:
    rng = np.random.default_rng(3)
    Y = (rng.random((ROWS, 4)) < (0.5, 0.3, 0.2, 0.1)).astype(np.uint8)
    if kind == "numeric":
        X = rng.normal(size=(ROWS, 3)).astype(np.float32)
        return Dataset("some", X, Y, tuple("uvwx"), features=tuple("abc"))
    texts = [" ".join(rng.choice(WORDS, 5)) + f" mail{i}" for i in range(ROWS)]
    return Dataset("some", np.array(texts, dtype=object), Y, tuple("uvwx"))


def write(data: Dataset, parents: Sequence[int] = range(ROWS), name: str = "more.csv") -> str:
    """A file with a row for each of these parents."""
    if data.kind == "text":
        lines = ["parent,text", *(f"{p},{data.X[p]} with another word" for p in parents)]
    else:
        numbers = np.random.default_rng(4).normal(size=(len(parents), 3)).round(3)
        lines = [
            "parent,a,b,c",
            *(f"{p},{x[0]},{x[1]},{x[2]}" for p, x in zip(parents, numbers, strict=True)),
        ]
    Path(name).write_text("\n".join(lines) + "\n")
    return name


def plan_of(data: Dataset, strategy: str | Sequence[str], backbone: str = "linear", **settings: int) -> Plan:
    strategies = [strategy] if isinstance(strategy, str) else strategy
    chosen = choose(None, [data.name], [backbone], strategies, {**TINY, **settings}, 1, None)
    return make_plan(chosen, device="cpu", data={data.name: data})


class FakeEncoder:
    """Counts the words it knows."""

    recipe, sha256, dimension = "a" * 64, "b" * 64, len(WORDS)

    def encode(self, text: str) -> np.ndarray:
        return np.array([text.count(word) for word in WORDS], dtype=np.float32)


@pytest.mark.parametrize("concat", ["none", "tfidf"])
def test_sentence_vectors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, concat: str) -> None:
    monkeypatch.setenv("EQUIPOISE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(encoders, "encoder", lambda model, max_tokens=None: FakeEncoder())
    data = some("text")
    brackets = "" if concat == "none" else f"[concat={concat}]"
    plan = plan_of(data, f"external_rows[file={write(data)}]", f"sentence_embedding{brackets}")
    row, _ = run_alone(plan.cells[0], data)
    assert row["status"] == "ok"
    assert row["audit"]["external"]["included"] > 0


def test_transformer(tmp_path: Path, tiny_bert: Callable[[Path], Path]) -> None:
    data = some("text")
    backbone = f"transformer[model={tiny_bert(tmp_path / 'bert')},max_tokens=20]"
    plan = plan_of(data, f"external_rows[file={write(data)},share=1]", backbone, trials=1, folds=1, epochs=1)
    row, _ = run_alone(plan.cells[0], data)
    assert row["audit"]["external"]["included"] == row["audit"]["external"]["offered"] > 0


@pytest.mark.parametrize(
    ("backbone", "strategy"),
    [
        ("linear", "{}+ml_ros+focal"),
        ("linear", "{}+mlsmote"),
        ("linear", "mlsmote+{}"),
        ("linear", "remedial+{}+scut"),
        ("linear", "{}+classifier_chain"),
        ("mlp[hidden=8]", "{}+crt"),
        ("mlp[hidden=8]", "{}+knn_blend"),
        ("mlp[hidden=8]", "{}+mulsupcon"),
    ],
)
def test_it_composes(backbone: str, strategy: str) -> None:
    data = some("numeric")
    plan = plan_of(data, strategy.format(f"external_rows[file={write(data)},share=1]"), backbone)
    row, _ = run_alone(plan.cells[0], data)
    counts, after = row["audit"]["external"], row["audit"]["after"]
    assert counts["included"] == counts["offered"] > 0
    # Whatever acts after it acts on the rows of both kinds.
    assert after["rows"] >= row["audit"]["before"]["rows"] + counts["included"]


# --- identity


def test_the_content_counts_and_the_path_does_not() -> None:
    data = some("text")
    (Path("elsewhere")).mkdir()
    files = write(data), write(data, name="elsewhere/other.csv")
    keys = [plan_of(data, f"external_rows[file={file}]").cells[0].key for file in files]
    assert keys[0] == keys[1]
    share = plan_of(data, f"external_rows[file={files[0]},share=0.5]").cells[0].key
    Path(files[0]).write_text(Path(files[0]).read_text().replace("with another", "with one more"))
    edited = plan_of(data, f"external_rows[file={files[0]}]").cells[0]
    moved = plan_of(data, f"external_rows[file={write(data, [1, *range(1, ROWS)])}]").cells[0]
    assert len({keys[0], share, edited.key, moved.key}) == 4
    assert edited.row("ok")["external_sha256"] == edited.external != ""
    assert plan_of(data, "none").cells[0].row("ok")["external_sha256"] is None


def test_rows_that_change_after_the_plan_are_refused(tmp_path: Path) -> None:
    data = some("numeric")
    plan = plan_of(data, ["none", f"external_rows[file={write(data)}]"])
    write(data, [1, 2])
    sweep(plan, Store(tmp_path / "results"))
    none, refused = sorted(Store(tmp_path / "results").rows(), key=lambda row: row["status"] != "ok")
    assert none["status"] == "ok"
    assert refused["status"] == "failed"
    assert "the rows in more.csv changed after this cell was planned" in refused["error"]


# --- around it


def test_without_a_file_it_is_skipped_with_the_reason() -> None:
    plan = plan_of(some("numeric"), ["none", "external_rows"])
    assert [c.strategy for c in plan.cells] == ["none"]
    assert plan.skipped[0][1] == "external_rows needs a file of rows to add: external_rows[file=./more.csv]"


def test_plain_arrays_are_refused() -> None:
    with pytest.raises(EquipoiseError, match="external_rows adds rows to the training folds of a data set"):
        get_strategy("ml_ros+external_rows[file=more.csv]").fit_resample([[1.0]] * 4, [[1]] * 4)


def test_the_kit_examines_the_rows_that_are_added() -> None:
    @dataclass(frozen=True)
    class Greedy(ExternalRows):
        """Adds a row that is held out and not offered."""

        name = "greedy"

        def resample(self, rows, ctx):  # type: ignore[no-untyped-def]
            offered = rows.offered
            other = np.setdiff1d(np.arange(offered.index.max() + 20), [*rows.index, *offered.index])[:1]
            return replace(rows, index=np.append(rows.index, other), Y=np.vstack([rows.Y, rows.Y[:1]]))

    assert "rows" in {finding.check for finding in check(Greedy)}
    assert check("external_rows[share=0.5]") == []


def test_settings_of_a_cell_are_left_alone() -> None:
    # The hash must not replace the path in what a worker reads.
    data = some("numeric")
    [cell] = plan_of(data, f"external_rows[file={write(data)}]+scut").cells
    assert cell.strategy == "external_rows[file=more.csv]+scut"
    assert cell.strategy_identity == f"external_rows[file={cell.external}]+scut"
    assert cell.settings == Settings(**TINY)
