"""Tables that cannot be read are refused in one line that says where and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from equipoise.catalog.datasets import load_dataset
from equipoise.core.errors import EquipoiseError

from .shared.tables import TEXTS, csv, mails, notes, numbers


def test_what_is_odd_is_told(tmp_path: Path) -> None:
    rows = [f"{'' if i in (4, 7) else text},{i % 2},0,1" for i, text in enumerate(TEXTS)]
    data = load_dataset(csv(tmp_path / "odd.csv", "text,a,never,always", rows), text="text")
    assert "2 texts are empty, the first at odd.csv line 6, column 'text'" in notes(data)
    assert "label 'never' is never on" in notes(data)
    assert "label 'always' is always on" in notes(data)


CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "empty file": ("", {}, "is empty"),
    "blank file": ("\n \n", {}, "is empty"),
    "header only": ("text,a\n", {}, "has 0 rows; at least 10"),
    "too few rows": ("text,a\nx y z,1\nx y z,0\n", {}, "has 2 rows"),
    "duplicate columns": ("text,a,a\n", {}, "column names must differ; repeated: a"),
    "no header": ("1,0,1\n2,1,0\n", {}, "line 1 must name the columns"),
    "too many fields": ("text,a\nb c d,1\nb, c d,1\n", {}, "line 3 has 3 fields, the header 2"),
    "too few fields": ("text,a,b\nb c d,1,0\nb c d,1\n", {}, "line 3 has 2 fields, the header 3"),
    "open quote": ('text,a\n"b c d,1\nb c d,0\n', {}, "never closed"),
    "bad delimiter": ("text,a\n", {"delimiter": "::"}, "delimiter must be one character"),
    "bad encoding": ("text,a\n", {"encoding": "utf-99"}, "unknown encoding 'utf-99'"),
    "unknown option": ("text,a\n", {"lables": "a"}, "did you mean 'labels'"),
    "zero bytes": ("text,a\0\n", {}, "zero bytes"),
}


@pytest.mark.parametrize("case", CASES)
def test_broken_files(tmp_path: Path, case: str) -> None:
    content, options, expected = CASES[case]
    path = tmp_path / "broken.csv"
    path.write_text(content, encoding="utf-8")
    fails(path, expected, **options)


ROLES: dict[str, tuple[dict[str, Any], str]] = {
    "wrong text column": (
        {"text": "txt"},
        "unknown column of mails.csv: 'txt'; did you mean 'text'? (known: bug",
    ),
    "wrong label": ({"labels": "bug+uy"}, "unknown column of mails.csv: 'uy'; did you mean 'ui'"),
    "wrong label column": ({"label_column": "tags"}, "unknown column of mails.csv: 'tags'"),
    "label is text": (
        {"text": "text", "labels": "text+ui"},
        "column 'text' cannot be both an input and a label",
    ),
    "label column is text": ({"text": "text", "label_column": "text"}, "cannot be both"),
    "label twice": ({"labels": ["ui", "ui"]}, "column 'ui' is named twice"),
    "no labels": ({"labels": []}, "the list of columns is empty"),
    "two kinds of input": ({"text": "text", "features": "id"}, "give text or features, not both"),
    "two kinds of labels": ({"labels": "ui", "label_column": "bug"}, "give labels or label_column, not both"),
    "words as numbers": (
        {"features": "text"},
        "mails.csv line 2, column 'text' has 'this is mail number 0 abou",
    ),
    "numbers as labels": ({"labels": "id"}, "mails.csv line 4, column 'id' has '2'; a label is 0 or 1"),
}


@pytest.mark.parametrize("case", ROLES)
def test_broken_roles(tmp_path: Path, case: str) -> None:
    options, expected = ROLES[case]
    fails(mails(tmp_path), expected, **options)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"r5x": "nan"}, "numbers.csv line 7, column 'x' has 'nan', not a finite number"),
        ({"r5y": ""}, "numbers.csv line 7, column 'y' is empty"),
        ({"r0y": "inf"}, "numbers.csv line 2, column 'y' has 'inf'"),
        ({"r2x": "1e60"}, "numbers.csv line 4, column 'x' has '1e60', which is beyond float32"),
        ({"r2x": "1,5"}, "line 4 has 6 fields"),
        ({"r9x": "four"}, "numbers.csv line 11, column 'x' has 'four'"),
    ],
)
def test_broken_numbers(tmp_path: Path, cells: dict[str, str], expected: str) -> None:
    fails(numbers(tmp_path, **cells), expected, labels="a+b")


def test_thousands_are_no_categories(tmp_path: Path) -> None:
    path = csv(tmp_path / "big.csv", "x,a", [f'"1,000",{i % 2}' for i in range(10)])
    fails(path, "big.csv line 2, column 'x' has '1,000', not a finite number")


def test_broken_label_cells(tmp_path: Path) -> None:
    fails(numbers(tmp_path, r3b=""), "line 5, column 'b' is empty; a label is 0 or 1", labels="a+b")
    fails(numbers(tmp_path, r3b="2"), "line 5, column 'b' has '2'; a label is 0 or 1", labels="a+b")


def test_lines_are_counted_through_quoted_line_breaks(tmp_path: Path) -> None:
    rows = [f'"a\nb\nc {i}",{"x" if i == 4 else i % 2}' for i in range(10)]
    fails(csv(tmp_path / "q.csv", "text,a", rows), "q.csv line 14, column 'a' has 'x'", labels="a")


def test_one_class_only(tmp_path: Path) -> None:
    for value in "01":
        path = csv(tmp_path / "one.csv", "text,a,b", [f"{text},{value},{value}" for text in TEXTS])
        fails(path, "every label has one class only", text="text")
    path = csv(tmp_path / "one.csv", "text,tags", [f"{text},spam" for text in TEXTS])
    fails(path, "one class only (never: none; always: spam)")


def test_no_label_or_text_at_all(tmp_path: Path) -> None:
    fails(csv(tmp_path / "n.csv", "text,tags", [f"{text}," for text in TEXTS]), "holds no label in any row")
    blank = csv(tmp_path / "blank.csv", "text,a", [f" ,{i % 2}" for i in range(10)])
    fails(blank, "every text in column 'text' is empty", text="text")
    fails(
        csv(tmp_path / "n.csv", "text,more", [f"{t},{t}" for t in TEXTS]),
        "cannot tell which columns are labels",
    )
    fails(
        csv(tmp_path / "n.csv", "a,b", [f"{i % 2},1" for i in range(10)]), "no column is left for the inputs"
    )
    ids = [f"{text},{i};{i + 100};{i + 200}" for i, text in enumerate(TEXTS)]
    fails(
        csv(tmp_path / "n.csv", "text,tags", ids), "36 different labels in 12 rows: is it the label column?"
    )


def test_undecodable_bytes_are_located(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("text,a\nfine here,1\nthis is größer,0\n".encode("latin-1"))
    fails(path, "line 3 is not utf-8; try encoding=latin-1 or cp1252")
    path.write_bytes("text,a\nfine here,1\n".encode("utf-16"))
    fails(path, "try encoding=utf-16")


def test_paths_that_hold_no_table(tmp_path: Path) -> None:
    fails(tmp_path / "nowhere.csv", "nowhere.csv does not exist; give the path of a file")
    fails("nowhere.csv", "nowhere.csv does not exist")
    fails(tmp_path, "is a folder")
    sheet = tmp_path / "book.xlsx"
    sheet.write_bytes(b"PK")
    fails(sheet, ".xlsx files are not read; export it as CSV")


def fails(path: Path | str, expected: str, **options: Any) -> None:
    with pytest.raises(EquipoiseError) as caught:
        load_dataset(path, **options)
    message = str(caught.value)
    assert expected in message
    assert "\n" not in message
