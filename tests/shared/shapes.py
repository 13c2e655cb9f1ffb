"""Label columns as people have them, written in every kind of file that can hold them, and the labels that are right."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from equipoise.catalog.datasets import load_dataset
from equipoise.contracts.dataset import Dataset
from equipoise.core.errors import EquipoiseError

ROWS = 12
TEXT, REAL = ("csv", "tsv", "jsonl", "parquet"), ("jsonl", "parquet", "folder")
#: The labels of each cell, divided by blanks, or by | where names hold blanks.
Right = Sequence[str]


def read(folder: Path, cells: Sequence[Any], kind: str, **options: Any) -> Dataset:
    """The data set of a table with these cells, repeated, as its label column."""
    texts = [f"this is text number {i} about something" for i in range(ROWS)]
    column = [cells[i % len(cells)] for i in range(ROWS)]
    path = folder / f"file.{kind}"
    if kind in ("csv", "tsv"):
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter="\t" if kind == "tsv" else ",")
            writer.writerows([("text", "labels"), *zip(texts, column, strict=True)])
    elif kind == "jsonl":
        records = [{"text": text, "labels": cell} for text, cell in zip(texts, column, strict=True)]
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    elif kind == "parquet":
        parquet.write_table(pa.table({"text": texts, "labels": column}), path)
    else:
        return _folder(folder, texts, column, options)
    return load_dataset(str(path), **options)


def _folder(folder: Path, texts: list[str], column: list[Any], options: dict[str, Any]) -> Dataset:
    """The data set of a folder, read by a stand-in for Hugging Face `datasets`, which is not a dependency."""
    (folder / "state.json").write_text("{}")

    class Part(dict[str, list[Any]]):
        features = {name: SimpleNamespace(dtype="any") for name in ("text", "labels")}  # noqa: RUF012
        column_names = ("text", "labels")

    loaded = SimpleNamespace(load_from_disk=lambda _: {"train": Part(text=texts, labels=column)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "datasets", loaded)
        return load_dataset(str(folder), **options)


def check(
    folder: Path, cells: Sequence[Any], right: Right, kinds: Sequence[str] = TEXT, **options: Any
) -> None:
    """Read the cells from each kind of file, and compare the labels of every row."""
    wanted = [set(cell.split("|") if "|" in cell else cell.split()) for cell in right]
    wanted = [{"" if name == "∅" else name for name in cell if name} for cell in wanted]
    for kind in kinds:
        place = folder / kind
        place.mkdir()
        data = read(place, cells, kind, **options)
        rows = [{name for name, on in zip(data.labels, row, strict=True) if on} for row in data.Y]
        assert rows == [wanted[i % len(cells)] for i in range(ROWS)], kind


def asks(
    folder: Path, cells: Sequence[Any], words: Sequence[str], kinds: Sequence[str] = TEXT, **options: Any
) -> None:
    """Read the cells from each kind of file; the one line of the error holds all of these words."""
    for kind in kinds:
        place = folder / kind
        place.mkdir()
        with pytest.raises(EquipoiseError) as caught:
            read(place, cells, kind, **options)
        said = str(caught.value)
        assert "\n" not in said
        assert [word for word in words if word not in said] == [], (kind, said)
