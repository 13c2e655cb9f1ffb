"""`fit_resample` on plain arrays, and the audit: in the row, in MLflow, in the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

import equipoise
from equipoise import EquipoiseError, Rows, get_strategy, measures
from equipoise.resampling.audit import audit, sentence

INDEX_ONLY = ("ml_ros", "ml_rus", "lp_ros", "lp_rus", "remedial", "remedial+ml_ros", "none")
NUMERIC = ("mlsmote", "mlsol", "mlul", "mlenn", "mltl", "remedial+mlsmote")


def data(n: int = 90, dtype: Any = np.float64) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    Y = (rng.random((n, 4)) < [0.7, 0.4, 0.2, 0.1]).astype(np.uint8)
    return (10 * rng.normal(size=(n, 6)) * (rng.random((n, 6)) < 0.6)).astype(dtype), Y


# --- plain arrays


@pytest.mark.parametrize("name", [*INDEX_ONLY, *NUMERIC])
@pytest.mark.parametrize("kind", ["float64", "float32", "csr", "coo"])
def test_numbers(name: str, kind: str) -> None:
    X, Y = data()
    given_ = {"csr": sp.csr_matrix(X), "coo": sp.coo_matrix(X)}.get(kind)
    given_ = X.astype(kind) if given_ is None else given_
    strategy = get_strategy(name)
    out, labels = strategy.fit_resample(given_, Y, seed=3)
    again, again_labels = strategy.fit_resample(given_, Y, seed=3)
    assert out.shape == (len(labels), 6)
    assert out.dtype == given_.dtype
    assert labels.dtype == Y.dtype
    assert sp.issparse(out) == sp.issparse(given_)
    assert np.array_equal(labels, again_labels)
    assert not (out != again).sum()
    if sp.issparse(out):
        assert out.format == "csr"
        assert out.nnz == (out.toarray() != 0).sum()
    assert np.array_equal(X, data()[0])
    assert np.array_equal(Y, data()[1])
    if name == "none":
        assert np.array_equal(labels, Y)
        assert labels is not Y


@pytest.mark.parametrize("name", INDEX_ONLY)
def test_texts_and_tables_of_anything(name: str) -> None:
    _, Y = data()
    texts = np.array([f"mail {i}" for i in range(len(Y))], dtype=object)
    out, labels = get_strategy(name).fit_resample(texts, Y)
    place = [int(text.split()[1]) for text in out]
    assert (labels <= Y[place]).all()
    table = np.column_stack([texts, texts])
    assert get_strategy(name).fit_resample(table, Y)[0].tolist() == np.column_stack([out, out]).tolist()
    assert get_strategy(name).fit_resample(list(texts), Y.tolist())[0].tolist() == out.tolist()


@pytest.mark.parametrize("kind", [bool, int, float, np.int8])
def test_labels_keep_their_type(kind: type) -> None:
    X, Y = data()
    out = get_strategy("mlsmote").fit_resample(X, Y.astype(kind))[1]
    assert out.dtype == np.dtype(kind)
    assert np.array_equal(out, get_strategy("mlsmote").fit_resample(X, sp.csr_matrix(Y))[1])


def test_seeds_differ_and_compositions_act_in_turn() -> None:
    X, Y = data()
    strategy = get_strategy("ml_ros")
    assert not np.array_equal(strategy.fit_resample(X, Y, 0)[0], strategy.fit_resample(X, Y, 1)[0])
    split, split_labels = get_strategy("remedial").fit_resample(X, Y)
    both, labels = get_strategy("remedial+ml_ros+focal").fit_resample(X, Y)
    assert np.array_equal(both[: len(split)], split)
    assert np.array_equal(labels[: len(split)], split_labels)
    assert len(both) > len(split) > len(X)


def test_interpolation_of_doubles_stays_between_its_parents() -> None:
    X, Y = data()
    out, _ = get_strategy("mlsol[p=0.9]").fit_resample(X, Y)
    assert ((out >= X.min(0)) & (out <= X.max(0))).all()


@pytest.mark.parametrize(
    ("name", "X", "Y", "said"),
    [
        ("ml_ros", np.zeros((3, 2)), [[1], [0]], "same number of rows"),
        ("ml_ros", np.zeros((0, 2)), np.zeros((0, 2)), "at least one"),
        ("ml_ros", "text", [[1]], "same number of rows"),
        ("ml_ros", np.zeros((2, 2)), [[1], [2]], "0 and 1"),
        ("ml_ros", np.zeros((2, 2)), [1, 0], "shape"),
        ("mlsmote", np.array(["a", "b"], dtype=object), [[1], [0]], "must be numeric"),
        ("mlsmote", np.zeros(2), [[1], [0]], "must be numeric"),
        ("remedial+mlsol", np.array([[1.0], [np.nan]]), [[1], [0]], "NaN"),
        ("focal", np.zeros((2, 2)), [[1], [0]], "does not resample"),
    ],
)
def test_bad_input_is_said_in_one_line(name: str, X: Any, Y: Any, said: str) -> None:
    with pytest.raises(EquipoiseError, match=said) as caught:
        get_strategy(name).fit_resample(X, Y)
    assert "\n" not in str(caught.value)


def test_a_wrong_mask_of_categories_is_said() -> None:
    X, Y = data()
    with pytest.raises(EquipoiseError, match="nominal"):
        get_strategy("mlsmote").fit_resample(X, Y, nominal=[True])


# --- the audit


def test_audit_by_hand() -> None:
    Y = np.array([[1, 0], [1, 1], [1, 0], [1, 0], [1, 0]], dtype=np.uint8)
    X = np.array([[0.0, 1], [2, 0], [0, 1], [-0.0, 1], [0, 3]])  # rows 0, 2 and 3 are equal
    before = Rows(np.arange(5), Y, X)
    after = before.repeat(np.array([1, 1])).add(np.array([[2.0, 0]]), np.array([[1, 1]]))
    found = audit(before, after)
    assert found["synthetic"] == 1
    assert {
        k: found["before"][k] for k in ("rows", "duplicates", "labelsets", "singletons", "rare_labelsets")
    } == {
        "rows": 5,
        "duplicates": 2,
        "labelsets": 2,
        "singletons": 1,
        "rare_labelsets": 1,
    }
    assert found["before"]["label_counts"] == [5, 1]
    assert found["before"]["mean_ir"] == 3.0
    assert found["after"]["rows"] == 8
    assert found["after"]["duplicates"] == 5  # the two clones and the synthesised one repeat row 1
    assert found["after"]["label_counts"] == [8, 4]
    assert found["after"]["mean_ir"] == 1.5
    sparse = Rows(np.arange(5), Y, sp.csr_matrix(X))
    assert audit(sparse, sparse.repeat(np.array([1, 1])))["after"]["duplicates"] == 4


@given(st.integers(0, 2**32), st.booleans())
def test_duplicates_are_rows_that_repeat_an_earlier_one(seed: int, sparse: bool) -> None:
    rng = np.random.default_rng(seed)
    X, Y = rng.integers(0, 3, (40, 2)) / 7, rng.integers(0, 2, (40, 2)).astype(np.uint8)
    rows = Rows(np.arange(40), Y, sp.csr_matrix(X) if sparse else X)
    rows = rows.take(rng.integers(0, 40, 30))
    distinct = {(*X[i], *y) for i, y in zip(rows.index, rows.Y.tolist(), strict=True)}
    assert audit(rows, rows)["after"]["duplicates"] == 30 - len(distinct)


@pytest.mark.parametrize(
    ("mean_irs", "said"),
    [
        ((1.478, 1.486), "ml_ros made emotions less balanced: MeanIR 1.478 → 1.486"),
        ((7.2, 3.75), "ml_ros made emotions more balanced: MeanIR 7.200 → 3.750"),
        ((2.0, 2.0), "ml_ros left emotions about as balanced as it was: MeanIR 2.000"),
        ((float("nan"), float("nan")), "ml_ros left emotions about as balanced as it was: MeanIR nan"),
    ],
)
def test_the_sentence(mean_irs: tuple[float, float], said: str) -> None:
    one = {"rows": 474, "duplicates": 0, "scumble": 0.011, "mean_ir": mean_irs[0]}
    two = {"rows": 592, "duplicates": 118, "scumble": 0.009, "mean_ir": mean_irs[1]}
    found = sentence("ml_ros", "emotions", [{"before": one, "after": two}])
    assert found == f"{said} (rows 474 → 592, SCUMBLE .011 → .009, 118 exact copies)"
    assert sentence("ml_ros", "emotions", [{}, {"rows_before": 3}]) == ""


@pytest.mark.slow
def test_a_cell_carries_its_audit_to_row_report_and_mlflow(tmp_path: Path, data_dir: Path) -> None:
    from rich.console import Console

    from equipoise.report.export import render, report_frame
    from equipoise.store.store import Store
    from equipoise.tracking.run_fields import metrics

    names = ["none", "mlsmote", "remedial+ml_ros+focal"]
    equipoise.run(
        dataset="emotions", backbone="linear", strategy=names, splits=1, trials=1, folds=2, epochs=1,
        results=tmp_path, data_dir=data_dir,
    )  # fmt: skip
    rows = {row["strategy"]: row for row in Store(tmp_path).rows()}
    assert {row["status"] for row in rows.values()} == {"ok"}
    assert rows["none"]["audit"] == {}
    found = rows["mlsmote"]["audit"]
    assert found["synthetic"] == found["after"]["rows"] - found["before"]["rows"] > 0
    assert len(found["after"]["label_counts"]) == 6
    assert rows["remedial+ml_ros+focal"]["audit"]["after"]["scumble"] < found["before"]["scumble"]
    logged = {metric.key: metric.value for metric in metrics(rows["mlsmote"], 0)}
    assert logged["audit/after/mean_ir"] == found["after"]["mean_ir"]
    console = Console(width=160, record=True)
    render(rows.values(), console)
    said = sentence("mlsmote", "emotions", [found])
    assert said in console.export_text()
    frame = report_frame(rows.values()).set_index("strategy")
    assert frame.loc["none", "audit"] == ""
    assert frame.loc["mlsmote", "audit"] == said


def test_measures_see_what_the_audit_says(data_dir: Path) -> None:
    Y = equipoise.load_dataset("emotions", data_dir=data_dir).Y
    X = np.arange(len(Y))[:, None]
    _, out = get_strategy("ml_ros").fit_resample(X, Y)
    before, after = Rows(np.arange(len(Y)), Y), Rows(np.arange(len(out)), out)
    found = audit(before, after)
    assert found["after"]["mean_ir"] == measures.mean_ir(out)
    assert found["before"]["cvir"] == pytest.approx(0.179571, abs=1e-6)


def test_the_examples_in_the_docstrings_are_right() -> None:
    import doctest
    import importlib

    for name in ("equipoise.contracts.strategy", "equipoise.resampling.audit"):
        found = doctest.testmod(importlib.import_module(name))
        assert found.attempted > 0
        assert found.failed == 0
