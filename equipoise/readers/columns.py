"""The columns of a table as pieces of text cells, so that a table can be read that would not fit into memory twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.readers.chunks import DictionaryChunk, Piece, coded, rows_of

_COMMA = re.compile(r"^([+-]?\d*),(\d+)$")


@dataclass(frozen=True)
class Column:
    """The cells of one column. All columns of a table are cut into pieces at the same rows."""

    pieces: list[Piece]

    def __len__(self) -> int:
        return sum(rows_of(piece) for piece in self.pieces)

    def coded(self) -> Iterator[DictionaryChunk]:
        """Piece for piece the different cells and their codes; what is missing is the empty cell."""
        return (coded(piece) for piece in self.pieces)

    def drained(self) -> Iterator[DictionaryChunk]:
        """`coded`, for the last time: a piece is let go when it has been read."""
        self.pieces.reverse()
        while self.pieces:
            piece = self.pieces.pop()
            yield coded(piece)

    def cell(self, row: int) -> str:
        for piece in self.pieces:
            if row < rows_of(piece):
                values, codes = piece if isinstance(piece, DictionaryChunk) else coded(piece.slice(row, 1))
                return values[codes[row if isinstance(piece, DictionaryChunk) else 0]]
            row -= rows_of(piece)
        raise IndexError(row)

    def head(self, rows: int) -> Column:
        """The first pieces: so many rows, or some more."""
        ends = np.cumsum([rows_of(piece) for piece in self.pieces])
        return Column(self.pieces[: int(np.searchsorted(ends, rows)) + 1])

    def values(self) -> Iterator[str]:
        """The different cells, in no order; a cell comes once for each piece that holds it."""
        return (value for piece in self.coded() for value in piece.values)

    def first(self, test: Callable[[str], bool]) -> int:
        """The first row whose cell passes, else -1."""
        begin = 0
        for values, codes in self.coded():
            hits = [code for code, value in enumerate(values) if test(value)]
            if hits:
                return begin + int(np.isin(codes, hits).argmax())
            begin += len(codes)
        return -1

    def map(self, read: Callable[[list[str]], NDArray[Any]]) -> NDArray[Any]:
        """(n,) what `read` makes of the cells; it sees the different cells of a piece at a time."""
        parts = [read(values)[codes] for values, codes in self.coded()]
        return np.concatenate(parts) if parts else np.empty(0)

    def numbers(self, decimal_comma: bool = False) -> NDArray[np.float64]:
        """(n,) float64, NaN where a cell is no number."""
        parts = [_numbers(piece, decimal_comma) for piece in self.pieces]
        return np.concatenate(parts) if parts else np.empty(0)

    def mean(self, measure: Callable[[str], float]) -> float:
        """The mean of a measure over the cells."""
        total = sum(
            float(np.array([measure(value) for value in values])[codes].sum())
            for values, codes in self.coded()
        )
        return total / max(1, len(self))

    def all_differ(self) -> bool:
        seen: set[str] = set()
        for values, codes in self.coded():
            if len(set(values)) < len(codes) or not seen.isdisjoint(values):
                return False
            seen.update(values)
        return True


def _numbers(piece: Piece, decimal_comma: bool) -> NDArray[np.float64]:
    if not isinstance(piece, DictionaryChunk) and not str(piece.type).endswith("string"):
        import pyarrow as pa

        return np.asarray(piece.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    values, codes = coded(piece)
    return _parsed([value.strip() for value in values], decimal_comma)[codes]


def _parsed(cells: list[str], decimal_comma: bool) -> NDArray[np.float64]:
    """Numbers, NaN for what is none. Arrow is quick, pandas tells the one from the other."""
    import pandas as pd
    import pyarrow as pa

    if decimal_comma:
        cells = [_COMMA.sub(r"\1.\2", cell) for cell in cells]
    try:
        return np.asarray(pa.array(cells, pa.string()).cast(pa.float64()))
    except pa.ArrowInvalid:
        words = pd.Series(cells, dtype=object)
        return np.asarray(pd.to_numeric(words, errors="coerce"), dtype=np.float64)
