"""The worlds of the regime map: which rows count, what is known of each world, and kinds of worlds."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from equipoise import measures
from equipoise.catalog.datasets import load_dataset
from equipoise.sweep.suite import load_suite
from equipoise.worlds.best import best_of, factors_of
from equipoise.worlds.world import Best, Worlds, worlds_of

#: What takes minutes to compute: the best possible scores of the worlds on their test rows, and measures of labels.
KNOWN = Path(__file__).parent.parent / "benchmarks" / "published" / "regimes-worlds.csv"
#: Kinds of worlds for which a winner is looked for; finer ones have too few worlds for two halves.
MILD, STRONG, FEWEST = (3.0, 10.0), (50.0, 200.0), 6
#: Rows of the data set → epochs of the rows that the map is drawn from; other epochs only show what a budget does.
EPOCHS = {500: 80, 2000: 20, 8000: 10}
ORDER = tuple(
    dict.fromkeys(name for block in load_suite("regimes-2026-11").blocks for name in block.strategies)
)
Row = Mapping[str, Any]


def known_worlds() -> dict[str, dict[str, float]]:
    """Data set → its numbers in benchmarks/published/regimes-worlds.csv."""
    with KNOWN.open(encoding="utf-8", newline="") as file:
        return {row.pop("dataset"): {k: float(v) for k, v in row.items()} for row in csv.DictReader(file)}


def compute_worlds(rows: Sequence[Row], real: Sequence[str]) -> None:
    """Add to benchmarks/published/regimes-worlds.csv the worlds of rows, and the real data sets, that are not in it."""
    known = known_worlds() if KNOWN.exists() else {}
    for name in dict.fromkeys(str(row["dataset"]) for row in rows):
        if name not in known:
            best = best_of([row for row in rows if row["dataset"] == name and row["strategy"] == "none"])
            known[name] = best[name]._asdict() | traits(name)
    unknown = dict.fromkeys(Best._fields, math.nan)
    known |= {name: unknown | traits(name) for name in real if name not in known}
    with KNOWN.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["dataset", *next(iter(known.values()))], lineterminator="\n")
        writer.writeheader()
        for name, numbers in known.items():
            writer.writerow({"dataset": name} | {k: f"{v:.6g}" for k, v in numbers.items()})


def traits(name: str) -> dict[str, float]:
    """Measures of the labels of a data set, real or not: MeanIR, positives of a median label, rDep, labels."""
    Y = np.asarray(load_dataset(name).Y)
    counts = Y.sum(axis=0)
    positives = float(np.median(counts[counts > 0]))
    return {
        "mean_ir": measures.mean_ir(Y),
        "positives": positives,
        "rdep": measures.rdep(Y),
        "count": float(Y.shape[1]),
    }


def observed(rows: Sequence[Row], epochs: Mapping[int, int]) -> Worlds:
    """The worlds of the rows that were trained for this number of epochs, with their factors and best scores."""
    known = known_worlds()
    factors = factors_of(known)
    best = {name: Best(n["map"], n["macro_f1"], n["half"]) for name, n in known.items()}
    chosen = [
        dict(row)
        for row in rows
        if row["settings"]["epochs"] == epochs.get(int(factors[row["dataset"]]["rows"]))
    ]
    # In the order of the file and of the suite, whatever the order of the rows: a store and a published folder differ in it.
    chosen.sort(key=lambda row: (list(known).index(row["dataset"]), ORDER.index(row["strategy"])))
    return worlds_of(chosen, factors, best)


def corners(worlds: Worlds) -> list[tuple[float, float]]:
    """Every (rows, imbalance) with worlds, from small to large."""
    return sorted({(w.factors["rows"], w.factors["imbalance"]) for w in worlds.worlds})


def kinds(worlds: Worlds) -> Iterator[tuple[str, Worlds]]:
    """Worlds by rows, and by whether the imbalance is mild or strong where there are enough of both for two halves."""
    for rows in worlds.levels("rows"):
        here = worlds.where(rows=rows)
        parts = [
            Worlds([w for w in here.worlds if w.factors["imbalance"] in ratios]) for ratios in (MILD, STRONG)
        ]
        for part in parts if min(len(part.worlds) for part in parts) >= FEWEST else [here]:
            ratios = [f"{ratio:g}" for ratio in part.levels("imbalance")]
            told = (
                f"imbalance {' and '.join(ratios)}"
                if len(ratios) < 3
                else f"imbalance {ratios[0]} to {ratios[-1]}"
            )
            yield f"{rows:g} rows, {told}", part


def strategies(worlds: Worlds) -> list[str]:
    """All strategies but `none`, in the order of the suite."""
    return [s for s in dict.fromkeys(n for w in worlds.worlds for n in w.scores) if s != "none"]
