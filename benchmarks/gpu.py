"""Runs the CUDA tests and times trainings on a CUDA device, in at most ten minutes: `python benchmarks/gpu.py`.

It writes results/benchmarks/gpu.md and gpu.json; `python docs/make_performance.py` puts the table into docs/performance.md.
Without a CUDA device it ends with exit code 2. `--device cpu` tries the script itself with tiny sizes and writes gpu-smoke.md and
gpu-smoke.json, which say so: those numbers are no measurement.

The contestants take turns, as in bench_training.py: a plain loop, one network after the other (with cuDNN's LSTM), the same with
a fused optimizer, and 8, 64 and 256 lanes side by side. The engine has no CUDA graphs, so there is no column for them.
"""

from __future__ import annotations

import os

# cuBLAS reads it when it is first used; without it, products may differ from run to run.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import argparse
import gc
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import plain_training as plain
import torch
from contest import Contestant, peak
from gpu_report import ROOT, measured_on, write
from plain_training import BATCH
from scenarios import Scenario, lanes, side_by_side
from story import Story

#: Seconds after which no further round begins, so that the whole ends within ten minutes; and the most that the tests may take.
DEADLINE, TESTS = 500.0, 240.0
SCENARIOS = (
    Scenario("linear on numbers", "linear", "numbers", 1920, 2, 4, (8, 64, 256)),
    Scenario("mlp on numbers", "mlp", "numbers", 1920, 2, 4, (8, 64, 256)),
    Scenario("lstm on emails", "lstm", "words", 1920, 1, 2, (8, 64, 256)),
    Scenario("mlp on sparse text", "mlp", "tfidf", 1344, 3, 2, (8, 64, 256)),
)
#: What the files with tests for CUDA contain.
MARKED = "pytest.mark.gpu"


@dataclass(frozen=True)
class Setup:
    """What to run: on which device, how many rounds, until when (by `time.monotonic`), and whether only to try the script."""

    device: torch.device
    rounds: int
    until: float
    smoke: bool

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """The scenarios, tiny ones for a smoke test."""
        if not self.smoke:
            return SCENARIOS
        return tuple(replace(s, rows=2 * BATCH, epochs=1, models=1, lanes=(2, 4)) for s in SCENARIOS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything; returns the exit code, 1 if a test failed and 2 without a CUDA device."""
    options = _options(arguments)
    smoke = options.device == "cpu"
    if not smoke and not torch.cuda.is_available():
        print("PyTorch finds no CUDA device here; `--device cpu` tries the script itself", file=sys.stderr)
        return 2
    began = time.monotonic()
    setup = Setup(torch.device(options.device), 1 if smoke else 5, began + DEADLINE, smoke)
    tests = None if options.no_tests else run_tests(smoke)
    stories = [told(scenario, setup) for scenario in setup.scenarios]
    report = {
        "machine": measured_on(setup.device),
        "smoke": smoke,
        "tests": tests,
        "stories": {story.title: story.record() for story in stories},
        "cuda_graphs": "none in the engine",
        "seconds": round(time.monotonic() - began, 1),
    }
    write(options.out, report, stories)
    return 1 if tests is not None and tests["exit_code"] != 0 else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run the CUDA tests and time trainings on a CUDA device.")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: only try the script")
    parser.add_argument("--no-tests", action="store_true", help="only time trainings")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "benchmarks", help="where to write")
    return parser.parse_args(arguments)


def run_tests(smoke: bool) -> dict[str, Any]:
    """The tests marked `gpu`, in a process of their own: counts, failed names and exit code.

    As a smoke test, the variants of the same files that run on the CPU.
    """
    chosen = ["-m", "not gpu", "-k", "mlp and cpu"] if smoke else ["-m", "gpu"]
    with TemporaryDirectory() as folder:
        xml = Path(folder) / "tests.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            "0",
            "-p",
            "no:cacheprovider",
            f"--junitxml={xml}",
        ]
        try:
            code = subprocess.run(
                [*command, *chosen, *map(str, marked_files())], cwd=ROOT, timeout=TESTS
            ).returncode
        except subprocess.TimeoutExpired:
            return {"exit_code": -1, "passed": 0, "skipped": 0, "failed": [f"not done after {TESTS:.0f} s"]}
        return {"exit_code": code, **_counts(xml)}


def marked_files() -> list[Path]:
    """The files with tests for CUDA; collecting all others would take most of the time."""
    return sorted(f for f in (ROOT / "tests").glob("test_*.py") if MARKED in f.read_text(encoding="utf-8"))


def _counts(xml: Path) -> dict[str, Any]:
    """Counts from pytest's JUnit file; nothing ran if there is none."""
    cases = list(ET.parse(xml).iter("testcase")) if xml.exists() else []
    failed = [c for c in cases if c.find("failure") is not None or c.find("error") is not None]
    skipped = [c for c in cases if c.find("skipped") is not None]
    return {
        "passed": len(cases) - len(failed) - len(skipped),
        "skipped": len(skipped),
        "failed": [c.get("name", "") for c in failed],
    }


def told(scenario: Scenario, setup: Setup) -> Story:
    """All contestants of a scenario in turn, after a round that warms up and measures memory."""
    everybody = contestants(scenario, setup.device)
    for c in everybody:
        _attempt(c, partial(c.warm_up, setup.device), setup.until)
    if everybody[0].why:
        # Without it, there is nothing to compare the others with.
        everybody = [replace(c, why=everybody[0].why) for c in everybody]
    for _ in range(setup.rounds):
        # A round is whole or not begun: ratios are taken within rounds.
        if time.monotonic() > setup.until and everybody[0].wall:
            break
        for c in everybody:
            if not c.why:
                _attempt(c, partial(c.run, setup.device), float("inf"))
    note = f"{scenario.content.note} {scenario.steps} steps of {BATCH} rows a training."
    title = scenario.titled(setup.device.type)
    for c in everybody:
        seconds = c.why or f"{c.seconds('wall'):.4f} s a training"
        print(f"{title}: {c.name}: {seconds}", flush=True)
    return Story(title, note, everybody, scenario.steps * BATCH, scenario.flops, peak(setup.device))


def _attempt(c: Contestant, work: Callable[[], object], until: float) -> None:
    """Run a contestant unless the time is up; one that does not fit into memory is out, and the table says so."""
    if time.monotonic() > until:
        c.why = "the time was up"
        return
    try:
        work()
    except torch.cuda.OutOfMemoryError:
        c.why, c.wall, c.cpu = "out of memory", [], []
    gc.collect()


def contestants(scenario: Scenario, device: torch.device) -> list[Contestant]:
    """The plain loops first, then the numbers of lanes."""
    content, k = scenario.content, scenario.models
    y = torch.from_numpy(content.Y.astype(np.float32)).to(device)
    dense, inputs = content.dense.to(device), content.inputs.to(device)
    make = plain.maker(scenario.backbone, content.inputs.width, content.Y.shape[1])
    library = _library(make()) if device.type == "cuda" else ""
    loops = [
        Contestant(name + library, k, _silent(partial(plain.loop, make, dense, y, scenario.epochs, k, fused)))
        for name, fused in (("plain loop", None), ("plain loop, fused Adam", True))
    ]
    ours = lanes(scenario.backbone, content.Y, max(scenario.lanes), scenario.steps)
    side = [
        Contestant(f"{n} lanes", n, _silent(partial(side_by_side, ours[:n], inputs, device)))
        for n in scenario.lanes
    ]
    return [*loops, *side]


def _library(network: torch.nn.Module) -> str:
    """The kernel of a recurrent layer, for the contestant's name; "" if there is none."""
    layers = [m for m in network.modules() if isinstance(m, torch.nn.RNNBase)]
    return f" (cuDNN {type(layers[0]).__name__})" if layers else ""


def _silent(work: Callable[[], object]) -> Callable[[], None]:
    """A contestant's work returns processor seconds of other processes; here there are none."""

    def run() -> None:
        work()

    return run


if __name__ == "__main__":
    sys.exit(main())
