"""The report of gpu.py: the facts about the machine, as Markdown and as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import torch
from machine import processor, versions
from story import Story

ROOT = Path(__file__).resolve().parent.parent


def measured_on(device: torch.device) -> dict[str, Any]:
    """The device, its driver, the versions and the commit on which the numbers depend."""
    cuda = device.type == "cuda"
    cudnn = torch.backends.cudnn.version() if cuda else None
    return {
        "device": torch.cuda.get_device_name() if cuda else processor(),
        "memory_bytes": torch.cuda.get_device_properties(device).total_memory if cuda else None,
        "driver": _output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
        if cuda
        else None,
        "cuda": torch.version.cuda,
        "cudnn": cudnn,
        "python": sys.version.split()[0],
        "versions": versions(),
        "commit": _output("git", "rev-parse", "HEAD"),
        "uncommitted_changes": bool(_output("git", "status", "--porcelain", "--untracked-files=no")),
        "date": date.today().isoformat(),
    }


def _output(*command: str) -> str:
    """The first line that a command prints; "" if it cannot be run."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.splitlines()[0].strip() if done.returncode == 0 and done.stdout.strip() else ""


def write(folder: Path, report: dict[str, Any], stories: Sequence[Story]) -> None:
    """Write the report as Markdown and as JSON."""
    name = "gpu-smoke" if report["smoke"] else "gpu"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (folder / f"{name}.md").write_text(page(report, stories), encoding="utf-8")
    print(f"written to {folder / name}.md and .json")


def page(report: dict[str, Any], stories: Sequence[Story]) -> str:
    """The report as Markdown."""
    m = report["machine"]
    libraries = ", ".join(f"{n} {v}" for n, v in m["versions"].items() if n != "equipoise")
    drivers = (
        f"driver {m['driver']}, CUDA {m['cuda']}, cuDNN {m['cudnn']}; " if m["driver"] is not None else ""
    )
    changed = " with uncommitted changes" if m["uncommitted_changes"] else ""
    head = [
        *(["**A smoke test of the script with tiny sizes, not a measurement.**"] if report["smoke"] else []),
        f"Measured on {m['device']}; {drivers}Python {m['python']}, {libraries}; "
        f"commit {m['commit'][:12] or 'unknown'}{changed}; {m['date']}; {report['seconds']:.0f} s in all.",
        _tested(report["tests"]),
        "The engine has no CUDA graphs, so no contestant uses them.",
    ]
    return "\n\n".join([*head, *(f"### {s.title}\n\n{s.text()}" for s in stories)]) + "\n"


def _tested(tests: dict[str, Any] | None) -> str:
    if tests is None:
        return "Tests: not run."
    failed = f": {', '.join(tests['failed'])}" if tests["failed"] else ""
    code = f" (exit code {tests['exit_code']})" if tests["exit_code"] else ""
    counts = f"{tests['passed']} passed, {tests['skipped']} skipped, {len(tests['failed'])} failed"
    return f"Tests: {counts}{failed}{code}."
