"""The load average in the records of the benchmarks, and the warning where it differs between two runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from equipoise.timings import gate
from equipoise.timings.records import load

from .test_bench_compare import QUIET, entry, run, saved, times

sys.path.append(str(Path(__file__).resolve().parent.parent / "benchmarks"))
try:
    import machine
finally:
    sys.path.pop()


def busy(path: Path, average: float | None, factor: float = 1.0) -> Path:
    """A run on two CPUs with a load average."""
    facts: dict[str, Any] = {"cpus": 2, "load_average": average}
    return saved(path, entry("asl", times(QUIET, factor), **facts), entry("focal", QUIET, **facts))


def test_the_load_is_recorded_with_every_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (3.5, 2.0, 1.0), raising=False)
    assert machine.facts()["load_average"] == 3.5
    # Windows has no such function, and some containers refuse it.
    monkeypatch.setattr(os, "getloadavg", lambda: (_ for _ in ()).throw(OSError("unobtainable")))
    assert machine.facts()["load_average"] is None
    monkeypatch.delattr(os, "getloadavg")
    assert machine.facts()["load_average"] is None


@pytest.mark.parametrize(
    ("before", "after", "warned"),
    [(1.0, 3.0, False), (1.0, 3.2, True), (9.0, 4.0, True), (None, 9.0, False), (1.0, None, False)],
)
def test_runs_under_different_loads_are_compared_with_a_warning(
    tmp_path: Path, before: float | None, after: float | None, warned: bool
) -> None:
    files = busy(tmp_path / "b.json", before), busy(tmp_path / "a.json", after)
    code, _, err = run(*map(str, files))
    assert code == 0
    lines = [line for line in err.splitlines() if line.startswith("warning: the load average")]
    assert len(lines) == warned
    if warned:
        assert before is not None
        assert after is not None
        assert f"was {before / 2:.1f} before and {after / 2:.1f} after" in lines[0]


def test_the_exit_code_is_that_of_the_timings(tmp_path: Path) -> None:
    quiet, slow = busy(tmp_path / "b.json", 1.0), busy(tmp_path / "a.json", 20.0, factor=2.0)
    assert run(str(quiet), str(slow))[0] == 1
    assert run(str(slow), str(quiet))[0] == 0


def test_older_runs_have_no_load(tmp_path: Path) -> None:
    old, new = load(saved(tmp_path / "old.json", entry("asl", QUIET))), load(busy(tmp_path / "new.json", 9.0))
    assert (old.load, new.load) == (None, 4.5)
    assert gate.compare(old, new).loads is None
