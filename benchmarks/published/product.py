"""Rows of cells of this product: a backbone and a strategy on the official split, under three decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import huang
import numpy as np
from number_rows import Row

import equipoise
from equipoise.contracts.dataset import Dataset

#: Where the cells' predictions are kept; git ignores it.
STORE = Path(__file__).resolve().parents[2] / "results" / "benchmarks" / "published-numbers"
LIBRARIES = ("equipoise", "torch", "numpy")


class Cells(NamedTuple):
    """Cells that differ in their strategy: names as on the command line, and settings that differ from the defaults."""

    dataset: str
    backbone: str
    strategies: tuple[str, ...] = ("none",)
    settings: tuple[tuple[str, Any], ...] = ()


class Result(NamedTuple):
    """The row of a cell as one flat line, and the arrays that the store keeps with it."""

    line: dict[str, Any]
    arrays: dict[str, np.ndarray]


def run(cells: Cells, data: Dataset, store: Path = STORE) -> dict[str, Result]:
    """Strategy → result, on the official split; cells that the store holds are not computed again.

    Raises:
        RuntimeError: a cell failed.
    """
    frame = equipoise.run(
        dataset=data,
        backbone=cells.backbone,
        strategy=list(cells.strategies),
        splits="official",
        device="cpu",
        results=store,
        **dict(cells.settings),
    )
    lines = [{str(n): v for n, v in line.items()} for line in frame.to_dict("records")]
    if failed := next((line for line in lines if line["status"] != "ok"), None):
        raise RuntimeError(
            f"{cells.backbone}, {failed['strategy']}: {failed['status']}: {failed.get('error')}"
        )
    return {line["strategy"]: Result(line, _arrays(store, line["key"])) for line in lines}


def _arrays(store: Path, key: str) -> dict[str, np.ndarray]:
    with np.load(store / "predictions" / f"{key}.npz") as arrays:
        return dict(arrays)


def decisions(arrays: dict[str, np.ndarray], margins: bool = False) -> tuple[dict[str, np.ndarray], float]:
    """The test rows decided at probability ½ (or margin 0), at one threshold and at one per label; and the one threshold.

    The one threshold is chosen as Huang et al. choose it, on micro-F1, but on out-of-fold scores of the training rows instead
    of on development rows: these are trained on here.
    """
    oof, test = (arrays[f"{rows}_logits"].astype(np.float64) for rows in ("oof", "test"))
    if margins:
        cut = huang.best_threshold(arrays["oof_Y"], oof, huang.MARGINS)
        one = test > cut
    else:
        cut = huang.best_threshold(arrays["oof_Y"], probability(oof), huang.PROBABILITIES)
        one = probability(test) > cut
    return {"half": arrays["test_fixed"] > 0, "one": one, "per label": arrays["test_tuned"] > 0}, cut


def probability(logits: huang.Floats) -> huang.Floats:
    """The logistic function, without overflow."""
    return 0.5 * (1 + np.tanh(logits / 2))


def row(result: Result, masks: dict[str, huang.Bools], margins: bool = False) -> Row:
    """What a row of a cell holds: the scores under each decision, the one threshold, mAP, and what the search chose."""
    line, arrays = result
    made, cut = decisions(arrays, margins)
    return {
        "cell": line["key"],
        "map": float(line["scores/map"]),
        "thresholds": {"one": cut},
        "scores": {
            rule: huang.scored(arrays["test_Y"], predicted, masks) for rule, predicted in made.items()
        },
        "chosen": {n.removeprefix("param/"): v for n, v in line.items() if n.startswith("param/") and v == v},
    }
