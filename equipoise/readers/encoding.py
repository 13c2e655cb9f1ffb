"""Reads a text file of any encoding as UTF-8; it is decoded and checked block by block."""

from __future__ import annotations

import codecs
import io
import re
from pathlib import Path
from typing import Any

from equipoise.core.errors import EquipoiseError

_BLOCK = 1 << 20  # bytes
_DELIMITER_LINE, _LONGEST_LINE = re.compile(r'\A"?sep=([^\r\n"])"?[ \t]*(?=[\r\n])', re.IGNORECASE), 40
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # must precede UTF-16, whose mark is the beginning of this one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Utf8(io.RawIOBase):
    """A byte stream of a file's content as UTF-8, without a byte order mark.

    Reading raises EquipoiseError, with the line, where the content does not fit the encoding or holds zero bytes.

    Args:
        tail: text appended to the content.
        keep: whether a first line "sep=;", which tells Excel the delimiter, is kept; otherwise it is left blank.
    """

    def __init__(self, path: Path, encoding: str, tail: str = "", keep: bool = False) -> None:
        self._path, self._encoding, self._tail = path, encoding, tail
        self._decoder = _decoder(encoding)
        self._keep = keep
        self._left = memoryview(b"")  # decoded but not yet read
        # Lines decoded so far, for errors; the first bytes, for a byte order mark.
        self._lines, self._start = 0, b""
        try:
            self._file = path.open("rb")
        except OSError as problem:
            raise EquipoiseError(f"cannot read {path}: {problem.strerror}") from None

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        if hasattr(self, "_file"):  # the garbage collector also closes an object whose __init__ raised
            self._file.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with the next bytes and return their number; 0 at the end (see `io.RawIOBase`)."""
        while not len(self._left) and not self._file.closed:
            self._left = memoryview(self._next())
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size

    def _next(self) -> bytes:
        """Decode the next block; at the end of the file, append the tail and close the file."""
        block = self._file.read(_BLOCK)
        self._start = self._start or block[:4]
        text = self._decoded(block)
        if "\0" in text:
            hint = f"not a text file, or another encoding (try {_wide(block)})"
            raise EquipoiseError(f"{self._path} holds zero bytes: {hint}")
        self._lines += text.count("\n")
        if text and not self._keep:
            # Its line end stays, so that line numbers stay right.
            text, self._keep = _DELIMITER_LINE.sub("", text), True
        if not block:
            self._file.close()
            text += self._tail
        return text.encode()

    def _decoded(self, block: bytes) -> str:
        try:
            return self._decoder.decode(block, not block)
        except UnicodeDecodeError as problem:
            line = self._lines + problem.object[: problem.start].count(b"\n") + 1
            fault = f"line {line} is not {self._encoding}; try encoding=latin-1 or cp1252"
            if mark := next((name for start, name in _MARKS if self._start.startswith(start)), ""):
                fault = f"the content is not {self._encoding}; try encoding={mark}"
            elif b"\0" in problem.object:
                fault = f"the content is not {self._encoding}: not a text file, or another encoding"
            raise EquipoiseError(f"{self._path}: {fault}") from None
        except (UnicodeError, ValueError, TypeError) as problem:
            raise EquipoiseError(f"{self._path} cannot be read as {self._encoding} ({problem})") from None


def open_text(path: Path, encoding: str, tail: str = "") -> io.TextIOWrapper:
    """Open a file as checked text; line ends are not translated."""
    return io.TextIOWrapper(io.BufferedReader(Utf8(path, encoding, tail), _BLOCK), "utf-8", newline="")


def declared_delimiter(path: Path, encoding: str) -> str | None:
    """The delimiter in a first line such as "sep=;", as Excel writes and reads it; None without such a line."""
    with io.TextIOWrapper(
        io.BufferedReader(Utf8(path, encoding, keep=True), _BLOCK), "utf-8", newline=""
    ) as text:
        match = _DELIMITER_LINE.match(text.read(_LONGEST_LINE))
    return match[1] if match is not None else None


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    try:
        "".encode(encoding)  # raises for a codec that does not encode text, such as base64
        marked = encoding.lower().replace("_", "-") in ("utf-8", "utf8")
        return codecs.getincrementaldecoder("utf-8-sig" if marked else encoding)()
    except (LookupError, ValueError, TypeError):
        raise EquipoiseError(f"unknown encoding {encoding!r} (for example utf-8, latin-1, cp1252)") from None


def _wide(block: bytes) -> str:
    """The likely UTF-16 variant of a file without a byte order mark.

    In Latin text every second byte is zero: the odd bytes in little-endian order, the even ones in big-endian.
    """
    even, odd = block[::2].count(0), block[1::2].count(0)
    return "utf-16-le" if odd > 9 * even else "utf-16-be" if even > 9 * odd else "utf-16"
