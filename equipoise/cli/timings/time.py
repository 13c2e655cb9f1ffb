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
from equipoise.experiment.cell import Cell
from equipoise.ops.device import THREADS
from equipoise.sweep.estimate import duration, in_words
from equipoise.sweep.plan import Plan, make_plan
from equipoise.sweep.suite import Suite
from equipoise.sweep.worker_count import Workers, choose_workers, parse_workers
from equipoise.timings import projection, speeds
from equipoise.timings.units import in_unit

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
) -> int:
    """Time a short cell of each combination; print the speeds, and what the sweep of these cells will take.

    Returns:
        The exit code, 1 if some combination failed.
    """
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
        measured, failures = speeds.measure(plan, lambda line: status.update(f"timing {line}"))
    sweep = projection.estimate(plan, measured, processes.count)
    # All cells of a plan run on one device.
    machine: dict[str, Any] = {"device": plan.cells[0].device, "threads": THREADS}
    code = 1 if failures else 0
    if json:
        record = {
            **machine,
            "speeds": projection.records(plan, measured),
            "left_out": _left_out([*plan.skipped, *failures]),
            "failed": _left_out(failures),
            "sweep": {**asdict(sweep), "core_hours": sweep.core_seconds / 3600, "price": _cost(sweep, price)},
        }
        echo_json(json_.dumps(record, indent=2))
        return code
    console = terminal()
    for name in plan.data:
        _print_table(console, plan, name, measured, failures, machine)
    for entry in _left_out(plan.skipped):
        words = f"{entry['dataset']} · {entry['backbone']} · {entry['strategy']}"
        console.print(f"left out: {words}: {entry['reason']}", markup=False, style="dim")
    _print_sweep(console, sweep, processes, machine["device"], price)
    return code


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
    console: SafeConsole,
    plan: Plan,
    name: str,
    measured: Sequence[speeds.Speed],
    failures: Sequence[tuple[Cell, str]],
    machine: Mapping[str, Any],
) -> None:
    data = plan.data[name]
    where = f"{machine['device']}, {machine['threads']} thread"
    size = f"{data.n_rows:,} rows, {data.n_labels} label{'s' * (data.n_labels > 1)}"
    table = Table(title=f"{data.name} ({size}) on {where}", title_justify="left")
    for column in ("backbone", "strategy"):
        table.add_column(column)
    for column in ("rows/s", "× none", "noise", "a cell"):
        table.add_column(column, justify="right")
    for own in (r for r in projection.records(plan, measured) if r["dataset"] == name):
        noise = "?" if own["noise"] is None else f"± {own['noise']:.0%}"
        numbers = (f"{own['rows_per_s']:,.0f}", f"{own['times_none']:.2f}", noise)
        # Brackets of a spec are no markup.
        table.add_row(
            escape(own["backbone"]), escape(own["strategy"]), *numbers, in_unit(own["seconds_per_cell"])
        )
    failed = _left_out([(cell, why) for cell, why in failures if cell.dataset == name])
    for row in failed:
        table.add_row(escape(row["backbone"]), escape(row["strategy"]), "failed", "", "", "")
    console.print(table)
    console.print(
        "rows/s: rows that all models in training see in a second, in trials and folds", style="dim"
    )
    for row in failed:
        console.print(f"{row['backbone']} · {row['strategy']} failed: {row['reason']}", markup=False)


def _print_sweep(
    console: SafeConsole, sweep: projection.Sweep, workers: Workers, device: str, price: float | None
) -> None:
    unit = "device" if device == "cuda" else "core"
    unknown = f", {sweep.unknown} that could not be timed left out" if sweep.unknown else ""
    console.print(
        f"this sweep: {sweep.cells} cells ({sweep.skipped} skipped{unknown}), {sweep.trainings:,} trainings: "
        f"{in_words(sweep.core_seconds / 3600, unit=unit)} here, {duration(sweep.seconds)} with {workers}. "
        "Less where trainings stop early.",
        markup=False,
    )
    cost = _cost(sweep, price)
    if cost is not None:
        amount = f"{cost:,.2f}" if cost >= 1 else f"{cost:.2g}"
        spent = f"{in_unit(sweep.core_seconds)} for {sweep.cells - sweep.unknown:,} cells"
        console.print(f"at {price:g} for an hour of one {unit}: about {amount} ({spent})", markup=False)


def _cost(sweep: projection.Sweep, price: float | None) -> float | None:
    return None if price is None else price * sweep.core_seconds / 3600


def _left_out(cells: Sequence[tuple[Any, str]]) -> list[dict[str, str]]:
    """Combinations that are not timed, with their reasons; each is listed once, not once per split."""
    reasons = {(c.dataset, c.backbone, c.strategy): reason for c, reason in cells}
    return [
        {"dataset": d, "backbone": b, "strategy": s, "reason": reason}
        for (d, b, s), reason in reasons.items()
    ]
