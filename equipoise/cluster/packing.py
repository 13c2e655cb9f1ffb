"""Data sets and plugins as bytes that go from the driver to a worker.

A data set is a pickle whose arrays follow it unchanged, so that sending one copies a chunk at a time and never the whole.
"""

from __future__ import annotations

import copy
import hashlib
import pickle
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from equipoise.contracts.dataset import Dataset

#: Bytes that are sent at a time.
CHUNK = 8 * 2**20


def digest(data: Dataset) -> str:
    """Return 64 hex digits over everything of a data set that a row depends on.

    `Dataset.sha256` covers X, Y and labels; the split that comes with the data and the coded columns matter, too.
    """
    parts = [data.sha256.encode(), str(data.generated).encode()]
    parts += [b"" if array is None else array.tobytes() for array in (data.official, data.nominal)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def packed(data: Dataset) -> Iterator[bytes]:
    """Yield a data set in chunks; joined, they are what `unpacked` reads."""
    buffers: list[pickle.PickleBuffer] = []
    # Without the hash that it may carry, so that the worker computes it from what has arrived.
    data = copy.copy(data)
    vars(data).pop("sha256", None)
    # Out of band, the arrays are not copied into the pickle; texts are, since they are Python objects.
    head = pickle.dumps(data, protocol=5, buffer_callback=buffers.append)
    for part in (memoryview(head), *(buffer.raw() for buffer in buffers)):
        yield part.nbytes.to_bytes(8, "little")
        yield from (bytes(part[start : start + CHUNK]) for start in range(0, part.nbytes, CHUNK))


def unpacked(file: Path) -> Dataset:
    """Read a data set from a file of joined chunks."""
    with file.open("rb") as handle:
        head, *buffers = _parts(handle)
    # Bytearrays, because arrays over bytes could not be written to, which those of other workers can.
    return pickle.loads(head, buffers=buffers)


def _parts(handle: BufferedReader) -> Iterator[bytearray]:
    while size := handle.read(8):
        part = bytearray(int.from_bytes(size, "little"))
        if handle.readinto(part) != len(part):
            raise EOFError(f"{handle.name} is incomplete")
        yield part


def write_plugin(folder: Path, path: str, sources: dict[str, bytes]) -> Path:
    """Write a plugin file and the modules beside it below a folder; returns the file.

    Args:
        path: where the plugin lies on the driver's machine. The same path gives the same place, so that an edited plugin
            replaces its earlier version. sources: the modules by their paths from the folder of the plugin.
    """
    place = folder / hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    for name, source in sources.items():
        file = place / name
        # Unchanged files keep their times, which say that nothing was edited.
        if not file.is_file() or file.read_bytes() != source:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(source)
    return place / path.replace("\\", "/").rpartition("/")[2]
