"""The store: one folder with all results of sweeps, consistent whenever the writing process is killed.

    rows.jsonl            one JSON object per finished cell; the record from which MLflow can be rebuilt
    predictions/KEY.npz   the predictions of that cell, so that a new metric needs no retraining
    mlflow.db, mlartifacts/   the rows as MLflow shows them (equipoise.tracking.tracker)
    logs/                 what plugins have printed, a file for each process in which one has
    .data-…, .mlflow-…    temporary, while a sweep runs; the next sweep removes those of a killed one

A row exists from the moment its line is on the disk; its predictions are written before it. An incomplete line at the
end of the file (after kill -9, or a power failure) was never acknowledged: readers skip it, and the next append moves it
to rows.torn. Any other line that cannot be read (a damaged disk, an editor) stays where it is, is reported, and is not used.
The last row of a key is the valid one, so redoing or rescoring a cell appends and never rewrites.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock
import numpy as np
from numpy.typing import NDArray

from equipoise.core.errors import EquipoiseError
from equipoise.core.system import collector_paused
from equipoise.store.checks import KEY, STATUSES, fault
from equipoise.store.durable import append_line, save_arrays
from equipoise.store.rows import Row, Selection, clean, decode, encode

#: Enough to know which cells have rows, and with which status.
STATUS_ONLY = Selection(metrics=frozenset())
#: The folder of what plugins have printed; and what temporary folders of a running sweep begin with, in which data sets are
#: copied for workers, and in which MLflow's database is made.
LOGS, SPOOL, MAKING = "logs", ".data-", ".mlflow-"
#: How a line begins whose key can be read without parsing it; keys hold no escapes.
_KEY_FIRST = b'{"key": "'
#: Damaged lines whose numbers are listed.
_LISTED = 5


class Store:
    """A store folder. Reading needs no lock; appending takes the folder's lock (`locked` holds it for a sweep).

    `path` is created by the first append. Several processes may read while one writes.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if self.path.exists() and not self.path.is_dir():
            raise EquipoiseError(f"{self.path} is a file; a results store is a folder")
        self.rows_file = self.path / "rows.jsonl"
        self.predictions_dir = self.path / "predictions"
        #: one sentence about an incomplete last line found by the latest read of rows.jsonl, else None
        self.torn: str | None = None
        #: one sentence about the damaged lines found by the latest read of rows.jsonl, else None
        self.damage: str | None = None
        #: one sentence if the rows were removed after this store had written some, else None
        self.removed: str | None = None
        self._has_written = False
        # The lock belongs to the store, not to a thread: any thread of the sweep may append.
        self._lock = filelock.FileLock(str(self.path / ".lock"), thread_local=False)

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the number and content of each complete line; describe an incomplete last one in `self.torn`."""
        self.torn = None
        # Read line by line: a store of 20,000 rows takes hundreds of megabytes.
        with contextlib.suppress(FileNotFoundError), self.rows_file.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n") and not _readable(line):
                    self.torn = (
                        f"{self.rows_file}: half a line at the end (line {number}, {len(line)} bytes, from an"
                        " interrupted write) set aside; that cell counts as not run"
                    )
                elif line.strip():
                    yield number, line

    def rows(self, selection: Selection | None = None) -> list[Row]:
        """Return the last row of each key, in the order in which the cells were run; a rescored row keeps its place.

        An incomplete last line is skipped and described in `torn`. Any other line that is not a row is skipped and described in
        `damage`: it was acknowledged once, so a reader should say that it is there.

        Args:
            selection: the parts of the rows to read; None: all.
        """
        # Rows hold no reference cycles, and the collector would look at all of them again and again.
        with collector_paused():
            return self._rows(selection)

    def _rows(self, selection: Selection | None) -> list[Row]:
        latest: dict[str, Row] = {}
        damaged: list[tuple[int, str]] = []
        for number, line in self._lines():
            try:
                row = decode(line, selection)
                why = fault(row)
            except ValueError as error:
                why = str(error)
            if why is not None:
                damaged.append((number, why))
                continue
            if not _rescored(latest.get(row["key"]), row):
                # A dictionary keeps the first place of a key; a cell that was run again moves to the end.
                latest.pop(row["key"], None)
            latest[row["key"]] = row
        self.damage = self._damage(damaged)
        return list(latest.values())

    def rows_of(self, keys: Collection[str], selection: Selection | None = None) -> Iterator[Row]:
        """Yield the rows of these keys, one at a time: earlier rows of a key before its last one. Damaged lines are skipped.

        Other lines are not parsed, so this needs little time and memory for a few rows of a large store.
        """
        for _, line in self._lines():
            # Only `encode` puts the key first; any other spelling has to be parsed.
            start = line[len(_KEY_FIRST) :].partition(b'"')[0] if line.startswith(_KEY_FIRST) else None
            if start is not None and start.decode("utf-8", "replace") not in keys:
                continue
            try:
                row = decode(line, selection)
            except ValueError:
                continue
            if row["key"] in keys and fault(row) is None:
                yield row

    def _damage(self, lines: list[tuple[int, str]]) -> str | None:
        """One sentence on the lines that are not rows; None if there are none."""
        if not lines:
            return None
        first, why = lines[0]
        others = [str(number) for number, _ in lines[1 : 1 + _LISTED]]
        more = f" and {len(lines) - 1 - _LISTED} more" if len(lines) > 1 + _LISTED else ""
        also = f"; the same goes for line{'s' * (len(lines) > 2)} {', '.join(others)}{more}" if others else ""
        return (
            f"{self.rows_file}, line {first}: not a row of this store, {why:.200}; it is left in place and not used, "
            f"so repair or remove it{also}"
        )

    def statuses(self) -> dict[str, str]:
        """Return key → status ("ok", "failed" or "skipped")."""
        return {row["key"]: row["status"] for row in self.rows(STATUS_ONLY)}

    def predictions(self, key: str) -> dict[str, NDArray[Any]]:
        """Return the arrays saved with the row of `key`; EquipoiseError when missing or damaged."""
        path = self._predictions_file(key)
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except FileNotFoundError:
            raise EquipoiseError(f"no predictions for row {key!r} in {self.predictions_dir}") from None
        # zipfile, zlib and numpy each raise errors of their own for a damaged file.
        except Exception as error:
            raise EquipoiseError(f"{path} is damaged ({error}); redo that cell") from None

    def without_predictions(self, keys: Iterable[str]) -> list[str]:
        """Those of the keys for which no predictions are stored."""
        stored = {file.stem for file in self.predictions_dir.glob("*.npz")}
        return [key for key in keys if key not in stored]

    @contextlib.contextmanager
    def locked(self) -> Iterator[Store]:
        """Hold the folder's lock; raise EquipoiseError at once if another process holds it. May be nested."""
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            raise EquipoiseError(
                f"another run is writing to {self.path}; let it end, or give this one another --results"
            ) from None
        try:
            yield self
        finally:
            self._lock.release()

    def tidy(self) -> None:
        """Remove what a killed sweep has left behind: copies of data sets, and files that were being written."""
        with self.locked():
            for prefix in (SPOOL, MAKING):
                for folder in self.path.glob(f"{prefix}*"):
                    shutil.rmtree(folder, ignore_errors=True)
            for part in self.predictions_dir.glob("*.part"):
                part.unlink(missing_ok=True)

    def append(self, row: Mapping[str, Any], predictions: Mapping[str, NDArray[Any]] | None = None) -> None:
        """Write the predictions (by an atomic rename), then the row's line; on return both are on the disk.

        Args:
            row: with a `key` of at most 64 letters, digits, - and _, and a `status` of `STATUSES`.
            predictions: arrays by name; None: this row has none.

        Raises:
            EquipoiseError: another process is writing, the row has no such key or status, or a field has a wrong type.
        """
        key, status = row.get("key"), row.get("status")
        if status not in STATUSES:
            raise EquipoiseError(f"row {key!r} has status {status!r}; known: {', '.join(STATUSES)}")
        # Anything that may refuse the row comes first: a refused row leaves no predictions behind.
        path, plain = self._predictions_file(str(key)), clean(row)
        if why := fault(plain):
            raise EquipoiseError(f"row {key!r} cannot be stored: {why}")
        line = encode(plain)
        with self.locked():
            if self._has_written and not self.rows_file.exists():
                self.removed = f"{self.rows_file} was removed under way, with the rows that were in it"
            if predictions is not None:
                self.predictions_dir.mkdir(exist_ok=True)
                save_arrays(path, predictions)
            append_line(self.rows_file, line, self.path / "rows.torn", _readable)
            self._has_written = True

    def _predictions_file(self, key: str) -> Path:
        if not KEY.fullmatch(key):
            raise EquipoiseError(f"row key {key!r} is not a name of at most 64 letters, digits, - or _")
        return self.predictions_dir / f"{key}.npz"


def _rescored(before: Row | None, row: Row) -> bool:
    """Whether a row is an earlier one with new metrics: it was created then, and says so.

    Its place must not change: of two rows of one cell, by earlier and by later code, the report uses the later.
    """
    return before is not None and row.get("created") is not None and row["created"] == before.get("created")


def _readable(line: bytes) -> bool:
    try:
        decode(line)
    except ValueError:
        return False
    return True
