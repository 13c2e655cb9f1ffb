"""What one block of a file gives one column: its different cells and a code for each row, or an Arrow array.

A million 0/1 cells take a megabyte here and sixty as Python strings.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, time, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipoise.core.errors import EquipoiseError

LIST_SEPARATOR = (
    "\x1f"  # between the items of a cell that is a list: ASCII's unit separator, which no name holds
)
_STRING = 60  # bytes that Python adds to a string in a list
_SMALL = 1 << 12  # bytes for which it is not worth the thought
_MAPPED = 1 << 16  # bytes
_PRIVATE = (
    {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANON} if hasattr(mmap, "MAP_ANON") else {}
)  # Windows has none


class DictionaryChunk(NamedTuple):
    """(k,) codes, of as few bytes as will do, into `values`."""

    values: list[str]
    codes: NDArray[Any]


#: The second kind is a `pyarrow.Array` of strings or numbers.
Piece = DictionaryChunk | Any


def piece_of(where: Callable[[int], str], name: str, cells: Any) -> Piece:
    """A piece of an Arrow array or a list of Python values.

    Truth becomes 1 or 0, a list its items joined by `LIST_SEPARATOR`.

    Args:
        where: says where a row of this piece is, for the error.

    Raises:
        EquipoiseError: on a value that is neither text, number, truth, date nor a list of these.
    """
    import pyarrow as pa

    array = cells if isinstance(cells, pa.Array) else _array(cells)
    if array is not None and pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if array is not None and (pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type)):
        array = _text(array)
    if array is not None and (pa.types.is_decimal(array.type) or pa.types.is_float16(array.type)):
        array = array.cast(pa.float64())
    if array is not None and _is_plain(array.type):
        return _small(array.cast(pa.int8()) if pa.types.is_boolean(array.type) else array)
    values = cells.to_pylist() if isinstance(cells, pa.Array) else cells
    told: list[str] = []
    for row, value in enumerate(values):
        try:
            told.append(text_of(value))
        except TypeError as problem:
            raise EquipoiseError(f"{where(row)}, column {name!r} {problem}") from None
    return _small(_strings(told))


def blank(rows: int) -> Piece:
    """A piece of empty cells."""
    return DictionaryChunk([""], np.zeros(rows, dtype=np.int8))


def text_of(value: Any) -> str:
    """One value as the text of a cell. Raises TypeError."""
    if isinstance(value, str):
        return value
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        items = [item if isinstance(item, str) else text_of(item) for item in value]
        joined = LIST_SEPARATOR.join(items)
        plain = joined.count(LIST_SEPARATOR) == len(items) - 1
        return joined if plain else LIST_SEPARATOR.join(item.replace(LIST_SEPARATOR, " ") for item in items)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, int | float | np.generic | date | time | timedelta):
        return str(value)
    raise TypeError(f"holds {type(value).__name__}; known are text, numbers and lists")


def rows_of(piece: Piece) -> int:
    return len(piece.codes) if isinstance(piece, DictionaryChunk) else len(piece)


def coded(piece: Piece) -> DictionaryChunk:
    """The different cells as text, and the code of each row."""
    return piece if isinstance(piece, DictionaryChunk) else _in_codes(_encoded(piece))


def _strings(cells: list[str]) -> Any:
    import pyarrow as pa

    try:
        return pa.array(cells, pa.string())
    except UnicodeEncodeError:  # half a character ("\ud83d"), which JSON may hold and UTF-8 cannot
        return pa.array([cell.encode("utf-8", "replace").decode() for cell in cells], pa.string())


def _array(values: Sequence[Any]) -> Any:
    """The values as Arrow has them; None where they are of several kinds, or of one it does not know."""
    import pyarrow as pa

    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        return None


def _text(array: Any) -> Any:
    """Bytes as text, as Parquet files of some writers mean them; None where they are none."""
    import pyarrow as pa

    try:
        return array.cast(pa.string())
    except pa.ArrowInvalid:
        return None


def _is_plain(kind: Any) -> bool:
    import pyarrow.types as kinds

    number = kinds.is_boolean(kind) or kinds.is_integer(kind) or kinds.is_floating(kind)
    return bool(number or kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_null(kind))


def _small(array: Any) -> Piece:
    """Codes where they take less memory, else the array."""
    import pyarrow as pa

    if pa.types.is_string(array.type) and (digits := _digits(array)) is not None:
        return digits
    encoded = _encoded(array)
    few = len(encoded.dictionary)
    if 2 * len(array) + encoded.dictionary.nbytes + _STRING * few > max(array.nbytes, _SMALL):
        if array.null_count or not pa.types.is_string(array.type):
            return array
        numbers = _whole_numbers(array)
        return _copied(array) if numbers is None else numbers
    return _in_codes(encoded)


def _encoded(array: Any) -> Any:
    """As an Arrow dictionary, in which what is missing is a value like others."""
    return array.dictionary_encode(null_encoding="encode")


def _in_codes(encoded: Any) -> DictionaryChunk:
    values = [text_of(value) for value in encoded.dictionary.to_pylist()]
    size = np.int8 if len(values) < 2**7 else np.int16 if len(values) < 2**15 else np.int32
    return DictionaryChunk(values, encoded.indices.to_numpy(zero_copy_only=False).astype(size))


def _whole_numbers(array: Any) -> Any:
    """Cells such as 417 and -3 as numbers, where the very same cells can be made of them again; else None."""
    import pyarrow as pa

    try:
        numbers = array.cast(pa.int32())
    except pa.ArrowInvalid:
        return None
    if not numbers.cast(pa.string()).equals(array):
        return None
    values = numbers.to_numpy()
    return pa.array(values.astype(np.min_scalar_type(min(values.min(), -1 - values.max()))))


def _copied(array: Any) -> Any:
    """The strings in memory of their own. What Arrow read them into is larger, and leaves holes between what is kept."""
    import pyarrow as pa

    _, offsets, content = array.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32, count=len(array) + 1, offset=4 * array.offset)
    kept = _own(memoryview(content)[ends[0] : ends[-1]])
    return pa.StringArray.from_buffers(len(array), pa.py_buffer(ends - ends[0]), pa.py_buffer(kept))


def _own(content: memoryview) -> bytes | mmap.mmap:
    """A copy; a large one is a mapping, which the system has back as soon as it is let go."""
    if len(content) >= _MAPPED:
        with suppress(OSError):
            copy = mmap.mmap(-1, len(content), **_PRIVATE)
            copy[:] = content
            return copy
    return bytes(content)


def _digits(array: Any) -> DictionaryChunk | None:
    """Codes of cells that are one character each, such as 0 and 1: much faster than a hash table."""
    if not len(array):
        return None
    _, offsets, content = array.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32, count=len(array) + 1, offset=4 * array.offset)
    if (np.diff(ends) != 1).any():
        return None
    cells = np.frombuffer(content, dtype=np.uint8)[ends[0] : ends[-1]]
    found = np.flatnonzero(np.bincount(cells, minlength=128))
    place = np.zeros(128, dtype=np.int8)
    place[found] = np.arange(len(found))
    return DictionaryChunk([chr(code) for code in found], place[cells])
