"""How a row is presented as an MLflow run: its name, tags, parameters, metrics and data set.

The presentation is made for MLflow's page of runs. The name of a run consists of strategy, backbone and split. Metrics keep
their prefix "fixed/", "tuned/", "own/" or "scores/", by which MLflow groups its charts. Undefined metrics are left out,
because MLflow would draw them as numbers.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from equipoise.store.rows import Row
from equipoise.tracking.levels import CELL, LEVEL

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Metric, Param

#: Version of the presentation. Raise it when this file or `files.py` changes what a run contains; the next sync then rewrites
#: all runs.
VIEW = 5
#: The metrics that matter, which MLflow shows first.
LEADING = (
    "scores/map",
    "tuned/macro_f1",
    "fixed/macro_f1",
    "own/macro_f1",
    "tuned/micro_f1",
    "tuned/rcr_at_10",
)
#: MLflow's limits: metrics and parameters per batch, and characters of a value.
_LIMIT = {"metrics": 1000, "params": 100, "value": 500}


def experiment_name(row: Row) -> str:
    """The name of the row's experiment: the data set, marked if it is generated."""
    return f"{row['dataset']} (generated)" if row.get("generated") else str(row["dataset"])


def experiment_tags(row: Row) -> dict[str, str]:
    """The tags with which the row's experiment begins; the summary gives it a description."""
    # This kind makes MLflow open its pages for trained models; by default it opens those for language-model traces.
    return {"mlflow.experimentKind": "custom_model_development"}


def slug(name: str) -> str:
    """`name` with only those characters that are safe in a folder name; "data" if none is left."""
    return re.sub(r"[^0-9A-Za-z._-]+", "_", name).strip("._") or "data"


def run_name(row: Row) -> str:
    """The name of the run, e.g. "focal · linear #0"; the part after # is the split."""
    name = f"{row['strategy']} · {row['backbone']} #{row['split']}"
    # MLflow marks killed (skipped) and failed runs alike, so the name tells them apart.
    return name if row["status"] == "ok" else f"{row['status']}: {name}"


def tags(row: Row) -> dict[str, str]:
    """The tags of the run, by which one filters and groups; those named `mlflow.*` fill MLflow's own columns."""
    names = ("strategy", "backbone", "dataset", "status", "split", "seed", "device")
    run_tags = {name: str(row[name]) for name in names if row.get(name) is not None}
    run_tags[LEVEL] = CELL
    run_tags["generated"] = str(bool(row.get("generated"))).lower()
    run_tags["mlflow.source.name"], run_tags["mlflow.source.type"] = "equipoise", "LOCAL"
    if why := str(row.get("error") or row.get("reason") or "")[: _LIMIT["value"]]:
        run_tags["why"] = why
    run_tags["mlflow.note.content"] = why or _summary(row)
    return run_tags


def _summary(row: Row) -> str:
    """The run's macro-F1 and mAP in one line, for its description."""
    decisions = (("tuned thresholds", "tuned/macro_f1"), ("threshold 0.5", "fixed/macro_f1"))
    values = [(decision, (row.get("metrics") or {}).get(name)) for decision, name in decisions]
    parts = [
        f"{value:.3f} ({decision})"
        for decision, value in values
        if isinstance(value, float) and math.isfinite(value)
    ]
    told = [f"macro-F1 {', '.join(parts)}"] if parts else []
    mean_precision = (row.get("metrics") or {}).get("scores/map")
    if isinstance(mean_precision, float) and math.isfinite(mean_precision):
        told.append(f"mAP {mean_precision:.3f}")
    return "; ".join(told)


def _numbers(part: object, prefix: str) -> Iterator[tuple[str, float]]:
    """The finite numbers of nested mappings, under names of the form "outer/inner"."""
    if isinstance(part, Mapping):
        for name, inner in part.items():
            yield from _numbers(inner, f"{prefix}/{name}" if prefix else str(name))
    elif isinstance(part, (int, float)) and not isinstance(part, bool) and math.isfinite(part):
        yield prefix, float(part)


def valid(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The pairs with characters that MLflow rejects in names replaced; names that then collide are numbered."""
    named: dict[str, Any] = {}
    for name, value in pairs:
        valid = base = re.sub(r"[^\w/. -]", "_", name)[:200]
        number = 2
        while valid in named:
            valid, number = f"{base}_{number}", number + 1
        named[valid] = value
    return named


def numbers(row: Row) -> list[tuple[str, float]]:
    """The row's finite metrics, their "spread/…" over repeats, costs ("cost/…") and resampling audit ("audit/…")."""
    parts = (("metrics", ""), ("spread", "spread"), ("cost", "cost"), ("audit", "audit"))
    return [pair for part, prefix in parts for pair in _numbers(row.get(part) or {}, prefix)]


def metrics(row: Row, when: int) -> list[Metric]:
    """The numbers of the row, the most important ones first; `when` is in ms since the epoch."""
    from mlflow.entities import Metric

    # MLflow lists metrics in the order in which they were logged.
    named = valid(sorted(numbers(row), key=importance))
    return [Metric(name, value, when, 0) for name, value in named.items()][: _LIMIT["metrics"]]


def importance(pair: tuple[str, float]) -> tuple[int, int]:
    """The sort key of a metric: those of LEADING first, then by decision."""
    name, families = pair[0], ("tuned", "fixed", "own", "scores", "cost", "spread", "audit")
    family = name.partition("/")[0]
    return (
        LEADING.index(name) if name in LEADING else len(LEADING),
        families.index(family) if family in families else len(families),
    )


def params(row: Row) -> list[Param]:
    """The chosen hyperparameters under their own names, and the settings of the run as "setting/…"."""
    from mlflow.entities import Param

    chosen = [(str(name), value) for name, value in (row.get("params") or {}).items()]
    fixed = [(f"setting/{name}", value) for name, value in (row.get("settings") or {}).items()]
    named = valid(iter(chosen + fixed))
    return [Param(name, str(value)[: _LIMIT["value"]]) for name, value in named.items()][: _LIMIT["params"]]


def dataset_input(row: Row) -> DatasetInput:
    """The data set in MLflow's form: name, digest (the first 12 digits of its SHA-256) and a short profile."""
    from mlflow.entities import Dataset, DatasetInput

    sha256 = str(row.get("dataset_sha256", ""))
    source = json.dumps({"name": row["dataset"], "sha256": sha256})
    profile = json.dumps({"labels": len(row.get("labels") or ()), "generated": bool(row.get("generated"))})
    data = Dataset(str(row["dataset"])[:500], sha256[:12] or "unknown", "equipoise", source, None, profile)
    return DatasetInput(data)


def span(row: Row) -> tuple[int, int]:
    """Start and end of the cell in ms since the epoch, from the row's `created` and its seconds."""
    try:
        end = datetime.fromisoformat(str(row["created"])).timestamp()
    except (KeyError, ValueError):
        end = 0.0
    seconds = (row.get("cost") or {}).get("seconds_total", 0.0)
    duration = float(seconds) if isinstance(seconds, (int, float)) and math.isfinite(seconds) else 0.0
    return int(max(0.0, end - duration) * 1000), int(end * 1000)
