"""Reads ARFF files such as those of the MULAN and MEKA collections: dense and sparse rows, numbers and categories.

SciPy cannot read sparse ARFF, and scikit-multilearn needs a package that it does not declare as a dependency. This
reader covers what the two collections use; anything beyond that is an error that names the line. Rows are read in blocks.
Format: https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import scipy
from numpy.typing import NDArray

from equipoise.core.errors import EquipoiseError
from equipoise.readers.arff_rows import QUOTED, Attribute, Line, cells_of, dense_rows, sparse_rows, unquoted
from equipoise.readers.encoding import open_text

_ATTRIBUTE = re.compile(rf"@attribute\s+({QUOTED}|\S+)\s+(.+)", re.IGNORECASE)


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
        read = sparse_rows if first[1].startswith("{") else dense_rows
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


def _attribute(where: str, line: str) -> Attribute:
    """Read `@attribute NAME TYPE`; types that the collections do not use, such as dates and strings, are refused."""
    match = _ATTRIBUTE.match(line)
    if match is None:
        raise EquipoiseError(f"{where}: cannot read {line!r:.100}; write @attribute name numeric, or {{a,b}}")
    name, kind = unquoted(match[1]), match[2].strip()
    if kind.startswith("{") and kind.endswith("}"):
        if not kind[1:-1].strip():
            raise EquipoiseError(f"{where}: attribute {name!r} has no categories between {{ and }}")
        return Attribute(name, _in_order(cells_of(kind[1:-1])))
    if kind.lower() in ("numeric", "real", "integer"):
        return Attribute(name, None)
    raise EquipoiseError(
        f"{where}: attribute {name!r} has type {kind!r:.40}; supported are numeric and {{a,b}}"
    )


def _in_order(values: list[str]) -> tuple[str, ...]:
    """The categories in the order of their codes, so that {1,0} is coded 0, 1 as {0,1} is."""
    try:
        return tuple(sorted(values, key=float))
    except ValueError:  # not all are numbers
        return tuple(sorted(values))
