"""Options and fixtures of the benchmarks: one CPU thread, every device, several visits, and a summary that fits a screen.

`pytest benchmarks` saves its numbers under results/benchmarks/ unless another place is given (CONTRIBUTING, "Timings").
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# A cell runs on one thread; torch and BLAS read these variables when they are loaded.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# pytest's importlib mode does not add this folder to sys.path, and benchmarks import modules from it.
sys.path.append(str(Path(__file__).parent))

import machine  # noqa: E402
import pytest  # noqa: E402
import summary  # noqa: E402
import torch  # noqa: E402
from visits import Timing, rounds_of  # noqa: E402

#: Name → timing, of this session.
TIMINGS: dict[str, Timing] = {}
#: File → title → text of the tables that are written to results/benchmarks/FILE.md.
TABLES: dict[str, dict[str, str]] = {}
#: The part of a test's name that says which visit it is.
_VISIT = re.compile(r"-?visit\d+(?=[-\]])")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("equipoise")
    group.addoption("--visits", type=int, default=4, help="How often each timing is visited.")
    group.addoption("--details", action="store_true", help="Print every timing and every table.")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Benchmarks run one after the other in this process, so that they do not disturb each other."""
    return 0


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The benchmark of competence trains for hours and times nothing: it runs when its file is named."""
    named = any("bench_competence" in arg for arg in config.args)
    return True if collection_path.name == "bench_competence.py" and not named else None


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Save the numbers automatically unless the user says where, and print our summary in place of the tables of the plugin."""
    chosen = (config.getoption(f"benchmark_{name}", None) for name in ("save", "autosave", "json", "disable"))
    if not any(chosen):
        config.option.benchmark_autosave = "timings"
    config.option.benchmark_quiet = not config.getoption("details")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each device that is here, and each visit."""
    if "device" in metafunc.fixturenames:
        metafunc.parametrize("device", ["cpu", *["cuda"] * torch.cuda.is_available()], indirect=True)
    if "visit" in metafunc.fixturenames:
        visits = range(max(1, metafunc.config.getoption("visits")))
        metafunc.parametrize("visit", visits, ids=[f"visit{v + 1}" for v in visits])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All first visits come before all second ones."""

    def visit(item: pytest.Item) -> int:
        return int(item.callspec.params.get("visit", 0)) if hasattr(item, "callspec") else 0

    items.sort(key=visit)


@pytest.fixture
def device(request: pytest.FixtureRequest) -> torch.device:
    """Each device in turn."""
    return torch.device(request.param)


@pytest.fixture
def facts(benchmark: Any) -> dict[str, Any]:
    """Facts that are stored with the timing: the machine and the versions."""
    benchmark.extra_info.update(machine.facts())
    return benchmark.extra_info  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def _facts_everywhere(request: pytest.FixtureRequest) -> Iterator[None]:
    """No entry without them, and none without rows a second: null where no rows are handled."""
    if "benchmark" not in request.fixturenames:
        yield
        return
    info, entry = request.getfixturevalue("facts"), request.getfixturevalue("benchmark")
    yield
    rows = info.setdefault("rows", None)
    info.setdefault("rows_per_s", rows / entry.stats.stats.min if rows and entry.stats else None)


@pytest.fixture
def tell() -> Callable[[str, str, str], None]:
    """`tell(file, title, text)` writes a table to results/benchmarks/FILE.md, in the place of the one with this title."""

    def write(file: str, title: str, text: str) -> None:
        TABLES.setdefault(file, {})[title] = text

    return write


@pytest.fixture
def timed(request: pytest.FixtureRequest, visit: int) -> Callable[..., dict[str, Any]]:
    """`timed(work, group=…, rows=…, device=…, **facts)` times `work()` in this visit and adds it to the visits before.

    `rows` is the number of rows that one call handles; facts are stored with the timing. Returns all that is stored with it.
    """

    def run(
        work: Callable[[], object],
        *,
        group: str,
        rows: int | None = None,
        device: torch.device | None = None,
        **facts: Any,
    ) -> dict[str, Any]:
        name = _VISIT.sub("", request.node.nodeid).replace("[-", "[").replace("[]", "")
        if visit == 0:
            entry = request.getfixturevalue("benchmark")
            entry.name, entry.fullname, entry.group = name.split("::")[-1], name, group
            # Registers the entry; the rounds are added below.
            entry.pedantic(lambda: None)
            if entry.stats is None:
                pytest.skip("timings are disabled")
            entry.stats.stats.data.clear()
            entry.extra_info.update(machine.facts(device))
            TIMINGS[name] = Timing(name, entry, rows)
        if name not in TIMINGS:
            pytest.skip("the first visit was not timed")
        TIMINGS[name].add(rounds_of(work, device or torch.device("cpu")))
        info: dict[str, Any] = TIMINGS[name].benchmark.extra_info
        info.update(facts)
        return info

    return run


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """What to look at; the tables are written to files."""
    summary.report(terminalreporter, config, TIMINGS, TABLES)
