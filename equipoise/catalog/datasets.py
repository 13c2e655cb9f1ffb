"""`load_dataset`: a dataset by its name or from a plugin, or a user's own file by its path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.catalog import specs
from equipoise.catalog.entries import guarded
from equipoise.catalog.lookup import name_of
from equipoise.catalog.parts import Part, only_part
from equipoise.catalog.registry import registry
from equipoise.contracts.dataset import Dataset, DatasetSource
from equipoise.core.code_hash import OURS
from equipoise.core.errors import EquipoiseError
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
            Parquet, JSON lines or ARFF file, or of a Hugging Face folder, or a plugin (`"./data.py:Mails[rows=500]"`).
        data_dir: the download cache; default: $EQUIPOISE_DATA, otherwise the cache folder of the platform.
        options: the same as in brackets, over which they have precedence. Those of a file are the fields of
            `equipoise.datasets.table.TableSource`.

    Raises:
        EquipoiseError: an unknown name or option, or a file that is missing, damaged or malformed; always one line.
    """
    folder = default_data_dir() if data_dir is None else user_path(data_dir)
    return load_source(source_of(name_or_path, options), folder)


def load_source(source: DatasetSource, folder: Path) -> Dataset:
    """Load the data set of a source, which may be a plugin.

    Raises:
        EquipoiseError: a plugin raises an exception, or returns something else than a data set.
    """
    # An exception of a built-in source that is no EquipoiseError is a fault of ours and keeps its traceback.
    if type(source).__module__.partition(".")[0] == OURS:
        return source.load(folder)
    loaded = guarded(f"dataset {source.name!r} could not be loaded: ", lambda: source.load(folder))
    if not isinstance(loaded, Dataset):
        raise EquipoiseError(
            f"dataset {source.name!r}: load returned an object of type {type(loaded).__name__}, not a Dataset"
        )
    return loaded


def named_dataset(spec: str) -> str:
    """The spec with the name of a data set in the place of its plugin, which is loaded; other specs are returned as they are."""
    part = _plugin(spec)
    return spec if part is None else f"{name_of('dataset', part)}{part.settings}"


def source_of(name_or_path: str | Path, options: Mapping[str, Any]) -> DatasetSource:
    """The source of a name or path, with the options in its brackets and with these, which have precedence."""
    source, in_brackets = find_source(name_or_path)
    return source.with_options(**{**in_brackets, **options})


def find_source(name_or_path: str | Path) -> tuple[DatasetSource, dict[str, Any]]:
    """The source of a name or path, and the options in its brackets."""
    text = str(name_or_path)
    if (part := _plugin(text)) is not None:
        name = name_of("dataset", part)
        plugin: DatasetSource = registry("dataset").get(name)
        return plugin, specs.parse(f"{name}{part.settings}")[1]
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
        raise EquipoiseError(f"{known.unknown(name)}; a file is given by its path, as in mails.csv")
    source: DatasetSource = known.get(name)
    return source, options


def _plugin(text: str) -> Part | None:
    """The part of a text that names a data set by the place of its plugin; None for a name or the path of a data file."""
    part = only_part(text)
    return part if part.place("dataset") is not None else None


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
