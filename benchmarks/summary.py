"""The end of the output of `pytest benchmarks`: a screen about what was timed, how well, and what was not."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import machine
import tables
import torch
from visits import Timing

from equipoise.timings.records import short
from equipoise.timings.units import in_unit

#: How many of the slowest and of the noisiest timings are named.
NAMED = 5
Tables = Mapping[str, Mapping[str, str]]


def report(terminal: Any, config: Any, timings: Mapping[str, Timing], new: Tables) -> None:
    """Write the tables to their files, and print the summary, with every timing and table under `--details`."""
    terminal.section("timings")
    details = config.getoption("details")
    for line in [*(every(timings) if details else overview(timings)), *not_run(terminal)]:
        terminal.write_line(line)
    folder = config.rootpath / "results" / "benchmarks"
    for file, by_title in new.items():
        path = folder / f"{file}.md"
        tables.write(path, by_title, machine.measured_on())
        count = f"{len(by_title)} table{'s' * (len(by_title) > 1)}"
        terminal.write_line(f"{count} written to {path.relative_to(config.rootpath)}")
        if details:
            for title, text in by_title.items():
                terminal.write_line(f"\n### {title}\n\n{text}\n")
    saved = sorted(folder.glob("*/[0-9][0-9][0-9][0-9]_*.json"))
    if (timings or new) and saved and (config.option.benchmark_autosave or config.option.benchmark_save):
        number = saved[-1].name[:4]
        terminal.write_line(
            f"saved as run {number}; `equipoise bench compare {number} LATER` compares another"
        )
    terminal.write_line(f"{time.process_time():,.0f} processor seconds in all")


def overview(timings: Mapping[str, Timing]) -> list[str]:
    """The slowest timings, and those that are reproduced least well."""
    if not timings:
        return []
    noise = {name: t.benchmark.extra_info["visit_spread"] or 0.0 for name, t in timings.items()}
    slow = sorted(timings.values(), key=lambda t: -t.seconds)[:NAMED]
    noisy = [name for name in sorted(noise, key=lambda n: -noise[n])[:NAMED] if noise[name] > 0]
    visits = max(len(t.visits) for t in timings.values())
    middle = statistics.median(noise.values())
    halves = f"s each, which spread by {middle:.1%} (median)" if visits > 1 else " each"
    return [
        f"{len(timings)} timings, {visits} visit{halves}",
        "slowest: " + ", ".join(f"{short(t.name)} {in_unit(t.seconds)}" for t in slow),
        *(["noisiest: " + ", ".join(f"{short(n)} {noise[n]:.0%}" for n in noisy)] if noisy else []),
    ]


def every(timings: Mapping[str, Timing]) -> list[str]:
    """A line for each timing."""
    lines = []
    for t in timings.values():
        speed = "" if t.rows is None else f"{t.rows / t.seconds:,.0f} rows/s"
        aa = t.benchmark.extra_info["visit_spread"]
        noise = "" if aa is None else f"± {aa:.1%}"
        lines.append(f"{short(t.name):<58} {in_unit(t.seconds):>10} {noise:>8} {speed:>18}")
    return lines


def not_run(terminal: Any) -> list[str]:
    """Why some timings are missing: a line for CUDA, and one for each other reason."""
    reasons: Counter[str] = Counter(_reason(r) for r in terminal.stats.get("skipped", ()))
    reasons.pop("the first visit was not timed", None)
    lines = [f"not run: {count} × {reason}" for reason, count in reasons.most_common()]
    if not torch.cuda.is_available():
        lines.insert(0, "not run: the same on CUDA, since PyTorch sees no CUDA device here")
    return lines


def _reason(report: Any) -> str:
    longrepr: Sequence[Any] | Any = report.longrepr
    text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return str(text).removeprefix("Skipped: ")
