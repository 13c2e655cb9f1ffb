"""A reader for ARFF files such as those of the MULAN and MEKA collections: dense and sparse rows, numbers and categories.

SciPy reads no sparse ARFF, and scikit-multilearn needs a package it does not depend on; this covers what the collections
use and says so, with the line, where a file goes beyond it. Rows are read a block at a time.
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
from equipoise.readers.encoding import opened

_QUOTED = r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\""
_ATTRIBUTE = re.compile(rf"@attribute\s+({_QUOTED}|\S+)\s+(.+)", re.IGNORECASE)
_CELL = re.compile(rf"((?:{_QUOTED}|[^,'\"]|['\"])*?)(?:,|$)")
_SPARSE = re.compile(r"\{\s*(?:\d+\s+[^\s,]+\s*(?:,\s*\d+\s+[^\s,]+\s*)*)?\}")
_BLOCK = 1 << 11  # rows
_MISSING = "?"

Line = tuple[int, str]  # its number in the file, and what it says


@dataclass(frozen=True)
class _Attribute:
    name: str
    categories: tuple[str, ...] | None  # None: numbers

    def reader(self) -> Callable[[str], float]:
        """From a cell to its number; raises ValueError or KeyError."""
        if self.categories is None:
            return float
        return {value: float(code) for code, value in enumerate(self.categories)}.__getitem__

    def refused(self, where: str, cell: str) -> EquipoiseError:
        wanted = "a number" if self.categories is None else f"one of {', '.join(self.categories)}"
        return EquipoiseError(f"{where}, attribute {self.name!r} has {cell!r:.40}, not {wanted:.80}")


@dataclass(frozen=True)
class Arff:
    """(n, a) values of `names`; a category is coded by its place in `categories` (None: a number).

    Categories are sorted (by value where all are numbers), so {0,1} is coded 0, 1 and {YES,NO} is 1, 0.
    `values` is float32, dense or csr as the file has it, NaN where a value is missing. `lines` says where in the file
    each row is, `relation` what stands behind @relation.
    """

    names: tuple[str, ...]
    categories: tuple[tuple[str, ...] | None, ...]
    values: NDArray[np.float32] | scipy.sparse.csr_matrix
    lines: Sequence[int] = ()
    relation: str = ""


def read_arff(path: Path, encoding: str = "utf-8") -> Arff:
    """Read one file. Raises EquipoiseError, with file and line, on anything this reader does not know."""
    with opened(path, encoding) as text:
        content = _content(enumerate(text, start=1))
        relation, head = _head(path, content)
        attributes = [_attribute(f"{path} line {number}", line) for number, line in head]
        if not attributes:
            raise EquipoiseError(f"{path} has no @attribute lines")
        lines, first = array("q"), next(content, (0, ""))
        rows = _noted(chain([first], content) if first[0] else content, lines)
        read = _sparse_rows if first[1].startswith("{") else _dense_rows
        return Arff(
            names=tuple(attribute.name for attribute in attributes),
            categories=tuple(attribute.categories for attribute in attributes),
            values=read(path, rows, attributes),
            lines=lines,
            relation=relation,
        )


def _content(lines: Iterator[Line]) -> Iterator[Line]:
    """Without comments and blank lines."""
    stripped = ((number, line.strip()) for number, line in lines)
    return ((number, line) for number, line in stripped if line and not line.startswith("%"))


def _noted(rows: Iterator[Line], lines: array[int]) -> Iterator[Line]:
    for number, line in rows:
        lines.append(number)
        yield number, line


def _head(path: Path, content: Iterator[Line]) -> tuple[str, list[Line]]:
    """What the relation is called, and the lines of the attributes."""
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
        f"{where}: attribute {name!r} is of type {kind!r:.40}; known are numeric and {{a,b}}"
    )


def _cells(line: str) -> list[str]:
    """Divided at commas, those in quotation marks excepted."""
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
    except ValueError:
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
        if end > len(values):  # grows in place: there is no room for two
            values.resize((end + end // 8, width), refcheck=False)
        with np.errstate(over="ignore"):  # what overflows becomes inf, which `Dataset` reports
            for place, column in enumerate(zip(*cells, strict=True)):
                values[begin:end, place] = _column(path, block, attributes[place], column)
    values.resize((end, width), refcheck=False)
    return values


def _column(path: Path, block: list[Line], attribute: _Attribute, cells: Sequence[str]) -> list[float]:
    """Numbers as they are, categories by their place; `?` (missing) as NaN."""
    read = attribute.reader()
    try:
        return [np.nan if cell == _MISSING else read(cell) for cell in cells]
    except (ValueError, KeyError):
        return [_value(f"{path} line {block[i][0]}", attribute, cell) for i, cell in enumerate(cells)]


def _value(where: str, attribute: _Attribute, cell: str) -> float:
    try:
        return np.nan if cell == _MISSING else attribute.reader()(cell)
    except (ValueError, KeyError):
        raise attribute.refused(where, cell) from None


def _sparse_rows(path: Path, rows: Iterator[Line], attributes: list[_Attribute]) -> scipy.sparse.csr_matrix:
    """`{index value,…}` rows. A value left out is 0, which is the code of a category only for {0,1}."""
    for attribute in attributes:
        if attribute.categories not in (None, ("0", "1")):
            found = f"attribute {attribute.name!r} has others"
            raise EquipoiseError(f"{path}: of categories, sparse rows can hold {{0,1}} only; {found}")
    ends = [np.zeros(1, dtype=np.int64)]
    places, values = [np.zeros(0, dtype=np.int32)], [np.zeros(0, dtype=np.float32)]
    while block := list(islice(rows, _BLOCK)):
        lengths, pairs = _pairs(path, block, attributes)
        ends.append(ends[-1][-1] + np.cumsum(lengths))
        places.append(pairs[:, 0].astype(np.int32))
        with np.errstate(over="ignore"):
            values.append(pairs[:, 1].astype(np.float32))
    shape = (sum(map(len, ends)) - 1, len(attributes))
    parts = (np.concatenate(values), np.concatenate(places), np.concatenate(ends))
    return scipy.sparse.csr_matrix(parts, shape=shape)


def _pairs(
    path: Path, block: list[Line], attributes: list[_Attribute]
) -> tuple[list[int], NDArray[np.float64]]:
    """How many values each row has, and (k, 2) index and value of all of them."""
    lengths = [line.count(",") + 1 if line[1:-1].strip() else 0 for _, line in block]
    try:
        if not all(_SPARSE.fullmatch(line) for _, line in block):
            raise ValueError
        words = " ".join(line[1:-1] for _, line in block).replace(",", " ").split()
        pairs = np.array(words, dtype=np.float64).reshape(-1, 2)
        keys = np.repeat(np.arange(len(block)), lengths) * len(attributes) + pairs[:, 0]
        if len(pairs) and (pairs[:, 0].max() >= len(attributes) or len(np.unique(keys)) < len(keys)):
            raise ValueError
    except ValueError:
        for number, line in block:
            _check_sparse(f"{path} line {number}", line, attributes)
        raise EquipoiseError(
            f"{path} lines {block[0][0]} to {block[-1][0]}: the sparse rows cannot be read"
        ) from None
    return lengths, pairs


def _check_sparse(where: str, line: str, attributes: list[_Attribute]) -> None:
    """Say what is wrong with a row, if anything is."""
    if not (line.startswith("{") and line.endswith("}")):
        raise EquipoiseError(f"{where}: a sparse row is written {{index value, …}}, not {line!r:.40}")
    seen: set[int] = set()
    for pair in line[1:-1].split(",") if line[1:-1].strip() else []:
        words = pair.split()
        if len(words) != 2 or not words[0].removeprefix("-").isdecimal():
            raise EquipoiseError(
                f"{where}: cannot read {pair.strip()!r:.40}; a sparse row is {{index value, …}}"
            )
        place = int(words[0])
        if not 0 <= place < len(attributes):
            raise EquipoiseError(f"{where} names attribute {place}, beyond 0..{len(attributes) - 1}")
        if place in seen:
            raise EquipoiseError(f"{where} names attribute {place} ({attributes[place].name!r}) twice")
        seen.add(place)
        _value(where, _Attribute(attributes[place].name, None), words[1])
