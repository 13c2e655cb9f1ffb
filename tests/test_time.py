"""`equipoise time` measures speeds on this machine and derives the cost of a sweep from them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from equipoise.api import choose
from equipoise.catalog.registry import registry
from equipoise.cli.main import app
from equipoise.contracts.dataset import Dataset
from equipoise.core.errors import EquipoiseError
from equipoise.sweep.estimate import duration
from equipoise.sweep.plan import Plan, make_plan
from equipoise.timings import projection, speeds
from equipoise.timings.projection import Sweep, estimate, records
from equipoise.timings.speeds import Speed, measure

pytestmark = pytest.mark.usefixtures("own_catalogue")

EMAILS = "design-emails[rows=120]"
SHORT = ["--trials", "1", "--folds", "2", "--epochs", "1", "--splits", "2", "--device", "cpu"]
BROKEN = """
from dataclasses import dataclass
from equipoise.contracts.strategy import Strategy

@dataclass(frozen=True)
class Broken(Strategy):
    "Fails."
    name = "broken"

    def weights(self, Y, ctx):
        raise RuntimeError("two\\nlines")
"""


@pytest.fixture(autouse=True)
def _any_time_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speeds, "LEAST", 0.0)
    monkeypatch.setattr(speeds, "ENOUGH", 0.0)


def numbers(name: str, rows: int = 100, labels: int = 3) -> Dataset:
    rng = np.random.default_rng(rows)
    Y = (rng.random((rows, labels)) < 0.4).astype(np.uint8)
    X = rng.normal(size=(rows, 4)).astype(np.float32)
    return Dataset(name, X, Y, tuple(f"l{j}" for j in range(labels)))


def plan_of(strategies: list[str], *data: Dataset, splits: int = 1, **settings: Any) -> Plan:
    budget = {"trials": 1, "folds": 2, "epochs": 1, **settings}
    chosen = choose(None, [d.name for d in data], ["linear"], strategies, budget, splits, None)
    return make_plan(chosen, device="cpu", data={d.name: d for d in data})


def speed(data: str, strategy: str, rows_per_s: float, rest: float = 0.0, setup: float = 0.0) -> Speed:
    return Speed(data, "linear", strategy, "cpu", rows_per_s, setup, rest, features=0.0, rows=100, epochs=1)


def say(*words: str) -> str:
    shown = CliRunner().invoke(app, ["time", *words])
    assert shown.exit_code == 0, shown.output
    return " ".join(shown.stdout.split())


def test_the_table_and_the_price_of_a_sweep() -> None:
    words = say(
        "--dataset", EMAILS, "--backbone", "linear", "--strategy", "none", "--strategy", "focal", *SHORT,
        "--workers", "2", "--price", "3",
    )  # fmt: skip
    assert "120 rows, 5 labels" in words
    assert "on cpu, 1 thread" in words
    assert words.index("none") < words.index("focal")
    assert "this sweep: 4 cells (0 skipped), 12 trainings: " in words
    assert "with 2 workers" in words
    assert "at 3 for an hour of one core: about " in words


def test_as_json_with_what_is_left_out_and_why(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(BROKEN, encoding="utf-8")
    given = ["--dataset", EMAILS, "--backbone", "linear", "--strategy", str(tmp_path / "broken.py")]
    shown = CliRunner().invoke(
        app, ["time", *given, "--strategy", "mlsmote", *SHORT, "--json", "--price", "2"]
    )
    told = json.loads(shown.stdout)
    assert (told["device"], told["threads"]) == ("cpu", 1)
    (none,) = told["speeds"]
    assert (none["strategy"], none["times_none"]) == ("none", 1.0), "the yardstick, though not asked for"
    assert none["rows_per_s"] > 0
    reasons = {entry["strategy"]: entry["reason"] for entry in told["left_out"]}
    assert reasons["broken"] == "RuntimeError: two lines"
    assert "interpolates numeric inputs" in reasons["mlsmote"]
    sweep = told["sweep"]
    assert (sweep["cells"], sweep["skipped"], sweep["trainings"]) == (2, 2, 6)
    assert sweep["price"] == pytest.approx(2 * sweep["core_seconds"] / 3600)
    assert sweep["core_hours"] == pytest.approx(sweep["core_seconds"] / 3600)


def test_without_names_everything_that_fits_is_timed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Plan] = []

    def noting(plan: Plan, say: Any) -> Any:
        asked.append(plan)
        return [
            speed(c.dataset, c.strategy, 10.0) for c in plan.cells if c.backbone == "linear" and c.split == 0
        ], []

    monkeypatch.setattr(speeds, "measure", noting)
    monkeypatch.setattr(projection, "estimate", lambda *_: Sweep(1, 0, 1, 2.0, 1, 3.0))
    file = tmp_path / "numbers.csv"
    lines = [f"{i % 7},{i % 5},{i % 2},{int(i % 3 == 0)}" for i in range(60)]
    file.write_text("x1,x2,a,b\n" + "\n".join(lines) + "\n", encoding="utf-8")
    say("--dataset", str(file), "--labels", "a+b", "--device", "cpu")
    (plan,) = asked
    fitting = {e.name for e in registry("backbone").entries() if "numeric" in e.obj.accepts}
    assert {cell.backbone for cell in plan.cells} == fitting >= {"linear", "mlp", "extra_trees"}
    assert {"none", "focal", "mlsmote", "scut"} <= {cell.strategy for cell in plan.cells}
    assert {cell.settings.trials for cell in plan.cells} == {8}


def test_a_suite_is_timed_strategy_by_strategy_on_its_first_data(tmp_path: Path) -> None:
    few, many = numbers("few", labels=2), numbers("many", labels=6, rows=150)
    plan = plan_of(["focal", "binary_relevance"], few, many, splits=2)
    measured, failures = measure(plan)
    assert failures == []
    assert [(s.dataset, s.strategy) for s in measured] == [
        ("few", "none"), ("few", "focal"), ("few", "binary_relevance"), ("many", "none"),
    ]  # fmt: skip
    assert {s.rows for s in measured} == {100, 150}
    found = estimate(plan, measured, 1)
    assert (found.cells, found.trainings) == (8, 24)
    assert found.core_seconds > 0
    assert {r["dataset"] for r in records(plan, measured)} == {"few", "many"}


def test_a_strategy_is_carried_over_by_its_share_or_by_the_number_of_labels() -> None:
    few, many = numbers("few", labels=2), numbers("many", labels=6)
    known = [
        speed("few", "none", 100.0, rest=1.0), speed("few", "focal", 50.0, rest=3.0),
        speed("few", "binary_relevance", 50.0, rest=1.0), speed("many", "none", 10.0, rest=2.0),
    ]  # fmt: skip

    def rate(strategy: str) -> Speed:
        plan = plan_of([strategy], many)
        ((_, own),) = projection._speeds(replace(plan, data={"few": few, "many": many}), known)
        return own

    assert rate("none") == known[3]
    assert (rate("focal").rows_per_s, rate("focal").rest) == (5.0, 6.0)
    assert rate("binary_relevance").rows_per_s == 10.0 / (1 + (2 - 1) * 6 / 2)


def test_a_sweep_costs_by_its_budget_and_lasts_by_its_workers() -> None:
    data = numbers("d", rows=1000)
    known = [speed("d", "none", 1000.0, rest=0.001, setup=0.5)]

    def seconds(workers: int = 1, splits: int = 4, **settings: Any) -> Sweep:
        return estimate(plan_of(["none"], data, splits=splits, **settings), known, workers)

    base = seconds(trials=4, folds=3, epochs=10)
    passes = 800 * 10 * (4 * 2 + 1)
    assert base.core_seconds == pytest.approx(4 * (passes / 1000 + (0.5 + 1.0) * 5))
    assert base.trainings == 4 * 13
    assert seconds(trials=4, folds=3, epochs=20).core_seconds > 1.7 * base.core_seconds
    two = seconds(workers=2, trials=4, folds=3, epochs=10)
    assert two.core_seconds == base.core_seconds
    assert two.seconds - projection.START == pytest.approx((base.seconds - projection.START) / 2)
    one = seconds(workers=8, splits=1, trials=4, folds=3, epochs=10)
    assert one.seconds == seconds(workers=1, splits=1, trials=4, folds=3, epochs=10).seconds, (
        "one cell, one core"
    )


def test_features_of_a_sample_have_the_width_of_all_rows() -> None:
    from equipoise import load_dataset
    from equipoise.catalog.backbones import get_backbone
    from equipoise.experiment.prepared import sample

    data = load_dataset(EMAILS)
    plan = make_plan(
        choose(None, [EMAILS], ["linear"], ["none"], {"trials": 1, "folds": 2, "epochs": 1}, 1, None)
    )
    linear, cell = get_backbone("linear"), plan.cells[0]
    made = sample(cell, data, linear, 40)
    assert (made.data.n_rows, len(made.inputs)) == (40, 32)
    assert made.inputs.width == linear.features("text").fit(data.X).transform(data.X).width
    assert made.seconds > 0


def test_data_on_which_nothing_runs_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(speeds, "run_cell", broken)
    with pytest.raises(EquipoiseError, match="d with linear fails: RuntimeError: two lines"):
        measure(plan_of(["focal"], numbers("d")))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "about 1 s"), (44, "about 44 s"), (100, "about 1.7 min"), (2530, "about 42 min"),
     (11000, "about 3.1 h"), (300000, "about 3.5 days")],
)  # fmt: skip
def test_times_on_the_clock_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words
