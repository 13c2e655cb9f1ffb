"""A cell that runs in this process and takes ten times its estimate is named, once, and its row is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from equipoise.contracts.dataset import Dataset
from equipoise.store.rows import fingerprint
from equipoise.store.store import Store
from equipoise.sweep import executors
from equipoise.sweep.estimate import Size
from equipoise.sweep.executors import ThisProcess
from equipoise.sweep.run import sweep
from equipoise.sweep.watching import Watcher

from .shared.pipeline import numbers, plan_of

pytestmark = pytest.mark.usefixtures("own_catalogue", "without_mlflow")


def swept(folder: Path) -> tuple[dict[str, str], list[str]]:
    """The fingerprints of two splits of two strategies, and what was said about them."""
    said: list[str] = []
    plan = plan_of(["none", "focal"], numbers(), split_count=2)
    sweep(plan, Store(folder), executor=ThisProcess(), watcher=Watcher(on_problem=said.append))
    return {row["key"]: fingerprint(row) for row in Store(folder).rows()}, said


@pytest.fixture
def estimates(monkeypatch: pytest.MonkeyPatch) -> dict[str, float | None]:
    """The estimate of each strategy in seconds; cells are looked at from their first report on."""
    known: dict[str, float | None] = {}
    monkeypatch.setattr(executors, "core_seconds", lambda cell, size: known[cell.strategy])
    monkeypatch.setattr(executors, "LEAST", 0.0)
    monkeypatch.setattr(executors, "LOOK", 0.0)
    return known


def test_a_group_that_takes_long_is_named_once(tmp_path: Path, estimates: dict[str, float | None]) -> None:
    estimates.update(none=3600.0, focal=3600.0)
    quick, said = swept(tmp_path / "a")
    assert said == []
    estimates.update(none=1e-9, focal=1e-9)
    slow, said = swept(tmp_path / "b")
    assert len(said) == 2, "one line for each split"
    for split, line in enumerate(said):
        assert line.startswith(f"none on numbers, linear, split {split} and 1 beside it: running for ")
        assert line.endswith("10 times the estimate; --cell-timeout SECONDS ends such cells")
    assert slow == quick


def test_without_an_estimate_nothing_is_said(tmp_path: Path, estimates: dict[str, float | None]) -> None:
    estimates.update(none=None, focal=1e-9)
    assert swept(tmp_path)[1] == []


def test_nothing_is_estimated_before_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("an estimate takes a moment")

    monkeypatch.setattr(executors, "core_seconds", refuse)
    rows, said = swept(tmp_path)
    assert (len(rows), said) == (4, [])


def test_the_size_of_the_data_is_found_once(
    tmp_path: Path, estimates: dict[str, float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    estimates.update(none=3600.0, focal=3600.0)
    asked: list[str] = []
    size_of = Size.of  # bound to the class

    def of(data: Dataset) -> Size:
        asked.append(data.name)
        return size_of(data)

    monkeypatch.setattr(Size, "of", of)
    swept(tmp_path)
    # Each of the four cells reports many times, and a report is a question.
    assert asked == ["numbers"]
