"""Writes the rows of a store to MLflow, where they can be browsed, sorted and compared; rows.jsonl stays the source of truth.

There is one MLflow run per row and one experiment per data set. `Tracker.sync` writes the runs that MLflow lacks and may be
called at any time. A run that is up to date is left alone; one that was interrupted (status RUNNING) or whose row has changed
is written again, so that a key never has two runs. The database can always be rebuilt: delete mlflow.db and mlartifacts/,
then sync. A damaged one is rebuilt by itself.

MLflow stores absolute artifact locations. If a store's folder has been moved, the next sync corrects them in the database (two
columns); no run is written again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from equipoise.core.errors import one_line
from equipoise.store.rows import Row, clean
from equipoise.store.store import Store
from equipoise.tracking import run_fields as view
from equipoise.tracking import summarizer
from equipoise.tracking.connection import Connection
from equipoise.tracking.database import is_damage, quiet
from equipoise.tracking.files import write_files
from equipoise.tracking.levels import KEY, VERSION, KnownRun

__all__ = ["KEY", "VERSION", "Synced", "Tracker", "digest"]

Note = Callable[[str], None]
# MLflow has no status for "skipped". KILLED is the one that means neither success nor failure of the cell.
RUN_STATUS = {"ok": "FINISHED", "failed": "FAILED", "skipped": "KILLED"}


@dataclass
class Synced:
    """The result of a `sync`: number of runs written, number already up to date, and problems as single lines."""

    written: int = 0
    present: int = 0
    problems: list[str] = field(default_factory=list)


class Tracker:
    """Writes the rows of `store` to MLflow (a SQLite file `mlflow.db` and `mlartifacts/` in the store's folder).

    Only one process may use it at a time: the one that holds the store's lock. The first sync creates the database, which takes
    some seconds. Undefined metrics (NaN) are left out of a run, because MLflow would draw them as numbers.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.connection = Connection(store)
        self._without: set[str] = set()

    @property
    def uri(self) -> str:
        """The tracking URI, as `mlflow.set_tracking_uri` and `MlflowClient` take it."""
        return self.connection.uri

    def sync(self, rows: Iterable[Mapping[str, Any]] | None = None) -> Synced:
        """Write the runs of those rows (default: all rows of the store) that MLflow lacks or has in an older version.

        Errors of MLflow are never raised, only reported in the result: a sweep must not fail because of its view. A damaged
        database is set aside, and made again.
        """
        wanted = [dict(row) for row in (self.store.rows() if rows is None else rows)]
        try:
            return self._sync(wanted)
        except Exception as error:
            problem = f"MLflow cannot be written ({one_line(error)}); the rows are safe"
            if not is_damage(error) or not self.connection.database.exists():
                return Synced(problems=[problem])
        try:
            aside = self.connection.begin_anew()
            # All rows, since those that are not wanted now have lost their runs, too.
            synced = self._sync(self.store.rows() or wanted)
        except Exception as error:
            return Synced(problems=[problem, f"it cannot be made again ({one_line(error)})"])
        synced.problems.append(
            f"{self.connection.database} was damaged, and has been made again from the rows; the damaged file is {aside.name}"
        )
        return synced

    def _sync(self, rows: Sequence[Row]) -> Synced:
        synced = Synced()
        wanted = [(row, digest(row)) for row in with_origin(rows)]
        known = self.connection.known_runs() if wanted else {}
        missing = [(row, version) for row, version in wanted if not _has(known, row, version)]
        synced.present = len(wanted) - len(missing)
        # MLflow takes two seconds to import, so it is loaded only if there is something to write.
        if missing:
            with quiet():
                self.connection.client()
                lacking = self.store.without_predictions(
                    str(r["key"]) for r, _ in missing if r["status"] == "ok"
                )
                # One line for all, since a published folder may have brought thousands.
                self._without = set(lacking) if len(lacking) > 1 else set()
                for row, version in missing:
                    self._sync_row(row, version, known, synced)
            if self._without:
                synced.problems.append(
                    f"{len(lacking)} runs have no pictures: the predictions of their rows are not in {self.store.predictions_dir}"
                )
        return synced

    def summarize(self, rows: Iterable[Mapping[str, Any]] | None = None) -> list[str]:
        """Bring the runs above the cells, descriptions and saved views up to date, after `sync`; returns problems as lines.

        `rows` are those that the summaries rest on; by default all rows of the store. Like `sync`, it raises no error of MLflow.
        """
        wanted = with_origin(self.store.rows() if rows is None else rows)
        try:
            if not wanted or summarizer.current(self.connection, wanted):
                return []
            with quiet():
                return summarizer.summarize(self.connection, wanted)
        except Exception as error:
            return [f"MLflow has no summary ({one_line(error)}); the rows are safe"]

    def lacks(self) -> bool:
        """Whether MLflow lacks the run of some row or a summary, or has it in an older version."""
        rows, known = with_origin(self.store.rows()), self.connection.known_runs()
        cells = all(_has(known, row, digest(row)) for row in rows)
        return not (cells and summarizer.current(self.connection, rows))

    def _sync_row(self, row: Row, version: str, known: dict[str, KnownRun], synced: Synced) -> None:
        key = str(row["key"])
        try:
            if key in known:
                self.connection.delete(known[key].run_id, row)
            self._write(row, version, known, synced.problems.append)
            synced.written += 1
        except Exception as error:
            # Every other row would fail like this one; `sync` makes the database again.
            if is_damage(error):
                raise
            synced.problems.append(f"MLflow lacks row {key} ({one_line(error)}); the row is safe, sync again")

    def _write(self, row: Row, version: str, known: dict[str, KnownRun], note: Note) -> None:
        """Write one row as one run, which stays RUNNING, and so incomplete, until the last step."""
        client, (start, end) = self.connection.client(), view.span(row)
        tags = {**view.tags(row), KEY: str(row["key"]), VERSION: version}
        run = client.create_run(self.connection.experiment_id(row), start, tags, view.run_name(row))
        run_id: str = run.info.run_id
        known[str(row["key"])] = KnownRun(run_id, "")  # if a later step fails, the next sync deletes this run
        client.log_batch(run_id, metrics=view.metrics(row, end), params=view.params(row))
        client.log_inputs(run_id, [view.dataset_input(row)])
        folder = self.connection.folder(row, run_id)
        folder.mkdir(parents=True, exist_ok=True)
        write_files(row, self._predictions(row, note), folder, self.connection.artifacts / ".pictures", note)
        client.set_terminated(run_id, RUN_STATUS[row["status"]], end)
        known[str(row["key"])] = KnownRun(run_id, version)

    def _predictions(self, row: Row, note: Note) -> Mapping[str, Any] | None:
        if row["status"] != "ok" or row["key"] in self._without:
            return None
        try:
            return self.store.predictions(row["key"])
        except ValueError as error:
            note(f"no pictures for row {row['key']}: {error}")
            return None


def _has(known: Mapping[str, KnownRun], row: Row, version: str) -> bool:
    run = known.get(str(row["key"]))
    return run is not None and run.version == version


def with_origin(rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """The rows, where those that did not finish also say whether their data are generated, so that all are in one experiment."""
    listed = [dict(row) for row in rows]
    generated = {(row["dataset"], row.get("dataset_sha256")) for row in listed if row.get("generated")}
    for row in listed:
        if row.get("generated") is None and (row["dataset"], row.get("dataset_sha256")) in generated:
            row["generated"] = True
    return listed


def digest(row: Mapping[str, Any]) -> str:
    """A hash of the row and of the version of its presentation; a run with a different digest is written again."""
    text = json.dumps([view.VIEW, clean(row)], sort_keys=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:16]
