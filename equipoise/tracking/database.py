"""The MLflow database of a store: created atomically, moved with its folder, opened without log messages."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from equipoise.core.signals import deferred_sigint


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the logs of MLflow and alembic, and import mlflow without telemetry; restore all settings afterwards."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    first = "mlflow" not in sys.modules
    before = os.environ.get("MLFLOW_DISABLE_TELEMETRY")
    try:
        if first:  # MLflow reads it once, at import
            os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
            with deferred_sigint():
                import mlflow  # noqa: F401  (importing it sets up its loggers)
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if first and before is None:
            os.environ.pop("MLFLOW_DISABLE_TELEMETRY", None)
        elif first and before is not None:
            os.environ["MLFLOW_DISABLE_TELEMETRY"] = before


def create_database(path: Path, artifacts: Path) -> None:
    """Create an empty MLflow database at `path`, atomically: its migration takes seconds and may be killed."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        part = Path(folder) / "mlflow.db"
        place = f"sqlite:///{part.resolve().as_posix()}"
        store: Any = SqlAlchemyStore(place, artifacts.resolve().as_uri())  # type: ignore[no-untyped-call]
        store.delete_experiment("0")  # "Default", which stays unused
        store.engine.dispose()
        # Write-ahead logging stays with the file: a sweep can write while `equipoise ui` reads.
        with contextlib.closing(sqlite3.connect(part)) as database:
            database.execute("PRAGMA journal_mode=WAL")
        os.replace(part, path)


def relocate(path: Path, artifacts: Path) -> bool:
    """Write the present place of the artifacts into a database that was moved with its store; True if it had changed."""
    here = artifacts.resolve().as_uri()
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        places = [place for (place,) in database.execute("SELECT artifact_location FROM experiments")]
        stale = {place.rpartition("/")[0] for place in places if place} - {here}
        for old in stale:
            for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
                database.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                    (here, len(old) + 1, len(old) + 1, f"{old}/"),
                )
    return bool(stale)


def runs_by_tag(path: Path, key: str, version: str) -> list[tuple[str, str, str]]:
    """(value of tag `key`, run id, value of tag `version`) of each run with that key, deleted ones left out.

    The version is "" where the run has none or is still running. Read from the database, because MLflow's own search would
    fetch all metrics of all runs.
    """
    query = """
        SELECT own.value, runs.run_uuid, CASE runs.status WHEN 'RUNNING' THEN '' ELSE coalesce(made.value, '') END
        FROM runs
        JOIN experiments USING (experiment_id)
        JOIN tags AS own ON own.run_uuid = runs.run_uuid AND own.key = ?
        LEFT JOIN tags AS made ON made.run_uuid = runs.run_uuid AND made.key = ?
        WHERE runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active'
    """
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute(query, (key, version)).fetchall()
