"""How a row looks as an MLflow run: its name, tags, parameters, metrics, data set and files.

Made for the runs page: the name says strategy, backbone and split; metric names keep their "fixed/", "tuned/",
"own/", "scores/" prefix, by which MLflow groups its charts; undefined numbers are left out rather than drawn.
"""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.rows import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow.entities import DatasetInput, Metric, Param

VIEW = 1  # raise it when this file changes what a run holds: the next sync then writes the runs anew
PR_LABELS = 12
_LIMIT = {"metrics": 1000, "params": 100, "value": 500}
_DATASET_PICTURES = ("label_distribution", "cooccurrence")


def experiment_name(row: Row) -> str:
    """Name the experiment after the data set, and say so when the data are generated."""
    return f"{row['dataset']} (generated)" if row.get("generated") else str(row["dataset"])


def experiment_tags(row: Row) -> dict[str, str]:
    """Describe the experiment on its page."""
    kind = "**Generated** data. " if row.get("generated") else ""
    said = (
        f"{kind}Balancing strategies on {row['dataset']}, one run per cell (backbone × strategy × split). "
        "`tuned/…`: thresholds tuned on out-of-fold training rows; `fixed/…`: threshold 0.5; "
        "`own/…`: the strategy's own decision; `scores/…`: free of thresholds. Undefined metrics are absent."
    )
    return {"mlflow.note.content": said}


def slug(name: str) -> str:
    """Return `name` as a folder name."""
    return re.sub(r"[^0-9A-Za-z._-]+", "_", name).strip("._") or "data"


def run_name(row: Row) -> str:
    """Name the run after what tells it from the others on the page."""
    return f"{row['strategy']} · {row['backbone']} · split {row['split']}"


def tags(row: Row) -> dict[str, str]:
    """Return what one filters and groups by; `mlflow.*` are MLflow's own columns."""
    names = ("strategy", "backbone", "dataset", "status", "split", "seed", "device")
    found = {name: str(row[name]) for name in names if row.get(name) is not None}
    found["generated"] = str(bool(row.get("generated"))).lower()
    found["mlflow.source.name"], found["mlflow.source.type"] = "equipoise", "LOCAL"
    if why := row.get("error") or row.get("reason"):
        found["why"] = found["mlflow.note.content"] = str(why)[: _LIMIT["value"]]
    return found


def _numbers(part: object, prefix: str) -> Iterator[tuple[str, float]]:
    """Yield the finite numbers of nested mappings as "outer/inner" names."""
    if isinstance(part, Mapping):
        for name, inner in part.items():
            yield from _numbers(inner, f"{prefix}/{name}" if prefix else str(name))
    elif isinstance(part, (int, float)) and not isinstance(part, bool) and math.isfinite(part):
        yield prefix, float(part)


def _names(pairs: Iterator[tuple[str, Any]]) -> dict[str, Any]:
    """Replace what MLflow rejects in a name; two names that then collide are numbered."""
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
    pairs = (pair for part, prefix in parts for pair in _numbers(row.get(part) or {}, prefix))
    return [Metric(name, value, when, 0) for name, value in _names(pairs).items()][: _LIMIT["metrics"]]


def params(row: Row) -> list[Param]:
    """Return the chosen hyperparameters under their own names, the run's settings as "setting/…"."""
    from mlflow.entities import Param

    chosen = [(str(name), value) for name, value in (row.get("params") or {}).items()]
    fixed = [(f"setting/{name}", value) for name, value in (row.get("settings") or {}).items()]
    named = _names(iter(chosen + fixed))
    return [Param(name, str(value)[: _LIMIT["value"]]) for name, value in named.items()][: _LIMIT["params"]]


def dataset_input(row: Row) -> DatasetInput:
    """Return the data set as MLflow knows one: name, digest (first 36 of the sha256's 64 digits), a short profile."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    sha256 = str(row.get("dataset_sha256", ""))
    source = json.dumps({"name": row["dataset"], "sha256": sha256})
    profile = json.dumps({"labels": len(row.get("labels") or ()), "generated": bool(row.get("generated"))})
    data = Dataset(str(row["dataset"])[:500], sha256[:36] or "unknown", "equipoise", source, None, profile)
    return DatasetInput(data, [InputTag("mlflow.data.context", "cross-validation")])


def span(row: Row) -> tuple[int, int]:
    """Return when the cell began and ended, in ms since the epoch: `created` less its seconds, and `created`."""
    try:
        end = datetime.fromisoformat(str(row["created"])).timestamp()
    except (KeyError, ValueError):
        end = 0.0
    seconds = (row.get("cost") or {}).get("seconds_total", 0.0)
    spent = float(seconds) if isinstance(seconds, (int, float)) and math.isfinite(seconds) else 0.0
    return int(max(0.0, end - spent) * 1000), int(end * 1000)


def artifacts(
    row: Row,
    predictions: Mapping[str, Any] | None,
    folder: Path,
    pictures: Path,
    note: Callable[[str], None],
) -> None:
    """Write the run's files into `folder`: tables as CSV, pictures as PNG, the error of a failed cell as text.

    The pictures of a data set are drawn once, kept in `pictures` and copied. A picture that cannot be drawn is
    noted in one line and costs nothing else.
    """
    _write_table(folder / "per_label.csv", _per_label(row))
    _write_table(folder / "trials.csv", [_trial(trial) for trial in row.get("trials") or ()])
    if row["status"] != "ok":
        said = [str(row[name]) for name in ("reason", "error", "traceback") if row.get(name)]
        (folder / "why.txt").write_text("\n\n".join(said) + "\n", encoding="utf-8")
    if predictions is None or not row.get("labels"):
        return
    try:
        _draw(row, predictions, folder, pictures)
    except Exception as error:
        note(f"no pictures for row {row['key']} ({type(error).__name__}: {' '.join(str(error).split())})")


def _per_label(row: Row) -> list[dict[str, Any]]:
    """Turn the row's lists into one line per label."""
    labels = row.get("labels") or ()
    columns = {n: c for n, c in (row.get("per_label") or {}).items() if len(c) == len(labels)}
    return [
        {"label": label, **{name: column[place] for name, column in columns.items()}}
        for place, label in enumerate(labels)
    ]


def _trial(trial: Mapping[str, Any]) -> dict[str, Any]:
    return {"value": trial.get("value"), **(trial.get("params") or {})}


def _write_table(path: Path, lines: list[dict[str, Any]]) -> None:
    if not lines:
        return
    names = list(dict.fromkeys(name for line in lines for name in line))
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, names)
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in line.items()} for line in lines)


def _cell(value: Any) -> Any:
    """Round for reading; undefined is blank."""
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else ""
    return value


def _draw(row: Row, predictions: Mapping[str, Any], folder: Path, pictures: Path) -> None:
    from equipoise.pictures import pr_curves

    labels = list(row["labels"])
    cache = pictures / slug(str(row.get("dataset_sha256") or row["key"]))[:36]
    if not all((cache / f"{name}.png").exists() for name in _DATASET_PICTURES):
        _draw_dataset(np.concatenate([predictions["oof_Y"], predictions["test_Y"]]), labels, cache)
    for name in _DATASET_PICTURES:
        shutil.copyfile(cache / f"{name}.png", folder / f"{name}.png")
    figure = pr_curves(predictions["test_Y"], predictions["test_logits"], labels, max_labels=PR_LABELS)
    _save(figure, folder / "pr_curves.png")


def _draw_dataset(Y: np.ndarray[Any, Any], labels: list[str], cache: Path) -> None:
    from equipoise.pictures import cooccurrence, label_distribution

    cache.mkdir(parents=True, exist_ok=True)
    _save(label_distribution(Y, labels), cache / "label_distribution.png")
    _save(cooccurrence(Y, labels), cache / "cooccurrence.png")


def _save(figure: Figure, path: Path) -> None:
    """Write the figure without going through pyplot, whose figures would pile up over a sweep."""
    part = path.with_suffix(".part")
    figure.savefig(part, format="png", dpi=90, bbox_inches="tight")
    part.replace(path)
