"""The columns of a table, held in pieces, so that a table can be read that would not fit into memory twice."""

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
    """The cells of one column. All columns of a table are cut into pieces at the same rows, so pieces can be zipped."""

    pieces: list[Piece]

    def __len__(self) -> int:
        return sum(rows_of(piece) for piece in self.pieces)

    def coded(self) -> Iterator[DictionaryChunk]:
        """The distinct cells and the codes of each piece in turn; a missing value is the empty cell."""
        return (coded(piece) for piece in self.pieces)

    def drained(self) -> Iterator[DictionaryChunk]:
        """Like `coded`, but each piece is removed once it has been read, so the column is empty afterwards."""
        self.pieces.reverse()  # `pop` from the end is cheap
        while self.pieces:
            piece = self.pieces.pop()
            yield coded(piece)

    def cell(self, row: int) -> str:
        """The text of one cell; rows count from 0. Raises IndexError."""
        for piece in self.pieces:
            if row < rows_of(piece):
                values, codes = piece if isinstance(piece, DictionaryChunk) else coded(piece.slice(row, 1))
                return values[codes[row if isinstance(piece, DictionaryChunk) else 0]]
            row -= rows_of(piece)
        raise IndexError(row)

    def head(self, rows: int) -> Column:
        """A column of the first pieces that together hold at least `rows` rows."""
        # Whole pieces, because callers need about this many rows and not exactly as many.
        ends = np.cumsum([rows_of(piece) for piece in self.pieces])
        return Column(self.pieces[: int(np.searchsorted(ends, rows)) + 1])

    def values(self) -> Iterator[str]:
        """The distinct cells of each piece in turn; a cell is repeated for each piece that contains it."""
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
        """Apply `read` to the cells, (n,). It is called once a piece, with the distinct cells only."""
        parts = [read(values)[codes] for values, codes in self.coded()]
        return np.concatenate(parts) if parts else np.empty(0)

    def numbers(self, decimal_comma: bool = False) -> NDArray[np.float64]:
        """The cells as numbers, (n,) float64, NaN where a cell is not a number."""
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
        """Whether no two cells are equal, as in a column of identifiers."""
        seen: set[str] = set()
        for values, codes in self.coded():
            # Fewer distinct cells than rows in this piece, or a cell of an earlier piece.
            if len(set(values)) < len(codes) or not seen.isdisjoint(values):
                return False
            seen.update(values)
        return True


def _numbers(piece: Piece, decimal_comma: bool) -> NDArray[np.float64]:
    # An Arrow array of numbers needs no parsing; `string` and `large_string` do.
    if not isinstance(piece, DictionaryChunk) and not str(piece.type).endswith("string"):
        import pyarrow as pa

        return np.asarray(piece.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    values, codes = coded(piece)
    return _parsed([value.strip() for value in values], decimal_comma)[codes]


def _parsed(cells: list[str], decimal_comma: bool) -> NDArray[np.float64]:
    """The cells as numbers, NaN where a cell is not a number.

    Arrow is fast but rejects the whole list for one bad cell; pandas, which is slower, then marks the bad ones.
    """
    import pandas as pd
    import pyarrow as pa

    if decimal_comma:
        cells = [_COMMA.sub(r"\1.\2", cell) for cell in cells]
    try:
        return np.asarray(pa.array(cells, pa.string()).cast(pa.float64()))
    except pa.ArrowInvalid:
        words = pd.Series(cells, dtype=object)
        return np.asarray(pd.to_numeric(words, errors="coerce"), dtype=np.float64)
