"""A row as an MLflow run: its name, tags, parameters, metrics and data set.

The name of a run, as listed on MLflow's page, holds strategy, backbone and split. Metric names keep their prefixes "fixed/",
"tuned/", "own/" and "scores/", by which MLflow groups its charts. Undefined numbers are left out, because MLflow would draw
them as numbers.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from equipoise.store.rows import Row

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Metric, Param

VIEW = 3  # raise it when this file or `files` changes what a run holds: the next sync then replaces the runs
_LIMIT = {"metrics": 1000, "params": 100, "value": 500}


def experiment_name(row: Row) -> str:
    """Return the experiment's name: the data set, marked where the data are generated."""
    return f"{row['dataset']} (generated)" if row.get("generated") else str(row["dataset"])


def experiment_tags(row: Row) -> dict[str, str]:
    """Describe the experiment on its page."""
    kind = "Generated data. " if row.get("generated") else ""
    said = (
        f"{kind}Balancing strategies on {row['dataset']}, one run per cell (backbone × strategy × split). "
        "`tuned/…`: thresholds tuned on out-of-fold training rows; `fixed/…`: threshold 0.5; "
        "`own/…`: the strategy's own decision; `scores/…`: free of thresholds. Undefined metrics are absent."
    )
    # This kind selects MLflow's pages for trained models; the default shows pages for language-model traces.
    return {"mlflow.note.content": said, "mlflow.experimentKind": "custom_model_development"}


def slug(name: str) -> str:
    """Return `name` as a folder name."""
    return re.sub(r"[^0-9A-Za-z._-]+", "_", name).strip("._") or "data"


def run_name(row: Row) -> str:
    """Return the run's name: strategy, backbone and split."""
    name = f"{row['strategy']} · {row['backbone']} #{row['split']}"
    # MLflow shows a killed run like a failed one, so the name says which it is.
    return name if row["status"] == "ok" else f"{row['status']}: {name}"


def tags(row: Row) -> dict[str, str]:
    """Return the tags to filter and group by; `mlflow.*` are MLflow's own columns."""
    names = ("strategy", "backbone", "dataset", "status", "split", "seed", "device")
    found = {name: str(row[name]) for name in names if row.get(name) is not None}
    found["generated"] = str(bool(row.get("generated"))).lower()
    found["mlflow.source.name"], found["mlflow.source.type"] = "equipoise", "LOCAL"
    if why := str(row.get("error") or row.get("reason") or "")[: _LIMIT["value"]]:
        found["why"] = why
    found["mlflow.note.content"] = why or _summary(row)
    return found


def _summary(row: Row) -> str:
    """Return the run's result in one line, for its description."""
    shown = (("tuned thresholds", "tuned/macro_f1"), ("threshold 0.5", "fixed/macro_f1"))
    values = [(words, (row.get("metrics") or {}).get(name)) for words, name in shown]
    said = [
        f"{value:.3f} ({words})"
        for words, value in values
        if isinstance(value, float) and math.isfinite(value)
    ]
    return f"macro-F1 {', '.join(said)}" if said else ""


def _numbers(part: object, prefix: str) -> Iterator[tuple[str, float]]:
    """Yield the finite numbers of nested mappings as "outer/inner" names."""
    if isinstance(part, Mapping):
        for name, inner in part.items():
            yield from _numbers(inner, f"{prefix}/{name}" if prefix else str(name))
    elif isinstance(part, (int, float)) and not isinstance(part, bool) and math.isfinite(part):
        yield prefix, float(part)


def _names(pairs: Iterator[tuple[str, Any]]) -> dict[str, Any]:
    """Replace characters that MLflow rejects in a name; names that then collide are numbered."""
    named: dict[str, Any] = {}
    for name, value in pairs:
        plain = base = re.sub(r"[^\w/. -]", "_", name)[:200]
        number = 2
        while plain in named:
            plain, number = f"{base}_{number}", number + 1
        named[plain] = value
    return named


def metrics(row: Row, when: int) -> list[Metric]:
    """Return the row's finite metrics, "cost/…" and "audit/…"; `when` in ms since the epoch."""
    from mlflow.entities import Metric

    parts = (("metrics", ""), ("cost", "cost"), ("audit", "audit"))
    pairs = sorted((p for part, prefix in parts for p in _numbers(row.get(part) or {}, prefix)), key=_place)
    return [Metric(name, value, when, 0) for name, value in _names(iter(pairs)).items()][: _LIMIT["metrics"]]


def _place(pair: tuple[str, float]) -> tuple[int, int]:
    """Return a sort key that puts the main metrics first: MLflow lists metrics in the order they were logged."""
    family, _, name = pair[0].partition("/")
    families, names = ("tuned", "fixed", "own", "scores", "cost", "audit"), ("macro_f1", "micro_f1", "map")
    return (
        families.index(family) if family in families else len(families),
        names.index(name) if name in names else len(names),
    )


def params(row: Row) -> list[Param]:
    """Return the chosen hyperparameters under their own names, the run's settings as "setting/…"."""
    from mlflow.entities import Param

    chosen = [(str(name), value) for name, value in (row.get("params") or {}).items()]
    fixed = [(f"setting/{name}", value) for name, value in (row.get("settings") or {}).items()]
    named = _names(iter(chosen + fixed))
    return [Param(name, str(value)[: _LIMIT["value"]]) for name, value in named.items()][: _LIMIT["params"]]


def dataset_input(row: Row) -> DatasetInput:
    """Return the data set as MLflow knows one: name, digest (the first 12 digits of the sha256), a short profile."""
    from mlflow.entities import Dataset, DatasetInput

    sha256 = str(row.get("dataset_sha256", ""))
    source = json.dumps({"name": row["dataset"], "sha256": sha256})
    profile = json.dumps({"labels": len(row.get("labels") or ()), "generated": bool(row.get("generated"))})
    data = Dataset(str(row["dataset"])[:500], sha256[:12] or "unknown", "equipoise", source, None, profile)
    return DatasetInput(data)


def span(row: Row) -> tuple[int, int]:
    """Return when the cell began and ended, in ms since the epoch: `created` less its seconds, and `created`."""
    try:
        end = datetime.fromisoformat(str(row["created"])).timestamp()
    except (KeyError, ValueError):
        end = 0.0
    seconds = (row.get("cost") or {}).get("seconds_total", 0.0)
    spent = float(seconds) if isinstance(seconds, (int, float)) and math.isfinite(seconds) else 0.0
    return int(max(0.0, end - spent) * 1000), int(end * 1000)
