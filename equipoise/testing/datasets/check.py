"""All checks of a data set."""

from __future__ import annotations

import contextlib
import dataclasses
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from equipoise.contracts.dataset import Dataset, DatasetSource
from equipoise.core.errors import one_line
from equipoise.testing import twin
from equipoise.testing.datasets.contents import check_contents
from equipoise.testing.datasets.exam import DatasetExam
from equipoise.testing.exam import Stopped
from equipoise.testing.findings import Finding


def check_dataset(source: DatasetSource, data_dir: Path) -> list[Finding]:
    """All findings about the source of a data set, [] if it conforms. It is loaded three times or more.

    Args:
        data_dir: the folder into which it may download.
    """
    exam = DatasetExam(source, data_dir)
    if _check_declared(exam):
        with contextlib.suppress(Stopped):
            _check_loads(exam)
    return exam.findings.all()


def _check_declared(exam: DatasetExam) -> bool:
    """Check the class and its fields; returns whether it can be loaded."""
    source: Any = exam.source
    if not exam.demand(
        isinstance(source, DatasetSource),
        "declared",
        f"{source!r:.80} is no instance of a DatasetSource",
        "source",
    ):
        return False
    cls = type(source)
    named = isinstance(source.name, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", source.name)
    exam.demand(named, "declared", f"name {source.name!r}: letters, digits, '-' and '_' only", "source")
    exam.demand(str(source.summary).strip(), "declared", "`summary` is empty", "source")
    fields = {f.name for f in dataclasses.fields(source)}
    lacking = [
        name
        for name, kind in vars(cls).get("__annotations__", {}).items()
        if name not in fields and "ClassVar" not in str(kind)
    ]
    exam.demand(
        not lacking, "declared", f"{', '.join(lacking)}: the class lacks @dataclass(frozen=True)", "source"
    )
    try:
        copy = pickle.loads(pickle.dumps(source))
        exam.demand(copy == source, "pickles", "a pickled copy is not equal to the original", "source")
    except Exception as error:
        exam.demand(False, "pickles", one_line(error), "source")
    return True


def _check_loads(exam: DatasetExam) -> None:
    first = exam.load(first=True)
    with _repeated_elsewhere(exam):
        second = exam.load()
        exam.attempt("contents", "", lambda: check_contents(exam, second))
        exam.results[("load", "")] = contents(second)
        equal = twin.digest(contents(first)) == twin.digest(contents(second))
        differing = ", ".join(_differing(first, second))
        exam.demand(equal, "deterministic", f"two loads differ in {differing}")
        exam.demand(not _shares(first, second), "shared", "two loads return the same array")
        _check_options(exam, second)


def _check_options(exam: DatasetExam, data: Dataset) -> None:
    """Check the options `rows` and `seed`, if there are any."""
    options = exam.source.options()
    rows = options.get("rows")
    if isinstance(rows, int) and not isinstance(rows, bool) and rows > 1:
        wanted = max(2, min(rows, data.n_rows) // 2)
        fewer = exam.load(source=exam.source.with_options(rows=wanted))
        exam.demand(fewer.n_rows == wanted, "options", f"with rows={wanted} there are {fewer.n_rows} rows")
    if isinstance(options.get("seed"), int):
        other = exam.load(source=exam.source.with_options(seed=options["seed"] + 1))
        exam.demand(other.sha256 != data.sha256, "options", "with another seed the data are the same")


@contextlib.contextmanager
def _repeated_elsewhere(exam: DatasetExam) -> Iterator[None]:
    """Let a second process load the data during the block, and note if they differ."""
    asked = twin.ask(exam.source, f"{__name__}:digests", str(exam.data_dir))
    try:
        yield
    finally:
        found = (twin.answer() if asked else None) or {}
        for key, result in exam.results.items():
            if key in found:
                exam.demand(
                    found[key] == twin.digest(result), "deterministic", "another process loads other data"
                )


def digests(source: DatasetSource, data_dir: str) -> twin.Digests:
    """The digest of the data."""
    return {("load", ""): twin.digest(contents(source.load(Path(data_dir))))}


def contents(data: Dataset) -> dict[str, Any]:
    """Everything of a data set that must be the same in each load."""
    return {
        "X, Y or labels": data.sha256,
        "official": data.official,
        "features": data.features,
        "nominal": data.nominal,
        "notes": data.notes,
        "name": data.name,
    }


def _differing(first: Dataset, second: Dataset) -> Iterator[str]:
    b = contents(second)
    return (name for name, value in contents(first).items() if twin.digest(value) != twin.digest(b[name]))


def _shares(first: Dataset, second: Dataset) -> bool:
    """Whether two data sets have an array in common."""
    pairs = [(first.Y, second.Y)]
    if not sp.issparse(first.X) and not sp.issparse(second.X):
        pairs.append((np.asarray(first.X), np.asarray(second.X)))
    return any(np.shares_memory(a, b) for a, b in pairs)
