"""The MLflow database of a store: its client, its experiments, and the runs that it holds."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from equipoise.core.signals import deferred_sigint
from equipoise.store.rows import Row
from equipoise.store.store import Store
from equipoise.tracking import run_fields as view
from equipoise.tracking.database import (
    create_database,
    database_uri,
    quiet,
    relocate,
    runs_by_tag,
    set_aside,
)
from equipoise.tracking.levels import KEY, VERSION, KnownRun

if TYPE_CHECKING:
    from mlflow import MlflowClient


class Connection:
    """A SQLite file `mlflow.db` and the folder `mlartifacts/` in the folder of a store.

    Both are made when the client is first asked for, which takes some seconds. Only one process may use them at a time: the one
    that holds the store's lock. MLflow stores absolute artifact locations; if the folder has been moved, they are corrected
    when the runs are read.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.database = store.path / "mlflow.db"
        self.artifacts = store.path / "mlartifacts"
        self._known: dict[str, KnownRun] | None = None
        self._experiments: dict[str, str] = {}
        self._client: MlflowClient | None = None

    @property
    def uri(self) -> str:
        """The tracking URI, as `mlflow.set_tracking_uri` and `MlflowClient` take it."""
        return database_uri(self.database)

    def client(self) -> MlflowClient:
        """Return the client, connected; the first call imports MLflow, and makes the database if it does not exist."""
        if self._client is None:
            # Ctrl-C waits: some of MLflow's imports fail the second time if they were interrupted the first time.
            with deferred_sigint():
                from mlflow import MlflowClient

                self.artifacts.mkdir(parents=True, exist_ok=True)
                if not self.database.exists():
                    create_database(self.database, self.artifacts)
                self._client = MlflowClient(self.uri, self.uri)
                self._client.search_experiments(max_results=1)  # makes MLflow import and connect now
        return self._client

    def experiment_id(self, row: Row) -> str:
        """The id of the row's experiment, which is created or restored if necessary."""
        name = view.experiment_name(row)
        if name not in self._experiments:
            client = self.client()
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                location = f"{self.artifacts.resolve().as_uri()}/{view.slug(name)}"
                self._experiments[name] = client.create_experiment(name, location, view.experiment_tags(row))
            else:
                # MLflow keeps a deleted experiment's name reserved, so a new one could not be created.
                if experiment.lifecycle_stage == "deleted":
                    client.restore_experiment(experiment.experiment_id)
                self._experiments[name] = experiment.experiment_id
        return self._experiments[name]

    def folder(self, row: Row, run_id: str) -> Path:
        """Where MLflow looks for the files of a run in the row's experiment."""
        return self.artifacts / view.slug(view.experiment_name(row)) / run_id / "artifacts"

    def delete(self, run_id: str, row: Row) -> None:
        """Delete a run in the row's experiment with its files."""
        self.client().delete_run(run_id)
        shutil.rmtree(self.folder(row, run_id).parent, ignore_errors=True)

    def known_runs(self) -> dict[str, KnownRun]:
        """The runs in the database by their keys, read once, since no other process writes to it; callers keep it up to date."""
        if self._known is None:
            known: dict[str, KnownRun] = {}
            if self.database.exists():
                relocate(self.database, self.artifacts)
                for key, run_id, version in runs_by_tag(self.database, KEY, VERSION):
                    self._add_known(known, key, KnownRun(run_id, version))
            self._known = known
        return self._known

    def begin_anew(self) -> Path:
        """Set the database aside with all that is known of it; returns where it is now."""
        self._client, self._known = None, None
        self._experiments.clear()
        shutil.rmtree(self.artifacts, ignore_errors=True)
        return set_aside(self.database)

    def _add_known(self, known: dict[str, KnownRun], key: str, entry: KnownRun) -> None:
        """Add a run to `known`. If the key has one already (someone has copied it), only a finished one is kept."""
        other = known.get(key)
        if other is not None:
            # The unfinished one goes; of two finished ones, either says the same.
            entry, duplicate = (entry, other) if entry.version else (other, entry)
            with quiet():
                self.client().delete_run(duplicate.run_id)
        if key:
            known[key] = entry
