"""Reads the files of `pytest benchmarks`: pytest-benchmark's JSON, with what our fixtures add to each entry."""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.core.errors import EquipoiseError, one_line

#: Where `pytest benchmarks` saves its runs.
STORAGE = Path("results/benchmarks")
#: A saved run is called 0007_timings.json, in a folder named after the system and the Python version.
_NUMBER = re.compile(r"\d{1,4}")


@dataclass(frozen=True)
class Timing:
    """One timing of a run.

    Attributes:
        seconds: the smallest time of a call.
        visit_spread: by how much the median of its visits exceeds the smallest, as a share; None if it was visited once.
        rows_per_s: rows handled in a second, or None.
        machine: what must be equal for two times to be comparable: device, clock, threads and processor.
        versions: of the libraries and plugins.
        load: the load average for each CPU while it was measured; None if it is unknown.
    """

    name: str
    seconds: float
    visit_spread: float | None
    rows_per_s: float | None
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    load: float | None = None


@dataclass(frozen=True)
class Run:
    """The timings of one file, by their full names."""

    path: Path
    timings: Mapping[str, Timing]

    @property
    def load(self) -> float | None:
        """The median load average for each CPU of its timings; None if it is unknown."""
        loads = [timing.load for timing in self.timings.values() if timing.load is not None]
        return statistics.median(loads) if loads else None


def visit_spread(visits: Sequence[float]) -> float | None:
    """By how much the median of the visits exceeds the smallest, as a share of that; None for one visit.

    Nothing lies between the visits but noise (A/A). Where half of them reproduce the smallest time, another run will, too. Of an
    even number, the upper of the two middle ones is taken.
    """
    if len(visits) < 2:
        return None
    return sorted(visits)[len(visits) // 2] / min(visits) - 1


def find(name: str, storage: Path = STORAGE) -> Path:
    """The file of a run, given as a path or as its number in the storage, such as 0007 or 7.

    Raises:
        EquipoiseError: there is no such file, or several have this number.
    """
    if not _NUMBER.fullmatch(name):
        if Path(name).is_file():
            return Path(name)
        raise EquipoiseError(f"no file {name}; name a JSON file of pytest-benchmark or the number of a run")
    found = sorted(storage.glob(f"*/{int(name):04d}_*.json"))
    if len(found) == 1:
        return found[0]
    numbers = sorted(f.name[:4] for f in storage.glob("*/[0-9][0-9][0-9][0-9]_*.json"))
    there = f"there are {', '.join(numbers[-8:])}" if numbers else "it holds no runs"
    what = "several runs" if found else "no run"
    raise EquipoiseError(f"{what} {int(name):04d} in {storage}; {there}")


def load(path: Path) -> Run:
    """The timings in a file of pytest-benchmark.

    Raises:
        EquipoiseError: the file is damaged, is none of pytest-benchmark, or holds no timings.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        timings = [_timing(entry) for entry in content["benchmarks"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EquipoiseError(
            f"{path} is no file of pytest-benchmark, or damaged: {one_line(error)}"
        ) from None
    if not timings:
        raise EquipoiseError(f"{path} holds no timings")
    return Run(path, {timing.name: timing for timing in timings})


def _timing(entry: Mapping[str, Any]) -> Timing:
    info = entry.get("extra_info") or {}
    visits = [float(seconds) for seconds in info.get("visits") or ()]
    seconds = min(visits, default=float(entry["stats"]["min"]))
    if not all(0 < value < math.inf for value in [seconds, *visits]):
        raise ValueError(f"{entry['fullname']} takes {seconds} s")
    return Timing(
        name=str(entry["fullname"]),
        seconds=seconds,
        visit_spread=visit_spread(visits),
        rows_per_s=info.get("rows_per_s"),
        machine={name: info.get(name) for name in ("device", "clock", "threads", "processor")},
        versions=dict(info.get("versions") or {}),
        load=_load(info),
    )


def _load(info: Mapping[str, Any]) -> float | None:
    """The load average for each CPU; None in runs that did not record it."""
    load, cpus = info.get("load_average"), info.get("cpus")
    return float(load) / int(cpus) if load is not None and cpus else None


def short(name: str) -> str:
    """A timing's name without what all of them have in common: benchmarks/bench_hooks.py::test_hook[a] → hooks: hook[a]."""
    file, _, test = name.partition("::")
    return f"{Path(file).stem.removeprefix('bench_')}: {test.removeprefix('test_')}" if test else name
