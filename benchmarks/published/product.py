"""Rows of cells of this product: a backbone and a strategy on the official split, under three decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import huang
import numpy as np
from number_rows import ROWS, Row, measured

import equipoise
from equipoise.contracts.dataset import Dataset

#: Where the cells' predictions are kept; git ignores it.
STORE = Path(__file__).resolve().parents[2] / "results" / "benchmarks" / "published-numbers"
LIBRARIES = ("equipoise", "torch", "numpy")
#: Backbones whose scores are margins, not logits.
MARGINS = ("linear_svc",)


class Cell(NamedTuple):
    """What a cell is: names as on the command line, and settings that differ from the defaults."""

    dataset: str
    backbone: str
    strategy: str
    settings: tuple[tuple[str, Any], ...] = ()


def run(cell: Cell, data: Dataset, store: Path = STORE) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The row and the arrays of a cell; it is computed unless the store holds it.

    Raises:
        RuntimeError: the cell failed.
    """
    frame = equipoise.run(
        dataset=data,
        backbone=cell.backbone,
        strategy=cell.strategy,
        splits="official",
        device="cpu",
        results=store,
        **dict(cell.settings),
    )
    (line,) = ({str(n): v for n, v in line.items()} for line in frame.to_dict("records"))
    if line["status"] != "ok":
        raise RuntimeError(f"{cell}: {line['status']}: {line.get('error')}")
    with np.load(store / "predictions" / f"{line['key']}.npz") as arrays:
        return line, dict(arrays)


def decisions(arrays: dict[str, np.ndarray], margins: bool = False) -> tuple[dict[str, np.ndarray], float]:
    """The test rows decided at probability ½, at one threshold and at a threshold per label; and that one threshold.

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


def scored(cell: Cell, data: Dataset, masks: dict[str, huang.Bools], store: Path = STORE) -> Row:
    """What a row of a cell holds: the scores under each decision, the one threshold, mAP, and what the search chose."""
    line, arrays = run(cell, data, store)
    made, cut = decisions(arrays, cell.backbone in MARGINS)
    return {
        "cell": line["key"],
        "map": round(float(line["scores/map"]), 4),
        "thresholds": {"one": cut},
        "scores": {rule: huang.scored(arrays["test_Y"], predicted, masks) for rule, predicted in made.items()},
        "chosen": {n.removeprefix("param/"): v for n, v in line.items() if n.startswith("param/") and v == v},
    }


def row(
    part: str, cell: Cell, data: Dataset, masks: dict[str, huang.Bools], path: Path = ROWS, store: Path = STORE
) -> Row:
    """The row of a cell in the file, measured where it is missing."""
    name = f"{cell.backbone}, {cell.strategy}"
    settings = (data.sha256, *cell)
    return measured(part, name, settings, LIBRARIES, lambda: scored(cell, data, masks, store), path)
