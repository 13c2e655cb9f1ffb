"""Parquet, JSON lines, ARFF and Hugging Face folders of users; no input of any kind ends in a traceback."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.catalog.datasets import load_dataset
from equipoise.core.errors import EquipoiseError

from .shared.files import attempt

RECORDS: list[dict[str, Any]] = [
    {
        "text": f"this is mail number {i}, really",
        "tags": ["ui", "a; b"] if i % 2 else ["docs"] if i % 3 else [],
    }
    for i in range(12)
]


def lines(path: Path, records: list[Any]) -> Path:
    path.write_text("\n".join(json.dumps(record) for record in records) + "\n", encoding="utf-8")
    return path


def test_json_lines_with_lists_of_labels(tmp_path: Path) -> None:
    data = load_dataset(lines(tmp_path / "m.jsonl", RECORDS))
    assert data.labels == ("a; b", "docs", "ui")  # a list is a list: what its items hold splits nothing
    assert data.Y[1].tolist() == [1, 0, 1]
    assert data.X[3] == "this is mail number 3, really"
    assert any("lists" in note for note in data.notes)


def test_json_lines_with_truth_numbers_and_gaps(tmp_path: Path) -> None:
    records = [{"x": i / 4, "n": i, "a": i % 2 == 0, "b": int(i < 3)} for i in range(12)]
    data = load_dataset(lines(tmp_path / "n.jsonl", records), labels="a+b")
    assert data.kind == "numeric"
    assert data.X[3].tolist() == [0.75, 3]
    assert data.Y.sum(axis=0).tolist() == [6, 3]
    records[4]["x"] = None
    fails(lines(tmp_path / "n.jsonl", records), "n.jsonl line 5, column 'x' is empty", labels="a+b")


def test_blank_lines_count(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    good = [json.dumps({"x": i, "a": i % 2}) for i in range(12)]
    path.write_text("\n\n".join(good[:11]) + "\n\n" + '{"x": "one", "a": 1}', encoding="utf-8")
    fails(path, "b.jsonl line 23, column 'x' has 'one'", features="x")


def test_parquet(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.arange(12) / 2, "colour": ["red", "blue"] * 6, "a": [True, False] * 6})
    frame.to_parquet(tmp_path / "p.parquet")
    data = load_dataset(tmp_path / "p.parquet", labels="a")
    assert data.X[:2].tolist() == [[0, 1], [0.5, 0]]
    assert data.nominal is not None
    assert data.nominal.tolist() == [False, True]
    assert data.Y[:2].tolist() == [[1], [0]]
    pd.DataFrame(RECORDS).to_parquet(tmp_path / "t.parquet")
    assert load_dataset(tmp_path / "t.parquet").labels == ("a; b", "docs", "ui")


def test_formats_agree(tmp_path: Path) -> None:
    records = [{"x": i / 4, "y": i * i, "a": i % 2, "b": int(i < 3)} for i in range(12)]
    frame = pd.DataFrame(records)
    frame.to_csv(tmp_path / "f.csv", index=False)
    frame.to_csv(tmp_path / "f.tsv", index=False, sep="\t")
    frame.to_parquet(tmp_path / "f.parquet")
    lines(tmp_path / "f.jsonl", records)
    head = "@relation f\n" + "".join(f"@attribute {n} numeric\n" for n in "xy")
    head += "".join(f"@attribute {n} {{0,1}}\n" for n in "ab")
    rows = "".join(",".join(str(v) for v in record.values()) + "\n" for record in records)
    (tmp_path / "f.arff").write_text(head + "@data\n" + rows, encoding="utf-8")
    hashes = {
        load_dataset(tmp_path / f"f.{kind}", labels="a+b").sha256
        for kind in ("csv", "tsv", "parquet", "jsonl", "arff")
    }
    assert len(hashes) == 1


BROKEN_LINES: dict[str, tuple[str, str]] = {
    "empty": ("", "is empty"),
    "blank": ("\n \n", "is empty"),
    "not json": ('{"a": 1}\n{"a": 1,\n', "x.jsonl line 2, character "),
    "an array": ("[1, 2]\n", "line 1: each line must be an object"),
    "a number": ("3\n", "line 1: each line must be an object"),
    "nested": ('{"a": {"b": 1}}\n', "line 1, column 'a' holds dict"),
    "nested in a list": ('{"a": [{"b": 1}]}\n', "line 1, column 'a' holds dict"),
    "twice": ('{"a": 1, "a": 2}\n', "line 1: column 'a' is given twice"),
    "no columns": ("{}\n{}\n", "holds no columns"),
    "too few": ('{"text": "a b c", "a": 1}\n', "has 1 rows; at least 10"),
    "huge number": ('{"a": 1' + "0" * 5000 + "}\n", "line 1"),
    "deep": ("[" * 100_000 + "\n", "line 1"),
}


@pytest.mark.parametrize("case", BROKEN_LINES)
def test_broken_json_lines(tmp_path: Path, case: str) -> None:
    text, expected = BROKEN_LINES[case]
    path = tmp_path / "x.jsonl"
    path.write_text(text, encoding="utf-8")
    fails(path, expected)


def test_other_broken_files(tmp_path: Path) -> None:
    for name in ("no.jsonl", "no.parquet", "no.arff"):
        fails(tmp_path / name, name)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 nothing")
    fails(tmp_path / "bad.parquet", "cannot read")
    (tmp_path / "latin.jsonl").write_bytes('{"a": "größer"}'.encode("latin-1"))
    fails(tmp_path / "latin.jsonl", "is not UTF-8 text")
    pd.DataFrame({"s": [{"a": 1}] * 12}).to_parquet(tmp_path / "s.parquet")
    fails(tmp_path / "s.parquet", "s.parquet row 1, column 's' holds dict")
    pd.DataFrame({"x": [1.0, None] * 6, "a": [0, 1] * 6}).to_parquet(tmp_path / "g.parquet")
    fails(tmp_path / "g.parquet", "g.parquet row 2, column 'x' is empty", labels="a")


def test_hugging_face_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the library `datasets`, which is not a dependency, with the attributes that we read."""
    (tmp_path / "dataset_dict.json").write_text("{}")
    monkeypatch.setitem(sys.modules, "datasets", None)
    fails(tmp_path, "needs: pip install datasets")

    class Part(dict[str, list[Any]]):
        features = {  # noqa: RUF012
            "text": SimpleNamespace(dtype="string"),
            "tags": SimpleNamespace(feature=SimpleNamespace(names=["bug", "ui"])),
        }
        column_names = ("text", "tags")

    def part(word: str) -> Part:
        return Part(text=[f"{word} mail number {i}" for i in range(6)], tags=[[0], [0, 1], [], [1], [0], [1]])

    stand_in = SimpleNamespace(load_from_disk=lambda _: {"test": part("test"), "train": part("train")})
    monkeypatch.setitem(sys.modules, "datasets", stand_in)
    data = load_dataset(tmp_path, text="text", label_column="tags")
    assert data.labels == ("bug", "ui")
    assert data.X[0] == "train mail number 0"
    assert data.Y[:4].tolist() == [[1, 0], [1, 1], [0, 0], [0, 1]]


@settings(max_examples=60)
@given(content=st.binary(max_size=300), kind=st.sampled_from(["csv", "tsv", "jsonl", "parquet", "arff"]))
def test_any_bytes_are_one_line(tmp_path_factory: pytest.TempPathFactory, content: bytes, kind: str) -> None:
    path = tmp_path_factory.mktemp("any") / f"any.{kind}"
    path.write_bytes(content)
    attempt(path)


PIECES = [
    "a",
    "b",
    "0",
    "1",
    ",",
    ";",
    '"',
    "\n",
    "\r",
    "\t",
    " ",
    "text,a\n",
    "x y z,1\n",
    "é",
    "nan",
    "-1",
    "\ufeff",
    "|",
]


@settings(max_examples=120)
@given(
    pieces=st.lists(st.sampled_from(PIECES), max_size=60),
    encoding=st.sampled_from(["utf-8", "utf-16", "latin-1", "base64", "idna", "", "rot13"]),
    options=st.sampled_from(
        [{}, {"labels": "a"}, {"text": "text"}, {"label_column": "a"}, {"delimiter": "\n"}]
    ),
)
def test_any_table_is_a_dataset_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str], encoding: str, options: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("any") / "any.csv"
    path.write_bytes("".join(pieces).encode("utf-8"))
    attempt(path, encoding=encoding, **options)


def fails(path: Path, expected: str, **options: Any) -> None:
    with pytest.raises(EquipoiseError) as caught:
        load_dataset(path, **options)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
