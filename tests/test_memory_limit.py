"""A limit on the memory of processes (`ulimit -v`) that is too low is one line before the first cell."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from equipoise.core import system
from equipoise.core.errors import EquipoiseError
from equipoise.sweep import worker_count
from equipoise.sweep.worker_count import ADDRESSES, BASE, require_address_space

from .shared.pipeline import numbers, plan_of

LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv.pop(1)) * 1024,) * 2)
from equipoise.cli import main
main()
"""


def limited(kilobytes: int, folder: Path, workers: int) -> subprocess.CompletedProcess[str]:
    """Run two small cells with `ulimit -v`."""
    options = "--dataset design-emails[rows=80] --backbone linear --strategy none --splits 2 --trials 1 --folds 2 --epochs 1"
    more = ["--device", "cpu", "--workers", str(workers), "--results", str(folder)]
    command = [sys.executable, "-c", LIMITED, str(kilobytes), "run", *options.split(), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_too_low_a_limit_is_one_line_and_no_row(tmp_path: Path) -> None:
    done = limited(800_000, tmp_path, 2)
    assert done.returncode == 2, done.stderr
    last = " ".join(done.stderr.split("error: ")[-1].split())
    assert last.startswith(
        "the limit on memory here (ulimit -v 800000) is too low: each process needs about "
    )
    assert re.search(r"raise it to `ulimit -v \d{6,7}` or more, or to unlimited$", last)
    assert not (tmp_path / "rows.jsonl").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_limit_that_the_line_names_is_enough(tmp_path: Path) -> None:
    said = " ".join(limited(800_000, tmp_path / "a", 2).stderr.split())
    enough = int(said.partition("raise it to `ulimit -v ")[2].partition("`")[0])
    done = limited(enough + 4096, tmp_path / "b", 2)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_need_is_what_is_used_and_the_footprint_of_the_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, mega = plan_of(["none"], numbers()), 2**20
    state: dict[str, Any] = {}
    monkeypatch.setattr(worker_count, "address_space", lambda: state["is"])
    for state["is"] in (None, (400 * mega + BASE + ADDRESSES, 300 * mega)):
        require_address_space(plan.cells, plan.data)
    state["is"] = (299 * mega + BASE + ADDRESSES, 300 * mega)
    require_address_space([], plan.data)
    with pytest.raises(EquipoiseError, match="300 of them for libraries, and may have 799"):
        require_address_space(plan.cells, plan.data)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_limit_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert system.address_space() is None
    monkeypatch.setattr(resource, "getrlimit", lambda _: (2**40, 2**40))
    found = system.address_space()
    assert found is not None
    assert found[0] == 2**40
    assert 10**7 < found[1] < 2**40
