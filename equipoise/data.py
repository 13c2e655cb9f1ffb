"""`load_dataset`: a dataset by its name, or a table of the user's by its path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from equipoise import spec
from equipoise.cache import default_data_dir
from equipoise.dataset import Dataset, DatasetSource
from equipoise.errors import EquipoiseError, unknown
from equipoise.registry import catalogue

#: A name that ends so is taken for a file, there or not.
TABLE_SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".parquet", ".jsonl", ".ndjson", ".arff")


def load_dataset(name_or_path: str | Path, *, data_dir: str | Path | None = None, **options: Any) -> Dataset:
    """A dataset by name (`"yeast"`, `"design-emails[rows=500]"`) or a file by path
    (CSV, TSV, Parquet, JSON lines, ARFF with MULAN's XML, or a Hugging Face folder).

    Options in brackets and keywords mean the same; keywords win. `data_dir` is the download cache (default:
    $EQUIPOISE_DATA, else the platform's cache folder). What the options of a file are: `equipoise.datasets.table`.

    Raises:
        EquipoiseError: unknown name or option, a file that is missing, damaged or malformed; always one line.
    """
    source, given = find_source(name_or_path)
    folder = default_data_dir() if data_dir is None else Path(data_dir).expanduser()
    return source.with_options(**{**given, **options}).load(folder)


def find_source(name_or_path: str | Path) -> tuple[DatasetSource, dict[str, Any]]:
    """The source a name or path stands for, and the options written in its brackets."""
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or Path(text).is_file():
        return _table(text), {}
    name, bracket, inside = text.partition("[")
    name = name.strip()
    # A path may hold blanks, which names with settings may not.
    options = spec.parse(f"{name.replace(' ', '_')}[{inside}")[1] if bracket else {}
    if _is_path(name):
        return _table(name), options
    known = catalogue("dataset")
    if name not in [entry.name for entry in known.entries()]:
        problem = unknown("dataset", name, known.names())
        raise EquipoiseError(f"{problem}; a file is given by its path, as in mails.csv")
    source: DatasetSource = known.get(name)
    return source, options


def _is_path(name: str) -> bool:
    return "/" in name or "\\" in name or name.lower().endswith(TABLE_SUFFIXES)


def _table(path: str) -> DatasetSource:
    if path.lower().endswith(".arff"):
        from equipoise.datasets.arff_file import ArffFile

        return ArffFile(path)
    from equipoise.datasets.table import TableSource

    return TableSource(path)
