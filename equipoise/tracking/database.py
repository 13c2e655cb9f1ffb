"""The MLflow database of a store: creates it atomically, adapts it to a moved folder, and silences MLflow."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.core.signals import deferred_sigint
from equipoise.store.store import MAKING
from equipoise.tracking.levels import PARENT

#: Seconds to wait for a server that is writing to the database.
BUSY = 30.0


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence MLflow's and Alembic's logs and warnings inside the block, and import mlflow without its telemetry.

    Log levels and environment variables are restored afterwards.
    """
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    first = "mlflow" not in sys.modules
    before = os.environ.get("MLFLOW_DISABLE_TELEMETRY")
    try:
        if first:  # MLflow reads this variable once, when it is imported
            os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
            with deferred_sigint():
                import mlflow  # noqa: F401  (importing it sets the log levels, so ours must come after)
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


def database_uri(path: Path) -> str:
    """The URI of a SQLite file, as MLflow takes it."""
    # Versions of SQLAlchemy differ in whether a URI is percent-encoded; this one reads back what it writes.
    from sqlalchemy.engine import URL

    return URL.create("sqlite", database=path.resolve().as_posix()).render_as_string(hide_password=False)


#: What SQLite says of a file that is no database of MLflow's, or only parts of one.
_DAMAGE = ("not a database", "malformed", "no such table", "no such column", "unsupported file format")


def is_damage(error: BaseException) -> bool:
    """Whether an error of SQLite, or of SQLAlchemy around it, says that the file is damaged, not that it is busy or full."""
    # Without importing SQLAlchemy, whose errors have the same name.
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return "DatabaseError" in kinds and any(sign in str(error) for sign in _DAMAGE)


def set_aside(path: Path) -> Path:
    """Rename a damaged database, and remove what belongs to it; returns its new path."""
    aside = path.with_suffix(".damaged")
    os.replace(path, aside)
    for suffix in ("-wal", "-shm", "-journal"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    return aside


def create_database(path: Path, artifacts: Path) -> None:
    """Create an empty MLflow database at `path`, completely or not at all."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    # Elsewhere first, then moved: the migration takes seconds, and killing it half-way would leave an unusable file.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=MAKING) as folder:
        part = Path(folder) / "mlflow.db"
        store: Any = SqlAlchemyStore(database_uri(part), artifacts.resolve().as_uri())  # type: ignore[no-untyped-call]
        store.delete_experiment("0")  # MLflow's "Default" experiment, which would stay empty
        store.engine.dispose()
        # Write-ahead logging, a property of the file, lets a sweep write while `equipoise ui` reads.
        with contextlib.closing(sqlite3.connect(part)) as database:
            database.execute("PRAGMA journal_mode=WAL")
        os.replace(part, path)


def relocate(path: Path, artifacts: Path) -> bool:
    """Correct the artifact locations in a database that was moved together with its store; True if any was wrong."""
    # MLflow stores absolute locations, so a moved folder would otherwise show runs without files.
    current = artifacts.resolve().as_uri()
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        locations = [
            location for (location,) in database.execute("SELECT artifact_location FROM experiments")
        ]
        stale = {location.rpartition("/")[0] for location in locations if location} - {current}
        for old in stale:
            for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
                database.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                    (current, len(old) + 1, len(old) + 1, f"{old}/"),
                )
    return bool(stale)


def runs_by_tag(path: Path, key: str, version: str) -> list[tuple[str, str, str]]:
    """For each run with the tag `key`: the tag's value, the run id and the value of the tag `version`.

    Deleted runs are left out. The version is "" for a run without that tag and for one that is still running.
    """
    # Straight from the database: MLflow's own search would fetch all metrics of all runs.
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


@dataclass(frozen=True)
class Content:
    """What a finished run holds. `status` is MLflow's; `start` and `end` are ms since the epoch; metrics are finite."""

    name: str
    status: str
    start: int
    end: int
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str]


def fill_run(path: Path, run_id: str, content: Content) -> None:
    """Give a run this content in the place of what it held; it keeps its id, and so its links, other tags and children."""
    # MLflow itself needs ten transactions, could not remove an old metric, and would make a new value a point of a curve.
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY)) as database, database:
        for table in ("metrics", "latest_metrics", "params"):
            database.execute(f"DELETE FROM {table} WHERE run_uuid = ?", (run_id,))
        for table in ("metrics", "latest_metrics"):
            database.executemany(
                f"INSERT INTO {table} (run_uuid, key, value, timestamp, step, is_nan) VALUES (?, ?, ?, ?, 0, 0)",
                [(run_id, name, value, content.end) for name, value in content.metrics.items()],
            )
        for table, pairs in (("params", content.params), ("tags", content.tags)):
            database.executemany(
                f"INSERT OR REPLACE INTO {table} (run_uuid, key, value) VALUES (?, ?, ?)",
                [(run_id, name, value) for name, value in pairs.items()],
            )
        database.execute(
            "UPDATE runs SET status = ?, name = ?, start_time = ?, end_time = ? WHERE run_uuid = ?",
            (content.status, content.name, content.start, content.end, run_id),
        )


def nest(path: Path, parents: Mapping[str, str]) -> int:
    """Show each run (a key of `parents`) below its parent; returns how many stood elsewhere."""
    # In one transaction: through MLflow, each tag would take as long as writing a run.
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY)) as database, database:
        now = dict(database.execute("SELECT run_uuid, value FROM tags WHERE key = ?", (PARENT,)).fetchall())
        wrong = [(PARENT, parent, run) for run, parent in parents.items() if now.get(run) != parent]
        database.executemany("INSERT OR REPLACE INTO tags (key, value, run_uuid) VALUES (?, ?, ?)", wrong)
    return len(wrong)
