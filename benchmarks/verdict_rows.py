"""Trains what `bench_verdict` needs, a line of JSON per table, and keeps it: an interrupted measurement goes on where it was.

A *table* is one data set with its own seed, one backbone, and the scores of every strategy on ten splits (two repetitions of
a stratified 5-fold). There are three studies:

- `aa`: `none` and plugins that are `none` with the training rows in another order. Only the order of the batches differs, so
  that every claim about them is false.
- `world`: real strategies, each table on a generated data set of its own.
- `parts`: the same strategies, each table on its own disjoint part of a large real data set.

In the last two the tables are independent samples of one population, which no single table tells: the mean over all tables
estimates the true effect of a strategy, and the variance *between* tables the correlation of splits of one table.

    python benchmarks/verdict_rows.py aa emotions linear 20      # study, data, backbone, number of tables
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from equipoise import load_dataset
from equipoise.api import choose
from equipoise.contracts.dataset import Dataset
from equipoise.experiment.prepared import Preparations
from equipoise.sweep.batches import attempt
from equipoise.sweep.grouping import groups
from equipoise.sweep.plan import make_plan

FOLDER = Path(os.environ.get("EQUIPOISE_VERDICT", "results/benchmarks/verdict"))
SPLITS, ORDERS, PART_ROWS = 10, 5, 600
SETTINGS = {"trials": 2, "folds": 2, "epochs": 15}
METRICS = {
    "map": "scores/map",
    "fixed_macro_f1": "fixed/macro_f1",
    "tuned_macro_f1": "tuned/macro_f1",
    "own_macro_f1": "own/macro_f1",
}
STRATEGIES = ["none", "pos_weight", "focal", "ml_ros", "scut"]
#: A test set has a seed of its own for each table: its rows are another draw from the same population.
WORLD = "design-emails[rows={rows},seed={table}]"

PLUGIN = """
import numpy as np
from dataclasses import dataclass
from equipoise.contracts.strategy import Strategy

@dataclass(frozen=True)
class Order(Strategy):
    "No balancing, and the training rows in another order."
    name = "order{k}"
    def resample(self, rows, ctx):
        return rows.take(np.random.default_rng([{k}, len(rows)]).permutation(len(rows)))
"""


def orders(folder: Path) -> list[str]:
    """Write the plugins that are `none` in another order; returns their paths."""
    files = [folder / f"order{k}.py" for k in range(ORDERS)]
    for k, file in enumerate(files):
        file.write_text(PLUGIN.format(k=k))
    return [str(file) for file in files]


def part(data: Dataset, table: int) -> Dataset:
    """A disjoint random part of a data set, with only the labels that occur often enough to be stratified."""
    order = np.random.default_rng(0).permutation(len(data.Y))
    rows = np.sort(order[table * PART_ROWS : (table + 1) * PART_ROWS])
    if len(rows) < PART_ROWS:
        raise SystemExit(f"{data.name} has no {table + 1} parts of {PART_ROWS} rows")
    frequent = np.flatnonzero(data.Y.mean(0) >= 0.02)
    X = data.X[rows] if hasattr(data.X, "shape") else [data.X[row] for row in rows]
    labels = tuple(data.labels[label] for label in frequent)
    return Dataset(f"{data.name}-part{table}", X, np.ascontiguousarray(data.Y[rows][:, frequent]), labels)


def scores(data: Dataset, backbone: str, strategies: list[str], seed: int) -> dict[str, Any]:
    """Strategy → metric → the values on all splits, in their order."""
    suite = choose(None, [data.name], [backbone], strategies, dict(SETTINGS), SPLITS, seed)
    plan = make_plan(suite, device="cpu", data={data.name: data})
    rows: dict[str, dict[str, Any]] = {}
    for group in groups(plan.cells):
        rows |= {cell.key: row for cell, (row, _) in attempt(group, plan.data, Preparations())}
    out: dict[str, Any] = {}
    for cell in plan.cells:
        row = rows[cell.key]
        if row["status"] != "ok":
            raise SystemExit(f"{cell.strategy} on {data.name}: {row['error']}")
        of_strategy = out.setdefault(cell.strategy, {name: [] for name in METRICS})
        for name, metric in METRICS.items():
            of_strategy[name].append(row["metrics"][metric])
    return out


def stored(study: str, data: str, backbone: str) -> dict[int, Any]:
    """The tables that have been measured, by their number."""
    file = _file(study, data, backbone)
    lines = file.read_text().splitlines() if file.is_file() else []
    return {line["table"]: line["scores"] for line in map(json.loads, lines)}


def studies() -> Iterator[tuple[str, str, str]]:
    """Study, data and backbone of every file that is there."""
    for file in sorted(FOLDER.glob("*--*--*.jsonl")):
        study, data, backbone = file.stem.split("--")
        yield study, data, backbone


def measure(study: str, data: str, backbone: str, tables: int) -> None:
    """Measure the tables 0 … `tables` − 1 that are not stored yet."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    done = stored(study, data, backbone)
    whole = None if study == "world" else load_dataset(data)
    with tempfile.TemporaryDirectory() as folder:
        strategies = ["none", *orders(Path(folder))] if study == "aa" else STRATEGIES
        for table in sorted(set(range(tables)) - set(done)):
            if whole is None:
                drawn = load_dataset(WORLD.format(rows=PART_ROWS, table=table))
            else:
                drawn = whole if study == "aa" else part(whole, table)
            line = {"table": table, "scores": scores(drawn, backbone, strategies, table)}
            with _file(study, data, backbone).open("a") as file:
                file.write(json.dumps(line) + "\n")


def _file(study: str, data: str, backbone: str) -> Path:
    return FOLDER / f"{study}--{data}--{backbone}.jsonl"


if __name__ == "__main__":
    _, _study, _data, _backbone, _tables = sys.argv
    measure(_study, _data, _backbone, int(_tables))
