"""`Dataset`: accepted and rejected input, and its hash."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from equipoise.contracts.dataset import Dataset, DatasetSource
from equipoise.core.errors import EquipoiseError


def dataset(**changes: Any) -> Dataset:
    given: dict[str, Any] = {"X": np.arange(8.0).reshape(4, 2), "Y": [[1, 0], [0, 1], [1, 1], [0, 0]]}
    return Dataset(**{"name": "toy", "labels": ("a", "b"), **given, **changes})


def test_types_are_settled() -> None:
    data = dataset(Y=np.asfortranarray(dataset().Y, dtype=bool))
    assert data.X.dtype == np.float32
    assert data.Y.dtype == np.uint8
    assert data.Y.flags.c_contiguous
    assert (data.kind, data.n_rows, data.n_labels) == ("numeric", 4, 2)


def test_text_and_sparse() -> None:
    text = dataset(X=["one", "two", "", "größer"])
    assert (text.kind, text.X.shape, text.X.dtype) == ("text", (4,), object)
    data = dataset(X=sparse.coo_matrix(np.eye(4)))
    assert isinstance(data.X, sparse.csr_matrix)
    assert data.X.dtype == np.float32
    assert data.kind == "numeric"


def test_take_repeats_and_masks() -> None:
    data = dataset(X=["one", "two", "three", "four"], notes=("kept",))
    assert data.take([2, 2, 0]).X.tolist() == ["three", "three", "one"]
    assert data.take(np.array([True, False, False, True])).Y.tolist() == [[1, 0], [0, 0]]
    assert data.take([1, 0]).notes == ("kept",)
    assert isinstance(dataset(X=sparse.csr_matrix(np.eye(4))).take([0, 3]).X, sparse.csr_matrix)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"X": [[np.nan, 1], [1, 1], [1, 1], [1, 1]]}, "NaN, infinite or beyond float32, the first in row 1"),
        ({"X": [[1, 1], [1, 1], [1, 1e300], [1, 1]]}, "the first in row 3"),
        ({"X": sparse.csr_matrix([[0, 0], [0, np.inf], [1, 0], [0, 0]])}, "the first in row 2"),
        ({"X": ["a", None, "b", "c"]}, "row 2 should be text, but is NoneType"),
        ({"X": [["a"], ["b"], ["c"], ["d"]]}, "features must be text or numbers"),
        ({"X": np.zeros((4, 0))}, "must have shape (rows, columns)"),
        ({"X": np.zeros((3, 2))}, "3 rows of features but 4 rows of labels"),
        ({"X": np.zeros((1, 2)), "Y": [[1, 0]]}, "1 row(s); at least 2"),
        ({"Y": [[2, 0], [0, 1], [1, 1], [0, 0]]}, "labels must be 0 or 1, found 2"),
        ({"Y": [[np.nan, 0], [0, 1], [1, 1], [0, 0]]}, "labels must be 0 or 1, found nan"),
        ({"Y": np.zeros((4, 0)), "labels": ()}, "labels at least 1"),
        ({"labels": ("a", "a")}, "label names must differ; repeated: a"),
        ({"labels": ("a",)}, "1 label names for 2 label columns"),
        ({"features": ("x",)}, "1 feature names for 2 feature columns"),
        ({"nominal": np.array([True])}, "`nominal` must have shape (2,)"),
    ],
)
def test_refusals_are_one_line(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(EquipoiseError) as caught:
        dataset(**changes)
    assert expected in str(caught.value)
    assert str(caught.value).startswith("toy: ")
    assert "\n" not in str(caught.value)


def test_hash_is_of_the_content() -> None:
    base = dataset()
    assert base.sha256 == dataset(name="other", source="elsewhere", notes=("x",)).sha256
    assert base.sha256 == dataset(X=np.asfortranarray(base.X, dtype=">f8")).sha256
    changed = [dataset(labels=("a", "c")), dataset(X=base.X + 1), dataset(Y=1 - base.Y)]
    assert len({base.sha256, *(data.sha256 for data in changed)}) == 4


def test_hash_ignores_how_numbers_are_stored() -> None:
    zeros = np.array([[0.0, 1], [1, 0], [2, 0], [3, 0]])
    assert dataset(X=zeros).sha256 == dataset(X=zeros * np.where(zeros, 1, -1)).sha256
    stored = sparse.csr_matrix(([0.0, 1, 2, 3], ([0, 1, 2, 3], [1, 0, 0, 1])), shape=(4, 2))
    shuffled = sparse.csc_matrix(stored.toarray())
    assert dataset(X=stored).sha256 == dataset(X=shuffled).sha256


def test_hash_tells_texts_apart_that_join_equally() -> None:
    assert dataset(X=["ab", "c", "", ""]).sha256 != dataset(X=["a", "bc", "", ""]).sha256


@dataclass(frozen=True)
class Toy(DatasetSource):
    """A source with one option of each kind."""

    rows: int = 4
    share: float = 0.5
    shuffle: bool = False
    columns: Any = None

    def load(self, data_dir: Path) -> Dataset:
        return dataset()


def test_options_are_the_fields_a_source_adds() -> None:
    toy = Toy("toy", "a toy").with_options(rows="500", share=1, shuffle="true", columns=["a"])
    assert toy.options() == {"rows": 500, "share": 1.0, "shuffle": True, "columns": ["a"]}
    assert isinstance(toy.share, float)
    assert toy.name == "toy"
    assert Toy("toy").with_options(rows=1e3).rows == 1000


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"rwos": 3}, "did you mean 'rows'"),
        ({"name": "x"}, "unknown option"),
        ({"rows": 2.5}, "rows must be a whole number, got 2.5"),
        ({"rows": True}, "rows must be a whole number, got True"),
        ({"rows": "many"}, "must be a whole number, got 'many'"),
        ({"rows": float("inf")}, "must be a whole number, got inf"),
        ({"share": "half"}, "share must be a number"),
        ({"shuffle": 3}, "shuffle must be true or false"),
    ],
)
def test_wrong_options(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(EquipoiseError, match="toy") as caught:
        Toy("toy").with_options(**options)
    assert expected in str(caught.value)
