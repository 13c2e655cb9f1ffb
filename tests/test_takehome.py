"""Models to take home: what is loaded predicts with the bits of what was fitted, for every strategy and every backbone."""

from __future__ import annotations

import json
import pickle
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import equipoise
from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.registry import registry
from equipoise.catalog.strategies import get_strategy, with_params
from equipoise.contracts.dataset import Dataset
from equipoise.core.errors import EquipoiseError
from equipoise.engine.scheduler import run_one
from equipoise.experiment.decision import fit_decision_rule
from equipoise.experiment.heads import refitted_logits
from equipoise.experiment.search.trials import search
from equipoise.experiment.settings import Settings
from equipoise.takehome import fit as fitting
from equipoise.takehome.fit import saveable

QUICK: dict[str, Any] = {"trials": 1, "folds": 2, "epochs": 2, "batch_size": 32, "device": "cpu"}
WORDS = ["queue", "cache", "broker", "schema", "deploy", "latency", "naming", "retry", "index", "event"]


def mails(n: int = 90) -> Dataset:
    """Texts in which the words say the labels."""
    rng = np.random.default_rng(3)
    Y = (rng.random((n, 3)) < [0.5, 0.3, 0.2]).astype(np.uint8)
    texts = [
        " ".join([*rng.choice(WORDS[3:], 6), *(WORDS[j] for j in range(3) if row[j] for _ in "ab")])
        for row in Y
    ]
    return Dataset("mails", np.array(texts, dtype=object), Y, ("queue", "cache", "broker"))


def numbers(n: int = 90, *, sparse: bool = False, nominal: bool = False) -> Dataset:
    """Numbers in which the first columns say the labels, perhaps with a column of three categories."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(n, 6)).astype(np.float32)
    Y = (X[:, :3] + rng.normal(size=(n, 3)) * 0.3 > [0.0, 0.5, 1.0]).astype(np.uint8)
    if nominal:
        X[:, 5] = rng.integers(0, 3, n)
    columns = np.arange(6) == 5 if nominal else None
    return Dataset(
        "numbers", sp.csr_matrix(X * (X > 0)) if sparse else X, Y, ("a", "b", "c"), nominal=columns
    )


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    """Whether all outputs have equal bits."""
    assert one.keys() == other.keys() == {"scores", "fixed", "tuned", "own"}
    return all(one[k].dtype == other[k].dtype and one[k].tobytes() == other[k].tobytes() for k in one)


@pytest.mark.parametrize("name", [n for n in registry("strategy").names() if n != "external_rows"])
def test_every_strategy_is_saved_and_loaded_with_equal_bits(name: str, tmp_path: Path) -> None:
    data = numbers()
    strategy = get_strategy(name)
    backbone = "mlp[hidden=8]" if "representation" in strategy.needs else "linear"
    model = equipoise.fit(data, backbone=backbone, strategy=name, model=tmp_path / "m", **QUICK)
    loaded = equipoise.load_model(tmp_path / "m")
    assert same(model.outputs(data.X), loaded.outputs(data.X))
    assert (model.predict(data.X) == loaded.predict(data.X)).all()
    assert np.isfinite(loaded.predict_proba(data.X)).all()


@pytest.mark.parametrize("name", ["linear", "mlp", "lstm", "gru", "textcnn", "embedding_bag"])
@pytest.mark.parametrize("strategy", ["none", "classifier_chain", "crt"])
def test_every_backbone_of_texts(name: str, strategy: str, tmp_path: Path) -> None:
    data = mails()
    if name == "linear" and strategy == "crt":
        with pytest.raises(EquipoiseError, match="representation"):
            equipoise.fit(data, backbone=name, strategy=strategy, model=tmp_path / "m", **QUICK)
        return
    model = equipoise.fit(data, backbone=name, strategy=strategy, model=tmp_path / "m", **QUICK)
    new = ["broker event", "nothing known", "", *data.X[:7]]
    assert same(model.outputs(new), equipoise.load_model(tmp_path / "m").outputs(new))


def test_rows_of_the_users_own_are_added_and_not_needed_any_more(tmp_path: Path) -> None:
    data = mails()
    lines = [f"broker event {i},{np.flatnonzero(data.Y[:, 2])[0]}" for i in range(8)]
    (tmp_path / "more.csv").write_text("\n".join(["text,parent", *lines]))
    model = equipoise.fit(
        data, strategy=f"external_rows[file={tmp_path / 'more.csv'}]", model=tmp_path / "m", **QUICK
    )
    (tmp_path / "more.csv").unlink()
    assert same(model.outputs(data.X), equipoise.load_model(tmp_path / "m").outputs(data.X))


@pytest.mark.parametrize("data", [numbers(), numbers(sparse=True), numbers(nominal=True)])
def test_numbers_dense_sparse_and_categories(data: Dataset, tmp_path: Path) -> None:
    model = equipoise.fit(data, backbone="mlp[hidden=8]", model=tmp_path / "m", **QUICK)
    assert same(model.outputs(data.X), equipoise.load_model(tmp_path / "m").outputs(data.X))
    with pytest.raises(EquipoiseError, match="6 numbers"):
        model.predict(np.zeros((2, 5)))


@pytest.mark.parametrize(
    "strategy", ["ml_ros+focal+platt+scut", "label_powerset", "classifier_chain", "knn_blend"]
)
def test_the_model_predicts_what_the_pipeline_of_a_cell_predicts(strategy: str) -> None:
    """The same networks, put through the code that a benchmark runs."""
    data, backbone, chosen = numbers(), get_backbone("mlp[hidden=8]"), get_strategy(strategy)
    settings = Settings.of({k: v for k, v in QUICK.items() if k != "device"})
    prepared = fitting._prepared(data, backbone, settings, 0)
    validator = fitting._validator(chosen, prepared, settings, "cpu")
    result = run_one(search(validator))
    fitted = run_one(validator.refit(result.params))
    (of_tasks,) = validator.task_logits([fitted], prepared.inputs, [np.arange(data.n_rows)])
    bound = with_params(chosen, result.params)
    rule = fit_decision_rule(
        bound, result.cv.logits[result.rows], validator.Y[result.rows], result.folds, validator.role
    )
    logits = validator.merge(fitted, of_tasks)
    if "head" in chosen.stages:
        logits = refitted_logits(bound, validator, fitted, prepared.inputs, logits)
    expected = rule.all(logits, validator.vote(fitted, of_tasks))
    model = equipoise.fit(data, backbone=backbone, strategy=strategy, **QUICK)
    assert same(model.outputs(data.X), expected)


def test_folds_are_those_of_a_cell_that_trains_on_all_rows() -> None:
    data = numbers()
    one = fitting._prepared(data, get_backbone("linear"), Settings(folds=1), 0).folds
    three = fitting._prepared(data, get_backbone("linear"), Settings(folds=3), 0).folds
    assert set(one) == {-1, 0}
    assert 15 < (one == 0).sum() < 30
    assert set(three) == {0, 1, 2}


def test_no_pickle_is_read_and_none_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    equipoise.fit(mails(), strategy="platt", model=tmp_path / "m", **QUICK)

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a pickle")

    monkeypatch.setattr(pickle, "loads", refuse)
    monkeypatch.setattr(pickle, "load", refuse)
    monkeypatch.setattr(pickle, "Unpickler", refuse)
    equipoise.load_model(tmp_path / "m").predict(["queue"])
    assert {f.suffix for f in (tmp_path / "m").iterdir()} == {".json", ".safetensors", ".md"}


def test_scores_of_training_rows_are_kept_only_where_a_map_is_fitted_on_them(tmp_path: Path) -> None:
    plain = equipoise.fit(mails(), strategy="focal", **QUICK)
    mapped = equipoise.fit(mails(), strategy="platt", **QUICK)
    assert plain.evidence.oof_logits is None
    assert mapped.evidence.oof_logits is not None


def test_a_backbone_that_needs_pickle_is_refused_in_one_line() -> None:
    with pytest.raises(EquipoiseError) as caught:
        equipoise.fit(mails(), backbone="logistic_regression", **QUICK)
    line = str(caught.value)
    assert "\n" not in line
    assert all(name in line for name in saveable())


def test_a_plugins_own_features_are_refused_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own:
        def fit(self, X: Any, nominal: Any = None) -> Own:
            return self

        def transform(self, X: Any) -> Any:
            raise AssertionError("trained")

    monkeypatch.setattr(type(get_backbone("linear")), "features", lambda self, kind: Own())
    with pytest.raises(EquipoiseError, match="class Own cannot be saved"):
        equipoise.fit(mails(), **QUICK)


def test_a_model_is_not_written_over_other_files(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(EquipoiseError, match="holds no model"):
        equipoise.fit(mails(), model=tmp_path, **QUICK)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_model_replaces_an_earlier_one(tmp_path: Path) -> None:
    equipoise.fit(mails(), strategy="none", model=tmp_path / "m", **QUICK)
    equipoise.fit(mails(), strategy="focal", model=tmp_path / "m", **QUICK)
    assert equipoise.load_model(tmp_path / "m").facts["strategy"] == "focal"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("model") / "m"
    equipoise.fit(mails(), strategy="scut", model=path, **QUICK)
    return path


@pytest.mark.parametrize(
    "name", ["weights.safetensors", "features.json", "features.safetensors", "decision.safetensors"]
)
def test_a_damaged_or_missing_file_is_one_line(name: str, folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "m"))
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(EquipoiseError, match=f"{name} is damaged"):
        equipoise.load_model(copy)
    (copy / name).unlink()
    with pytest.raises(EquipoiseError, match=f"{name} cannot be read"):
        equipoise.load_model(copy)


@pytest.mark.parametrize("change", [
    {"backbone": "no_such"}, {"acting": "./evil.py"}, {"tasks": []}, {"role": None}, {"params": None}, {"format": "other"},
    {"context": [1]}, {"tasks": [{"columns": [0, 1, 99], "label_inputs": []}] * 2}, {"backbone": "./evil.py:Evil"}, {"labels": 3},
    {"decision": "none"}, {"input": "sound"}, {"table": []},
])  # fmt: skip
def test_foreign_facts_are_one_line_and_run_no_file(
    change: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "m"))
    (tmp_path / "evil.py").write_text("raise SystemExit('run')")
    facts = json.loads((copy / "model.json").read_text()) | change
    (copy / "model.json").write_text(json.dumps(facts))
    with pytest.raises(EquipoiseError) as caught:
        equipoise.load_model(copy)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\x80\x04K\x01."])
def test_no_model_is_one_line(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(EquipoiseError, match="holds no model"):
        equipoise.load_model(tmp_path)
    (tmp_path / "model.json").write_bytes(content)
    with pytest.raises(EquipoiseError, match=r"model\.json is"):
        equipoise.load_model(tmp_path)


@pytest.mark.parametrize(
    ("seed", "says"), [(-1, "seed must be 0 or more, got -1"), (2**63, "seed must be below 2")]
)
def test_a_seed_is_one_that_run_takes(seed: int, says: str) -> None:
    with pytest.raises(EquipoiseError, match=re.escape(says)):
        equipoise.fit("design-emails", seed=seed)
