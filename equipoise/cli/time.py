"""`equipoise time`: how fast training runs on this machine, and what a sweep will take and cost."""

from __future__ import annotations

import json as json_
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from equipoise.api import choose
from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.datasets import load_dataset
from equipoise.catalog.registry import registry
from equipoise.cli.selection import all_named, splits_of, with_columns
from equipoise.core.console import SafeConsole, terminal
from equipoise.core.errors import EquipoiseError
from equipoise.core.output import echo_json
from equipoise.core.plugin_output import plugins_apart
from equipoise.ops.device import THREADS
from equipoise.sweep import timing
from equipoise.sweep.estimate import duration, in_words
from equipoise.sweep.plan import Plan, make_plan
from equipoise.sweep.suite import Suite
from equipoise.sweep.worker_count import Workers, choose_workers, parse_workers

# Generated, so that timing needs no download.
DATASET = "design-emails"


@plugins_apart()
def time(
    suite: str | None,
    datasets: Sequence[str],
    backbones: Sequence[str],
    strategies: Sequence[str],
    *,
    table: Mapping[str, str],
    settings: Mapping[str, Any],
    splits: str | None,
    workers: str,
    price: float | None,
    device: str,
    data_dir: Path | None,
    json: bool,
) -> None:
    """Time a short cell of each combination; print the speeds, and what the sweep of these cells will take."""
    wanted = parse_workers(workers)
    if price is not None and not 0 <= price < float("inf"):
        raise EquipoiseError(f"--price must be what an hour of one core costs, 0 or more; got {price}")
    named = with_columns(datasets, table)
    chosen = _chosen(suite, named, backbones, strategies, settings, splits, data_dir)
    plan = make_plan(chosen, device=device, data_dir=data_dir)
    if not plan.cells:
        reasons = sorted({reason for _, reason in plan.skipped})
        raise EquipoiseError(f"nothing here can be run: {'; '.join(reasons)}")
    processes = choose_workers(plan.cells, plan.data) if wanted is None else Workers(wanted)
    with terminal(stderr=True).status("timing") as status:
        speeds, failures = timing.measure(plan, lambda line: status.update(f"timing {line}"))
    sweep = timing.estimate(plan, speeds, processes.count)
    # All cells of a plan run on one device.
    machine: dict[str, Any] = {"device": plan.cells[0].device, "threads": THREADS}
    left_out = [*plan.skipped, *failures]
    if json:
        record = {
            **machine,
            "speeds": timing.records(plan, speeds),
            "left_out": _left_out(left_out),
            "sweep": {**asdict(sweep), "core_hours": sweep.core_seconds / 3600, "price": _cost(sweep, price)},
        }
        echo_json(json_.dumps(record, indent=2))
        return
    console = terminal()
    for name in plan.data:
        _print_table(console, plan, name, speeds, machine)
    for entry in _left_out(left_out):
        words = f"{entry['dataset']} · {entry['backbone']} · {entry['strategy']}"
        console.print(f"left out: {words}: {entry['reason']}", markup=False, style="dim")
    _print_sweep(console, sweep, processes, machine["device"], price)


def _chosen(
    suite: str | None,
    datasets: Sequence[str],
    backbones: Sequence[str],
    strategies: Sequence[str],
    settings: Mapping[str, Any],
    splits: str | None,
    data_dir: Path | None,
) -> Suite:
    """The cells that `run` would run; without a suite, strategies and backbones default to all that fit the data."""
    if suite is None:
        datasets = datasets or [DATASET]
        strategies = strategies or ["all"]
        if not backbones:
            kinds = {load_dataset(name, data_dir=data_dir).kind for name in datasets}
            backbones = [b for b in registry("backbone").names() if kinds & get_backbone(b).accepts]
    # No seed, since it does not influence the speed.
    return choose(suite, datasets, backbones, all_named(strategies), settings, splits_of(splits), None)


def _print_table(
    console: SafeConsole, plan: Plan, name: str, speeds: Sequence[timing.Speed], machine: Mapping[str, Any]
) -> None:
    data = plan.data[name]
    where = f"{machine['device']}, {machine['threads']} thread"
    size = f"{data.n_rows:,} rows, {data.n_labels} label{'s' * (data.n_labels > 1)}"
    table = Table(title=f"{data.name} ({size}) on {where}", title_justify="left")
    for column in ("backbone", "strategy"):
        table.add_column(column)
    for column in ("rows/s", "× none", "s per cell"):
        table.add_column(column, justify="right")
    for own in (r for r in timing.records(plan, speeds) if r["dataset"] == name):
        numbers = (f"{own['rows_per_s']:,.0f}", f"{own['times_none']:.2f}", f"{own['seconds_per_cell']:.3g}")
        # Brackets of a spec are no markup.
        table.add_row(escape(own["backbone"]), escape(own["strategy"]), *numbers)
    console.print(table)
    console.print(
        "rows/s: rows that all models in training see in a second, in trials and folds", style="dim"
    )


def _print_sweep(
    console: SafeConsole, sweep: timing.Sweep, workers: Workers, device: str, price: float | None
) -> None:
    unit = "device" if device == "cuda" else "core"
    console.print(
        f"this sweep: {sweep.cells} cells ({sweep.skipped} skipped), {sweep.trainings:,} trainings: "
        f"{in_words(sweep.core_seconds / 3600, unit=unit)} here, {duration(sweep.seconds)} with {workers}. "
        "Less where trainings stop early.",
        markup=False,
    )
    if price is not None:
        console.print(
            f"at {price:g} for an hour of one {unit}: about {_cost(sweep, price):,.2f}", markup=False
        )


def _cost(sweep: timing.Sweep, price: float | None) -> float | None:
    return None if price is None else price * sweep.core_seconds / 3600


def _left_out(cells: Sequence[tuple[Any, str]]) -> list[dict[str, str]]:
    """Combinations that are not timed, with their reasons; each is listed once, not once per split."""
    reasons = {(c.dataset, c.backbone, c.strategy): reason for c, reason in cells}
    return [
        {"dataset": d, "backbone": b, "strategy": s, "reason": reason}
        for (d, b, s), reason in reasons.items()
    ]
