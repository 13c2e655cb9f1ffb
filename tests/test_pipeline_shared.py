"""What the strategies of a split share is made once and cannot be written to."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from equipoise import load_dataset
from equipoise.experiment.pipeline import run_alone
from equipoise.store.rows import fingerprint
from equipoise.store.store import Store
from equipoise.sweep.run import sweep

from .shared.pipeline import EMAILS, numbers, plan_of, prints

pytestmark = pytest.mark.usefixtures("own_catalogue", "without_mlflow")


@pytest.mark.slow
def test_features_are_fitted_once_for_all_strategies_of_a_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cells give the same rows as with separately computed features; one set is held at a time, and none after the sweep."""
    import gc

    from equipoise.contracts.features import TfIdf
    from equipoise.experiment.prepared import Prepared

    def held() -> int:
        gc.collect()
        return sum(type(thing) is Prepared for thing in gc.get_objects()) - others

    others = 0
    others = held()  # of tests before this one in the same process
    plan = plan_of(["none", "focal", "ml_ros"], split_count=2)
    data = plan.data[EMAILS]
    fitted: list[int] = []
    original = TfIdf.fit

    def noting(self: TfIdf, X: Any, nominal: Any = None) -> TfIdf:
        fitted.append(held())
        return original(self, X, nominal)

    monkeypatch.setattr(TfIdf, "fit", noting)
    sweep(plan, Store(tmp_path))
    assert fitted == [0, 0], "one for each split, the one before gone"
    assert held() == 0
    shared = prints(Store(tmp_path))
    for cell in plan.cells:
        row, _ = run_alone(cell, data)
        assert fingerprint(row) == shared[cell.key]
    assert len(fitted) == 2 + len(plan.cells)


def test_what_strategies_share_cannot_be_written_to() -> None:
    from equipoise.catalog.backbones import get_backbone
    from equipoise.experiment.prepared import Preparations

    for data in (numbers(), load_dataset(EMAILS)):
        plan, preparations = plan_of(["none"], data), Preparations()
        made = preparations.of(plan.cells[0], data, get_backbone("linear"))
        array = made.feature_array if data.kind == "numeric" else made.feature_array.data
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 7.0
        assert preparations.of(plan.cells[0], data, get_backbone("linear")) is made
        other = preparations.of(plan.cells[0], dataclasses.replace(data), get_backbone("linear"))
        assert other is not made, "a copy of the data may hold anything"
