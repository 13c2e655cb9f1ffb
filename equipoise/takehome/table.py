"""New rows from a file, in the columns that a model reads, and the file of its predictions."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.core.errors import EquipoiseError
from equipoise.core.files import write_whole
from equipoise.core.paths import user_path
from equipoise.datasets._number_columns import known_columns
from equipoise.datasets.table import texts
from equipoise.readers.chunks import chunk_of
from equipoise.readers.columns import Column
from equipoise.readers.records import read_records, reads
from equipoise.readers.tables import Table, name_list, read_table
from equipoise.takehome.model import Model, probabilities

if TYPE_CHECKING:
    import pandas as pd


def read_rows(
    file: str | Path, model: Model, delimiter: str | None = None, encoding: str = "utf-8"
) -> tuple[Any, int]:
    """The rows of a CSV, TSV, Parquet or JSON lines file as the model takes them, and their number.

    The columns may be in any order, and others may be among them, such as labels.

    Raises:
        EquipoiseError: the file cannot be read, or an input of the model is missing or malformed; with the line, if any.
    """
    # Labels are not asked for: new rows have none.
    path = user_path(file)
    table = read_records(path) if reads(path) else read_table(path, delimiter, encoding, labelled=False)
    inputs = model.facts["table"]["inputs"]
    if not table.rows:
        raise EquipoiseError(f"{table.file} has no rows")
    if not inputs:
        raise EquipoiseError(
            "the columns of this model have no names; predict with it in Python, from an array"
        )
    for name in inputs:
        if name in table.refused:
            raise EquipoiseError(table.refused[name])
        if name not in table.columns:
            raise EquipoiseError(
                f"{table.file} has no column {name!r}, an input of the model (columns: {name_list(table.columns)})"
            )
    # What is not read takes memory, such as long texts beside numbers.
    table.keep(inputs)
    rows = table.rows
    if model.facts["input"] == "text":
        return texts(table, tuple(inputs))[0], rows
    own = model.facts["table"]
    return known_columns(table, inputs, own["categories"], own.get("dates", {}), model.facts["columns"]), rows


def rows_of(facts: Mapping[str, Any], frame: pd.DataFrame) -> Any:
    """The rows of a frame as the model with these facts takes them: texts, or numbers (n, d).

    The columns may be in any order, and others may be among them, such as labels; words and dates are as in the training file.

    Raises:
        EquipoiseError: an input is missing, or a cell is no number, date or known word.
    """
    own, inputs = facts["table"], facts["table"]["inputs"]
    if not inputs:
        raise EquipoiseError("the columns of this model have no names; give an array instead of a frame")
    if missing := [name for name in inputs if name not in frame.columns]:
        raise EquipoiseError(f"the frame has no column {missing[0]!r}, an input of the model")
    if facts["input"] == "text":
        cells = frame[inputs].fillna("").astype(str).to_numpy()
        return ["\n\n".join(filter(None, (cell.strip() for cell in row))) for row in cells]
    # Through the cells of a table, as rows of a file are read: an empty cell is None, whatever pandas has for it.
    cells = frame[inputs].astype(object).where(frame[inputs].notna(), None)
    place = "row {}".format
    columns = {name: Column([chunk_of(place, name, cells[name].tolist())]) for name in inputs}
    table = Table("the frame,", columns, len(frame), place)
    return known_columns(table, inputs, own["categories"], own.get("dates", {}), facts["columns"])


def check_out(file: str | Path, source: str | Path | None = None, model: str | Path | None = None) -> Path:
    """The file to write, before anything is read or computed for it.

    Args:
        source: the file that is read, which must stay as it is. model: the folder of the model, which holds nothing else.

    Raises:
        EquipoiseError: it cannot be written there.
    """
    path = user_path(file)
    if path.is_dir():
        raise EquipoiseError(f"{path} is a folder; give a file to write")
    if not path.parent.is_dir():
        raise EquipoiseError(f"no folder {path.parent} to write {path.name} into")
    if source is not None and path.exists() and path.resolve() == user_path(source).resolve():
        raise EquipoiseError(f"{path} is the file that is read; give another one to write")
    if model is not None and path.resolve().parent == user_path(model).resolve():
        raise EquipoiseError(f"{path.parent} is the folder of the model; write {path.name} into another one")
    return path


def write_predictions(file: str | Path, model: Model, X: Any, *, scores: bool = False) -> Path:
    """Write a CSV file with a line for each row, in their order, and a column of 0/1 for each label.

    With `scores`, a column "LABEL probability" for each label follows.

    Raises:
        EquipoiseError: there is no such folder, or the file is one.
    """
    path = check_out(file)
    # Predicted once, for the decisions and the probabilities alike.
    header, outputs = list(model.labels), model.outputs(X)
    lines: list[list[Any]] = outputs[model.decision].astype(int).tolist()
    if scores:
        header += [f"{label} probability" for label in model.labels]
        lines = [[*line, *p] for line, p in zip(lines, probabilities(outputs["scores"]), strict=True)]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([header, *lines])
    write_whole(path, out.getvalue())
    return path
