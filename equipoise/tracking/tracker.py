"""Write the rows of a store to MLflow, as runs to browse, sort and compare; rows.jsonl stays the record.

There is one run per cell and one experiment per dataset. `Tracker.sync` writes what MLflow lacks and may be called at any
time: a complete run is left alone, and a run that was interrupted (status RUNNING) or is older than its row is replaced, so
a key never has two runs. The database can be rebuilt: delete mlflow.db and mlartifacts/, then sync.

MLflow stores absolute artifact locations. After a store folder was moved, the next sync updates them in the database (two
columns) without logging anything again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.core.signals import deferred_sigint
from equipoise.store.rows import Row, clean
from equipoise.store.store import Store
from equipoise.tracking import runs as view
from equipoise.tracking.database import create_database, quiet, relocate, runs_by_tag
from equipoise.tracking.files import write_files

if TYPE_CHECKING:
    from mlflow import MlflowClient

Note = Callable[[str], None]
# MLflow has no status for "skipped"; KILLED is the one that means neither success nor failure.
RUN_STATUS = {"ok": "FINISHED", "failed": "FAILED", "skipped": "KILLED"}
KEY, VERSION = "equipoise.key", "equipoise.version"


@dataclass
class Synced:
    """The outcome of one `sync`: runs written, runs that were present before, and problems, one line each."""

    written: int = 0
    present: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Known:
    run_id: str
    version: str  # digest of the row it was written from; "" for a run that was never finished


def _one_line(error: BaseException) -> str:
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said[:300]}" if said else type(error).__name__


class Tracker:
    """Writes the rows of `store` to MLflow (SQLite `mlflow.db` and `mlartifacts/` in the store's folder).

    One process at a time: call it from the one that holds the store's lock. The database is made on the first sync
    (some seconds, once). Undefined metrics (NaN) are left out of the run: MLflow would draw them as numbers.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.database = store.path / "mlflow.db"
        self.artifacts = store.path / "mlartifacts"
        self._known: dict[str, _Known] | None = None
        self._experiments: dict[str, str] = {}
        self._client: MlflowClient | None = None

    @property
    def uri(self) -> str:
        """The tracking URI, for `mlflow.set_tracking_uri` or `MlflowClient`."""
        return f"sqlite:///{self.database.resolve().as_posix()}"

    def sync(self, rows: Iterable[Mapping[str, Any]] | None = None) -> Synced:
        """Write every row (default: all rows of the store) that MLflow lacks. Errors of MLflow become problems, never raised.

        MLflow itself, two seconds to import, is loaded when there is something to write.
        """
        done = Synced()
        try:
            wanted = [(dict(row), digest(row)) for row in (self.store.rows() if rows is None else rows)]
            known = self._open() if wanted else {}
            lacking = [(row, version) for row, version in wanted if not _has(known, row, version)]
            done.present = len(wanted) - len(lacking)
            if lacking:
                with quiet():
                    self._open_client()
                    for row, version in lacking:
                        self._sync_row(row, version, known, done)
        except Exception as error:
            done.problems.append(f"MLflow cannot be written ({_one_line(error)}); the rows are safe")
        return done

    def lacks(self) -> bool:
        """Whether MLflow lacks a row of the store."""
        return any(not _has(self._open(), row, digest(row)) for row in self.store.rows())

    def _sync_row(self, row: Row, version: str, known: dict[str, _Known], done: Synced) -> None:
        key = str(row["key"])
        try:
            if key in known:
                self._forget(known[key].run_id, row)
            self._write(row, version, known, done.problems.append)
            done.written += 1
        except Exception as error:
            done.problems.append(f"MLflow lacks row {key} ({_one_line(error)}); the row is safe, sync again")

    def _write(self, row: Row, version: str, known: dict[str, _Known], note: Note) -> None:
        """Log one row as one run. Only its last step ends the status RUNNING, so an interrupted run is recognised."""
        client, (start, end) = self._open_client(), view.span(row)
        tags = {**view.tags(row), KEY: str(row["key"]), VERSION: version}
        run = client.create_run(self._experiment(row), start, tags, view.run_name(row))
        run_id: str = run.info.run_id
        known[str(row["key"])] = _Known(run_id, "")
        client.log_batch(run_id, metrics=view.metrics(row, end), params=view.params(row))
        client.log_inputs(run_id, [view.dataset_input(row)])
        folder = self._folder(row, run_id)
        folder.mkdir(parents=True, exist_ok=True)
        write_files(row, self._predictions(row, note), folder, self.artifacts / ".pictures", note)
        client.set_terminated(run_id, RUN_STATUS[row["status"]], end)
        known[str(row["key"])] = _Known(run_id, version)

    def _predictions(self, row: Row, note: Note) -> Mapping[str, Any] | None:
        if row["status"] != "ok":
            return None
        try:
            return self.store.predictions(row["key"])
        except ValueError as error:
            note(f"no pictures for row {row['key']}: {error}")
            return None

    def _folder(self, row: Row, run_id: str) -> Path:
        return self.artifacts / view.slug(view.experiment_name(row)) / run_id / "artifacts"

    def _forget(self, run_id: str, row: Row) -> None:
        self._open_client().delete_run(run_id)
        shutil.rmtree(self._folder(row, run_id).parent, ignore_errors=True)

    def _experiment(self, row: Row) -> str:
        """Return the id of the row's experiment, which is created or restored from MLflow's trash if necessary."""
        name = view.experiment_name(row)
        if name not in self._experiments:
            client = self._open_client()
            found = client.get_experiment_by_name(name)
            if found is None:
                place = f"{self.artifacts.resolve().as_uri()}/{view.slug(name)}"
                self._experiments[name] = client.create_experiment(name, place, view.experiment_tags(row))
            else:
                if found.lifecycle_stage == "deleted":
                    client.restore_experiment(found.experiment_id)
                self._experiments[name] = found.experiment_id
        return self._experiments[name]

    def _open_client(self) -> MlflowClient:
        if self._client is None:
            with (
                deferred_sigint()
            ):  # MLflow imports more modules here; an interrupted import could not be repeated
                from mlflow import MlflowClient

                self.artifacts.mkdir(parents=True, exist_ok=True)
                if not self.database.exists():
                    create_database(self.database, self.artifacts)
                self._client = MlflowClient(self.uri, self.uri)
                self._client.search_experiments(max_results=1)
        return self._client

    def _open(self) -> dict[str, _Known]:
        """Return the runs in MLflow by key; read once, because only this process writes them."""
        if self._known is None:
            known: dict[str, _Known] = {}
            if self.database.exists():
                relocate(self.database, self.artifacts)
                for key, run_id, version in runs_by_tag(self.database, KEY, VERSION):
                    self._keep(known, key, _Known(run_id, version))
            self._known = known
        return self._known

    def _keep(self, known: dict[str, _Known], key: str, entry: _Known) -> None:
        """Keep one run per key; of two (someone copied one), the finished one."""
        other = known.get(key)
        if other is not None:
            entry, spare = (entry, other) if entry.version else (other, entry)
            with quiet():
                self._open_client().delete_run(spare.run_id)
        if key:
            known[key] = entry


def _has(known: Mapping[str, _Known], row: Row, version: str) -> bool:
    found = known.get(str(row["key"]))
    return found is not None and found.version == version


def digest(row: Mapping[str, Any]) -> str:
    """Hash a whole row and the version of its view: a run with another digest is replaced."""
    text = json.dumps([view.VIEW, clean(row)], sort_keys=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:16]
