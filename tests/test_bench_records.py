"""What `pytest benchmarks` writes: entries with facts, tables that a partial run leaves in place, and a short summary."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from equipoise.timings.records import load, short

ROOT = Path(__file__).resolve().parent.parent
# The benchmarks' modules lie beside each other and import each other by name.
sys.path.append(str(ROOT / "benchmarks"))
try:
    import bench_hooks
    import bench_steps
    import machine
    import small_cells
    import summary
    import tables
    import visits
    from contest import Contestant
finally:
    sys.path.pop()

CPU = torch.device("cpu")


class Stats:
    def __init__(self) -> None:
        self.rounds: list[float] = []

    def update(self, seconds: float) -> None:
        self.rounds.append(seconds)


def test_a_partial_run_keeps_the_other_tables(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "training.md"
    tables.write(file, {"a (emails), cpu": "| 1 |\n\nnote", "b, cpu": "| 2 |"}, "one machine; 2026-11-01.")
    assert file.read_text(encoding="utf-8") == (
        "Measured on one machine; 2026-11-01.\n\n### a (emails), cpu\n\n| 1 |\n\nnote\n\n### b, cpu\n\n| 2 |\n"
    )
    tables.write(file, {"a (emails), cpu": "| 3 |", "c, cpu": "| 4 |"}, "another; 2026-11-02.")
    mixed = file.read_text(encoding="utf-8")
    assert mixed.startswith("### a (emails), cpu\n\nMeasured on another; 2026-11-02.\n\n| 3 |\n\n### b, cpu")
    assert "### b, cpu\n\nMeasured on one machine; 2026-11-01.\n\n| 2 |" in mixed
    assert list(tables.parse(mixed)) == ["a (emails), cpu", "b, cpu", "c, cpu"]
    # A whole run on one machine says so once again.
    tables.write(file, dict.fromkeys(tables.parse(mixed), "| 5 |"), "another; 2026-11-02.")
    assert file.read_text(encoding="utf-8").count("Measured on") == 1


def test_visits_add_up_to_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    loads = iter([3.0, 5.0])
    monkeypatch.setattr(machine, "load_average", lambda: next(loads))
    entry = SimpleNamespace(stats=Stats(), extra_info={})
    timing = visits.Timing("t", entry, rows=100)
    timing.add([3.0, 2.0])
    first = {"visits": [2.0], "rows": 100, "rows_per_s": 50.0, "visit_spread": None}
    assert entry.extra_info == first | {"load_average": 3.0}
    timing.add([1.0, 1.5])
    both = {"visits": [2.0, 1.0], "rows": 100, "rows_per_s": 100.0, "visit_spread": 1.0}
    assert entry.extra_info == both | {"load_average": 4.0}
    assert (timing.seconds, entry.stats.rounds) == (1.0, [3.0, 2.0, 1.0, 1.5])


def test_rounds_repeat_short_work_and_run_long_work_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(visits.time, "process_time", lambda: clock[0])

    def work(seconds: float) -> Any:
        def run() -> None:
            calls.append(seconds)
            clock[0] += seconds

        return run

    calls: list[float] = []
    assert visits.rounds_of(work(2.0), CPU, budget=0.1) == [2.0]
    assert len(calls) == 1
    calls.clear()
    rounds = visits.rounds_of(work(0.001), CPU, budget=0.1)
    # Each later round repeats the work, and stands for one call.
    assert (len(calls) - 1) / (len(rounds) - 1) == pytest.approx(visits.ROUND / 0.001, rel=0.3)
    assert rounds == pytest.approx([0.001] * len(rounds))


def test_the_noise_of_a_contest_is_by_how_much_its_rounds_differ() -> None:
    loop = Contestant("loop", 1, lambda: None, cpu=[4.0, 4.0, 4.0, 4.0])
    lanes = Contestant("lanes", 2, lambda: None, cpu=[4.0, 5.0, 4.0, 5.0])
    assert lanes.times(loop, "cpu") == pytest.approx((2.0 + 1.6) / 2)
    assert lanes.noise(loop, "cpu") == pytest.approx(2.0 / 1.6 - 1)
    assert (
        Contestant("once", 1, lambda: None, cpu=[4.0]).noise(Contestant("a", 1, print, cpu=[4.0]), "cpu")
        is None
    )


def test_packages_with_plugins_are_among_the_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    dist = SimpleNamespace(name="my-plugins", version="1.2")
    points = {"equipoise.strategies": [SimpleNamespace(dist=dist)]}
    monkeypatch.setattr(machine, "entry_points", lambda group: points.get(group, []))
    found = machine.facts()
    assert found["versions"]["my-plugins"] == "1.2"
    assert found["versions"]["torch"] == torch.__version__
    assert found["threads"] == torch.get_num_threads()
    assert {"device", "clock", "processor", "cpus", "python"} <= set(found)


def test_every_strategy_and_backbone_of_the_registry_is_timed() -> None:
    (strategies,) = bench_steps.test_strategy.pytestmark
    assert strategies.args[1] == small_cells.names("strategy") != []
    (backbones,) = bench_steps.test_backbone.pytestmark
    assert (
        {"linear", "mlp", "lstm", "textcnn"} <= set(backbones.args[1]) <= set(small_cells.names("backbone"))
    )
    assert {name for name, _ in bench_hooks.hooks()} == set(small_cells.names("strategy")) - {"none"}


@pytest.mark.parametrize("strategy", ["focal", "label_powerset", "ml_ros"])
def test_a_step_is_one_of_the_lanes_that_a_cell_asks_for(strategy: str) -> None:
    cell, why = small_cells.cell_of(strategy, "mlp", "cpu", small_cells.MANY_LANES)
    assert cell is not None, why
    request = small_cells.first_request(cell)
    populations = small_cells.populations(request, CPU)
    # Eight trials on two folds; labelsets differ between folds, and so do the shapes of their networks.
    assert len(request.lanes) == 16
    assert len(populations) == len({lane.signature for lane in request.lanes})
    for population in populations:
        population.advance(1)


def test_what_does_not_fit_is_left_out_with_its_reason() -> None:
    cell, why = small_cells.cell_of("mlsmote", "lstm", "cpu")
    assert cell is None
    assert "mlsmote" in why


def test_the_summary_fits_a_screen() -> None:
    timings = {}
    for i in range(300):
        entry = SimpleNamespace(stats=Stats(), extra_info={})
        name = f"benchmarks/bench_hooks.py::test_hook[s{i}-loss]"
        timings[name] = visits.Timing(name, entry, rows=64)
        for factor in (1.0, 1.1):
            timings[name].add([(i + 1) * 1e-4 * factor])
    lines = summary.overview(timings)
    assert len(lines) == 3
    assert lines[0] == "300 timings, 2 visits each, which spread by 10.0% (median)"
    assert lines[1].startswith("slowest: hooks: hook[s299-loss] 30 ms, hooks: hook[s298-loss]")
    assert len(summary.every(timings)) == 300


@pytest.mark.slow
def test_a_run_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    command = [
        sys.executable, "-c", "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))", "benchmarks",
        "-q", "-p", "no:cacheprovider", "--visits=2", "-k", "(hook and focal and loss) or (bench_steps and focal)",
        f"--benchmark-json={file}", "--ignore=benchmarks/bench_training.py", "--ignore=benchmarks/bench_sweep.py",
    ]  # fmt: skip
    # A pytest below a worker of pytest-xdist would take itself for one, and write no file.
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment = outside | {"CUDA_VISIBLE_DEVICES": "", "PYTHONSAFEPATH": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, timeout=400)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "not run: the same on CUDA, since PyTorch sees no CUDA device here" in done.stdout
    assert len(done.stdout.splitlines()) < 24
    names = {short(name) for name in load(file).timings}
    assert {"hooks: hook[focal-loss]", "steps: strategy[cpu-focal]"} <= names
    for entry in json.loads(file.read_text(encoding="utf-8"))["benchmarks"]:
        info = entry["extra_info"]
        assert (info["device"], info["threads"], len(info["visits"])) == ("cpu", 1, 2)
        assert info["rows_per_s"] == pytest.approx(info["rows"] / min(info["visits"]))
        assert entry["stats"]["min"] == pytest.approx(min(info["visits"]))
        assert info["versions"]["torch"] == torch.__version__
        assert info["unit"]
