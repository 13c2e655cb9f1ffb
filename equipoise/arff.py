"""A reader for the ARFF files of the MULAN collection: dense and sparse rows, numbers and categories.

SciPy reads no sparse ARFF, and scikit-multilearn needs a package it does not depend on; this covers what the
collection uses and says so where a file goes beyond it. Format: https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy
from numpy.typing import NDArray

from equipoise.errors import EquipoiseError

_ATTRIBUTE = re.compile(r"@attribute\s+('(?:\\.|[^'])*'|\"(?:\\.|[^\"])*\"|\S+)\s+(.+)", re.IGNORECASE)


@dataclass(frozen=True)
class Arff:
    """(n, a) values of `names`; a category is coded by its place in `categories` (None: a number).

    Categories are sorted (by value where all are numbers), so {0,1} is coded 0, 1 and {YES,NO} is 1, 0.
    `values` is float64, dense or csr as the file has it.
    """

    names: tuple[str, ...]
    categories: tuple[tuple[str, ...] | None, ...]
    values: NDArray[np.float64] | scipy.sparse.csr_matrix


def read_arff(path: Path) -> Arff:
    """Read one file. Raises EquipoiseError on anything this reader does not know."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise EquipoiseError(f"cannot read {path}: {problem}") from None
    head, data = _sections(path, text)
    pairs = [_attribute(path, line) for line in head]
    names = tuple(name for name, _ in pairs)
    categories = tuple(values for _, values in pairs)
    if data and data[0].startswith("{"):
        return Arff(names, categories, _sparse_rows(path, data, categories))
    return Arff(names, categories, _dense_rows(path, data, names, categories))


def _sections(path: Path, text: str) -> tuple[list[str], list[str]]:
    """The @attribute lines and the data lines, without comments and blank lines."""
    lines = [line.strip() for line in text.splitlines()]
    at = next((i for i, line in enumerate(lines) if line.lower() == "@data"), None)
    if at is None:
        raise EquipoiseError(f"{path} has no @data line: not a complete ARFF file")
    head = [line for line in lines[:at] if line.lower().startswith("@attribute")]
    return head, [line for line in lines[at + 1 :] if line and not line.startswith("%")]


def _attribute(path: Path, line: str) -> tuple[str, tuple[str, ...] | None]:
    match = _ATTRIBUTE.match(line)
    if match is None:
        raise EquipoiseError(f"{path}: cannot read {line!r:.100}")
    name, kind = _unquoted(match[1]), match[2].strip()
    if kind.startswith("{") and kind.endswith("}"):
        return name, _in_order([_unquoted(value.strip()) for value in kind[1:-1].split(",")])
    if kind.lower() in ("numeric", "real", "integer"):
        return name, None
    raise EquipoiseError(f"{path}: attribute {name!r} is of type {kind!r:.40}; known are numeric and {{a,b}}")


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _in_order(values: list[str]) -> tuple[str, ...]:
    try:
        return tuple(sorted(values, key=float))
    except ValueError:
        return tuple(sorted(values))


def _dense_rows(
    path: Path, lines: list[str], names: tuple[str, ...], categories: tuple[tuple[str, ...] | None, ...]
) -> NDArray[np.float64]:
    rows = [[_unquoted(cell.strip()) for cell in line.split(",")] for line in lines]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(categories):
            raise EquipoiseError(f"{path}: data row {number} has {len(row)} values, not {len(categories)}")
    if not rows or not categories:
        raise EquipoiseError(f"{path} has no {'data rows' if categories else '@attribute lines'}")
    columns = zip(*rows, strict=True)
    return np.column_stack(
        [_column(path, n, c, known) for n, c, known in zip(names, columns, categories, strict=True)]
    )


def _column(
    path: Path, name: str, cells: tuple[str, ...], categories: tuple[str, ...] | None
) -> NDArray[np.float64]:
    """Numbers as they are, categories by their place; `?` (missing) as NaN."""
    place = None if categories is None else {value: float(code) for code, value in enumerate(categories)}
    read = float if place is None else place.__getitem__
    values = np.empty(len(cells))
    for row, cell in enumerate(cells):
        try:
            values[row] = np.nan if cell == "?" else read(cell)
        except (ValueError, KeyError):
            wanted = "a number" if categories is None else f"one of {', '.join(categories)}"
            where = f"data row {row + 1} of attribute {name!r}"
            raise EquipoiseError(f"{path}: {where} has {cell!r:.40}, not {wanted:.80}") from None
    return values


def _sparse_rows(
    path: Path, lines: list[str], categories: tuple[tuple[str, ...] | None, ...]
) -> scipy.sparse.csr_matrix:
    """`{index value,…}` rows. A value left out is 0, which is the code of a category only for {0,1}."""
    if any(values not in (None, ("0", "1")) for values in categories):
        raise EquipoiseError(f"{path}: sparse rows with categories other than {{0,1}} are not supported")
    inner = [line.strip("{} ") for line in lines]
    lengths = [row.count(",") + 1 if row else 0 for row in inner]
    try:
        flat = np.array(" ".join(inner).replace(",", " ").split(), dtype=np.float64)
        pairs = flat.reshape(sum(lengths), 2)
    except ValueError as problem:
        raise EquipoiseError(f"{path}: the sparse rows cannot be read ({problem})") from None
    places = pairs[:, 0]
    if len(places) and not ((places >= 0) & (places < len(categories)) & (places % 1 == 0)).all():
        raise EquipoiseError(f"{path}: a sparse row names an attribute beyond 0..{len(categories) - 1}")
    ends = np.concatenate([[0], np.cumsum(lengths)])
    shape = (len(lines), len(categories))
    return scipy.sparse.csr_matrix((pairs[:, 1], pairs[:, 0].astype(np.int64), ends), shape=shape)
