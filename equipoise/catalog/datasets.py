"""`load_dataset`: a dataset by its name, or a user's own file by its path."""

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
from equipoise.core.paths import is_file, user_path
from equipoise.readers.downloads import default_data_dir

if TYPE_CHECKING:
    from equipoise.datasets import arff_file, table
else:
    arff_file, table = lazy("equipoise.datasets.arff_file"), lazy("equipoise.datasets.table")

#: A name with one of these endings is a file, whether it exists or not: the error should be about a file.
TABLE_SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".parquet", ".jsonl", ".ndjson", ".arff")


def load_dataset(name_or_path: str | Path, *, data_dir: str | Path | None = None, **options: Any) -> Dataset:
    """Load a dataset by name or a file by path.

    Args:
        name_or_path: a name with or without options (`"yeast"`, `"design-emails[rows=500]"`), or the path of a CSV, TSV,
            Parquet, JSON lines or ARFF file, or of a Hugging Face folder.
        data_dir: the download cache; default: $EQUIPOISE_DATA, otherwise the cache folder of the platform.
        options: the same as in brackets, over which they have precedence. Those of a file are the fields of
            `equipoise.datasets.table.TableSource`.

    Raises:
        EquipoiseError: an unknown name or option, or a file that is missing, damaged or malformed; always one line.
    """
    folder = default_data_dir() if data_dir is None else user_path(data_dir)
    return source_of(name_or_path, options).load(folder)


def source_of(name_or_path: str | Path, options: Mapping[str, Any]) -> DatasetSource:
    """The source of a name or path, with the options in its brackets and with these, which have precedence."""
    source, in_brackets = find_source(name_or_path)
    return source.with_options(**{**in_brackets, **options})


def find_source(name_or_path: str | Path) -> tuple[DatasetSource, dict[str, Any]]:
    """The source of a name or path, and the options in its brackets."""
    text = str(name_or_path)
    # A file that exists is taken as it is, whatever characters its name has.
    if isinstance(name_or_path, Path) or is_file(text):
        return _table(text), {}
    name, inside = _divided(text)
    if not name:
        raise EquipoiseError(
            "no dataset is named: give a name (`equipoise list datasets`) or the path of a file"
        )
    # A path may contain blanks and brackets, which `parse` does not accept in a name.
    options = specs.parse(re.sub(r"[\[\]\s]", "_", name) + inside)[1]
    if _is_path(name):
        return _table(name), options
    known = registry("dataset")
    # All entries, also broken ones: `get` then reports why the plugin of that name failed to load.
    if name not in [entry.name for entry in known.entries()]:
        # Not earlier, so that a folder never hides the data set of the same name.
        if _is_folder(name):
            return _table(name), options
        problem = unknown("dataset", name, known.names())
        raise EquipoiseError(f"{problem}; a file is given by its path, as in mails.csv")
    source: DatasetSource = known.get(name)
    return source, options


def _divided(text: str) -> tuple[str, str]:
    """Split a text into a name or path and the brackets after it. In `a[1].csv[text=x]` the path is `a[1].csv`, if it exists."""
    places = [place for place, character in enumerate(text) if character == "["]
    files = (place for place in places if is_file(text[:place].strip()))
    place = next(files, places[0] if places else len(text))
    return text[:place].strip(), text[place:]


def _is_path(name: str) -> bool:
    return "/" in name or "\\" in name or name.lower().endswith(TABLE_SUFFIXES) or is_file(name)


def _is_folder(text: str) -> bool:
    try:
        return Path(text).is_dir()
    except (OSError, ValueError):
        return False


def _table(path: str) -> DatasetSource:
    if path.lower().endswith(".arff"):
        return arff_file.ArffFile(path)
    return table.TableSource(path)
