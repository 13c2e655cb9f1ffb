"""Arrays of any library in the Python functions: the right result, or one clear line."""

from __future__ import annotations

import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

from equipoise import Dataset, EquipoiseError, get_strategy, loss_of, measures, metrics

X = np.random.default_rng(0).random((20, 3))
Y = (np.random.default_rng(1).random((20, 3)) < [0.5, 0.3, 0.2]).astype(int)
MISSING = pd.DataFrame(Y).astype("Int64").mask(np.eye(20, 3, dtype=bool))

#: Labels in other forms, which mean the same as Y.
SAME_Y: dict[str, Any] = {
    "csr": sp.csr_matrix(Y),
    "coo array": sp.coo_array(Y),
    "tensor": torch.tensor(Y),
    "tensor with gradient": torch.tensor(Y * 1.0, requires_grad=True),
    "bfloat16": torch.tensor(Y).bfloat16(),
    "sparse tensor": torch.tensor(Y).to_sparse(),
    "list of tensors": list(torch.tensor(Y)),
    "frame": pd.DataFrame(Y),
    "nullable": pd.DataFrame(Y).astype("Int64"),
    "nullable bool": pd.DataFrame(Y).astype("boolean"),
    "objects": Y.astype(object),
}
#: What is no label matrix, with a part of the message.
WRONG_Y: dict[str, tuple[Any, str]] = {
    "missing": (MISSING, "0 and 1|0 or 1"),
    "ragged": ([[0, 1]] * 19 + [[1]], "rows differ in length"),
    "names": ([["a", "b"], ["c"]] * 10, "rows differ in length"),
    "texts": (Y.astype(str), "0 and 1|must be numbers"),
    "masked": (np.ma.masked_array(Y, mask=Y == 1), "masked values"),
    "none": (None, "shape|must be numbers"),
}
SAME_X: dict[str, Any] = {
    "csc": sp.csc_matrix(X),
    "tensor": torch.tensor(X),
    "tensor with gradient": torch.tensor(X, requires_grad=True),
    "sparse tensor": torch.tensor(X).to_sparse(),
    "nullable": pd.DataFrame(X).astype("Float64"),
    "objects": pd.DataFrame(X).astype(object),
    "list": X.tolist(),
    "list of tensors": list(torch.tensor(X)),
}


@pytest.mark.parametrize("form", SAME_Y)
def test_labels_in_any_form_are_the_same_labels(form: str) -> None:
    same = SAME_Y[form]
    for name in ("ml_ros", "mlsmote[k=2]"):
        strategy = get_strategy(name)
        inputs, labels = strategy.fit_resample(X, same)
        expected = strategy.fit_resample(X, Y)
        np.testing.assert_array_equal(inputs, expected[0])
        np.testing.assert_array_equal(labels.astype(int), expected[1])
    np.testing.assert_array_equal(Dataset("d", X, same, ("a", "b", "c")).Y, Y)
    np.testing.assert_array_equal(measures.irlbl(same), measures.irlbl(Y))


@pytest.mark.parametrize("form", WRONG_Y)
def test_what_is_no_label_matrix_is_one_line(form: str) -> None:
    wrong, message = WRONG_Y[form]
    calls: list[Callable[[], Any]] = [
        lambda: get_strategy("ml_ros").fit_resample(X, wrong),
        lambda: Dataset("d", X, wrong, ("a", "b", "c")),
        lambda: measures.irlbl(wrong),
        lambda: metrics.macro_f1(wrong, Y),
    ]
    for call in calls:
        one_line(call, message)


@pytest.mark.parametrize("form", SAME_X)
def test_features_in_any_form_are_the_same_features(form: str) -> None:
    strategy = get_strategy("mlsmote[k=2]")
    inputs, _ = strategy.fit_resample(SAME_X[form], Y)
    dense = inputs.toarray() if sp.issparse(inputs) else inputs
    np.testing.assert_allclose(dense, strategy.fit_resample(X, Y)[0])
    given = Dataset("d", SAME_X[form], Y, ("a", "b", "c")).X
    np.testing.assert_array_equal(given.toarray() if sp.issparse(given) else given, X.astype(np.float32))


def test_bfloat16_features_are_numbers() -> None:
    inputs, _ = get_strategy("ml_ros").fit_resample(torch.tensor(X).bfloat16(), Y)
    assert inputs.dtype == np.float32
    np.testing.assert_allclose(inputs[:20], X, rtol=0.01)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (pd.DataFrame(X).astype("Float64").mask(X > 0.9), "NaN"),
        (np.ma.masked_array(X, mask=X > 0.9), "masked values"),
        (X * 1e308, "too large for distances"),
        ([["a", 1, 2.0]] * 20, "must be numeric"),
        (X.astype("datetime64[s]"), "must be numeric"),
        (None, "same number of rows"),
    ],
)
def test_features_without_distances_are_one_line(features: Any, message: str) -> None:
    one_line(lambda: get_strategy("mlsmote").fit_resample(features, Y), message)


def test_no_number_becomes_another_unnoticed() -> None:
    for wrong in (X.astype(complex), sp.csr_matrix(X.astype(complex)), (X * 10).astype("datetime64[s]")):
        one_line(lambda wrong=wrong: Dataset("d", wrong, Y, ("a", "b", "c")), "text or numbers")
    one_line(lambda: Dataset("d", X, Y, None), "list of names")  # type: ignore[arg-type]
    one_line(lambda: Dataset("d", X, Y, "abc"), "list of names")  # type: ignore[arg-type]


def test_texts_take_the_memory_of_their_own_lengths() -> None:
    """One long text among many short ones: a NumPy array of fixed width would take 3000 times its length."""
    texts = ["short"] * 3000
    texts[5] = "long " * 4000
    labels = (np.arange(6000).reshape(3000, 2) % 7 == 0).astype(np.uint8)
    tracemalloc.start()
    inputs, _ = get_strategy("ml_ros").fit_resample(texts, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert inputs.dtype == object
    assert list(inputs[:3000]) == texts
    assert peak < 5e6


def test_what_stands_beside_a_text_stays_what_it_is() -> None:
    inputs, _ = get_strategy("ml_ros").fit_resample([["a", 1, 2.5]] * 20, Y)
    assert inputs[0].tolist() == ["a", 1, 2.5]
    rows, _ = get_strategy("ml_ros").fit_resample([[1, 2]] * 19 + [[1]], Y)
    assert rows[19] == [1]


def test_a_loss_takes_a_spec() -> None:
    z, y = torch.linspace(-2, 2, 6).reshape(2, 3), torch.tensor([[1, 0, 1], [0, 0, 1]])
    by_name = loss_of("focal", [1, 2, 3], 10, gamma=1.0)(z, y)
    assert torch.equal(loss_of("focal[gamma=1]", [1, 2, 3], 10)(z, y), by_name)
    assert not torch.equal(loss_of("focal", [1, 2, 3], 10)(z, y), by_name)
    both = loss_of("asl[gamma_neg=1]", [1, 2, 3], 10, margin=0.1).strategy
    assert (both.gamma_neg, both.margin) == (1.0, 0.1)  # type: ignore[attr-defined]
    one_line(lambda: loss_of("focal[gamma=1]", [1, 2, 3], 10, gamma=2.0), "gamma: given in brackets and as")
    one_line(lambda: loss_of("ml_ros+focal", [1, 2, 3], 10), "names several")
    one_line(lambda: loss_of(None, [1, 2, 3], 10), "empty strategy")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "counts",
    [
        torch.tensor([1.0, 2, 3], requires_grad=True),
        torch.tensor([1, 2, 3]).bfloat16(),
        pd.Series([1, 2, 3], dtype="Int64"),
    ],
)
def test_counts_in_any_form_are_counts(counts: Any) -> None:
    np.testing.assert_array_equal(loss_of("focal", counts, torch.tensor(10)).n_pos, [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    "counts", [["a", "b"], [[1], [2, 3]], [1, np.nan], pd.Series([1, None], dtype="Int64")]
)
def test_what_are_no_counts_is_one_line(counts: Any) -> None:
    one_line(lambda: loss_of("focal", counts, 10), "n_pos")


@pytest.mark.parametrize("rows", ["10", None, float("inf"), float("nan"), [10]])
def test_what_is_no_number_of_rows_is_one_line(rows: Any) -> None:
    one_line(lambda: loss_of("focal", [1, 2], rows), "n_rows")


def test_logits_and_targets_are_tensors() -> None:
    loss = loss_of("focal", [1, 2, 3], 10)
    one_line(lambda: loss(np.zeros((2, 3)), np.ones((2, 3))), "must be PyTorch tensors")  # type: ignore[arg-type]
    one_line(lambda: loss(torch.zeros(2, 3).long(), torch.ones(2, 3)), "logits must be floats")
    ones = torch.ones(2, 3)
    assert torch.equal(loss(torch.zeros(2, 3), ones.to_sparse()), loss(torch.zeros(2, 3), ones))


def one_line(call: Callable[[], Any], message: str) -> None:
    """The call raises an `EquipoiseError` of one line that matches, and no warning comes before it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(EquipoiseError, match=message) as caught:
            call()
    assert len(str(caught.value).splitlines()) == 1
