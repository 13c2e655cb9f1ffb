"""The artifact files of an MLflow run: tables as CSV, figures as PNG, the error of a failed cell as text."""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.core.errors import one_line
from equipoise.store.rows import Row, clean, flatten
from equipoise.tracking.run_fields import VIEW, slug

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from equipoise.plots import CurveSheet

PR_LABELS = 6  # number of precision–recall curves that can be read side by side
_DATASET_PICTURES = ("label_distribution", "cooccurrence")


def write_files(
    row: Row,
    predictions: Mapping[str, Any] | None,
    folder: Path,
    pictures: Path,
    note: Callable[[str], None],
) -> None:
    """Write a run's files into `folder`.

    Args:
        predictions: the row's stored predictions; None if there are none, and then there are no figures.
        pictures: a folder in which the figures of a data set are cached: they are the same for all of its runs.
        note: is called with one line if figures cannot be drawn; the run is written without them.
    """
    write_table(folder / "per_label.csv", _per_label(row))
    write_table(folder / "trials.csv", [_trial(trial) for trial in row.get("trials") or ()])
    if row["status"] != "ok":
        parts = [str(row[name]) for name in ("reason", "error", "traceback") if row.get(name)]
        (folder / "why.txt").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    if predictions is None or not row.get("labels"):
        return
    try:
        _draw(row, predictions, folder, pictures)
    except Exception as error:
        note(f"no pictures for row {row['key']} ({one_line(error)})")


def _per_label(row: Row) -> list[dict[str, Any]]:
    """The lines of the table of labels, from the row's lists."""
    labels = row.get("labels") or ()
    columns = {name: part for name, part in (row.get("per_label") or {}).items() if len(part) == len(labels)}
    for name in [name.removeprefix("fixed/") for name in columns if name.startswith("fixed/")]:
        # A column that is equal at both thresholds (counts, average precision) is shown once, without a prefix. Compared as
        # text, because NaN does not equal itself.
        if str(columns[f"fixed/{name}"]) == str(columns.get(f"tuned/{name}")):
            columns[name] = columns.pop(f"fixed/{name}")
            del columns[f"tuned/{name}"]
    return [
        {"label": label, **{name: column[i] for name, column in columns.items()}}
        for i, label in enumerate(labels)
    ]


def _trial(trial: Mapping[str, Any]) -> dict[str, Any]:
    return {"value": trial.get("value"), **(trial.get("params") or {})}


def write_table(path: Path, lines: list[dict[str, Any]]) -> None:
    """Write records as CSV, or as JSON in the form that MLflow shows as a table; nothing without records."""
    if not lines:
        return
    names = list(dict.fromkeys(name for line in lines for name in line))
    if path.suffix == ".json":
        content = {"columns": names, "data": [[line.get(name) for name in names] for line in lines]}
        path.write_text(json.dumps(clean(content), ensure_ascii=False), encoding="utf-8")
        return
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, names)
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in line.items()} for line in lines)


def _cell(value: Any) -> Any:
    """A value as it is written: floats rounded to 6 digits, undefined ones blank."""
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else ""
    return value


def _draw(row: Row, predictions: Mapping[str, Any], folder: Path, pictures: Path) -> None:
    labels = list(row["labels"])
    # With the version in the name, since pictures of an earlier one may show something else.
    cache = _cache(row, pictures)
    if not all((cache / f"{name}.png").exists() for name in _DATASET_PICTURES):
        # All training rows: with one fold, `oof_Y` has a quarter of them. Rows of earlier versions have no `train_Y`.
        training = predictions.get("train_Y", predictions["oof_Y"])
        _draw_dataset(np.concatenate([training, predictions["test_Y"]]), labels, cache)
    for name in _DATASET_PICTURES:
        shutil.copyfile(cache / f"{name}.png", folder / f"{name}.png")
    file = folder / "pr_curves.png"
    _sheet().write(file, predictions["test_Y"], predictions["test_logits"], labels, max_labels=PR_LABELS)


def _cache(row: Row, pictures: Path) -> Path:
    """The folder with the figures of the row's data set."""
    return pictures / f"v{VIEW}" / slug(str(row.get("dataset_sha256") or row["key"]))[:36]


def draw_summary(rows: Sequence[Row], folder: Path, pictures: Path, note: Callable[[str], None]) -> None:
    """Draw the scores of all strategies on a table, and copy the figures of its data set where a run has drawn them."""
    from equipoise import plots

    for name in _DATASET_PICTURES:
        if (drawn := _cache(rows[0], pictures) / f"{name}.png").exists():
            shutil.copyfile(drawn, folder / f"{name}.png")
    finished = [row for row in rows if row["status"] == "ok"]
    if not finished:
        return
    try:
        _save(plots.comparison(flatten(finished)), folder / "strategies.png")
    except Exception as error:
        note(f"no picture of the strategies on {rows[0]['dataset']} ({one_line(error)})")


@cache
def _sheet() -> CurveSheet:
    """The figure of precision–recall curves, which all runs share."""
    # Making a new figure for each run would take longer than writing all its other files.
    from equipoise.plots import CurveSheet

    return CurveSheet()


def _draw_dataset(Y: np.ndarray[Any, Any], labels: list[str], cache: Path) -> None:
    from equipoise.plots import cooccurrence, label_distribution

    cache.mkdir(parents=True, exist_ok=True)
    _save(label_distribution(Y, labels), cache / "label_distribution.png")
    _save(cooccurrence(Y, labels), cache / "cooccurrence.png")


def _save(figure: Figure, path: Path) -> None:
    """Write a figure to a PNG file, completely or not at all."""
    # Not through pyplot, which keeps every figure in memory for the whole sweep.
    part = path.with_suffix(".part")
    figure.savefig(part, format="png", dpi=90)
    part.replace(path)
