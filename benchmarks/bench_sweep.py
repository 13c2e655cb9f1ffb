"""Compares a whole sweep, from data to rows and MLflow, by `equipoise.run` with the same sweep written by hand (`by_hand.py`).

    pytest benchmarks/bench_sweep.py -m slow       # 6 strategies × 16 trials × 4 folds on yeast: some minutes

Each side runs in a process of its own, from the first import to the last MLflow run. Wall time is what a user waits for;
processor time is more reliable on a shared machine. The table goes to results/benchmarks/sweep.md.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import processes
import pytest
from story import markdown

from equipoise import Context, Rows, get_strategy, load_dataset
from equipoise.core.errors import EquipoiseError
from equipoise.experiment.settings import Settings
from equipoise.splits.outer import outer_split
from equipoise.sweep.estimate import passes

HERE = Path(__file__).parent
STRATEGIES = ("none", "pos_weight", "focal", "asl", "ml_ros", "balanced_sampling")
SMALL = {
    "strategies": ("none", "ml_ros"),
    "trials": 2,
    "folds": 2,
    "epochs": 2,
    "trial_batch": 2,
}
WHOLE = {"strategies": STRATEGIES, "trials": 16, "folds": 4, "epochs": 20, "trial_batch": 16}


@dataclass(frozen=True)
class Outcome:
    """The output of a program, and its cost: seconds, processor seconds, and bytes."""

    output: dict[str, Any]
    wall: float
    cpu: float
    memory: int


def _missing() -> str:
    """Which libraries of the version by hand are missing, in words; "" if none."""
    names = [name for name in ("skorch", "iterstrat") if importlib.util.find_spec(name) is None]
    return f"{', '.join(names)} not installed: pip install 'equipoise[test,bench]'" if names else ""


@pytest.fixture(scope="module")
def yeast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Outer split 0 of yeast as a file, so that both sides train and test on the same rows."""
    if missing := _missing():
        pytest.skip(missing)
    if not Path("/proc/self/stat").exists():
        pytest.skip("the processor time of other processes is read from /proc, which this system lacks")
    try:
        data = load_dataset("yeast")
    except EquipoiseError as error:
        pytest.skip(str(error))
    train, test = outer_split(data.Y, 0, 0)
    path = tmp_path_factory.mktemp("data") / "yeast.npz"
    X: Any = data.X
    np.savez(path, X=X[train], Y=data.Y[train], X_test=X[test], Y_test=data.Y[test])
    return path


def _settings(budget: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in budget.items() if name != "strategies"}


def run_script(script: str, task: dict[str, Any]) -> Outcome:
    """Run a script with one thread a process; the task is passed as JSON."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    command = [sys.executable, str(HERE / script), json.dumps(task)]
    cost = processes.run(command, {**os.environ, **threads}, task["out"])
    return Outcome(json.loads(cost.out.splitlines()[-1]), cost.wall, cost.cpu, cost.memory)


@pytest.mark.parametrize(
    "budget", [pytest.param(SMALL, id="small"), pytest.param(WHOLE, id="whole", marks=pytest.mark.slow)]
)
# Each side runs in a process of its own, whose processor time this process does not see.
@pytest.mark.benchmark(timer=time.perf_counter)
def test_sweep(
    benchmark: Any,
    facts: dict[str, Any],
    tell: Callable[..., None],
    yeast: Path,
    tmp_path: Path,
    budget: dict[str, Any],
) -> None:
    """The sweep by hand, by equipoise, and with two workers; the scores of both sides must be similar."""
    results: dict[str, Outcome] = {}

    def run(name: str, script: str, workers: int = 1) -> None:
        out = tmp_path / name.replace(" ", "-")
        out.mkdir()
        task = {**budget, "data": str(yeast), "dataset": "yeast", "out": str(out), "workers": workers}
        results[name] = run_script(script, task)

    run("by hand", "by_hand.py")
    benchmark.group = "sweep"
    benchmark.pedantic(run, ("equipoise", "with_equipoise.py"), rounds=1)
    if budget is WHOLE:
        run("equipoise, 2 workers", "with_equipoise.py", workers=2)
    ours, theirs = results["equipoise"].output["scores"], results["by hand"].output["scores"]
    facts.update({name: vars(r) for name, r in results.items()}, visits=[results["equipoise"].cpu])
    facts["rows"] = len(budget["strategies"]) * int(
        passes(Settings(**_settings(budget)), len(np.load(yeast)["X"]))
    )
    facts["rows_per_s"] = facts["rows"] / results["equipoise"].cpu
    title = "{} strategies × {trials} trials × {folds} folds, at most {epochs} epochs, mlp on yeast".format(
        len(budget["strategies"]), **budget
    )
    if budget is WHOLE:
        tell("sweep", title, f"{_speeds(results)}\n\n{_scores(ours, theirs)}")
    assert set(ours) == set(theirs) == set(budget["strategies"])
    failed = [name for side in (ours, theirs) for name, s in side.items() if not 0 < s["test_tuned"] < 1]
    assert not failed
    for what in ("objective", "test_tuned") if budget is WHOLE else ():
        mean = [np.mean([s[what] for s in side.values()]) for side in (ours, theirs)]
        assert mean[0] == pytest.approx(mean[1], abs=0.025)


@pytest.mark.parametrize("name", STRATEGIES)
def test_both_sides_mean_the_same_by_a_strategy(name: str) -> None:
    """At the published defaults, both have the same loss and gradient, the same row weights, and about as many clones."""
    if missing := _missing():
        pytest.skip(missing)
    import by_hand
    import torch

    rng = np.random.default_rng(0)
    Y = (rng.random((400, 8)) < np.geomspace(0.5, 0.02, 8)).astype(np.uint8)
    params = {p: default for p, (default, _, _) in by_hand.SPACE[name].items()}
    strategy, ctx = get_strategy(name), Context(Y.sum(0, dtype=np.int64), len(Y), rng=rng)
    z, y = (
        torch.from_numpy(rng.normal(size=Y.shape) * 3).requires_grad_(),
        torch.from_numpy(Y.astype(np.float64)),
    )
    counts = Context(torch.from_numpy(ctx.n_pos).double(), torch.tensor(float(len(Y))))
    losses = strategy.loss(z, y, counts).mean(), by_hand.Loss(name, params, Y.astype(np.float64))(z, y)
    gradients = [torch.autograd.grad(loss, z)[0].numpy() for loss in losses]
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-5)
    np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-4, atol=1e-9)
    if name == "balanced_sampling":
        np.testing.assert_allclose(strategy.weights(Y, ctx), by_hand.drawing(Y.astype(float), params["mix"]))
    if name == "ml_ros":
        rows = Rows(np.arange(len(Y)), Y)
        added = len(strategy.resample(rows, ctx)) - len(Y), len(by_hand.ml_ros(Y, params["p"])) - len(Y)
        # The rows that happen to be drawn decide when a label is frequent enough to stop.
        assert added[0] == pytest.approx(added[1], abs=10)
        assert min(added) > 20


def _speeds(results: dict[str, Outcome]) -> str:
    base = results["by hand"]
    lines = [
        (
            name,
            f"{r.wall:,.1f}",
            f"{r.cpu:,.1f}",
            f"{base.wall / r.wall:.2f}",
            f"{base.cpu / r.cpu:.2f}",
            f"{r.memory / 2**20:,.0f}",
            ", ".join(f"{what} {seconds:.1f}" for what, seconds in r.output["seconds"].items()),
        )
        for name, r in results.items()
    ]
    head = ("swept by", "seconds", "CPU seconds", "×", "× CPU", "MiB", "of its own seconds")
    return markdown(head, lines)


def _scores(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    """A table of the best macro-F1 out of fold and of that on test rows, of both sides."""
    names = {"objective": "out of fold", "test_tuned": "test, tuned", "test_fixed": "test, at .5"}
    head = ("macro-F1", *(f"{shown}: {who}" for shown in names.values() for who in ("equipoise", "by hand")))
    lines = [
        (strategy, *(f"{side[strategy][name]:.3f}" for name in names for side in (ours, theirs)))
        for strategy in ours
    ]
    return markdown(head, lines)
