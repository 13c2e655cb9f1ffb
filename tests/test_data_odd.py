"""Unusual files are read if possible; otherwise one line says what is wrong, where, and how to fix it."""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from equipoise.catalog.datasets import load_dataset
from equipoise.core.errors import EquipoiseError

from .shared.files import put

ROWS = 30

TEXTS = [f"this is mail number {i} about something" for i in range(ROWS)]

GOOD = "text,a,b\n" + "".join(f"{text},{i % 2},{int(i % 3 == 0)}\n" for i, text in enumerate(TEXTS))

NUMBERS = "x,y,a\n" + "".join(f"{i},{i * i},{i % 2}\n" for i in range(ROWS))

READ: dict[str, tuple[str | bytes, dict[str, Any]]] = {
    "cr.csv": (GOOD.replace("\n", "\r"), {}),
    "mixed.csv": (GOOD.replace("1\n", "1\r\n").replace("0,0\n", "0,0\r"), {}),
    "bom.tsv": ("\ufeff" + GOOD.replace(",", "\t"), {}),
    "utf-16.csv": (GOOD.encode("utf-16"), {"encoding": "utf-16"}),
    "utf-16-le.csv": (GOOD.encode("utf-16-le"), {"encoding": "utf-16-le"}),
    "huge.csv": (GOOD.replace(TEXTS[3], f'"{"long, " * 400_000}"'), {}),
    "blank.csv": (GOOD.replace("\n", "\n\n") + "   \n", {}),
    "quotes.csv": (GOOD.replace("mail number 7", '5" mail number 7'), {}),
    "words.csv": (GOOD.replace(",1,1\n", ",TRUE,Yes\n").replace(",0,0\n", ",False,no\n"), {}),
    "paragraph.csv": (GOOD.replace(",", "§"), {"delimiter": "§"}),
    "tab.txt": (GOOD.replace(",", "\t"), {"delimiter": "\\t"}),
    "names [1].csv": (GOOD.replace("text,a", "text[en],a"), {"text": "text[en]", "labels": "a+b"}),
}


@pytest.mark.parametrize("name", READ)
def test_what_is_read(tmp_path: Path, name: str) -> None:
    content, options = READ[name]
    path = put(tmp_path / name, content)
    data = load_dataset(str(path), **options)
    assert (data.kind, data.n_rows, data.Y.sum(axis=0).tolist()) == ("text", ROWS, [15, 10])
    assert data.X[2] == TEXTS[2]


REFUSED: dict[str, tuple[str | bytes, dict[str, Any], str]] = {
    "wide.csv": (GOOD.encode("utf-16-be"), {}, "(try utf-16-be)"),
    "mark.csv": (GOOD.encode("utf-32"), {}, "try encoding=utf-32"),
    "unmarked.csv": (GOOD, {"encoding": "utf-16"}, "does not start with BOM"),
    "binary.csv": (bytes(range(256)) * 4, {}, "not a text file, or another encoding"),
    "gzip.csv": (gzip.compress(GOOD.encode()), {}, "gzip.csv is compressed with gzip, not a text file"),
    "gzip.jsonl": (gzip.compress(GOOD.encode()), {}, "gzip.jsonl is compressed with gzip"),
    "gzip.arff": (gzip.compress(GOOD.encode()), {}, "gzip.arff is compressed with gzip"),
    "book.csv": (b"PK\x03\x04....", {}, "is a ZIP archive or an Excel workbook"),
    "parquet.csv": (b"PAR1....", {}, "is a Parquet file, to be called .parquet"),
    "array.json": ("[]", {}, ".json files are not read; write one object a line and call it .jsonl"),
    "single.csv": ("text\nno other column\n", {}, "line 1 holds one column, 'text', when split at ','"),
    "empty-delimiter.csv": (GOOD, {"delimiter": ""}, "delimiter must be one character, not ''"),
    "open.csv": (GOOD + '"never closed,1,0\n', {}, "line 32: a quotation mark is opened and never closed"),
    "open-early.csv": (GOOD.replace("this is mail number 7", '"x'), {}, "line 9: a quotation mark is opened"),
    "two.csv": (GOOD.replace(",1,1\n", ",2,1\n"), {"labels": "a"}, "line 5, column 'a' has '2'; a label is"),
    "nan.csv": (GOOD.replace(",1,1\n", ",NaN,1\n"), {"labels": "a"}, "line 5, column 'a' has 'NaN'; a label"),
    "separator.csv": (
        GOOD,
        {"separator": ";"},
        "separator is for a column of label names, but the labels are",
    ),
    "percent.csv": (
        NUMBERS.replace(",", "%,", 1).replace("\n7,", "\n7%,"),
        {},
        "line 9, column 'x%' has '7%'",
    ),
    "thousands.csv": (
        "x,a\n" + "".join(f'"1,{i:03d}",{i % 2}\n' for i in range(ROWS)),
        {},
        "line 2, column 'x' has '1,000', not a finite number; fill it",
    ),
    "date.csv": (
        "x,a\n" + "".join(f"2020-01-{i + 10:02d},{i % 2}\n" for i in range(ROWS)),
        {},
        "line 24, column 'x' has '2020-01-32', which is no date; fill it",
    ),
    "many-words.csv": (
        "x,a\n" + "".join(f"word{i % 28},{i % 2}\n" for i in range(ROWS)),
        {},
        "has 'word0', not a finite number (and over 15 different words are too many for categories)",
    ),
    "large.csv": (
        NUMBERS.replace("\n7,", "\n1e39,"),
        {},
        "line 9, column 'x' has '1e39', which is beyond float32",
    ),
    "missing.csv": (NUMBERS.replace("\n7,", "\nNA,"), {}, "line 9, column 'x' has 'NA', not a finite number"),
    "vectors.jsonl": (
        "".join(f'{{"x": [{i}.5, 1.0], "a": {i % 2}}}\n' for i in range(ROWS)),
        {},
        "line 1, column 'x' holds a list; give each of its items a column of its own",
    ),
    "encoded.jsonl": ('{"a": 1}\n', {"encoding": "latin-1"}, "encoding are for CSV and TSV files only"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(tmp_path: Path, name: str) -> None:
    content, options, expected = REFUSED[name]
    fails(put(tmp_path / name, content), expected, **options)


def test_a_bad_name_among_thousands_is_a_line_one_can_read(tmp_path: Path) -> None:
    header = ",".join(f"x{i}" for i in range(10_000))
    path = put(tmp_path / "columns.csv", f"{header},a\n" + ("0," * 10_000 + "1\n") * 12)
    said = fails(path, "unknown column of columns.csv: 'zz'", labels="zz")
    assert len(said) <= 480
    found = re.search(r"\(known: (.*) and (\d+) more\)$", said)
    assert found is not None
    shown = found[1].split(", ")
    assert len(shown) > 20
    assert len(shown) + int(found[2]) == 10_001
    assert set(shown) <= {"a", *header.split(",")}, "no name is cut"


def test_words_with_gaps_are_categories(tmp_path: Path) -> None:
    rows = "".join(f"{['red', 'blue', ''][i % 3]},,{i},{i % 2}\n" for i in range(ROWS))
    data = load_dataset(put(tmp_path / "gaps.csv", "colour,nothing,x,a\n" + rows))
    assert data.features == ("colour", "x")
    assert data.X[:3, 0].tolist() == [2, 1, 0]
    assert any("coded as 3 categories, one of them for empty cells" in note for note in data.notes)
    assert "columns left out: nothing" in data.notes


def test_a_header_that_looks_like_a_row_is_told(tmp_path: Path) -> None:
    data = load_dataset(put(tmp_path / "headless.csv", GOOD.split("\n", 1)[1]))
    assert any("if it is a row of data, insert a line of names above it" in note for note in data.notes)


def lines(path: Path, records: list[dict[str, Any]]) -> Path:
    return put(path, "".join(json.dumps(record) + "\n" for record in records))


def test_columns_that_cannot_be_read_are_left_out_until_asked_for(tmp_path: Path) -> None:
    records = [{"text": text, "a": i % 2, "meta": {"i": i}} for i, text in enumerate(TEXTS)]
    table = pa.table(
        {**pa.Table.from_pylist(records).to_pydict(), "when": pa.array([0] * ROWS, pa.time32("s"))}
    )
    parquet.write_table(table, tmp_path / "m.parquet")
    for path, where in ((lines(tmp_path / "m.jsonl", records), "line 1"), (tmp_path / "m.parquet", "row 1")):
        data = load_dataset(path)
        assert (data.n_rows, data.labels) == (ROWS, ("a",))
        assert any(f"{where}, column 'meta' holds dict" in note for note in data.notes)
        fails(path, f"{where}, column 'meta' holds dict", text="meta")


def test_json_lines_with_differing_keys(tmp_path: Path) -> None:
    records = [{"text": text, "a": i % 2, "b": 1} for i, text in enumerate(TEXTS)]
    del records[25]["b"]
    fails(
        lines(tmp_path / "k.jsonl", records), "line 26, column 'b' is empty; a label is 0 or 1", labels="a+b"
    )
    late = [{"a": i % 2, "x": i, **({"late": "word"} if i == 5000 else {})} for i in range(6000)]
    data = load_dataset(lines(tmp_path / "late.jsonl", late), features="x+late", labels="a")
    assert data.X[[0, 4999, 5000, 5999], 1].tolist() == [0, 0, 1, 0]


def test_half_a_character_in_json(tmp_path: Path) -> None:
    path = lines(tmp_path / "s.jsonl", [{"text": text, "a": i % 2} for i, text in enumerate(TEXTS)])
    path.write_text(path.read_text().replace("number 3", "number \\ud83d"))
    assert load_dataset(path, text="text").X[3] == "this is mail number ? about something"


def test_parquet_of_other_kinds(tmp_path: Path) -> None:
    numbers = pa.array(range(ROWS))
    table = pa.table(
        {
            "text": [text.encode() for text in TEXTS],  # without the mark that says that it is text
            "x": numbers.cast(pa.decimal128(24, 2)),
            "empty": pa.nulls(ROWS),
            "a": pa.array([None if i == 7 else bool(i % 2) for i in range(ROWS)]),
            "b": pa.array([i % 2 for i in range(ROWS)]).cast(pa.float32()),
            "kind": pa.array(["u", "v"] * (ROWS // 2)).dictionary_encode(),
        }
    )
    path = tmp_path / "k.parquet"
    parquet.write_table(table, path, row_group_size=7)
    data = load_dataset(path, labels="b")
    assert data.X[29] == TEXTS[29]
    assert load_dataset(path, labels="b", features="x+kind").X[:2].tolist() == [[0, 0], [1, 1]]
    fails(path, "k.parquet row 8, column 'a' is empty; a label is 0 or 1", labels="a")
    parquet.write_table(pa.Table.from_arrays([numbers, numbers], names=["a", "a"]), path)
    fails(path, "k.parquet: column names must differ")


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "arff"])
def test_what_is_no_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"odd.{suffix}"
    fails(path, "does not exist; give the path of a file")
    path.symlink_to(tmp_path / "nothing")
    fails(path, "is a broken link")
    path.unlink()
    path.mkdir()
    fails(path, "is a folder, not a file")
    path.rmdir()
    os.mkfifo(path)  # to open it would wait for ever
    fails(path, "is a device or a pipe, not a file")
    fails(tmp_path / ("x" * 300 + f".{suffix}"), "File name too long")


def fails(path: Path | str, expected: str, **options: Any) -> str:
    with pytest.raises(EquipoiseError) as caught:
        load_dataset(str(path), **options)
    said = str(caught.value)
    assert expected in said
    assert "\n" not in said
    return said
