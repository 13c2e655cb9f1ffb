"""`equipoise time`: how fast training is here on a user's own data, and what a sweep will take and cost."""

from __future__ import annotations

import json as json_
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table

from equipoise.core.errors import EquipoiseError

if TYPE_CHECKING:
    from equipoise.sweep.plan import Plan
    from equipoise.sweep.suite import Suite
    from equipoise.sweep.timing import Speed, Sweep
    from equipoise.sweep.workers import Workers

DATASET = "design-emails"


def time(
    suite: str | None,
    datasets: Sequence[str],
    backbones: Sequence[str],
    strategies: Sequence[str],
    budget: Mapping[str, Any],
    *,
    splits: str | None,
    workers: str,
    price: float | None,
    device: str,
    data_dir: Path | None,
    json: bool,
) -> None:
    """Time a short cell of each combination; print the speeds, and what the sweep of these cells will take."""
    from equipoise.ops.device import THREADS
    from equipoise.sweep.plan import make_plan
    from equipoise.sweep.timing import estimate, measure, records
    from equipoise.sweep.workers import Workers, asked, fitting

    wanted = asked(workers)
    if price is not None and not 0 <= price < float("inf"):
        raise EquipoiseError(f"--price must be what an hour of one core costs, 0 or more; got {price}")
    chosen = _chosen(suite, datasets, backbones, strategies, dict(budget), splits, data_dir)
    plan = make_plan(chosen, device=device, data_dir=data_dir)
    if not plan.cells:
        reasons = sorted({reason for _, reason in plan.skipped})
        raise EquipoiseError(f"nothing here can be run: {'; '.join(reasons)}")
    hands = fitting(plan.cells, plan.data) if wanted is None else Workers(wanted)
    with Console(stderr=True).status("timing") as status:
        speeds, failures = measure(plan, lambda line: status.update(f"timing {line}"))
    sweep = estimate(plan, speeds, hands.count)
    machine: dict[str, Any] = {"device": plan.cells[0].device, "threads": THREADS}
    left_out = [*plan.skipped, *failures]
    if json:
        told = {
            **machine,
            "speeds": records(plan, speeds),
            "left_out": _left_out(left_out),
            "sweep": {**asdict(sweep), "core_hours": sweep.core_seconds / 3600, "price": _cost(sweep, price)},
        }
        typer.echo(json_.dumps(told, indent=2))
        return
    console = Console()
    for name in plan.data:
        _table(console, plan, name, speeds, machine)
    for entry in _left_out(left_out):
        words = f"{entry['dataset']} · {entry['backbone']} · {entry['strategy']}"
        console.print(f"left out: {words}: {entry['reason']}", markup=False, style="dim")
    _tell(console, sweep, hands, machine["device"], price)


def _chosen(
    suite: str | None,
    datasets: Sequence[str],
    backbones: Sequence[str],
    strategies: Sequence[str],
    budget: dict[str, Any],
    splits: str | None,
    data_dir: Path | None,
) -> Suite:
    """What `run` would take; without a suite, what is not named means all there is."""
    from equipoise.api import choose
    from equipoise.catalog.backbones import get_backbone
    from equipoise.catalog.datasets import load_dataset
    from equipoise.catalog.registry import registry
    from equipoise.cli.run import all_named, splits_of

    if suite is None:
        datasets = datasets or [DATASET]
        strategies = strategies or ["all"]
        if not backbones:
            kinds = {load_dataset(name, data_dir=data_dir).kind for name in datasets}
            backbones = [b for b in registry("backbone").names() if kinds & get_backbone(b).accepts]
    return choose(suite, datasets, backbones, all_named(strategies), budget, splits_of(splits), None)


def _table(
    console: Console, plan: Plan, name: str, speeds: Sequence[Speed], machine: Mapping[str, Any]
) -> None:
    from equipoise.sweep.timing import records

    data = plan.data[name]
    where = f"{machine['device']}, {machine['threads']} thread"
    size = f"{data.n_rows:,} rows, {data.n_labels} label{'s' * (data.n_labels > 1)}"
    table = Table(title=f"{data.name} ({size}) on {where}", title_justify="left")
    for column in ("backbone", "strategy"):
        table.add_column(column)
    for column in ("rows/s", "× none", "s per cell"):
        table.add_column(column, justify="right")
    for own in (r for r in records(plan, speeds) if r["dataset"] == name):
        numbers = (f"{own['rows_per_s']:,.0f}", f"{own['times_none']:.2f}", f"{own['seconds_per_cell']:.3g}")
        table.add_row(own["backbone"], own["strategy"], *numbers)
    console.print(table)
    console.print(
        "rows/s: rows that all models in training see in a second, in trials and folds", style="dim"
    )


def _tell(console: Console, sweep: Sweep, hands: Workers, device: str, price: float | None) -> None:
    from equipoise.sweep.estimate import duration, in_words

    unit = "device" if device == "cuda" else "core"
    console.print(
        f"this sweep: {sweep.cells} cells ({sweep.skipped} skipped), {sweep.trainings:,} trainings: "
        f"{in_words(sweep.core_seconds / 3600, unit=unit)} here, {duration(sweep.seconds)} with {hands}. "
        "Less where trainings stop early.",
        markup=False,
    )
    if price is not None:
        console.print(
            f"at {price:g} for an hour of one {unit}: about {_cost(sweep, price):.2g}", markup=False
        )


def _cost(sweep: Sweep, price: float | None) -> float | None:
    return None if price is None else price * sweep.core_seconds / 3600


def _left_out(cells: Sequence[tuple[Any, str]]) -> list[dict[str, str]]:
    """Each combination once, whatever its splits."""
    found = {(c.dataset, c.backbone, c.strategy): reason for c, reason in cells}
    return [
        {"dataset": d, "backbone": b, "strategy": s, "reason": reason} for (d, b, s), reason in found.items()
    ]
