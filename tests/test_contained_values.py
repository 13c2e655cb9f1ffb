"""What a hook returns is checked wherever the engine calls it: a wrong value is a failed row with one line, never a score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from equipoise.api import choose
from equipoise.experiment.prepared import Preparations
from equipoise.sweep.batches import attempt
from equipoise.sweep.plan import make_plan

from .shared.contained import numbers

pytestmark = pytest.mark.usefixtures("own_catalogue")

HEAD = """
from dataclasses import dataclass, replace
import numpy as np
import torch
from equipoise.contracts.rows import Rows
from equipoise.contracts.strategy import Strategy, bce
from equipoise.contracts.tasks import Task
from equipoise.thresholds import ThresholdRule
"""
RETURNS = """
@dataclass(frozen=True)
class {name}(Strategy):
    "Returns something else than {hook} should."
    name = "{name}"
    vectorized = {vectorized}

    def {hook}(self, {arguments}):
        return {value}
"""
#: `merge` and `vote` act for a strategy that has `tasks`.
SPLITS = """
    def tasks(self, Y, ctx):
        return [Task((0, 1, 2))]
"""
ARGUMENTS = {
    "weights": "Y, ctx",
    "loss": "logits, targets, ctx",
    "resample": "rows, ctx",
    "tasks": "Y, ctx",
    "merge": "tasks, logits, ctx",
    "vote": "tasks, logits, ctx",
    "head": "h, Y, weight, bias, ctx",
    "adjust": "logits, Y, ctx",
    "decide": "logits, Y, ctx",
}
#: The hook, what it returns, and what the error says of that.
FAULTS = [
    ("weights", "np.full(len(Y), np.nan)", "NaN or infinity in float64 ("),
    ("weights", "np.where(np.arange(len(Y)) == 1, np.inf, 1.0)", "NaN or infinity"),
    ("weights", "np.arange(len(Y)) - 3.0", "negative numbers in float64 ("),
    ("weights", "np.zeros(len(Y))", "with a sum of 0"),
    ("weights", "np.full(len(Y), 1e308)", "with a sum of inf"),
    ("weights", "np.stack([np.ones(len(Y)), np.zeros(len(Y))])", "with a sum of 0"),
    ("weights", "np.ones(len(Y) - 1)", "float64 ("),
    ("weights", "np.ones(len(Y) + 5)", "float64 ("),
    ("weights", "np.ones((len(Y), 1))", "float64 ("),
    ("weights", "np.ones(len(Y)) * (1 + 1j)", "complex128 ("),
    ("weights", "np.array(['1'] * len(Y))", "<U1 ("),
    ("weights", "None", "NoneType"),
    ("weights", "1.0", "float;"),
    ("loss", "bce(logits, targets).mean()", "torch.float32 ()"),
    ("loss", "bce(logits, targets).sum(0)", "torch.float32 (3,)"),
    ("loss", "bce(logits, targets).flatten()", "torch.float32 ("),
    ("loss", "bce(logits, targets) * torch.nan", "NaN or infinite"),
    ("loss", "bce(logits, targets) + torch.where(ctx.progress > 0.4, torch.inf, 0.0)", "NaN or infinite"),
    ("loss", "bce(logits, targets) * (1 + 0j)", "torch.complex64 ("),
    ("loss", "(logits > 0).int() - targets.int()", "torch.int32 ("),
    ("loss", "0.5", "float;"),
    ("loss", "bce(logits, targets).detach().numpy()", "float32 ("),
    ("resample", "None", "NoneType"),
    ("resample", "replace(rows, index=rows.index[:-1])", "labels of"),
    ("resample", "rows.take(np.arange(0))", "labels of 0 rows"),
    ("resample", "replace(rows, index=rows.index + 1000)", "rows that it was not given"),
    (
        "resample",
        "replace(rows, index=rows.index * 0 + np.setdiff1d(np.arange(96), rows.index)[:1])",
        "was not given",
    ),
    ("resample", "replace(rows, index=rows.index * 1.0)", "an index of float64"),
    ("resample", "replace(rows, Y=rows.Y * 2)", "other values than 0 and 1"),
    ("resample", "replace(rows, Y=rows.Y[:, :2])", "labels of uint8"),
    ("resample", "rows.add(np.full((2, 5), np.nan), rows.Y[:2])", "NaN or infinity in synthetic features"),
    ("resample", "rows.add(np.ones((2, 4)), rows.Y[:2])", "synthetic features of float32 (2, 4)"),
    ("tasks", "[]", "list;"),
    ("tasks", "[(0,)]", "tuple in a list"),
    ("tasks", "[Task((0, 7))]", "columns (0, 7)"),
    ("tasks", "[Task((0, 1, 2), rows=np.arange(len(Y) + 1))]", "rows are not positions"),
    ("tasks", "[Task((0, 1, 2), classes=np.zeros((0, 3)))]", "classes are float64 (0, 3)"),
    ("merge", "logits[0][:-1]", "float32 ("),
    ("merge", "logits[0] * np.nan", "NaN or infinity in float32 ("),
    ("merge", "logits[0] > 0", "bool ("),
    ("vote", "logits[0]", "other values than 0 and 1"),
    ("vote", "np.ones(3, dtype=bool)", "bool (3,)"),
    ("adjust", "logits", "float32 ("),
    ("adjust", "lambda z: z[:1]", "float32 (1, 3)"),
    ("adjust", "lambda z: z * np.inf", "NaN or infinity"),
    ("adjust", "lambda z: z + 0j", "complex64 ("),
    ("adjust", "lambda z: None", "NoneType"),
    ("decide", "lambda z: z", "other values than 0 and 1"),
    ("decide", "lambda z: z[:, :2] > 0", "bool ("),
    ("decide", "ThresholdRule(np.nan)", "NaN in thresholds"),
    ("decide", "ThresholdRule(np.zeros(7))", "thresholds of float64 (7,)"),
    ("head", "None", "NoneType"),
    ("head", "lambda h, z: z[:1]", "float32 (1, 3)"),
    ("head", "lambda h, z: z * np.nan", "NaN or infinity"),
]
#: Unusual, and right.
LEGAL = [
    ("weights", "[1.0] * len(Y)"),
    ("weights", "np.arange(len(Y), dtype=np.float16)"),
    ("weights", "np.ones((3, len(Y)), dtype=int)"),
    ("loss", "bce(logits, targets).sum(-1)"),
    ("resample", "Rows(rows.index.astype(np.int32), rows.Y.astype(float))"),
    ("decide", "lambda z: (z > 0).astype(int)"),
    ("decide", "ThresholdRule(np.inf)"),
]


def rows_of(
    folder: Path, hooks: list[tuple[str, str]], backbone: str = "mlp[hidden=4]", **settings: Any
) -> Any:
    """The rows of a plugin for each hook and what it returns, and of `none`, by name."""
    text = HEAD
    for i, (hook, value) in enumerate(hooks):
        text += RETURNS.format(
            name=f"p{i}", hook=hook, arguments=ARGUMENTS[hook], value=value, vectorized=False
        )
        text += SPLITS if hook in ("merge", "vote") else ""
    file = folder / "returns.py"
    file.write_text(text, encoding="utf-8")
    given = {"trials": 1, "folds": 2, "epochs": 2, **settings}
    chosen = choose(None, ["numbers"], [backbone], ["none", str(file)], given, 1, None)
    plan = make_plan(chosen, device="cpu", data={"numbers": numbers()})
    return {cell.strategy: row for cell, (row, _) in attempt(plan.cells, plan.data, Preparations())}


def test_a_wrong_value_is_a_failed_row_with_one_line(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, [(hook, value) for hook, value, _ in FAULTS])
    assert rows.pop("none")["status"] == "ok"
    for i, (hook, value, said) in enumerate(FAULTS):
        row = rows[f"p{i}"]
        assert row["status"] == "failed", (hook, value)
        error = row["error"].removeprefix("EquipoiseError: ")
        assert error.startswith(f"{hook} of strategy 'p{i}' "), (value, row["error"])
        assert said in error, (value, error)
        assert "\n" not in error
        assert len(error) < 300


def test_a_loss_that_batches_itself_is_checked_too(tmp_path: Path) -> None:
    (tmp_path / "batched.py").write_text(
        HEAD
        + RETURNS.format(
            name="batched",
            hook="loss",
            arguments=ARGUMENTS["loss"],
            value="bce(logits, targets).mean((-2, -1)) if logits.dim() > 2 else bce(logits, targets)",
            vectorized=True,
        ),
        encoding="utf-8",
    )
    chosen = choose(None, ["numbers"], ["linear"], [str(tmp_path / "batched.py")], {"trials": 1}, 1, None)
    plan = make_plan(chosen, device="cpu", data={"numbers": numbers()})
    [(_, (row, _))] = attempt(plan.cells, plan.data, Preparations())
    assert row["status"] == "failed"
    assert "loss of strategy 'batched' returned torch.float32 (3,)" in row["error"]


def test_unusual_values_of_the_right_shape_pass(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, LEGAL, backbone="linear")
    assert {row["status"] for row in rows.values()} == {"ok"}, [r["error"] for r in rows.values()]
    # As text, since NaN is not equal to itself.
    assert str(rows["p0"]["metrics"]) == str(rows["none"]["metrics"])


def test_a_training_that_diverges_is_no_fault(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, [("loss", "bce(logits, targets) * 1e30 * logits.square()")])
    assert rows["p0"]["status"] == "ok", rows["p0"]["error"]
