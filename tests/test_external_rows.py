"""`external_rows`: rows of the user's own never give away a held-out row, whatever the backbone, and count by their content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from equipoise import get_strategy
from equipoise.api import choose
from equipoise.catalog.backbones import get_backbone
from equipoise.contracts.dataset import Dataset
from equipoise.experiment import external, pipeline
from equipoise.experiment.external import external_of
from equipoise.experiment.pipeline import run_alone, trainer_for
from equipoise.experiment.prepared import Prepared, prepare, sample
from equipoise.metrics import mean_average_precision
from equipoise.sweep.plan import Plan, make_plan

TINY = {"trials": 2, "folds": 3, "epochs": 2}
ROWS, BITS = 120, 7
WORDS = ("server", "database", "layout", "colour", "deadline", "budget")


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to work in, and no MLflow."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())


def numbered(kind: str) -> Dataset:
    """Rows whose labels are the binary digits of their own number plus one, so that targets say which rows they are of."""
    rng = np.random.default_rng(3)
    Y = (np.arange(1, ROWS + 1)[:, None] >> np.arange(BITS)) & 1
    labels = tuple(f"bit{i}" for i in range(BITS))
    if kind == "text":
        texts = [" ".join(rng.choice(WORDS, 5)) + f" mail{i}" for i in range(ROWS)]
        return Dataset("numbered", np.array(texts, dtype=object), Y, labels)
    X = rng.normal(size=(ROWS, 4)).astype(np.float32)
    if kind == "sparse":
        import scipy.sparse

        # Nothing is 0 in the first column: rows of zeros alone would be equal.
        X = scipy.sparse.csr_matrix(np.where((X > 0.5) | (np.arange(4) == 0), X, 0.0).astype(np.float32))
    return Dataset("numbered", X, Y, labels, features=tuple("abcd"))


def write(data: Dataset, parents: Sequence[str] | None = None, name: str = "more.csv", **more: Any) -> str:
    """A file with a row for each of these parents (default: every row of the data set), which has its labels."""
    parents = [str(i) for i in range(data.n_rows)] if parents is None else parents
    if data.kind == "text":
        # Longer than any text of the data set, so that token ids need more columns.
        inputs = [f"again {data.X[int(p.split(';')[0])]} with another word at the end" for p in parents]
        lines = ["parent,text", *(f"{p},{text}" for p, text in zip(parents, inputs, strict=True))]
    else:
        numbers = np.random.default_rng(4).normal(size=(len(parents), 4)).round(3)
        lines = [
            "parent,a,b,c,d",
            *(f"{p},{','.join(map(str, x))}" for p, x in zip(parents, numbers, strict=True)),
        ]
    Path(name).write_text("\n".join(lines) + "\n")
    return name


def plan_of(data: Dataset, strategy: str | Sequence[str], backbone: str = "linear", **settings: Any) -> Plan:
    strategies = [strategy] if isinstance(strategy, str) else strategy
    chosen = choose(None, [data.name], [backbone], strategies, {**TINY, **settings}, 1, None)
    return make_plan(chosen, device="cpu", data={data.name: data})


def lanes_of(plan: Plan, data: Dataset, fold: int | None) -> tuple[Prepared, Any, list[Any]]:
    """The preparation of a plan's only cell, its validator, and the lanes of a model."""
    cell = plan.cells[0]
    prepared = prepare(cell, data, get_backbone(cell.backbone))
    strategy, trainer = get_strategy(cell.strategy), trainer_for(cell, prepared)
    rows = external_of(strategy, cell, prepared)
    assert rows is not None
    trainer = replace(trainer, inputs=rows.on(trainer.device))
    validator = pipeline._validator(strategy, cell, prepared, trainer, rows)
    return prepared, validator, validator.lanes({"lr": 0.1, "C": 1.0}, fold)


def rows_behind(targets: np.ndarray) -> set[int]:
    """The rows of the data set whose labels these are."""
    return {int(row @ (1 << np.arange(BITS))) - 1 for row in targets.astype(np.int64)}


BACKBONES = [
    ("text", "linear"),
    ("text", "embedding_bag[embedding=4]"),
    ("text", "lstm[hidden=4,embedding=4]"),
    ("text", "textcnn"),
    ("text", "logistic_regression"),
    ("dense", "linear"),
    ("dense", "mlp[hidden=8]"),
    ("dense", "extra_trees"),
    ("sparse", "linear"),
]


@pytest.mark.parametrize(
    ("kind", "backbone"), BACKBONES, ids=[f"{k} {b.split('[')[0]}" for k, b in BACKBONES]
)
def test_no_lane_holds_a_row_made_from_a_held_out_or_a_test_row(kind: str, backbone: str) -> None:
    data = numbered(kind)
    plan = plan_of(data, f"external_rows[file={write(data)}]", backbone)
    for fold in (0, 1, 2, None):
        prepared, validator, [lane] = lanes_of(plan, data, fold)
        held_out = prepared.train[prepared.folds == fold] if fold is not None else prepared.train[:0]
        hidden = {*prepared.test.tolist(), *held_out.tolist()}
        learned = sorted(set(range(ROWS)) - hidden)
        # Each row that may be learned is there with its external row, and nothing else is.
        assert len(lane.index) == len(lane.targets) == 2 * len(learned)
        assert sorted(rows_behind(lane.targets)) == learned
        n, added = len(prepared.train), lane.index >= len(prepared.train)
        assert added.sum() == len(learned)
        assert rows_behind(lane.targets[added]) == set(learned)
        assert lane.index.max() < len(validator.trainer.inputs)
        assert set(prepared.train[lane.index[~added]].tolist()) == set(learned)
        assert len(prepared.inputs) == n  # those that all other strategies share are as they were
        # The budget and the counts that losses correct for are those of the data set's rows.
        assert lane.n_rows == len(learned)
        assert lane.steps == validator.steps_per_epoch(len(learned)) * TINY["epochs"]


def test_a_single_holdout_is_no_exception() -> None:
    data = numbered("dense")
    plan = plan_of(data, f"external_rows[file={write(data)}]", folds=1)
    prepared, _, [lane] = lanes_of(plan, data, 0)
    learned = prepared.train[prepared.folds != 0]
    assert len(learned) < len(prepared.train)
    assert sorted(rows_behind(lane.targets)) == sorted(learned.tolist())
    assert len(lane.index) == 2 * len(learned)


def test_the_features_of_an_external_row_are_its_own() -> None:
    from equipoise.datasets._external_file import read_external

    for kind, backbone in (("text", "lstm[hidden=4,embedding=4]"), ("dense", "linear"), ("text", "linear")):
        data = numbered(kind)
        _, validator, _ = lanes_of(plan_of(data, f"external_rows[file={write(data)}]", backbone), data, None)
        prepared = prepare(plan_of(data, "none", backbone).cells[0], data, get_backbone(backbone))
        X, n = read_external("more.csv", data).X, len(prepared.train)
        expected = prepared.features.transform(X[prepared.train])
        inputs, rows = validator.trainer.inputs, np.arange(n, n + len(expected))
        if hasattr(expected, "ids"):
            width = expected.ids.shape[1]
            assert np.array_equal(inputs.ids[rows][:, :width], expected.ids)
            assert not inputs.ids[rows][:, width:].any()
            assert np.array_equal(inputs.lengths[rows], expected.lengths)
        elif hasattr(expected, "matrix"):
            assert (inputs.matrix[rows] != expected.matrix).nnz == 0
        else:
            assert np.array_equal(inputs.array()[rows], expected.array())


def test_a_row_with_several_parents_needs_all_of_them() -> None:
    data = numbered("dense")
    data = replace(data, Y=np.tile(data.Y[:1], (ROWS, 1)))  # parents must agree, as the file has no labels
    plan = plan_of(data, f"external_rows[file={write(data, ['3;17'])}]")
    prepared, _, _ = lanes_of(plan, data, None)
    inside = np.isin([3, 17], prepared.train)
    for fold in (0, 1, 2, None):
        _, _, [lane] = lanes_of(plan, data, fold)
        folds = (
            prepared.folds[np.searchsorted(prepared.train, [3, 17])] if inside.all() else np.array([0, 1, 2])
        )
        assert (lane.index >= len(prepared.train)).sum() == (inside.all() and fold not in folds.tolist())


def test_copies_of_held_out_rows_under_another_parent_are_worth_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Labels are noise, so that only a model that has seen the very row knows its labels."""
    rng = np.random.default_rng(0)
    Y = (rng.random((ROWS, 3)) < 0.3).astype(np.uint8)
    X = rng.normal(size=(ROWS, 4)).round(3).astype(np.float32)
    data = Dataset("noise", X, Y, ("u", "v", "w"), features=tuple("abcd"))
    lines = [
        ",".join([str((i + 1) % ROWS), *(str(float(x)) for x in X[i]), *map(str, Y[i])]) for i in range(ROWS)
    ]
    Path("poison.csv").write_text("\n".join(["parent,a,b,c,d,u,v,w", *lines]) + "\n")
    plan = plan_of(data, ["none", "external_rows[file=poison.csv,share=1]"], "extra_trees")
    (_, base), (row, kept) = (run_alone(cell, data) for cell in plan.cells)
    counts = row["audit"]["external"]
    tested = len(kept["test_rows"])
    assert counts["file"] == ROWS
    assert counts["parent_tested"] == tested
    assert 0 < counts["equal_tested"] <= tested
    assert counts["included"] == counts["offered"] == ROWS - tested - counts["equal_tested"]
    assert scored(kept) == pytest.approx(scored(base), abs=0.15)
    # With the copies left in, the same forest knows many rows by heart.
    monkeypatch.setattr(external, "_touched", lambda pairs, groups: np.empty(0, dtype=np.int64))
    _, leaky = run_alone(plan.cells[1], data)
    assert min(scored(leaky)) > max(scored(kept)) + 0.2


def scored(kept: dict[str, np.ndarray]) -> tuple[float, float]:
    """Mean average precision on test rows, and on held-out rows of the inner folds."""
    test, held_out = ((kept[f"{part}_Y"], kept[f"{part}_logits"]) for part in ("test", "oof"))
    return mean_average_precision(*test), mean_average_precision(*held_out)


@pytest.mark.parametrize(
    ("kind", "backbone"),
    [b for b in BACKBONES if b[1].split("[")[0] in ("linear", "embedding_bag", "lstm", "mlp")],
)
def test_a_share_of_zero_is_no_strategy_at_all(kind: str, backbone: str) -> None:
    data = numbered(kind)
    plan = plan_of(data, ["none", f"external_rows[file={write(data)},share=0]"], backbone)
    (_, none), (row, off) = (run_alone(cell, data) for cell in plan.cells)
    assert row["audit"]["external"]["included"] == 0
    for name in ("oof_logits", "test_logits", "test_tuned"):
        assert off[name].tobytes() == none[name].tobytes(), name


def test_a_larger_share_holds_the_smaller_one() -> None:
    data = numbered("dense")
    file = write(data)
    added = []
    for share in (0.25, 0.5, 1.0):
        prepared, _, [lane] = lanes_of(plan_of(data, f"external_rows[file={file},share={share}]"), data, 1)
        added.append(set(lane.index[lane.index >= len(prepared.train)].tolist()))
    assert added[0] < added[1] < added[2]
    assert len(added[0]) == round(len(added[2]) / 4)


def test_a_sample_for_time_takes_the_rows_of_its_own_rows() -> None:
    data = numbered("dense")
    [cell] = plan_of(data, f"external_rows[file={write(data)}]", folds=2).cells
    prepared = sample(cell, data, get_backbone(cell.backbone), 40)
    rows = external_of(get_strategy(cell.strategy), cell, prepared)
    assert rows is not None
    learned = prepared.origin[1][prepared.train]
    assert rows_behind(rows.Y) == set(learned.tolist())
