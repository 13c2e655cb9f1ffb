"""The sweep of `bench_sweep.py` by `equipoise.run`; takes and prints what `by_hand.py` does."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import equipoise


def sweep(what: dict[str, Any]) -> dict[str, Any]:
    """One row a strategy."""
    budget = {name: what[name] for name in ("trials", "folds", "epochs", "trial_batch")}
    rows = equipoise.run(
        dataset=what["dataset"],
        backbone="mlp",
        strategy=what["strategies"],
        splits=1,
        workers=what["workers"],
        device="cpu",
        results=Path(what["out"]) / "results",
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
