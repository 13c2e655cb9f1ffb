"""The rows of `bench_competence.py`: a file of JSON lines in git, the goals they are held to, and the tables they make."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from story import markdown

ROWS = Path(__file__).parent / "published" / "competence.jsonl"
#: The metrics of a row, and how the tables call them.
METRICS = {
    "map": "mAP",
    "fixed_macro_f1": "macro-F1 at .5",
    "tuned_macro_f1": "tuned macro-F1",
    "tuned_micro_f1": "tuned micro-F1",
}

Row = dict[str, Any]
Place = tuple[str, str, str]


def load(path: Path = ROWS) -> list[Row]:
    """The rows of a file, none where there is no file."""
    return (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    )


def put(row: Row, path: Path = ROWS) -> None:
    """Write a row in the place of the one of the same data set, split and model.

    The file is small and always sorted: it is written anew and renamed, so that an interrupted run leaves whole rows.
    """
    rows = {_place(r): r for r in load(path)} | {_place(row): row}
    part = path.with_suffix(".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with part.open("w", encoding="utf-8") as handle:
        handle.writelines(json.dumps(rows[at], sort_keys=True) + "\n" for at in sorted(rows))
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(part, path)


def _place(row: Row) -> Place:
    return row["dataset"], str(row["split"]), row["model"]


class Goal(NamedTuple):
    """`ours` is at most `margin` below `reference` in each of `metrics`, averaged over the splits that both have."""

    ours: str
    reference: str
    margin: float
    metrics: tuple[str, ...]
    datasets: tuple[str, ...] = ()  # empty: all

    def __str__(self) -> str:
        margin = f" − {self.margin:.2f}".replace("0.", ".") if self.margin else ""
        return f"{self.ours} ≥ {self.reference}{margin}"


LINEAR = ("map", "fixed_macro_f1", "tuned_macro_f1")
#: Networks are compared where the length of a training, which moves F1 at .5, decides less.
DEEP = ("map", "tuned_macro_f1")
GOALS = (
    Goal("linear", "LogisticRegression", 0.02, LINEAR),
    Goal("mlp", "MLPClassifier", 0.0, DEEP),
    Goal("mlp", "LogisticRegression", 0.01, DEEP),
    Goal("lstm", "BiLSTM", 0.02, DEEP, ("design-emails",)),
)


class Outcome(NamedTuple):
    """A goal on one data set: ours minus the reference in each metric; none where one of the two has not run."""

    goal: Goal
    dataset: str
    splits: int
    differences: dict[str, float]

    @property
    def missed(self) -> list[str]:
        """Metrics in which the goal is missed; a difference equal to the margin meets it, rounding included."""
        return [m for m, d in self.differences.items() if not d >= -self.goal.margin - 1e-9]

    def __str__(self) -> str:
        if not self.differences:
            return "not run"
        return f"missed: {', '.join(METRICS[m] for m in self.missed)}" if self.missed else "met"


def outcomes(rows: Iterable[Row], datasets: Iterable[str], goals: Iterable[Goal] = GOALS) -> list[Outcome]:
    """Every goal on every data set that it is for."""
    rows, names = list(rows), list(datasets)
    return [
        _outcome(goal, dataset, rows)
        for goal in goals
        for dataset in names
        if not goal.datasets or dataset in goal.datasets
    ]


def _outcome(goal: Goal, dataset: str, rows: list[Row]) -> Outcome:
    ours, theirs = (_splits(rows, dataset, model) for model in (goal.ours, goal.reference))
    both = sorted(ours.keys() & theirs.keys())
    differences = {m: float(np.mean([ours[s][m] - theirs[s][m] for s in both])) for m in goal.metrics if both}
    return Outcome(goal, dataset, len(both), differences)


def _splits(rows: list[Row], dataset: str, family: str) -> dict[str, dict[str, float]]:
    """Split → metrics of a model, whatever its settings in brackets."""
    return {
        str(r["split"]): r["metrics"]
        for r in rows
        if r["dataset"] == dataset and r["model"].partition("[")[0] == family
    }


def goals_table(found: Iterable[Outcome]) -> str:
    """Goals with the differences (ours − reference) and whether each is met."""
    lines = [
        (
            str(o.goal),
            o.dataset,
            str(o.splits),
            *(f"{o.differences[m]:+.3f}" if m in o.differences else "" for m in LINEAR),
            str(o),
        )
        for o in found
    ]
    return markdown(("goal", "data set", "splits", *(f"Δ {METRICS[m]}" for m in LINEAR), "outcome"), lines)


def scores_table(rows: Iterable[Row], dataset: str) -> str:
    """The models of one data set, means over their splits, ours first."""
    of: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda r: (r["kind"] != "ours", r["model"])):
        if row["dataset"] == dataset:
            of.setdefault(row["model"], []).append(row)
    head = ("model", "splits", *METRICS.values(), "seconds", "chosen")
    return markdown(head, [(model, *_line(found)) for model, found in of.items()])


def _line(rows: list[Row]) -> Iterator[str]:
    yield ", ".join(str(r["split"]) for r in rows)
    for metric in METRICS:
        yield f"{np.mean([r['metrics'][metric] for r in rows]):.3f}"
    yield f"{np.mean([r['seconds'] for r in rows]):,.1f}"
    names = sorted({name for r in rows for name in r["chosen"]})
    yield "; ".join(f"{n} {', '.join(_short(r['chosen'].get(n)) for r in rows)}" for n in names)


def _short(value: Any) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value)


def versions_line(rows: Iterable[Row]) -> str:
    """Which versions of the libraries measured the rows, in one line; several where rows are of different age."""
    seen: dict[str, set[str]] = {}
    for row in rows:
        for name, number in row["versions"].items():
            seen.setdefault(name, set()).add(number)
    named = [f"{name} {' and '.join(sorted(numbers))}" for name, numbers in sorted(seen.items())]
    return f"Measured with {', '.join(named)}."
