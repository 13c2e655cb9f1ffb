"""Label columns with two plausible readings, or with a fault: one line says what to choose, or what is wrong and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .shared.shapes import REAL, TEXT, asks, read

#: Cells with two readings, and the options that the error offers.
ASKED: list[tuple[list[str], list[str]]] = [
    (
        ["python pandas", "python"],
        ["--separator ' ' (or [separator=' '])", "--label-format whole", "'python' and 'pandas'"],
    ),
    (["bug report", "other"], ["--separator ' '", "[label_format=whole]", "2 labels in all"]),
    (["Trade, Tax;Health", "Health"], ["--separator ';'", "--separator ','", "'Trade, Tax' and 'Health'"]),
    (["a;b", "c|d"], ["--separator ';'", "--separator '|'"]),
    (["Arts, Culture", "Sport"], ["--separator ','", "--label-format whole"]),
    (["Trade, Tax\nHealth", "Health"], ["[separator='\\n']", "--separator ','"]),
    (["a/b", "b"], ["--separator '/'", "--label-format whole"]),
    (["a+b", "b"], ["--separator '+'", "[label_format=whole]"]),
    (["a&b", "b"], ["--separator '&'"]),
    (["a>b", "a"], ["--separator '>'"]),
    (["a::b", "b"], ["--separator '::'"]),
    (["#a#b", "#b"], ["--separator '#'"]),
    (["#a #b", "#b"], ["--separator ' '"]),
    (
        ["[a, b]", "[b]"],
        ["--label-format list (or [label_format=list])", "'a' and 'b'", "--label-format whole"],
    ),
    (["[urgent]", "[login]"], ["--label-format list", "--label-format whole"]),
    (["{a,b}", "{b}"], ["--label-format list"]),
    (["(a, b)", "(b)"], ["--label-format list"]),
    (["['a', 'b']", "c"], ["but 'c' is none", "--label-format list", "--separator ';'"]),
    (["['a', 'b']", "['a', 'b'"], ["is none"]),
    (['[{"name": "a"}]', '[{"name": "b"'], ["is none"]),
    (["'a';'b'", "'b'"], ["every name stands in quotation marks", "--separator ';'"]),
    (["'a', 'b'", "'b'"], ["every name stands in quotation marks", "--separator ','"]),
    (["0110", "1001"], ["--label-format multi-hot", "--label-format whole"]),
    (["0.73", "0.2"], ["fractions such as 0.73", "at least 0.5"]),
]

#: Cells of which one is wrong, and what the error says of it.
WRONG: list[tuple[list[Any], list[str], tuple[str, ...]]] = [
    (["[0.9, 0.1]", "[0.2, 1.0]"], ["'labels' holds fractions", "at least 0.5"], TEXT),
    ([[0.9, 0.1], [0.2, 1.0]], ["'labels' holds fractions", "at least 0.5"], REAL),
    (['{"a": 0.9, "b": 0.1}', '{"a": 1, "b": 0}'], ['holds {"a": 0.9, "b": 0.1}', "at least 0.5"], TEXT),
    ([{"a": 0.9, "b": 0.1}, {"a": 1, "b": 0}], ["at least 0.5"], REAL),
    (['[{"label": "a", "score": 0.9}]', '[{"label": "b", "score": 0.1}]'], ["labels with scores"], TEXT),
    (["[1, 0, 0]", "[1, 1]"], ["holds 2 values, not 3 as in other rows"], TEXT),
    ([[1, 1, 0], [1, 0]], ["holds 2 values, not 3"], REAL),
    (["[1, 1]", "[]", "[0, 0]"], ["holds 0 values, not 2"], TEXT),
    (["[['a'], ['b']]", "[['c']]"], ["'labels' holds a list within a list", '["a"]'], TEXT),
    ([[["a"], ["b"]], [["c"]]], ["a list within a list"], REAL),
    (
        ['[{"x": 1.5, "y": 2}]', '[{"x": 1.5, "y": 3}]'],
        ["no key (name, label, title, tag, …) holds a name"],
        TEXT,
    ),
    (['{"a": 3, "b": 7}', '{"a": 1, "b": 9}'], ["no key"], TEXT),
    (["", " "], ["holds no label in any row"], TEXT),
]


@pytest.mark.parametrize("case", range(len(ASKED)))
def test_two_readings_are_asked_about(tmp_path: Path, case: int) -> None:
    asks(tmp_path, *ASKED[case])


@pytest.mark.parametrize("case", range(len(WRONG)))
def test_wrong_cells_are_named(tmp_path: Path, case: int) -> None:
    cells, words, kinds = WRONG[case]
    asks(tmp_path, cells, words, kinds)


def test_the_line_of_a_wrong_cell(tmp_path: Path) -> None:
    cells = ["[1, 0]", "[0, 1]", "[1, 0, 1]"]
    asks(tmp_path, cells, ["file.csv line 4, column 'labels' holds 3 values"], ("csv",), label_names="a+b")
    (tmp_path / "b").mkdir()
    asks(tmp_path / "b", cells, ["file.parquet row 3, column 'labels'"], ("parquet",), label_names="a+b")


def test_truth_in_a_column_of_names(tmp_path: Path) -> None:
    asks(
        tmp_path,
        ["0", "1"],
        ["one 0/1 label (--labels COLUMN", "--label-format whole"],
        label_column="labels",
    )


def test_options_for_names_beside_columns_of_truth(tmp_path: Path) -> None:
    asks(tmp_path, ["0", "1"], ["label_format is for a column of label names"], label_format="whole")


def test_lists_beside_texts(tmp_path: Path) -> None:
    asks(tmp_path, [["a"], "b;c"], ["holds lists, and the text 'b;c'", "--label-format whole"], ("jsonl",))
    assert read(tmp_path, [["a", "b"], "b"], "jsonl").labels == ("a", "b")
    assert read(tmp_path, [["a"], "b;c"], "jsonl", separator=";").labels == ("a", "b", "c")


def test_more_labels_than_rows(tmp_path: Path) -> None:
    cells = [f"a{i};b{i};c{i}" for i in range(12)]
    asks(tmp_path, cells, ["holds 36 different labels in 12 rows", "[label_column=labels]"], ("csv",))
    assert read(tmp_path, cells, "csv", label_column="labels").n_labels == 36
