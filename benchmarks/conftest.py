"""Fixtures of the benchmarks: one CPU thread, each device in turn, and facts about the machine stored with the numbers.

`pytest benchmarks` saves its numbers under results/benchmarks/ unless another place is given (CONTRIBUTING, "Timings").
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

# A cell runs on one thread; torch and BLAS read these variables when they are loaded.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# pytest's importlib mode does not add this folder to sys.path, and benchmarks import modules from it.
sys.path.append(str(Path(__file__).parent))

import pytest  # noqa: E402
from machine import processor, versions  # noqa: E402

#: (name, rows a second, seconds) of every benchmark that counts rows, for the table at the end.
SPEEDS: list[tuple[str, float, float]] = []
#: File → (title, text) of the tables that are printed at the end and written to results/benchmarks/FILE.md.
TABLES: dict[str, list[tuple[str, str]]] = {}


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Benchmarks run one after the other in this process, so that they do not disturb each other."""
    return 0


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The benchmark of competence trains for hours and times nothing: it runs when its file is named."""
    named = any("bench_competence" in arg for arg in config.args)
    return True if collection_path.name == "bench_competence.py" and not named else None


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Save the numbers automatically unless the user says where."""
    chosen = (config.getoption(f"benchmark_{name}", None) for name in ("save", "autosave", "json", "disable"))
    if not any(chosen):
        config.option.benchmark_autosave = "timings"


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> Any:
    """Each device in turn; CUDA is skipped if there is none."""
    import torch

    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("PyTorch sees no CUDA device here")
    return torch.device(request.param)


@pytest.fixture
def facts(benchmark: Any) -> dict[str, Any]:
    """Facts that are stored with the timing: the machine and the versions."""
    import torch

    benchmark.extra_info.update(
        device="cpu",
        threads=torch.get_num_threads(),
        processor=processor(),
        cpus=os.cpu_count(),
        python=platform.python_version(),
        versions=versions(),
    )
    return benchmark.extra_info  # type: ignore[no-any-return]


@pytest.fixture
def tell() -> Callable[[str, str, str], None]:
    """`tell(file, title, text)`: show a table at the end, and write it to results/benchmarks/FILE.md with the others."""
    return lambda file, title, text: TABLES.setdefault(file, []).append((title, text))


Timed = Callable[..., float]


@pytest.fixture
def timed(benchmark: Any, facts: dict[str, Any], request: pytest.FixtureRequest) -> Timed:
    """`timed(work, rows=…, device=…)` times `work()`, stores the rows a second, and returns them.

    On CUDA, events measure the time from the start of the first kernel to the end of the last. The benchmark's own clock also
    includes the synchronisation before and after.
    """

    def run(
        work: Callable[..., Any],
        *,
        rows: int,
        device: Any = None,
        rounds: int = 5,
        setup: Callable[[], Any] | None = None,
    ) -> float:
        cuda = device is not None and device.type == "cuda"
        spans: list[float] = []
        benchmark.pedantic(
            _with_events(work, spans) if cuda else work, setup=setup, rounds=rounds, warmup_rounds=1
        )
        seconds = statistics.median(spans[1:]) if cuda else benchmark.stats.stats.median
        facts.update(rows=rows, rows_per_s=rows / seconds)
        if cuda:
            import torch

            facts.update(device=torch.cuda.get_device_name(device), cuda_event_seconds=seconds)
        SPEEDS.append((request.node.name.removeprefix("test_"), rows / seconds, seconds))
        return rows / seconds

    return run


def _with_events(work: Callable[..., Any], spans: list[float]) -> Callable[..., Any]:
    import torch

    def run(*args: Any) -> None:
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        begin.record()
        work(*args)
        end.record()
        torch.cuda.synchronize()
        spans.append(begin.elapsed_time(end) / 1000)

    return run


def measured_on() -> str:
    """The machine, the versions and the date in one line."""
    import torch

    gpu = f"; {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    having = ", ".join(f"{n} {v}" for n, v in versions().items() if n != "equipoise")
    return (
        f"{processor()}, {os.cpu_count()} CPUs, {torch.get_num_threads()} thread a process{gpu}; "
        f"Python {platform.python_version()}, {having}; {date.today().isoformat()}."
    )


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the rows a second and the tables, and write the tables to files."""
    if SPEEDS:
        terminalreporter.section("rows a second")
        for name, speed, seconds in SPEEDS:
            terminalreporter.write_line(f"{name:<58} {speed:>14,.0f} rows/s {seconds * 1000:>11,.3f} ms")
    for file, tables in TABLES.items():
        terminalreporter.section(file)
        text = "\n\n".join([f"Measured on {measured_on()}", *(f"### {t}\n\n{x}" for t, x in tables)])
        terminalreporter.write_line(text)
        path = config.rootpath / "results" / "benchmarks" / f"{file}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
        terminalreporter.write_line(f"\nwritten to {path.relative_to(config.rootpath)}")
