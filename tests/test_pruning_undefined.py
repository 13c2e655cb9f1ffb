"""Pruning where no trial has a score: the cell ends as it would without pruning."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise import Dataset
from equipoise.api import choose
from equipoise.core.errors import EquipoiseError
from equipoise.engine import held_out
from equipoise.experiment.pipeline import run_alone
from equipoise.sweep.plan import make_plan

pytestmark = pytest.mark.usefixtures("own_catalogue")

DIVERGES = """
from dataclasses import dataclass

from equipoise import Strategy

@dataclass(frozen=True)
class Diverges(Strategy):
    name = "diverges"

    def loss(self, logits, targets, ctx):
        return logits * float("nan")
"""


def row_of(strategy: str, pruning: bool) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 4)).astype(np.float32)
    data = Dataset("numbers", X, (X[:, :2] > 0).astype(np.uint8), ("a", "b"))
    settings = {"trials": 4, "folds": 2, "epochs": 9, "pruning": pruning}
    chosen = choose(None, ["numbers"], ["linear"], [strategy], settings, 1, None)
    return run_alone(make_plan(chosen, device="cpu", data={"numbers": data}).cells[0], data)[0]


def test_undefined_scores_prune_not_every_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_out, "held_out_scores", lambda lanes, logits: [math.nan] * len(lanes))
    pruned, full = row_of("none", pruning=True), row_of("none", pruning=False)
    assert pruned["status"] == full["status"] == "ok"
    assert pruned["trials"][0] == full["trials"][0], "the defaults are trained to the end"
    assert pruned["objective"] == max(t["value"] for t in pruned["trials"] if not t.get("pruned"))


@pytest.mark.parametrize("pruning", [False, True])
def test_a_loss_that_is_nowhere_a_number_fails_with_the_same_line(tmp_path: Path, pruning: bool) -> None:
    (tmp_path / "diverges.py").write_text(DIVERGES, encoding="utf-8")
    with pytest.raises(EquipoiseError, match="loss of strategy 'diverges' is NaN or infinite"):
        row_of(str(tmp_path / "diverges.py"), pruning)
