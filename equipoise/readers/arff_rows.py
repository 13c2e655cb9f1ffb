"""The rows of ARFF files, dense and sparse, as arrays of numbers; `equipoise.readers.arff` reads what stands above them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import scipy
from numpy.typing import NDArray

from equipoise.core.errors import EquipoiseError

#: A name or value in quotation marks, where a backslash escapes the next character.
QUOTED = r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\""
_CELL = re.compile(rf"((?:{QUOTED}|[^,'\"]|['\"])*?)(?:,|$)")
_SPARSE = re.compile(r"\{\s*(?:\d+\s+[^\s,]+\s*(?:,\s*\d+\s+[^\s,]+\s*)*)?\}")
#: Rows that are held as text at a time: the cells of a whole file would take many times the memory of its numbers.
_BLOCK = 1 << 11
_MISSING = "?"

Line = tuple[int, str]  # line number in the file (from 1) and content


@dataclass(frozen=True)
class Attribute:
    """A column of the file: its name, and its categories in the order of their codes; None if it holds numbers."""

    name: str
    categories: tuple[str, ...] | None

    def reader(self) -> Callable[[str], float]:
        """The function that turns a cell into its number; it raises ValueError or KeyError on a bad cell."""
        if self.categories is None:
            return float
        return {value: float(code) for code, value in enumerate(self.categories)}.__getitem__

    def refused(self, where: str, cell: str) -> EquipoiseError:
        """The error for a cell that does not fit the attribute's type."""
        wanted = "a number" if self.categories is None else f"one of {', '.join(self.categories)}"
        return EquipoiseError(f"{where}, attribute {self.name!r} has {cell!r:.40}, not {wanted:.80}")


def cells_of(line: str) -> list[str]:
    """The cells of a line, split at commas outside quotation marks."""
    # Hardly any line has quotation marks, and `str.split` is much faster than the regular expression.
    if "'" not in line and '"' not in line:
        return [cell.strip() for cell in line.split(",")]
    return [unquoted(cell.strip()) for cell in _CELL.findall(line + ",")[:-1]]


def unquoted(text: str) -> str:
    """The text without the quotation marks around it, if there are any, and without the backslashes inside them."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def dense_rows(path: Path, rows: Iterator[Line], attributes: list[Attribute]) -> NDArray[np.float32]:
    """Read rows written `value,value,…` as an (n, a) array for n rows and a attributes; missing values are NaN.

    Raises:
        EquipoiseError: a row has too few or too many values, or a value does not fit its attribute.
    """
    width, end = len(attributes), 0
    values = np.empty((0, width), dtype=np.float32)
    while block := list(islice(rows, _BLOCK)):
        cells = [cells_of(line) for _, line in block]
        for (number, _), row in zip(block, cells, strict=True):
            if len(row) != width:
                raise EquipoiseError(f"{path} line {number} has {len(row)} values, not {width}")
        begin, end = end, end + len(block)
        if end > len(values):  # resized in place, because a second copy might not fit into memory
            values.resize((end + end // 8, width), refcheck=False)
        # A number too large for float32 becomes inf, which `Dataset` reports.
        with np.errstate(over="ignore"):
            for index, column in enumerate(zip(*cells, strict=True)):
                values[begin:end, index] = _column(path, block, attributes[index], column)
    values.resize((end, width), refcheck=False)
    return values


def _column(path: Path, block: list[Line], attribute: Attribute, cells: Sequence[str]) -> list[float]:
    """The numbers of one attribute in one block: a category is its code, `?` (missing) is NaN."""
    read = attribute.reader()
    try:
        return [np.nan if cell == _MISSING else read(cell) for cell in cells]
    except (ValueError, KeyError):  # cell by cell, which is slower, to name the line of the bad cell
        return [_value(f"{path} line {block[i][0]}", attribute, cell) for i, cell in enumerate(cells)]


def _value(where: str, attribute: Attribute, cell: str) -> float:
    try:
        return np.nan if cell == _MISSING else attribute.reader()(cell)
    except (ValueError, KeyError):
        raise attribute.refused(where, cell) from None


def sparse_rows(path: Path, rows: Iterator[Line], attributes: list[Attribute]) -> scipy.sparse.csr_matrix:
    """Read rows written `{index value,…}` as an (n, a) matrix for n rows and a attributes.

    An omitted value is 0 by the format. Among categories this is unambiguous for {0,1} only.

    Raises:
        EquipoiseError: a row has another form or names an attribute twice, or an attribute has other categories than 0 and 1.
    """
    for attribute in attributes:
        if attribute.categories not in (None, ("0", "1")):
            raise EquipoiseError(
                f"{path}: attribute {attribute.name!r} has categories other than {{0,1}}, "
                "which sparse rows cannot hold"
            )
    # The three arrays of a CSR matrix, block by block; the empty first parts keep a file without rows valid.
    ends = [np.zeros(1, dtype=np.int64)]
    indices, values = [np.zeros(0, dtype=np.int32)], [np.zeros(0, dtype=np.float32)]
    while block := list(islice(rows, _BLOCK)):
        lengths, pairs = _pairs(path, block, attributes)
        ends.append(ends[-1][-1] + np.cumsum(lengths))
        indices.append(pairs[:, 0].astype(np.int32))
        with np.errstate(over="ignore"):
            values.append(pairs[:, 1].astype(np.float32))
    shape = (sum(map(len, ends)) - 1, len(attributes))
    parts = (np.concatenate(values), np.concatenate(indices), np.concatenate(ends))
    return scipy.sparse.csr_matrix(parts, shape=shape)


def _pairs(
    path: Path, block: list[Line], attributes: list[Attribute]
) -> tuple[list[int], NDArray[np.float64]]:
    """The number of values in each row, and a (k, 2) array with the index and value of each."""
    lengths = [line.count(",") + 1 if line[1:-1].strip() else 0 for _, line in block]
    try:
        if not all(_SPARSE.fullmatch(line) for _, line in block):
            raise ValueError
        words = " ".join(line[1:-1] for _, line in block).replace(",", " ").split()
        pairs = np.array(words, dtype=np.float64).reshape(-1, 2)
        # One number for each row and attribute, so that `unique` shows an attribute that a row names twice.
        keys = np.repeat(np.arange(len(block)), lengths) * len(attributes) + pairs[:, 0]
        if len(pairs) and (pairs[:, 0].max() >= len(attributes) or len(np.unique(keys)) < len(keys)):
            raise ValueError
    except ValueError:  # the whole block failed; check line by line, which is slower, to name the faulty line
        for number, line in block:
            _check_sparse(f"{path} line {number}", line, attributes)
        raise EquipoiseError(
            f"{path} lines {block[0][0]} to {block[-1][0]}: the sparse rows cannot be read"
        ) from None
    return lengths, pairs


def _check_sparse(where: str, line: str, attributes: list[Attribute]) -> None:
    """Raise EquipoiseError with the first fault of a sparse row; a sound row passes."""
    if not (line.startswith("{") and line.endswith("}")):
        raise EquipoiseError(f"{where}: a sparse row is written {{index value, …}}, not {line!r:.40}")
    seen: set[int] = set()
    for pair in line[1:-1].split(",") if line[1:-1].strip() else []:
        words = pair.split()
        if len(words) != 2 or not words[0].removeprefix("-").isdecimal():
            raise EquipoiseError(
                f"{where}: cannot read {pair.strip()!r:.40}; a sparse row is {{index value, …}}"
            )
        index = int(words[0])
        if not 0 <= index < len(attributes):
            raise EquipoiseError(f"{where} names attribute {index}, beyond 0..{len(attributes) - 1}")
        if index in seen:
            raise EquipoiseError(f"{where} names attribute {index} ({attributes[index].name!r}) twice")
        seen.add(index)
        _value(where, Attribute(attributes[index].name, None), words[1])
