"""Vectors of texts that a frozen encoder computed before: one file for each encoder in the data folder.

A vector is found by the sha256 of its text, so splits, suites and data sets share them. The file is an SQLite database: a
process that is killed leaves what it had stored, and a reader never sees half of a vector.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from filelock import FileLock

from equipoise.core import output
from equipoise.ops.device import repeatable
from equipoise.readers.downloads import default_data_dir

#: The folder below the data folder; texts whose vectors are stored at a time; seconds to wait for another process's write.
FOLDER, CHUNK, PATIENCE = "embeddings", 64, 60.0
#: Seconds of encoding after which a line says what is going on.
LONG = 3.0
#: Parameters of one SQL statement.
_ASKED = 500


class Encodes(Protocol):
    """What a frozen encoder offers (`equipoise.readers.encoders.Encoder`)."""

    @property
    def recipe(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    def encode(self, text: str) -> np.ndarray: ...


def vectors_of(encoder: Encodes, texts: Sequence[str]) -> np.ndarray:
    """The vectors (n, d) float32 of texts; those not in the file are computed, on the CPU, and stored.

    Where the data folder cannot be written to, they are computed and not kept.
    """
    keys = [hashlib.sha256(str(text).encode("utf-8", "surrogatepass")).digest() for text in texts]
    distinct = dict(zip(keys, map(str, texts), strict=True))
    file = default_data_dir().absolute() / FOLDER / f"{encoder.recipe[:32]}.sqlite"
    found = _stored(file, list(distinct)) if file.is_file() else {}
    if missing := {key: text for key, text in distinct.items() if key not in found}:
        found |= _computed(encoder, missing, file)
    out = np.empty((len(keys), encoder.dimension), dtype=np.float32)
    for row, key in zip(out, keys, strict=True):
        row[:] = found[key]
    return out


def _computed(encoder: Encodes, missing: dict[bytes, str], file: Path) -> dict[bytes, np.ndarray]:
    """What is missing, computed by one process at a time: another may just have stored it."""
    if not _writable(file):
        return {
            key: vector for chunk in _encoded(encoder, list(missing.items())) for key, vector in chunk.items()
        }
    # The operating system gives the lock of a killed process back.
    with FileLock(f"{file}.lock"), closing(sqlite3.connect(file, timeout=PATIENCE)) as base:
        base.execute(
            "CREATE TABLE IF NOT EXISTS vectors (text BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"
        )
        found = _read(base, list(missing))
        left = [(key, text) for key, text in missing.items() if key not in found]
        for new in _encoded(encoder, left):
            with base:  # a transaction
                rows = [(key, vector.astype("<f4").tobytes()) for key, vector in new.items()]
                base.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
            found |= new
    return found


def _encoded(encoder: Encodes, texts: Sequence[tuple[bytes, str]]) -> Iterator[dict[bytes, np.ndarray]]:
    """The vectors of texts in chunks. If that takes long, a line on stderr says so once."""
    began, said = time.monotonic(), False
    for start in range(0, len(texts), CHUNK):
        with repeatable(torch.device("cpu")):
            new = {key: encoder.encode(text) for key, text in texts[start : start + CHUNK]}
        yield new
        done = start + len(new)
        if not said and done < len(texts) and time.monotonic() - began > LONG:
            said = True
            # Without it, a sweep would seem to hang before its first cell.
            print(f"encoding {len(texts):,} texts once ({done:,} done) …", file=output.err(), flush=True)


def _stored(file: Path, keys: Sequence[bytes]) -> dict[bytes, np.ndarray]:
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=PATIENCE)) as base:
        try:
            return _read(base, keys)
        except sqlite3.OperationalError:  # another process has made the file and not yet the table
            return {}


def _read(base: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, np.ndarray]:
    found: dict[bytes, np.ndarray] = {}
    for start in range(0, len(keys), _ASKED):
        part = keys[start : start + _ASKED]
        marks = ",".join("?" * len(part))
        for key, vector in base.execute(f"SELECT text, vector FROM vectors WHERE text IN ({marks})", part):
            found[key] = np.frombuffer(vector, dtype="<f4")
    return found


def _writable(file: Path) -> bool:
    """Whether a file can be made there and written to; makes its folder."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(f"{file}.lock", "a", encoding="utf-8"):
            return True
    except OSError:
        return False
