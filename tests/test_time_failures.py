"""`equipoise time` goes on past what fails, says so in the table, and ends with exit code 1; noise stands beside each ratio."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from equipoise.api import choose
from equipoise.cli.main import app
from equipoise.contracts.dataset import Dataset
from equipoise.sweep.plan import Plan, make_plan
from equipoise.timings import speeds
from equipoise.timings.projection import estimate, records
from equipoise.timings.speeds import Speed, measure

EMAILS = "design-emails[rows=120]"
BUDGET = {"trials": 1, "folds": 2, "epochs": 1}
SHORT = ["--trials", "1", "--folds", "2", "--epochs", "1", "--splits", "2", "--device", "cpu"]


def numbers(name: str) -> Dataset:
    rng = np.random.default_rng(0)
    Y = (rng.random((100, 3)) < 0.4).astype(np.uint8)
    return Dataset(name, rng.normal(size=(100, 4)).astype(np.float32), Y, ("a", "b", "c"))


def plan_of(
    strategies: list[str], *data: Dataset, backbones: Sequence[str] = ("linear",), epochs: int = 1
) -> Plan:
    budget = {**BUDGET, "epochs": epochs}
    chosen = choose(None, [d.name for d in data], list(backbones), strategies, budget, 1, None)
    return make_plan(chosen, device="cpu", data={d.name: d for d in data})


@pytest.fixture(autouse=True)
def _any_time_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speeds, "LEAST", 0.0)
    monkeypatch.setattr(speeds, "ENOUGH", 0.0)


def failing(monkeypatch: pytest.MonkeyPatch, backbone: str, strategy: str | None = None) -> None:
    """Cells of this backbone fail, or only those of one strategy."""
    timed = speeds._timed

    def broken(cell: Any, *rest: Any) -> Any:
        if cell.backbone == backbone and strategy in (None, cell.strategy):
            raise RuntimeError("no\nluck")
        return timed(cell, *rest)

    monkeypatch.setattr(speeds, "_timed", broken)


def test_a_pair_that_fails_is_a_row_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, "linear")
    given = ["time", "--dataset", EMAILS, "--backbone", "linear", "--backbone", "embedding_bag"]
    words = [*given, "--strategy", "none", "--strategy", "focal", *SHORT, "--price", "0.001"]
    shown = CliRunner().invoke(app, words, env={"COLUMNS": "140"})
    assert shown.exit_code == 1, shown.output
    lines = [line.replace("│", " ").split() for line in shown.stdout.splitlines()]
    assert ["linear", "none", "failed"] in lines
    assert ["linear", "focal", "failed"] in lines
    assert "linear · focal failed: RuntimeError: no luck" in shown.stdout
    (bag,) = [line for line in lines if line[:2] == ["embedding_bag", "focal"]]
    assert bag[4] == "±"
    assert bag[5].endswith("%")
    flat = " ".join(shown.stdout.split())
    assert "8 cells (0 skipped, 4 that could not be timed left out)" in flat
    # A small price has digits, and the time that it pays for stands beside it.
    price = flat.partition("hour of one core: about ")[2]
    assert float(price.split()[0]) > 0
    assert price.endswith(" for 4 cells)")


def test_as_json_a_failure_is_told_apart_from_what_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, "linear", "focal")
    given = ["time", "--dataset", EMAILS, "--backbone", "linear", "--strategy", "mlsmote"]
    shown = CliRunner().invoke(app, [*given, "--strategy", "focal", *SHORT, "--json"])
    assert shown.exit_code == 1
    told = json.loads(shown.stdout)
    assert [(f["strategy"], f["reason"]) for f in told["failed"]] == [("focal", "RuntimeError: no luck")]
    assert {entry["strategy"] for entry in told["left_out"]} == {"focal", "mlsmote"}
    assert [s["strategy"] for s in told["speeds"]] == ["none"]


def test_cells_that_could_not_be_timed_are_no_part_of_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, "mlp")
    data = numbers("d")
    plan = plan_of(["none", "focal"], data, backbones=("linear", "mlp"))
    measured, failures = measure(plan)
    assert {(c.backbone, c.strategy) for c, _ in failures} == {("mlp", "none"), ("mlp", "focal")}
    both, alone = estimate(plan, measured, 1), estimate(plan_of(["none", "focal"], data), measured, 1)
    assert (both.unknown, alone.unknown) == (2, 0)
    assert both.core_seconds == alone.core_seconds > 0


def test_a_strategy_is_timed_on_the_next_data_where_nothing_ran_on_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timed = speeds._timed

    def broken(cell: Any, *rest: Any) -> Any:
        if cell.dataset == "first":
            raise RuntimeError("no")
        return timed(cell, *rest)

    monkeypatch.setattr(speeds, "_timed", broken)
    measured, _ = measure(plan_of(["focal"], numbers("first"), numbers("second")))
    assert [(s.dataset, s.strategy) for s in measured] == [("second", "none"), ("second", "focal")]


def test_noise_is_by_how_much_two_measurements_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([1.0, 1.0, 1.0, 2.0, 2.0, 2.5, 1.1])
    monkeypatch.setattr(speeds, "_timed", lambda *_: speeds._Timed(next(seconds), 0.5))
    measured, _ = measure(plan_of(["focal"], numbers("d"), epochs=3))
    # The size; then none and focal with 1 and 3 epochs; then both with 3 epochs again.
    assert [s.noise for s in measured] == pytest.approx([1.5, 2.0 / 1.1 - 1])


def test_a_ratio_is_as_noisy_as_the_noisier_of_its_two_times() -> None:
    plan = plan_of(["none", "focal", "asl"], numbers("d"))
    speed = Speed("d", "linear", "none", "cpu", 100.0, 0.0, 0.0, 0.0, 100, 1, noise=0.1)
    focal, asl = replace(speed, strategy="focal", noise=0.3), replace(speed, strategy="asl", noise=0.0)
    assert [r["noise"] for r in records(plan, [speed, focal, asl])] == [0.1, 0.3, 0.1]
    assert records(plan, [speed, replace(focal, noise=None)])[1]["noise"] is None
