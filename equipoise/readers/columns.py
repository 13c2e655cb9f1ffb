"""The columns of a table, held in chunks, so that a table can be read that would not fit into memory twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.readers.chunks import Chunk, DictionaryChunk, coded, rows_of

_COMMA = re.compile(r"^([+-]?\d*),(\d+(?:[eE][+-]?\d+)?)$")


@dataclass(frozen=True)
class Column:
    """The cells of one column. All columns of a table are cut into chunks at the same rows, so chunks can be zipped."""

    chunks: list[Chunk]

    def __len__(self) -> int:
        return sum(rows_of(chunk) for chunk in self.chunks)

    def coded(self) -> Iterator[DictionaryChunk]:
        """The distinct cells and the codes of each chunk in turn; a missing value is the empty cell."""
        return (coded(chunk) for chunk in self.chunks)

    def drain(self) -> Iterator[DictionaryChunk]:
        """Like `coded`, but each chunk is removed once it has been read, so the column is empty afterwards."""
        self.chunks.reverse()  # `pop` from the end is cheap
        while self.chunks:
            chunk = self.chunks.pop()
            yield coded(chunk)

    def cell(self, row: int) -> str:
        """The text of one cell; rows count from 0. Raises IndexError."""
        for chunk in self.chunks:
            if row < rows_of(chunk):
                values, codes = chunk if isinstance(chunk, DictionaryChunk) else coded(chunk.slice(row, 1))
                return values[codes[row if isinstance(chunk, DictionaryChunk) else 0]]
            row -= rows_of(chunk)
        raise IndexError(row)

    def head(self, rows: int) -> Column:
        """A column of the first chunks that together hold at least `rows` rows."""
        # Whole chunks, because callers need about this many rows and not exactly as many.
        ends = np.cumsum([rows_of(chunk) for chunk in self.chunks])
        return Column(self.chunks[: int(np.searchsorted(ends, rows)) + 1])

    def values(self) -> Iterator[str]:
        """The distinct cells of each chunk in turn; a cell is repeated for each chunk that contains it."""
        return (value for chunk in self.coded() for value in chunk.values)

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
        """Apply `read` to the cells, (n,). It is called once for each chunk, with the distinct cells only."""
        parts = [read(values)[codes] for values, codes in self.coded()]
        return np.concatenate(parts) if parts else np.empty(0)

    def numbers(self, decimal_comma: bool = False) -> NDArray[np.float64]:
        """The cells as numbers, (n,) float64, NaN where a cell is not a number."""
        parts = [_numbers(chunk, decimal_comma) for chunk in self.chunks]
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
            # Fewer distinct cells than rows in this chunk, or a cell of an earlier chunk.
            if len(set(values)) < len(codes) or not seen.isdisjoint(values):
                return False
            seen.update(values)
        return True


def _numbers(chunk: Chunk, decimal_comma: bool) -> NDArray[np.float64]:
    # An Arrow array of numbers needs no parsing; `string` and `large_string` do.
    if not isinstance(chunk, DictionaryChunk) and not str(chunk.type).endswith("string"):
        import pyarrow as pa

        return np.asarray(chunk.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    values, codes = coded(chunk)
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
