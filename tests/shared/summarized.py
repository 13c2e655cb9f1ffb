"""A store whose rows have their runs and summaries in MLflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from equipoise.store.store import Store
from equipoise.tracking.database import quiet
from equipoise.tracking.tracker import Tracker

from .tracked import make_row, runs

GAINS = {"none": 0.0, "focal": 0.05, "ml_ros[p=0.25]": -0.06}


COUNTS, SHARES = [40, 20, 9], [0.5, 0.4, 0.1]
PER_LABEL = {"fixed/n_train": COUNTS, "fixed/n_test": COUNTS, "fixed/f1": SHARES, "tuned/f1": SHARES}
PER_LABEL["fixed/average_precision"] = SHARES


def rows(splits: int = 5, **more: Any) -> list[dict[str, Any]]:
    """Finished rows of three strategies; split and strategy decide the scores."""
    made = []
    for place, (strategy, gain) in enumerate(GAINS.items()):
        for split in range(splits):
            base = 0.5 + gain + 0.01 * split + 0.001 * ((split + place) % 3)
            metrics = {"scores/map": base, "tuned/macro_f1": base, "fixed/macro_f1": base - 0.1}
            key = f"{strategy[:4]}{split}{more.get('backbone', '')}{more.get('dataset', '')}"
            made.append(
                make_row(key, strategy=strategy, split=split, metrics=metrics, per_label=PER_LABEL, **more)
            )
    return made


@pytest.fixture
def summarized(store: Store) -> Callable[..., Store]:
    def summarize(*listed: list[dict[str, Any]]) -> Store:
        for row in (row for part in listed for row in part):
            store.append(row)
        tracker = Tracker(store)
        tracker.sync()  # it says that there are no predictions to draw
        assert tracker.summarize() == []
        return store

    return summarize


def named(store: Store, *levels: str) -> dict[str, Any]:
    return {run.info.run_name: run for run in runs(store, *levels)}


def experiment(store: Store, name: str = "letters (generated)") -> Any:
    with quiet():
        from mlflow import MlflowClient

        return MlflowClient(Tracker(store).uri).get_experiment_by_name(name)
