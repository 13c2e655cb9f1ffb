"""The memory-saving form of one column within one block of a file: distinct cells with a code per row, or an Arrow array.

A million 0/1 cells take one megabyte in this form and sixty as Python strings.
"""

from __future__ import annotations

import json
import math
import mmap
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, time, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipoise.core.errors import EquipoiseError

#: Begins a list cell and joins its items. It is ASCII's unit separator, which occurs in no name and counts as a blank.
LIST_SEPARATOR = "\x1f"
#: Begins a cell that holds an object, or a list of objects or lists, as JSON. It is ASCII's record separator.
NESTED = "\x1e"
_STRING = 60  # bytes: the overhead of one Python string in a list
_SMALL = 1 << 12  # bytes: below this size no memory is worth saving
_MAPPED = 1 << 16  # bytes: from this size on a copy is a memory mapping of its own
# Windows has no such flags.
_PRIVATE = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANON} if hasattr(mmap, "MAP_ANON") else {}


class DictionaryChunk(NamedTuple):
    """A column's distinct cells `values`, and (k,) `codes` that index them, in the smallest integer type that fits."""

    values: list[str]
    codes: NDArray[Any]


#: The second kind is a `pyarrow.Array` of strings or numbers.
Chunk = DictionaryChunk | Any


def chunk_of(where: Callable[[int], str], name: str, cells: Any, nested: bool = False) -> Chunk:
    """Make a chunk from an Arrow array or a list of Python values.

    A boolean becomes 1 or 0, and a list becomes its items, each with `LIST_SEPARATOR` in front.

    Args:
        where: gives the file and line (or row) of a row of this chunk, for the error message.
        nested: whether objects, and lists of objects or lists, are read, too, as `NESTED` and JSON.

    Raises:
        EquipoiseError: a value is not text, a number, a boolean, a date, or a list of these.
    """
    import pyarrow as pa

    # Bring the types that Arrow can convert by itself to text or numbers; all others go through Python, value by value.
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
    texts: list[str] = []
    for row, value in enumerate(values):
        try:
            texts.append(text_of(value, nested))
        except TypeError as problem:
            raise EquipoiseError(f"{where(row)}, column {name!r} {problem}") from None
    return _small(_strings(texts))


def blank(rows: int) -> Chunk:
    """A chunk of empty cells."""
    return DictionaryChunk([""], np.zeros(rows, dtype=np.int8))


def text_of(value: Any, nested: bool = False) -> str:
    """The text of a cell that holds `value`. Raises TypeError for a type that a cell cannot hold."""
    if isinstance(value, str):
        return value
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if nested and _is_nested(value):
        return NESTED + json.dumps(value, default=str)
    if isinstance(value, list | tuple):
        if any(isinstance(item, list | tuple) for item in value):
            raise TypeError("holds a list within a list; a cell holds text, a number or a list")
        items = [item if isinstance(item, str) else text_of(_whole(item)) for item in value]
        if not items:
            return LIST_SEPARATOR
        # Even one item gets the mark, so that a list of one name is never taken for a text to be split.
        joined = "".join(LIST_SEPARATOR + item for item in items)
        plain = joined.count(LIST_SEPARATOR) == len(items)  # False: an item contains the separator itself
        return joined if plain else "".join(LIST_SEPARATOR + i.replace(LIST_SEPARATOR, " ") for i in items)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, int | float | np.generic | date | time | timedelta):
        return str(value)
    raise TypeError(f"holds {type(value).__name__}; a cell holds text, a number or a list")


def _whole(item: Any) -> Any:
    """A whole number without its ".0", which a gap elsewhere in the column adds to numbers that name labels."""
    return int(item) if isinstance(item, float) and item.is_integer() else item


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list | tuple) and any(isinstance(item, dict | list | tuple) for item in value)
    )


def rows_of(chunk: Chunk) -> int:
    """The number of rows of a chunk."""
    return len(chunk.codes) if isinstance(chunk, DictionaryChunk) else len(chunk)


def coded(chunk: Chunk) -> DictionaryChunk:
    """The chunk as distinct cells (text) and the code of each row."""
    return chunk if isinstance(chunk, DictionaryChunk) else _in_codes(_encoded(chunk))


def _strings(cells: list[str]) -> Any:
    import pyarrow as pa

    try:
        return pa.array(cells, pa.string())
    except UnicodeEncodeError:  # a lone surrogate ("\ud83d"), which is legal in JSON but not in UTF-8
        return pa.array([cell.encode("utf-8", "replace").decode() for cell in cells], pa.string())


def _array(values: Sequence[Any]) -> Any:
    """The values as an Arrow array; None if their types differ or Arrow does not know them."""
    import pyarrow as pa

    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        return None


def _text(array: Any) -> Any:
    """Bytes decoded as UTF-8, because some Parquet writers store text as bytes; None if they are not UTF-8."""
    import pyarrow as pa

    try:
        return array.cast(pa.string())
    except pa.ArrowInvalid:
        return None


def _is_plain(kind: Any) -> bool:
    import pyarrow.types as kinds

    number = kinds.is_boolean(kind) or kinds.is_integer(kind) or kinds.is_floating(kind)
    return bool(number or kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_null(kind))


def _small(array: Any) -> Chunk:
    """The form that takes less memory: codes or the array."""
    import pyarrow as pa

    if pa.types.is_string(array.type) and (digits := _digits(array)) is not None:
        return digits
    encoded = _encoded(array)
    distinct = len(encoded.dictionary)
    # The estimated size of the coded form: 2 bytes a row, and the distinct values as Python strings.
    if 2 * len(array) + encoded.dictionary.nbytes + _STRING * distinct > max(array.nbytes, _SMALL):
        if array.null_count or not pa.types.is_string(array.type):
            return array
        numbers = _whole_numbers(array)
        return _copied(array) if numbers is None else numbers
    return _in_codes(encoded)


def _encoded(array: Any) -> Any:
    """The array in Arrow's dictionary encoding, with null as a value of its own."""
    return array.dictionary_encode(null_encoding="encode")


def _in_codes(encoded: Any) -> DictionaryChunk:
    values = [text_of(value) for value in encoded.dictionary.to_pylist()]
    size = np.int8 if len(values) < 2**7 else np.int16 if len(values) < 2**15 else np.int32
    return DictionaryChunk(values, encoded.indices.to_numpy(zero_copy_only=False).astype(size))


def _whole_numbers(array: Any) -> Any:
    """The array as integers in the smallest type; None unless every cell can be restored exactly ("007" cannot)."""
    import pyarrow as pa

    try:
        numbers = array.cast(pa.int32())
    except pa.ArrowInvalid:
        return None
    if not numbers.cast(pa.string()).equals(array):
        return None
    values = numbers.to_numpy()
    # -1 - max is negative, which makes NumPy choose a signed type, and it needs as many bits as max itself.
    return pa.array(values.astype(np.min_scalar_type(min(values.min(), -1 - values.max()))))


def _copied(array: Any) -> Any:
    """The strings copied to a buffer of exactly their size.

    Arrow's own buffer holds the whole block that it parsed, and would stay in memory as long as one column is in use.
    """
    import pyarrow as pa

    # The layout of an Arrow string array: n + 1 int32 offsets into one buffer of bytes.
    _, offsets, content = array.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32, count=len(array) + 1, offset=4 * array.offset)
    copy = _copy_of_bytes(memoryview(content)[ends[0] : ends[-1]])
    return pa.StringArray.from_buffers(len(array), pa.py_buffer(ends - ends[0]), pa.py_buffer(copy))


def _copy_of_bytes(content: memoryview) -> bytes | mmap.mmap:
    """A copy of the bytes. A large copy is a memory mapping: the system gets it back as soon as it is freed."""
    if len(content) >= _MAPPED:
        with suppress(OSError):
            copy = mmap.mmap(-1, len(content), **_PRIVATE)
            copy[:] = content
            return copy
    return bytes(content)


def _digits(array: Any) -> DictionaryChunk | None:
    """The codes of a column whose cells are all one byte long, such as 0 and 1; None for any other column.

    Counting bytes is much faster here than Arrow's hash table.
    """
    if not len(array):
        return None
    _, offsets, content = array.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32, count=len(array) + 1, offset=4 * array.offset)
    if (np.diff(ends) != 1).any():
        return None
    cells = np.frombuffer(content, dtype=np.uint8)[ends[0] : ends[-1]]  # one byte is ASCII: 0..127
    characters = np.flatnonzero(np.bincount(cells, minlength=128))
    code_of = np.zeros(128, dtype=np.int8)
    code_of[characters] = np.arange(len(characters))
    return DictionaryChunk([chr(character) for character in characters], code_of[cells])
