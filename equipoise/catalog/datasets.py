"""`load_dataset`: a dataset by its name, or a table of the user's by its path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.catalog import specs
from equipoise.catalog.registry import registry
from equipoise.contracts.dataset import Dataset, DatasetSource
from equipoise.core.errors import EquipoiseError, unknown
from equipoise.core.lazy import lazy
from equipoise.readers.downloads import default_data_dir

if TYPE_CHECKING:
    from equipoise.datasets import arff_file, table
else:
    arff_file, table = lazy("equipoise.datasets.arff_file"), lazy("equipoise.datasets.table")

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
    folder = default_data_dir() if data_dir is None else Path(data_dir).expanduser()
    return source_of(name_or_path, options).load(folder)


def source_of(name_or_path: str | Path, options: Mapping[str, Any]) -> DatasetSource:
    """The source a name or path stands for, with the options in its brackets and these, which win."""
    source, in_brackets = find_source(name_or_path)
    return source.with_options(**{**in_brackets, **options})


def find_source(name_or_path: str | Path) -> tuple[DatasetSource, dict[str, Any]]:
    """The source a name or path stands for, and the options written in its brackets."""
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or _is_file(text):
        return _table(text), {}
    name, inside = _divided(text)
    if not name:
        raise EquipoiseError(
            "no dataset is named: give a name (`equipoise list datasets`) or the path of a file"
        )
    # A path may hold blanks and brackets, which names with settings may not.
    options = specs.parse(re.sub(r"[\[\]\s]", "_", name) + inside)[1]
    if _is_path(name):
        return _table(name), options
    known = registry("dataset")
    if name not in [entry.name for entry in known.entries()]:
        if Path(name).is_dir():
            return _table(name), options
        problem = unknown("dataset", name, known.names())
        raise EquipoiseError(f"{problem}; a file is given by its path, as in mails.csv")
    source: DatasetSource = known.get(name)
    return source, options


def _divided(text: str) -> tuple[str, str]:
    """A name or path, and the brackets behind it."""
    places = [place for place, character in enumerate(text) if character == "["]
    files = (place for place in places if _is_file(text[:place].strip()))
    place = next(files, places[0] if places else len(text))
    return text[:place].strip(), text[place:]


def _is_path(name: str) -> bool:
    return "/" in name or "\\" in name or name.lower().endswith(TABLE_SUFFIXES) or _is_file(name)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # a folder that may not be entered, a name too long for the system
        return False


def _table(path: str) -> DatasetSource:
    if path.lower().endswith(".arff"):
        return arff_file.ArffFile(path)
    return table.TableSource(path)
