"""What the timings share: one CPU thread, devices (skipped with the reason where there is none), facts beside the numbers.

`pytest benchmarks` saves its numbers under results/benchmarks/ unless it is told where (CONTRIBUTING, "Timings").
"""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

# Before torch or BLAS can load: a cell runs on one thread.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import pytest  # noqa: E402

#: (what, rows a second, seconds) of every timing that counts rows, for the table at the end.
SPEEDS: list[tuple[str, float, float]] = []
#: (what, lanes, who) → rows a second, for the ratio at the end.
LANES: dict[tuple[str, int, str], float] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Save, unless a name or a file was given."""
    chosen = (config.getoption(f"benchmark_{name}", None) for name in ("save", "autosave", "json", "disable"))
    if not any(chosen):
        config.option.benchmark_autosave = "timings"


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> Any:
    """Each device in turn."""
    import torch

    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("PyTorch sees no CUDA device here")
    return torch.device(request.param)


@pytest.fixture
def facts(benchmark: Any) -> dict[str, Any]:
    """Written beside the timing: where and with what it ran."""
    import torch

    names = ("equipoise", "torch", "numpy", "scipy", "scikit-learn", "optuna")
    benchmark.extra_info.update(
        device="cpu",
        threads=torch.get_num_threads(),
        processor=platform.processor() or platform.machine(),
        cpus=os.cpu_count(),
        python=platform.python_version(),
        versions={name: version(name) for name in names},
    )
    return benchmark.extra_info  # type: ignore[no-any-return]


@pytest.fixture
def lanes_table() -> dict[tuple[str, int, str], float]:
    """Where a timing of lanes, or of the loops beside them, leaves its rows a second for the ratio at the end."""
    return LANES


Timed = Callable[..., float]


@pytest.fixture
def timed(benchmark: Any, facts: dict[str, Any], request: pytest.FixtureRequest) -> Timed:
    """`timed(work, rows=…, device=…)`: time `work()`, note rows a second; returns them.

    On CUDA the time from the first kernel to the end of the last is taken with events, between synchronisations; the
    benchmark's own clock runs around both.
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


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Rows a second, and how much faster lanes are than one plain loop after the other."""
    if not SPEEDS:
        return
    terminalreporter.section("rows a second")
    for name, speed, seconds in SPEEDS:
        terminalreporter.write_line(f"{name:<58} {speed:>14,.0f} rows/s {seconds * 1000:>11,.3f} ms")
    for (what, lanes, who), speed in sorted(LANES.items()):
        if who == "lanes" and (plain := LANES.get((what, lanes, "loops"))):
            line = (
                f"{what}: {lanes} lanes run {speed / plain:.2f} × as fast as {lanes} plain loops one by one"
            )
            terminalreporter.write_line(line)
