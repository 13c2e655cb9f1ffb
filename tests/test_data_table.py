"""CSV files of users: what is read, what is detected and reported, and one clear line for every kind of fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from equipoise.catalog.datasets import load_dataset

from .shared.tables import TEXTS, csv, mails, notes, numbers


def test_text_and_labels_are_guessed_and_told(tmp_path: Path) -> None:
    data = load_dataset(mails(tmp_path))
    assert data.kind == "text"
    assert data.labels == ("bug", "ui")
    assert data.X[3] == "this is mail number 3 about something, really"
    assert data.Y[:4].tolist() == [[0, 1], [1, 0], [0, 0], [1, 1]]
    assert "detected as labels: bug, ui" in notes(data)
    assert "detected as text: text" in notes(data)
    assert "left out: id" in notes(data)


def test_said_columns_are_not_guessed(tmp_path: Path) -> None:
    data = load_dataset(mails(tmp_path), text="text", labels=["ui"])
    assert data.labels == ("ui",)
    assert "guessed" not in notes(data)


def test_options_in_brackets_equal_keywords(tmp_path: Path) -> None:
    path = mails(tmp_path)
    written = load_dataset(f"{path}[text=text,labels=ui+bug]")
    assert written.labels == ("ui", "bug")
    assert written.sha256 == load_dataset(str(path), text="text", labels="ui+bug").sha256


def test_text_columns_are_joined(tmp_path: Path) -> None:
    rows = [f"Title {i},The body of {i},{i % 2}" for i in range(10)]
    data = load_dataset(csv(tmp_path / "two.csv", "subject,body,spam", rows))
    assert data.X[4] == "Title 4\n\nThe body of 4"


@pytest.mark.parametrize(("mark", "name"), [("\t", "a.tsv"), (";", "a.csv"), ("|", "b.csv")])
def test_field_delimiters(tmp_path: Path, mark: str, name: str) -> None:
    rows = [mark.join([text, str(i % 2)]) for i, text in enumerate(TEXTS)]
    data = load_dataset(csv(tmp_path / name, f"text{mark}spam", rows))
    assert data.n_rows == 12
    assert data.Y.sum() == 6


def test_delimited_labels(tmp_path: Path) -> None:
    rows = [f"{text},{'ui; bug' if i % 2 else 'docs' if i % 3 else ''}" for i, text in enumerate(TEXTS)]
    data = load_dataset(csv(tmp_path / "tags.csv", "text,tags", rows))
    assert data.labels == ("bug", "docs", "ui")
    assert data.Y[1].tolist() == [1, 0, 1]
    assert "split at ';'" in notes(data)
    assert "2 rows have no label" in notes(data)


def test_delimited_labels_with_a_separator(tmp_path: Path) -> None:
    rows = [f"{text},{'a/b' if i % 2 else 'b/c;d'}" for i, text in enumerate(TEXTS)]
    data = load_dataset(csv(tmp_path / "t.csv", "text,kinds", rows), label_column="kinds", separator="/")
    assert data.labels == ("a", "b", "c;d")


def test_lists_as_pandas_writes_them(tmp_path: Path) -> None:
    rows = [f"{text},\"['a', 'b']\"" if i % 2 else f"{text},['c']" for i, text in enumerate(TEXTS)]
    assert load_dataset(csv(tmp_path / "l.csv", "text,labels", rows)).labels == ("a", "b", "c")


def test_numbers_and_categories(tmp_path: Path) -> None:
    data = load_dataset(numbers(tmp_path))
    assert data.kind == "numeric"
    assert data.features == ("x", "y", "colour")
    assert data.nominal is not None
    assert data.nominal.tolist() == [False, False, True]
    assert data.X[:3].tolist() == [[0, 0, 0], [0.25, 1, 1], [0.5, 4, 1]]
    assert "column 'colour' holds words" in notes(data)


def test_decimal_commas_where_semicolons_divide(tmp_path: Path) -> None:
    path = csv(tmp_path / "de.csv", "x;y;a", [f"{i},5;-,25;{i % 2}" for i in range(10)])
    assert load_dataset(path).X[:2].tolist() == [[0.5, -0.25], [1.5, -0.25]]


def test_words_for_truth_and_quoted_lines(tmp_path: Path) -> None:
    rows = [f'"two\nlines {i} here",{"Yes" if i % 2 else "no"},{str(i % 4 == 0).upper()}' for i in range(10)]
    data = load_dataset(csv(tmp_path / "m.csv", "text,a,b", rows))
    assert data.X[2] == "two\nlines 2 here"
    assert data.Y.sum(axis=0).tolist() == [5, 3]


def test_windows_files(tmp_path: Path) -> None:
    content = "text,spam\r\n" + "".join(f"größer als zwei {i},{i % 2}\r\n" for i in range(10))
    path = tmp_path / "w.csv"
    path.write_bytes(b"\xef\xbb\xbf" + content.encode())
    assert load_dataset(path, text="text").X[1] == "größer als zwei 1"
    path.write_bytes(content.encode("cp1252"))
    assert load_dataset(path, encoding="cp1252").X[1] == "größer als zwei 1"
