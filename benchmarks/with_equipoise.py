"""The sweep of `bench_sweep.py` by `equipoise.run`, with the same input and output as `by_hand.py`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import equipoise


def sweep(task: dict[str, Any]) -> dict[str, Any]:
    """Run all strategies; returns the scores of each."""
    budget = {name: task[name] for name in ("trials", "folds", "epochs", "trial_batch")}
    rows = equipoise.run(
        dataset=task["dataset"],
        backbone="mlp[hidden=64]",
        strategy=task["strategies"],
        splits=1,
        workers=task["workers"],
        device="cpu",
        results=Path(task["out"]) / "results",
        **budget,
    )
    columns = {"objective": "objective", "test_tuned": "tuned/macro_f1", "test_fixed": "fixed/macro_f1"}
    scores = {
        row["strategy"]: {name: row[column] for name, column in columns.items()}
        for row in rows.to_dict("records")
    }
    training = float(rows["cost/seconds_training"].sum())
    return {"scores": scores, "seconds": {"training": training}}


if __name__ == "__main__":
    print(json.dumps(sweep(json.loads(sys.argv[1]))))
