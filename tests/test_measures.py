"""Measures of Y equal the published numbers to every printed digit, and have the properties that hold for any Y."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from equipoise import measures
from equipoise.core.errors import EquipoiseError

NAMES = "rows inputs labels labelsets singletons cardinality mean_ir cvir max_ir scumble scumble_cv tcs rdep"
# Computed by mldr and Mulan; each number is checked to the digits printed here.
PUBLISHED = """
emotions  593 72 6 27 4 1.868465 1.478068 .179571 1.7838 .010952 1.264560 9.364262 .9333
flags     194 19 7 54 24 3.391753 2.254709 .764775 5.8846 .060586 1.103306 8.879333 .3810
yeast     2417 103 14 198 77 4.237071 7.196811 1.883751 53.4118 .104359 1.064476 12.562053 .6703
birds     645 260 19 133 73 1.013953 5.406996 .816877 17.1667 .033028 2.298296 13.395470 .1228
medical   978 1449 45 94 33 1.245399 89.501361 1.147574 266.0 .047056 3.043226 15.628586 .0394
enron     1702 1001 53 753 573 3.378378 73.952793 1.959628 913.0 .302768 .742898 17.503112 .1408
corel5k   5000 499 374 3175 2523 3.522000 189.567560 1.526606 1120.0 .394147 .571352 20.199925 .0297
bibtex    7395 1836 159 2856 2199 2.401893 12.498259 .405100 20.4314 .093787 1.365618 20.541426 .1112
""".strip().splitlines()


def matrices(min_rows: int = 1) -> st.SearchStrategy[np.ndarray]:
    shapes = st.tuples(st.integers(min_rows, 25), st.integers(1, 12))
    return shapes.flatmap(lambda shape: hnp.arrays(np.uint8, shape, elements=st.integers(0, 1)))


@pytest.mark.needs_data
@pytest.mark.parametrize("line", PUBLISHED, ids=lambda line: line.split()[0])
def test_published_numbers(line: str, data_dir: Path) -> None:
    import equipoise

    name, *printed = line.split()
    dataset = equipoise.load_dataset(name, data_dir=data_dir)
    found = measures.describe(dataset.Y, dataset.X.shape[1])
    for measure, number in zip(NAMES.split(), printed, strict=True):
        digits = len(number.partition(".")[2])
        assert f"{found[measure]:.{digits}f}" == f"{float(number):.{digits}f}", measure


def test_by_hand() -> None:
    Y = np.array([[1, 0, 0], [1, 1, 0], [1, 1, 0], [1, 0, 0]])
    assert measures.irlbl(Y).tolist() == [1.0, 2.0, math.inf]
    assert measures.mean_ir(Y) == 1.5  # the empty label is dropped: mldr's 0 would give 1.0
    assert measures.max_ir(Y) == 2.0
    assert measures.cvir(Y) == pytest.approx(math.sqrt(0.5) / 1.5)
    assert measures.scumble_rows(Y) == pytest.approx([0, 1 - math.sqrt(2) / 1.5, 1 - math.sqrt(2) / 1.5, 0])
    assert (measures.cardinality(Y), measures.density(Y)) == (1.5, 0.5)
    assert measures.tcs(Y, n_inputs=5) == pytest.approx(math.log(5 * 3 * 2))
    assert measures.cooccurrence(Y).tolist() == [[4, 2, 0], [2, 2, 0], [0, 0, 0]]
    distinct, counts = measures.labelsets(Y)
    assert (distinct.tolist(), counts.tolist()) == ([[1, 0, 0], [1, 1, 0]], [2, 2])


@pytest.mark.parametrize(("agreeing", "dependent"), [(50, True), (32, True), (31, False), (25, False)])
def test_dependence_is_rows_times_phi_squared(agreeing: int, dependent: bool) -> None:
    other = 50 - agreeing  # 100 rows, both labels in half of them: N φ² is 7.84 for 32 and 5.76 for 31
    pair = [(1, 1)] * agreeing + [(0, 0)] * agreeing + [(1, 0)] * other + [(0, 1)] * other
    constant = np.ones((100, 1))  # has no φ: two of three pairs count as not dependent
    assert measures.rdep(np.array(pair)) == float(dependent)
    assert measures.rdep(np.hstack([pair, constant])) == pytest.approx(dependent / 3)


@given(matrices(min_rows=2), st.randoms(use_true_random=False))
def test_order_of_rows_and_of_labels_does_not_matter(Y: np.ndarray, random: object) -> None:
    rng = np.random.default_rng(random.getrandbits(32))  # type: ignore[attr-defined]
    shuffled = Y[rng.permutation(len(Y))][:, rng.permutation(Y.shape[1])]
    assert measures.describe(shuffled, 7) == pytest.approx(measures.describe(Y, 7), nan_ok=True)


@given(matrices())
def test_bounds(Y: np.ndarray) -> None:
    rows = measures.scumble_rows(Y)
    assert ((rows >= 0) & (rows < 1)).all()
    assert rows[Y.sum(axis=1) <= 1] == pytest.approx(0)
    assert (measures.irlbl(Y) >= 1).all()
    assert np.isinf(measures.irlbl(Y)).tolist() == (Y.sum(axis=0) == 0).tolist()
    distinct, counts = measures.labelsets(Y)
    assert counts.sum() == len(Y)
    assert (np.diff(counts) <= 0).all()
    assert len({tuple(row) for row in Y.tolist()}) == len(distinct)
    assert measures.singletons(Y) == (counts == 1).sum()
    assert np.array_equal(measures.cooccurrence(Y), Y.astype(int).T @ Y.astype(int))


@given(matrices())
def test_an_empty_label_changes_no_average_over_labels(Y: np.ndarray) -> None:
    wider = np.pad(Y, ((0, 0), (0, 1)))
    for measure in (measures.mean_ir, measures.max_ir, measures.cvir, measures.scumble, measures.cardinality):
        assert measure(wider) == pytest.approx(measure(Y), nan_ok=True)


@given(matrices(min_rows=2))
def test_cooccurrence_counts_alike_dense_and_sparse(Y: np.ndarray) -> None:
    sparse = np.zeros((len(Y) * 40, Y.shape[1]), dtype=np.uint8)  # few enough ones for the sparse product
    sparse[: len(Y)] = Y
    assert np.array_equal(measures.cooccurrence(sparse), measures.cooccurrence(Y))


def test_undefined_is_nan() -> None:
    empty = measures.describe(np.zeros((3, 2)))
    assert all(math.isnan(empty[name]) for name in ("mean_ir", "max_ir", "cvir", "scumble_cv"))
    assert (empty["scumble"], empty["cardinality"], empty["rdep"]) == (0.0, 0.0, 0.0)
    assert math.isnan(measures.rdep(np.ones((3, 1))))
    assert math.isnan(measures.cvir(np.ones((3, 1))))
    assert math.isnan(measures.scumble(np.zeros((0, 2))))


@pytest.mark.parametrize("Y", [[1, 0], [[0, 2]], [[0.5, 1]], [[math.nan, 1]], np.zeros((3, 0))], ids=str)
def test_what_is_not_a_label_matrix_is_said_in_one_line(Y: object) -> None:
    with pytest.raises(EquipoiseError) as caught:
        measures.mean_ir(Y)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
