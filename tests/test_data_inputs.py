"""Identifiers, dates, the user's own split, single-label data, and 0/1 columns with odd cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise import diagnosis
from equipoise.catalog.datasets import load_dataset
from equipoise.contracts.dataset import DEV, TEST, TRAIN
from equipoise.core.errors import EquipoiseError
from equipoise.datasets._external_file import read_external
from equipoise.diagnosis.sections.advice import RELATIONS
from equipoise.readers.columns import Column

from .shared.tables import TEXTS, csv, notes

ROWS = 24


def table(path: Path, columns: dict[str, list[Any]], rows: int = ROWS) -> Path:
    columns = {**columns, "a": [i % 2 for i in range(rows)], "b": [int(i % 3 == 0) for i in range(rows)]}
    return csv(
        path, ",".join(columns), [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    )


MEASURED = [round(0.37 * (i * 7 % ROWS) + 0.01 * i, 3) for i in range(ROWS)]


@pytest.mark.parametrize(
    "name", ["id", "ID", "user_id", "userId", "uuid", "index", "Unnamed: 0", "patient id"]
)
def test_identifiers_by_name(tmp_path: Path, name: str) -> None:
    data = load_dataset(table(tmp_path / "t.csv", {"x": MEASURED, name: [i * 7 % 5 for i in range(ROWS)]}))
    assert data.features == ("x",)
    assert f"column {name!r} is left out: it numbers or names the rows" in notes(data)


def test_a_running_number_in_front(tmp_path: Path) -> None:
    data = load_dataset(table(tmp_path / "t.csv", {"Nr": [i + 100 for i in range(ROWS)], "x": MEASURED}))
    assert data.features == ("x",)
    assert "column 'Nr' is left out" in notes(data)


@pytest.mark.parametrize("name", ["x", "solid", "void", "grid", "humid"])
def test_measurements_that_all_differ_stay(tmp_path: Path, name: str) -> None:
    assert len(set(MEASURED)) == ROWS
    data = load_dataset(table(tmp_path / "t.csv", {name: MEASURED, "y": [i * i for i in range(ROWS)]}))
    assert data.features == (name, "y")
    assert "left out" not in notes(data)


@pytest.mark.parametrize(("mark", "point"), [(",", "."), (";", ",")])
def test_numbers_with_exponents_stay(tmp_path: Path, mark: str, point: str) -> None:
    cells = [f"{1e-5 * (1 + value):.6e}".replace(".", point) for value in MEASURED]
    rows = [mark.join((cell, cell.upper(), str(i % 2))) for i, cell in enumerate(cells)]
    data = load_dataset(csv(tmp_path / "t.csv", mark.join(("x", "y", "a")), rows))
    assert (data.features, data.nominal) == (("x", "y"), None)
    assert data.X[:, 0] == pytest.approx([1e-5 * (1 + value) for value in MEASURED])


def test_quoted_numbers_with_a_decimal_comma_are_no_categories(tmp_path: Path) -> None:
    rows = [f'"1,5e-0{i % 3}",{i % 2}' for i in range(ROWS)]
    with pytest.raises(EquipoiseError, match="line 2, column 'x' has '1,5e-00', not a finite number"):
        load_dataset(csv(tmp_path / "t.csv", "x,a", rows))


def test_digits_that_float32_cannot_hold_are_told(tmp_path: Path) -> None:
    near = [1_700_000_000 + 7 * (i * 7 % ROWS) for i in range(ROWS)]
    said = notes(load_dataset(table(tmp_path / "t.csv", {"x": near, "y": MEASURED})))
    assert (
        "column 'x' loses digits: float32 has seven, and its 24 different numbers become 2; subtract" in said
    )
    assert "column 'y' loses" not in said


def test_an_identifier_that_is_asked_for(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", {"id": list(range(ROWS)), "x": MEASURED})
    assert load_dataset(path, features="id+x").features == ("id", "x")


DATES: dict[str, tuple[list[str], tuple[str, ...], list[float]]] = {
    "iso": ([f"2021-0{i % 9 + 1}-11" for i in range(ROWS)], ("month", "weekday"), [1, 0]),
    "time": ([f"2021-03-01 {i:02d}:30:00" for i in range(ROWS)], ("hour",), [0]),
    "zone": ([f"20{i + 10}-03-01T05:30:00+02:00" for i in range(ROWS)], ("year", "weekday"), [2010, 0]),
    "german": ([f"{i + 1:02d}.03.2021" for i in range(ROWS)], ("weekday",), [0]),
    "day first": ([f"{i + 1}/3/2021" for i in range(ROWS)], ("weekday",), [0]),
    "month first": ([f"3/{i + 1}/2021" for i in range(ROWS)], ("weekday",), [0]),
    "named": ([f"{i + 1} Mar 2021" for i in range(ROWS)], ("weekday",), [0]),
}


@pytest.mark.parametrize("case", DATES)
def test_dates_become_parts(tmp_path: Path, case: str) -> None:
    cells, parts, first = DATES[case]
    data = load_dataset(table(tmp_path / "t.csv", {"when": cells, "x": MEASURED}))
    assert data.features == (*(f"when {part}" for part in parts), "x")
    assert data.X[0, : len(parts)].tolist() == first
    assert data.X[:, -1].tolist() == np.array(MEASURED, dtype=np.float32).tolist()
    assert "column 'when' holds dates: used as" in notes(data)
    assert data.nominal is None


def test_rows_of_a_second_file_get_the_same_parts(tmp_path: Path) -> None:
    odd = ["2021-01-01"] * ROWS
    columns: dict[str, list[Any]] = {"when": DATES["iso"][0], "x": MEASURED, "odd": odd}
    data = load_dataset(table(tmp_path / "t.csv", columns))
    assert data.table is not None
    assert (data.table.inputs, data.table.others) == (("when", "x"), ("odd",))
    more = table(tmp_path / "m.csv", {**columns, "parent": list(range(ROWS))})
    np.testing.assert_array_equal(read_external(str(more), data).X, data.X)


def test_dates_that_cannot_be_read_for_sure_are_left_out(tmp_path: Path) -> None:
    cells = [f"{i % 9 + 1}/{i % 7 + 1}/2021" for i in range(ROWS)]
    data = load_dataset(table(tmp_path / "t.csv", {"when": cells, "x": MEASURED}))
    assert data.features == ("x",)
    assert "may begin with the day or the month" in notes(data)
    same = load_dataset(table(tmp_path / "s.csv", {"when": ["2021-01-01"] * ROWS, "x": MEASURED}))
    assert same.features == ("x",)


def test_a_missing_date_is_named(tmp_path: Path) -> None:
    cells = ["2021-01-05", *([f"2021-02-{i:02d}" for i in range(1, ROWS - 1)]), ""]
    fails(table(tmp_path / "t.csv", {"when": cells, "x": MEASURED}), "line 25, column 'when' is empty")


def test_a_column_that_splits(tmp_path: Path) -> None:
    parts = ["train", "Training", "val", "test"] * 6
    path = table(tmp_path / "t.csv", {"x": MEASURED, "part": parts})
    data = load_dataset(path, split_column="part")
    assert data.official is not None
    assert data.official[:4].tolist() == [TRAIN, TRAIN, DEV, TEST]
    assert data.features == ("x",)
    assert "your own split: 12 rows to train on, 6 to validate on, 6 to test on" in notes(data)
    other = table(tmp_path / "o.csv", {"x": MEASURED, "part": parts[::-1]})
    assert load_dataset(other, split_column="part").sha256 != data.sha256
    fails(path, "line 2, column 'x' has '0.0'; a split column holds train", split_column="x")
    fails(
        table(tmp_path / "n.csv", {"x": MEASURED, "part": ["train"] * ROWS}),
        "says test in no row",
        split_column="part",
    )


def test_a_file_to_test_on(tmp_path: Path) -> None:
    train = table(tmp_path / "train.csv", {"id": list(range(ROWS)), "x": MEASURED})
    test = table(tmp_path / "test.csv", {"x": MEASURED[:12]}, rows=12)
    data = load_dataset(train, test=str(test))
    assert data.n_rows == ROWS + 12
    assert data.official is not None
    assert data.official.tolist() == [TRAIN] * ROWS + [TEST] * 12
    assert data.features == ("x",)
    test.write_text(test.read_text().replace("\n0.0,", "\nnone,"))
    fails(train, "test.csv line 2, column 'x' has 'none'", test=str(test))
    csv(test, "x,id", [f"{i},{i}" for i in range(12)])
    fails(train, "test.csv has no column 'a', which train.csv has", test=str(test))
    fails(train, "give test or split_column, not both", test=str(test), split_column="id")
    fails(
        train,
        "test names the same file",
        test=str(train.parent / "." / ".." / train.parent.name / train.name),
    )


def test_texts_to_test_on(tmp_path: Path) -> None:
    rows = [f"{text},{'x; y' if i % 2 else 'y'}" for i, text in enumerate(TEXTS)]
    train, test = csv(tmp_path / "a.csv", "text,tags", rows), csv(tmp_path / "b.csv", "text,tags", rows[:3])
    data = load_dataset(train, test=str(test))
    assert (data.n_rows, data.labels) == (15, ("x", "y"))
    assert data.X[12] == TEXTS[0]


def test_single_label_data_are_recognised(tmp_path: Path) -> None:
    rows = [f"{text} {i},{['x', 'y', 'z'][i % 3]}" for i, text in enumerate(TEXTS * 3)]
    path = csv(tmp_path / "s.csv", "text,category", rows)
    assert load_dataset(path).single_label
    result = diagnosis.diagnose(str(path)).data
    assert "single-label" in result["in_short"][0]
    assert not RELATIONS & set(result["advice"]["strategies"])
    several = csv(tmp_path / "m.csv", "text,tags", [*rows, "and another text,x;y"])
    assert not load_dataset(several).single_label


ODD: list[tuple[str, str, str]] = [
    ("0", "2", "has '2'; a label is 0 or 1"),
    ("0", "-1", "has '-1'; a label is 0 or 1"),
    ("1", "", "is empty; a label is 0 or 1"),
    (
        "1",
        ".5",
        "has '.5'; a label is 0 or 1 (or no/yes, false/true): write 1 where the value is at least 0.5",
    ),
    ("1", "NaN", "has 'NaN'; a label is 0 or 1"),
    ("1", "x", "has 'x'; a label is 0 or 1"),
]


@pytest.mark.parametrize("case", range(len(ODD)))
@pytest.mark.parametrize("inputs", ["text", "numbers"])
@pytest.mark.parametrize("label", ["a", "b"])
def test_an_odd_cell_among_labels(tmp_path: Path, case: int, inputs: str, label: str) -> None:
    _, cell, words = ODD[case]
    first = (
        [f"this is text number {i} about something" for i in range(ROWS)] if inputs == "text" else MEASURED
    )
    columns: dict[str, list[Any]] = {
        "in": first,
        "a": [i % 2 for i in range(ROWS)],
        "b": [i % 3 % 2 for i in range(ROWS)],
    }
    columns[label][7] = cell
    rows = [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    fails(csv(tmp_path / "t.csv", "in,a,b", rows), f"t.csv line 9, column {label!r} {words}")


def test_features_beside_texts_are_no_odd_labels(tmp_path: Path) -> None:
    rows = [f"{text},{i % 6},{i},{i % 2}" for i, text in enumerate(TEXTS)]
    assert load_dataset(csv(tmp_path / "t.csv", "text,stars,votes,a", rows)).labels == ("a",)


def test_ways_to_write_truth(tmp_path: Path) -> None:
    rows = [f"{text},{['1.00', '0.00', '1.', '0.0'][i % 4]}" for i, text in enumerate(TEXTS)]
    assert load_dataset(csv(tmp_path / "t.csv", "text,a", rows)).Y[:4, 0].tolist() == [1, 0, 1, 0]


def test_a_line_that_names_the_delimiter(tmp_path: Path) -> None:
    rows = [f"{i},5;{text};{i % 2},00" for i, text in enumerate(TEXTS)]
    for first in ("sep=;", '"sep=;"', "SEP=;"):
        path = csv(tmp_path / "t.csv", first + "\nx;text;a", rows)
        data = load_dataset(path)
        assert (data.labels, data.X[1], data.Y[:2, 0].tolist()) == (("a",), TEXTS[1], [0, 1])
    path.write_text(path.read_text().replace("3,5;", "3,5;;"))
    fails(path, "t.csv line 6 has 4 fields, the header 3")


def test_dates_are_not_read_cell_by_cell_in_columns_of_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = table(tmp_path / "t.csv", {"x": MEASURED})
    seen: list[int] = []
    values = Column.values
    monkeypatch.setattr(Column, "values", lambda self: (seen.append(1), values(self))[1])
    assert load_dataset(path, features="x", labels="a+b").features == ("x",)
    assert not seen


def fails(path: Path, expected: str, **options: Any) -> None:
    with pytest.raises(EquipoiseError) as caught:
        load_dataset(str(path), **options)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
