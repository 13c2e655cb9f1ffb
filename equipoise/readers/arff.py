"""Reads ARFF files such as those of the MULAN and MEKA collections: dense and sparse rows, numbers and categories.

SciPy cannot read sparse ARFF, and scikit-multilearn needs a package that it does not declare as a dependency. This
reader covers what the two collections use; anything beyond that is an error that names the line. Rows are read in blocks.
Format: https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
import scipy
from numpy.typing import NDArray

from equipoise.core.errors import EquipoiseError
from equipoise.readers.encoding import open_text

_QUOTED = r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\""
_ATTRIBUTE = re.compile(rf"@attribute\s+({_QUOTED}|\S+)\s+(.+)", re.IGNORECASE)
_CELL = re.compile(rf"((?:{_QUOTED}|[^,'\"]|['\"])*?)(?:,|$)")
_SPARSE = re.compile(r"\{\s*(?:\d+\s+[^\s,]+\s*(?:,\s*\d+\s+[^\s,]+\s*)*)?\}")
_BLOCK = 1 << 11  # rows
_MISSING = "?"

Line = tuple[int, str]  # line number in the file (from 1) and content


@dataclass(frozen=True)
class _Attribute:
    name: str
    categories: tuple[str, ...] | None  # None: numbers

    def reader(self) -> Callable[[str], float]:
        """The function that turns a cell into its number; it raises ValueError or KeyError on a bad cell."""
        if self.categories is None:
            return float
        return {value: float(code) for code, value in enumerate(self.categories)}.__getitem__

    def refused(self, where: str, cell: str) -> EquipoiseError:
        """The error for a cell that does not fit the attribute's type."""
        wanted = "a number" if self.categories is None else f"one of {', '.join(self.categories)}"
        return EquipoiseError(f"{where}, attribute {self.name!r} has {cell!r:.40}, not {wanted:.80}")


@dataclass(frozen=True)
class Arff:
    """The content of one ARFF file: n rows of a attributes.

    `names` are the attributes' names. `categories` holds the categories of each attribute, or None for a numeric one; a
    category is coded by its index there. Categories are sorted (by value if all are numbers), so {0,1} is coded 0, 1 and
    {YES,NO} is coded 1, 0. `values` is (n, a) float32, dense or CSR like the file, with NaN for missing values. `lines`
    holds the line number of each row, and `relation` the text after @relation.
    """

    names: tuple[str, ...]
    categories: tuple[tuple[str, ...] | None, ...]
    values: NDArray[np.float32] | scipy.sparse.csr_matrix
    lines: Sequence[int] = ()
    relation: str = ""


def read_arff(path: Path, encoding: str = "utf-8") -> Arff:
    """Read one file. Raises EquipoiseError, with file and line, on anything that this reader does not support."""
    with open_text(path, encoding) as text:
        content = _content(enumerate(text, start=1))
        relation, head = _head(path, content)
        attributes = [_attribute(f"{path} line {number}", line) for number, line in head]
        if not attributes:
            raise EquipoiseError(f"{path} has no @attribute lines")
        # The first row decides whether the file is sparse, so it is read here and put back in front.
        lines, first = array("q"), next(content, (0, ""))
        rows = _recording_lines(chain([first], content) if first[0] else content, lines)
        read = _sparse_rows if first[1].startswith("{") else _dense_rows
        return Arff(
            names=tuple(attribute.name for attribute in attributes),
            categories=tuple(attribute.categories for attribute in attributes),
            values=read(path, rows, attributes),
            lines=lines,
            relation=relation,
        )


def _content(lines: Iterator[Line]) -> Iterator[Line]:
    """The lines that are neither comments nor blank, stripped."""
    stripped = ((number, line.strip()) for number, line in lines)
    return ((number, line) for number, line in stripped if line and not line.startswith("%"))


def _recording_lines(rows: Iterator[Line], lines: array[int]) -> Iterator[Line]:
    """Pass the rows through and append their line numbers to `lines`, for the errors of later checks."""
    for number, line in rows:
        lines.append(number)
        yield number, line


def _head(path: Path, content: Iterator[Line]) -> tuple[str, list[Line]]:
    """The name of the relation, and the attribute lines; reads up to and including the @data line."""
    relation, head = "", list[Line]()
    for number, line in content:
        word = line.split(None, 1)[0].lower()
        if word == "@data":
            return relation, head
        if word == "@relation":
            relation = line[len(word) :].strip()
        elif word == "@attribute":
            head.append((number, line))
    raise EquipoiseError(f"{path} has no @data line: not a complete ARFF file")


def _attribute(where: str, line: str) -> _Attribute:
    match = _ATTRIBUTE.match(line)
    if match is None:
        raise EquipoiseError(f"{where}: cannot read {line!r:.100}; write @attribute name numeric, or {{a,b}}")
    name, kind = _unquoted(match[1]), match[2].strip()
    if kind.startswith("{") and kind.endswith("}"):
        if not kind[1:-1].strip():
            raise EquipoiseError(f"{where}: attribute {name!r} has no categories between {{ and }}")
        return _Attribute(name, _in_order(_cells(kind[1:-1])))
    if kind.lower() in ("numeric", "real", "integer"):
        return _Attribute(name, None)
    raise EquipoiseError(
        f"{where}: attribute {name!r} has type {kind!r:.40}; supported are numeric and {{a,b}}"
    )


def _cells(line: str) -> list[str]:
    """The cells of a line, split at commas outside quotation marks."""
    # Hardly any line has quotation marks, and `str.split` is much faster than the regular expression.
    if "'" not in line and '"' not in line:
        return [cell.strip() for cell in line.split(",")]
    return [_unquoted(cell.strip()) for cell in _CELL.findall(line + ",")[:-1]]


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _in_order(values: list[str]) -> tuple[str, ...]:
    try:
        return tuple(sorted(values, key=float))
    except ValueError:  # not all are numbers
        return tuple(sorted(values))


def _dense_rows(path: Path, rows: Iterator[Line], attributes: list[_Attribute]) -> NDArray[np.float32]:
    width, end = len(attributes), 0
    values = np.empty((0, width), dtype=np.float32)
    while block := list(islice(rows, _BLOCK)):
        cells = [_cells(line) for _, line in block]
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


def _column(path: Path, block: list[Line], attribute: _Attribute, cells: Sequence[str]) -> list[float]:
    """The numbers of one attribute in one block: a category is its code, `?` (missing) is NaN."""
    read = attribute.reader()
    try:
        return [np.nan if cell == _MISSING else read(cell) for cell in cells]
    except (ValueError, KeyError):  # cell by cell, which is slower, to name the line of the bad cell
        return [_value(f"{path} line {block[i][0]}", attribute, cell) for i, cell in enumerate(cells)]


def _value(where: str, attribute: _Attribute, cell: str) -> float:
    try:
        return np.nan if cell == _MISSING else attribute.reader()(cell)
    except (ValueError, KeyError):
        raise attribute.refused(where, cell) from None


def _sparse_rows(path: Path, rows: Iterator[Line], attributes: list[_Attribute]) -> scipy.sparse.csr_matrix:
    """Read rows written `{index value,…}`.

    An omitted value is 0 by the format. Among categories this is unambiguous for {0,1} only.
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
    path: Path, block: list[Line], attributes: list[_Attribute]
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


def _check_sparse(where: str, line: str, attributes: list[_Attribute]) -> None:
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
        _value(where, _Attribute(attributes[index].name, None), words[1])
