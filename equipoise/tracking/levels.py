"""The three levels of runs in an experiment, and the keys of the two upper ones.

A *summary* run says who won on one table (data set × backbone × settings), a *strategy* run holds the means of one strategy in
it, and below that stand the *cell* runs, one for each row. The tag `level` tells them apart in searches and saved views.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from equipoise.splits.outer import OFFICIAL
from equipoise.store.rows import Row

#: The tag, and its values.
LEVEL = "level"
SUMMARY, STRATEGY, CELL = "summary", "strategy", "cell"
#: MLflow's own tag for the run under which another one is shown.
PARENT = "mlflow.parentRunId"
#: Our tags for the key of a run, and for the digest of what it was written from.
KEY, VERSION = "equipoise.key", "equipoise.version"


@dataclass(frozen=True)
class KnownRun:
    """A run in the database; `version` is "" if it was never finished."""

    run_id: str
    version: str


def table_key(row: Row) -> str:
    """The key of the summary run of a row: equal for the rows of one comparison, see `equipoise.report.comparison`."""
    return f"{SUMMARY}-{_digest(_table(row))}"


def strategy_key(row: Row) -> str:
    """The key of the strategy run below which a row's run stands."""
    return f"{STRATEGY}-{_digest([*_table(row), str(row['strategy'])])}"


def is_summary(key: str) -> bool:
    """Whether a key is that of a run above the cells; keys of rows are hex digits."""
    return key.startswith((f"{SUMMARY}-", f"{STRATEGY}-"))


def _table(row: Row) -> list[str]:
    return [
        str(row["dataset"]),
        str(row.get("backbone_identity") or row["backbone"]),
        str(row.get("dataset_sha256", "")),
        json.dumps(row.get("settings") or {}, sort_keys=True, default=str),
        str(row["split"] == OFFICIAL),
        # Runs of generated data are in an experiment of their own.
        str(bool(row.get("generated"))),
    ]


def _digest(parts: list[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
