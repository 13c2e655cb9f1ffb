"""`benchmarks/gpu.py` without a CUDA device: what it says, what it writes, and what it does when time or memory runs out."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "benchmarks" / "gpu.py"

# The benchmark's modules lie beside each other and import each other by name, as scripts do.
sys.path.append(str(SCRIPT.parent))
try:
    import gpu
    import gpu_report
    import plain_training
    import scenarios
    from contest import Contestant
finally:
    sys.path.pop()

CPU = torch.device("cpu")
#: As users write them, plain loops draw from PyTorch's global generator, and so does the measurement of the peak.
DRAWS = pytest.mark.global_rng
SCENARIO = dataclasses.replace(gpu.SCENARIOS[1], rows=64, epochs=1, models=1, lanes=(2,))


@pytest.mark.parametrize("backbone", ["linear", "mlp", "lstm"])
@DRAWS
def test_both_sides_train_networks_of_one_size(backbone: str) -> None:
    (lane,) = scenarios.lanes(backbone, np.ones((4, 3), dtype=np.uint8), 1, 1)
    ours = lane.backbone.init(20, 3, torch.Generator().manual_seed(0))
    theirs = list(plain_training.maker(backbone, 20, 3)().parameters())
    second_bias = ours["forward_b"].numel() if backbone == "lstm" else 0  # PyTorch's LSTM has two
    assert sum(p.numel() for p in ours.values()) == sum(p.numel() for p in theirs) - second_bias


def test_without_cuda_one_line_and_exit_code_2(tmp_path: Path) -> None:
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(SCRIPT), "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "PyTorch finds no CUDA device here; `--device cpu` tries the script itself"
    ]
    assert list(tmp_path.iterdir()) == []


@DRAWS
def test_the_smoke_test_writes_both_files_and_says_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "SCENARIOS", (gpu.SCENARIOS[1],))
    assert gpu.main(["--device", "cpu", "--no-tests", "--out", str(tmp_path)]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["gpu-smoke.json", "gpu-smoke.md"]
    text = (tmp_path / "gpu-smoke.md").read_text(encoding="utf-8")
    assert text.startswith("**A smoke test of the script with tiny sizes, not a measurement.**")
    assert "Tests: not run." in text
    record = json.loads((tmp_path / "gpu-smoke.json").read_text(encoding="utf-8"))
    assert record["smoke"] is True
    assert record["machine"]["versions"]["torch"] == torch.__version__
    (story,) = record["stories"].values()
    assert list(story["contestants"]) == ["plain loop", "plain loop, fused Adam", "2 lanes", "4 lanes"]
    assert all(c["wall_seconds"][0] > 0 for c in story["contestants"].values())


def a_setup(seconds: float) -> gpu.Setup:
    return gpu.Setup(CPU, 3, time.monotonic() + seconds, True)


def told(monkeypatch: pytest.MonkeyPatch, works: dict[str, Any], seconds: float = 60) -> dict[str, Any]:
    """The contestants of a story by name, with these works instead of trainings."""
    everybody = [Contestant(name, 1, work) for name, work in works.items()]
    monkeypatch.setattr(gpu, "contestants", lambda *_: everybody)
    story = gpu.told(SCENARIO, a_setup(seconds))
    story.record()
    return {c.name: c for c in story.contestants} | {"text": story.text()}


def out_of_memory() -> None:
    raise torch.cuda.OutOfMemoryError("CUDA out of memory")


@DRAWS
@pytest.mark.slow
def test_a_contestant_that_does_not_fit_is_out_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    works = {"plain loop": lambda: None, "8 lanes": lambda: None, "256 lanes": out_of_memory}
    found = told(monkeypatch, works)
    assert [len(found[name].wall) for name in works] == [3, 3, 0]
    assert "Not run: 256 lanes (out of memory)." in found["text"]
    alone = told(monkeypatch, {"plain loop": out_of_memory, "8 lanes": lambda: None})
    assert [len(alone[name].wall) for name in ("plain loop", "8 lanes")] == [0, 0]


@DRAWS
def test_no_round_begins_when_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    found = told(monkeypatch, {"plain loop": lambda: time.sleep(0.2), "8 lanes": lambda: None}, seconds=0.1)
    assert len(found["plain loop"].wall) == 1
    assert "Not run: 8 lanes (the time was up)." in found["text"]


def test_the_counts_of_the_tests(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(
        "import pytest\ndef test_a(): pass\ndef test_b(): assert 0\ndef test_c(): pytest.skip('no')\n"
    )
    xml = tmp_path / "out.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", f"--junitxml={xml}", "test_some.py"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120)
    counts = gpu._counts(xml)
    assert counts == {"passed": 1, "skipped": 1, "failed": ["test_b"]}
    assert gpu_report._tested({"exit_code": 1, **counts}) == (
        "Tests: 1 passed, 1 skipped, 1 failed: test_b (exit code 1)."
    )
    assert gpu._counts(tmp_path / "none.xml")["passed"] == 0


def test_every_test_for_cuda_is_found() -> None:
    files = [f.name for f in gpu.marked_files()]
    assert "test_cuda.py" in files
    assert "test_gpu_benchmark.py" not in files
