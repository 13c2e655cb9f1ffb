"""The benchmark of competence on small generated data: references, their cache, ours, goals and tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise import metrics, thresholds
from equipoise.contracts.dataset import Dataset

# The benchmark's modules lie beside each other and import each other by name, as scripts do.
sys.path.append(str(Path(__file__).resolve().parent.parent / "benchmarks"))
try:
    import competence
    import competence_rows
    import reference_models
    import reference_networks
finally:
    sys.path.pop()

SHORT = (
    reference_models.Logistic(C=(0.1, 10.0)),
    reference_models.LinearMargin(C=(0.01, 1.0)),
    reference_models.Perceptron(hidden=16, batch_size=8, epochs=(1, 30)),
    reference_models.Trees(trees=20),
    reference_networks.BiLSTM(words=6, embedding=16, hidden=8, epochs=12, lr=2e-2),
    reference_networks.TextCNN(words=6, embedding=16, filters=8, dropout=0.2, epochs=12, lr=1e-2),
)
PLACES = pytest.mark.parametrize("model", SHORT, ids=lambda m: m.name)


def small(kind: str, rows: int = 320) -> Dataset:
    """Three learnable labels (a half, a quarter, an eighth of the rows) as words, or as noisy columns; a fourth never occurs."""
    rng = np.random.default_rng(0)
    Y = (rng.random((rows, 4)) < np.array([0.5, 0.25, 0.125, 0.0])).astype(np.uint8)
    if kind == "numeric":
        return Dataset(
            "small numbers", (Y + rng.normal(size=Y.shape) * 0.2).astype(np.float32), Y, tuple("abcd")
        )
    words = np.array(["apple", "bread", "cheese", "dill"])
    # Fillers make most texts differ: equal ones would stay in one fold, and whole combinations of labels be held out.
    fillers = rng.choice(["and", "or", "with", "then", "also", "plus", "yet", "so"], size=(rows, 3))
    texts = [" ".join([*words[y == 1], *filler]) for y, filler in zip(Y, fillers, strict=True)]
    return Dataset("small texts", np.array(texts, dtype=object), Y, tuple("abcd"))


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> dict[str, Dataset]:
    """Two data sets that the benchmark finds by name."""
    known = {d.name: d for d in (small("numeric"), small("text"))}
    monkeypatch.setattr(competence, "dataset", known.__getitem__)
    return known


@PLACES
def test_a_reference_learns_and_answers_for_each_row_out_of_fold(model: Any) -> None:
    for kind in model.kinds:
        problem, Y_test, _ = competence.problem_of(small(kind), 0)
        found = model.predict(problem)
        assert found.oof.shape == (len(found.rows), 4) == (len(found.folds), 4)
        assert found.test.shape == Y_test.shape
        assert np.isfinite(found.oof).all()
        assert np.isfinite(found.test).all()
        made = competence.scores(competence.decided(found, problem), Y_test)
        assert made["map"] > 0.9
        assert made["tuned_macro_f1"] > 0.85
        assert metrics.mean_average_precision(problem.Y[found.rows], found.oof) > 0.85


@PLACES
def test_a_reference_repeats_its_numbers(model: Any) -> None:
    problem, _, _ = competence.problem_of(small(model.kinds[0]), 0)
    first, second = (model.predict(problem) for _ in range(2))
    np.testing.assert_array_equal(first.test, second.test)
    assert first.chosen == second.chosen


def test_out_of_fold_rows_were_not_trained_on() -> None:
    """Labels that are drawn by lot cannot be known: a forest that had seen the rows would know them all."""
    problem, _, _ = competence.problem_of(small("numeric"), 0)
    lots = (np.random.default_rng(1).random(problem.Y.shape) < 0.5).astype(np.uint8)
    found = reference_models.Trees(trees=20).predict(problem._replace(Y=lots))
    assert metrics.mean_average_precision(lots, found.oof) < 0.65


def test_the_constant_label_gets_the_logit_of_its_share() -> None:
    problem, _, _ = competence.problem_of(small("numeric"), 0)
    found = reference_models.Logistic(C=(1.0,)).predict(problem)
    n = len(problem.Y)
    np.testing.assert_allclose(found.test[:, 3], np.log(0.5 / (n + 0.5)))


def test_the_selected_value_is_the_best_out_of_fold() -> None:
    """Logits of the labels' own sign beat those turned round, wherever they stand among the candidates."""
    problem, _, _ = competence.problem_of(small("numeric"), 0)
    right = 2.0 * problem.Y - 1 + np.random.default_rng(0).normal(size=problem.Y.shape) * 0.1
    for candidates in ({0.1: -right, 1.0: right}, {1.0: right, 10.0: -right}):
        value, oof = reference_models.selected(candidates, problem)
        assert value == 1.0
        assert oof is right


def test_references_are_decided_at_the_thresholds_of_our_cells(data: Any, tmp_path: Path) -> None:
    problem, _, _ = competence.problem_of(data["small numbers"], 1)
    found = SHORT[0].predict(problem)
    expected = thresholds.scut_smoothed(found.oof, problem.Y, found.folds)
    made = competence.decided(found, problem)
    np.testing.assert_array_equal(made["tuned"], thresholds.predict(found.test, expected))
    np.testing.assert_array_equal(made["fixed"], found.test > 0)


@pytest.mark.slow
def test_ours_are_decided_by_the_same_rule(data: Any, tmp_path: Path) -> None:
    """A row of ours holds what its kept predictions give at the thresholds that references get."""
    numbers = competence.Data("small numbers", "numeric", 1, tuned_on=False)
    path, store = tmp_path / "rows.jsonl", tmp_path / "store"
    budget = {"trials": 2, "folds": 2, "epochs": 3}
    (row,) = competence.our_rows(numbers, competence.Ours("linear"), store, path, **budget)
    kept = np.load(store / "predictions" / f"{row['key']}.npz")
    cut = thresholds.scut_smoothed(kept["oof_logits"], kept["oof_Y"], kept["oof_folds"])
    tuned = kept["test_logits"] > cut
    assert row["metrics"]["tuned_macro_f1"] == pytest.approx(
        metrics.macro_f1(kept["test_Y"], tuned), abs=1e-6
    )
    assert row["metrics"]["map"] == pytest.approx(
        metrics.mean_average_precision(kept["test_Y"], kept["test_logits"]), abs=1e-6
    )
    _, _, (_, test) = competence.problem_of(data["small numbers"], 0)
    np.testing.assert_array_equal(kept["test_rows"], test)  # references are tested on the same rows
    assert competence_rows.load(path) == [row]
    assert competence.our_rows(numbers, competence.Ours("linear"), store, path, **budget) == [row]


def test_a_reference_is_measured_once(data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, calls = tmp_path / "rows.jsonl", list[str]()
    predict = reference_models.OneVsRest.predict

    def counted(self: Any, problem: Any) -> Any:
        calls.append(self.name)
        return predict(self, problem)

    monkeypatch.setattr(reference_models.OneVsRest, "predict", counted)
    first = competence.reference_row("small numbers", 0, SHORT[0], path)
    assert competence.reference_row("small numbers", 0, SHORT[0], path) == first
    assert len(calls) == 1
    competence.reference_row("small numbers", 1, SHORT[0], path)
    changed = competence.reference_row("small numbers", 0, reference_models.Logistic(C=(1.0,)), path)
    assert len(calls) == 3
    assert changed["key"] != first["key"]
    rows = competence_rows.load(path)
    assert [(r["dataset"], r["split"]) for r in rows] == [("small numbers", 0), ("small numbers", 1)]
    assert rows[0] == changed  # in the place of the outdated one


def test_other_inner_folds_make_another_key_where_rows_are_grouped() -> None:
    """Equal rows stay in one fold, so the folds depend on the rule of groups; without groups old rows keep their keys."""
    alone = small("numeric")
    twins = Dataset(
        "twins", np.vstack([alone.X, alone.X[:5]]), np.vstack([alone.Y, alone.Y[:5]]), alone.labels
    )
    for data, grouped in ((alone, False), (twins, True)):
        problem, _, rows = competence.problem_of(data, 0)
        keys = {
            competence.reference_key(data, 0, SHORT[0], rows, folds)
            for folds in (problem.folds, 1 + problem.folds)
        }
        assert len(keys) == 1 + grouped


def test_an_interrupted_write_leaves_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.jsonl"
    competence_rows.put(row("mlp", 0, 0.5), path)
    before = path.read_bytes()

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        competence_rows.put(row("mlp", 1, 0.5), path)
    assert path.read_bytes() == before


def row(model: str, split: int, value: float, **others: float) -> dict[str, Any]:
    """A row whose metrics are all `value`, but for those named."""
    kind = "ours" if model.partition("[")[0] in ("linear", "mlp", "lstm") else "reference"
    place = {"dataset": "toy", "split": split, "model": model, "kind": kind, "key": f"{model}{split}"}
    found = dict.fromkeys(competence_rows.METRICS, value) | others
    return {**place, "metrics": found, "seconds": 1.0, "chosen": {"C": 1.0}, "versions": {}}


def test_goals_compare_the_splits_that_both_have() -> None:
    goal = competence_rows.Goal("linear", "LogisticRegression", 0.02, competence_rows.LINEAR)
    rows = [row("linear", 0, 0.50), row("linear", 1, 0.60), row("linear", 2, 0.10)]
    rows += [row("LogisticRegression", 0, 0.52), row("LogisticRegression", 1, 0.62, map=0.63)]
    (found,) = competence_rows.outcomes(rows, ["toy"], [goal])
    assert found.splits == 2
    assert found.differences == pytest.approx(
        {"map": -0.025, "fixed_macro_f1": -0.02, "tuned_macro_f1": -0.02}
    )
    assert found.missed == ["map"]
    assert str(found) == "missed: mAP"
    (met,) = competence_rows.outcomes(rows, ["toy"], [goal._replace(margin=0.03)])
    assert str(met) == "met"


def test_goals_know_families_data_sets_and_what_has_not_run() -> None:
    goal = competence_rows.Goal("lstm", "BiLSTM", 0.0, ("map",), ("toy",))
    rows = [row("lstm[max_tokens=100]", 0, 0.7), row("BiLSTM", 0, 0.6)]
    (found,) = competence_rows.outcomes(rows, ["toy", "other"], [goal])
    assert str(found) == "met"
    (missing,) = competence_rows.outcomes(rows[:1], ["toy"], [goal])
    assert (str(missing), missing.missed) == ("not run", [])
    (undefined,) = competence_rows.outcomes([row("lstm", 0, float("nan")), rows[1]], ["toy"], [goal])
    assert undefined.missed == ["map"]  # an undefined score meets no goal


def test_the_tables() -> None:
    rows = [row("LinearSVC", 0, 0.4), row("mlp", 0, 0.5), row("mlp", 1, 0.7, map=0.9)]
    head, _, mlp, svc = competence_rows.scores_table(rows, "toy").splitlines()
    assert [c.strip() for c in head.split("|")[1:4]] == ["model", "splits", "mAP"]
    assert [c.strip() for c in mlp.split("|")[1:6]] == ["mlp", "0, 1", "0.700", "0.600", "0.600"]
    assert svc.split("|")[1].strip() == "LinearSVC"
    goals = competence_rows.goals_table(competence_rows.outcomes(rows, ["toy"]))
    assert goals.count("not run") == 3
    assert "| mlp ≥ LogisticRegression − .01 " in goals


def test_every_goal_and_run_names_something_that_exists() -> None:
    names = {d.name for d in competence.DATA}
    models = {m.name for m in competence.REFERENCES}
    families = {o.spec.partition("[")[0] for o in competence.OURS}
    for goal in competence_rows.GOALS:
        assert goal.ours in families
        assert goal.reference in models
        assert set(goal.datasets) <= names
    assert {d for left_out in competence.LEFT_OUT.values() for d in left_out} <= names
    assert competence.LEFT_OUT.keys() <= models
    for kept in competence_rows.load():
        assert kept["dataset"] in names
        assert json.dumps(kept).count("/") == 0, "a row holds no path"
