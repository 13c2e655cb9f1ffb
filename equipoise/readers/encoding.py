"""A text file as UTF-8, whatever it is written in: decoded and checked block by block as it is read."""

from __future__ import annotations

import codecs
import io
from pathlib import Path
from typing import Any

from equipoise.core.errors import EquipoiseError

_BLOCK = 1 << 20  # bytes
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Utf8(io.RawIOBase):
    """The content of a file as UTF-8 without its mark (BOM). Reading raises EquipoiseError, with the line.

    Args:
        tail: text put behind the content.
    """

    def __init__(self, path: Path, encoding: str, tail: str = "") -> None:
        self._path, self._encoding, self._tail = path, encoding, tail
        self._decoder = _decoder(encoding)
        self._left = memoryview(b"")
        self._lines, self._start = 0, b""
        try:
            self._file = path.open("rb")
        except OSError as problem:
            raise EquipoiseError(f"cannot read {path}: {problem.strerror}") from None

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        while not len(self._left) and not self._file.closed:
            self._left = memoryview(self._next())
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size

    def _next(self) -> bytes:
        block = self._file.read(_BLOCK)
        self._start = self._start or block[:4]
        text = self._decoded(block)
        if "\0" in text:
            hint = f"not a text file, or another encoding (try {_wide(block)})"
            raise EquipoiseError(f"{self._path} holds zero bytes: {hint}")
        self._lines += text.count("\n")
        if not block:
            self._file.close()
            text += self._tail
        return text.encode()

    def _decoded(self, block: bytes) -> str:
        try:
            return self._decoder.decode(block, not block)
        except UnicodeDecodeError as problem:
            line = self._lines + problem.object[: problem.start].count(b"\n") + 1
            found = f"line {line} is not {self._encoding}; try encoding=latin-1 or cp1252"
            if mark := next((name for start, name in _MARKS if self._start.startswith(start)), ""):
                found = f"the content is not {self._encoding}; try encoding={mark}"
            elif b"\0" in problem.object:
                found = f"the content is not {self._encoding}: not a text file, or another encoding"
            raise EquipoiseError(f"{self._path}: {found}") from None
        except (UnicodeError, ValueError, TypeError) as problem:
            raise EquipoiseError(f"{self._path} cannot be read as {self._encoding} ({problem})") from None


def opened(path: Path, encoding: str, tail: str = "") -> io.TextIOWrapper:
    """The checked content as text, its line ends as they are."""
    return io.TextIOWrapper(io.BufferedReader(Utf8(path, encoding, tail), _BLOCK), "utf-8", newline="")


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    try:
        "".encode(encoding)  # refuses what is no encoding of text, such as base64
        marked = encoding.lower().replace("_", "-") in ("utf-8", "utf8")
        return codecs.getincrementaldecoder("utf-8-sig" if marked else encoding)()
    except (LookupError, ValueError, TypeError):
        raise EquipoiseError(f"unknown encoding {encoding!r} (for example utf-8, latin-1, cp1252)") from None


def _wide(block: bytes) -> str:
    """Which UTF-16, of a file without a mark: the zeros of Latin text lie at every second place."""
    even, odd = block[::2].count(0), block[1::2].count(0)
    return "utf-16-le" if odd > 9 * even else "utf-16-be" if even > 9 * odd else "utf-16"
