"""`equipoise run`: plan, run with progress, show the report."""

from __future__ import annotations

import json as json_
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.api import choose, prepare
from equipoise.cli.dry_run import as_data, print_cells, print_summary
from equipoise.cli.options import LIVE
from equipoise.cli.progress import SweepProgress
from equipoise.cli.selection import all_named, splits_of, with_columns
from equipoise.cli.understood import show_understood
from equipoise.core.console import SafeConsole, terminal
from equipoise.core.errors import EquipoiseError
from equipoise.core.lazy import lazy
from equipoise.core.output import echo, echo_json
from equipoise.core.plugin_output import into_log, plugins_apart, printed
from equipoise.publishing.reuse import reusable
from equipoise.report.export import PARTS, render
from equipoise.report.one_label import reader
from equipoise.store.store import LOGS, Store
from equipoise.sweep.plan import Plan, make_plan, warnings_of
from equipoise.sweep.run import outstanding, sweep
from equipoise.sweep.worker_count import Workers, choose_workers, parse_workers

if TYPE_CHECKING:
    from equipoise.cluster.executor import Cluster
    from equipoise.experiment.cell import Cell


@plugins_apart()
def run(
    suite: str | None,
    datasets: Sequence[str],
    backbones: Sequence[str],
    strategies: Sequence[str],
    *,
    table: Mapping[str, str],
    settings: Mapping[str, Any],
    splits: str | None,
    seed: int | None,
    cell_timeout: float | None,
    workers: str,
    cluster: Cluster | None,
    device: str,
    results: Path,
    data_dir: Path | None,
    reuse: Sequence[Path],
    redo: str,
    dry_run: bool,
    json: bool,
) -> None:
    """Plan, run, and show the report; with `dry_run`, show the plan and stop."""
    if json and not dry_run:
        raise EquipoiseError("--json goes with --dry-run; the results as data: equipoise report --json")
    console = terminal()
    named = with_columns(datasets, table)
    chosen = choose(
        suite, named, backbones, all_named(strategies), settings, splits_of(splits), seed, cell_timeout
    )
    wanted = parse_workers(workers)
    if cluster is not None and wanted is not None:
        raise EquipoiseError("--workers are processes on this machine: give it, or --cluster")
    if not dry_run and cluster is None:
        prepare(chosen, workers)  # first: workers import PyTorch while this process does
    plan = make_plan(chosen, device=device, data_dir=data_dir)
    for line in warnings_of(plan):
        echo(f"warning: {line}", to_err=True)
    store = Store(results)
    reused = reusable(reuse, plan, store, redo)
    todo = outstanding(plan, store, redo, reused.statuses)
    processes = choose_workers(todo, plan.data) if wanted is None else Workers(wanted)
    if json:
        echo_json(json_.dumps(as_data(plan, todo, processes, results), indent=2))
        return
    # Last, so that what is wrong with an option is one line.
    show_understood(plan.data.values())
    for line in reused.lines:
        console.print(line, markup=False)
    print_summary(console, plan, len(todo), str(cluster or processes), results)
    if dry_run:
        print_cells(console, plan, todo)
        return
    for line in lazy("equipoise.diagnosis.cautions").before_running(todo, plan.data):
        echo(f"warning: {line}", to_err=True)
    reused.copy_to(store)
    logs = store.path / LOGS
    before = printed(logs)
    with into_log(logs), SweepProgress(console, todo) as progress:
        try:
            sweep(
                plan,
                store,
                workers=processes.count,
                redo=redo,
                watcher=progress.watcher,
                executor=cluster,
            )
        except KeyboardInterrupt:
            # First, since the bars would overwrite the message.
            progress.stop()
            _interrupted(_done(store, todo, redo, progress), len(todo), results, redo)
    if printed(logs) > before:
        console.print(f"plugins have printed, see {logs}", style="dim", markup=False)
    _report(console, plan, store, results)


def _done(store: Store, todo: Sequence[Cell], redo: str, progress: SweepProgress) -> int:
    """How many of the cells have a row now."""
    # The rows themselves, since an interrupt may come between writing one and counting it. Cells that run again had one before.
    return (
        progress.finished if redo != "missing" else len(store.statuses().keys() & {cell.key for cell in todo})
    )


def _interrupted(done: int, todo: int, results: Path, redo: str) -> None:
    # With --redo, the finished cells would be run once more.
    going_on = "" if redo == "missing" else ", without --redo,"
    echo(
        f"interrupted: {done} of {todo} cells are done and kept in {results}; "
        f"the same command{going_on} goes on from there",
        to_err=True,
    )
    # 128 + 2, the number of SIGINT, as in a shell.
    sys.exit(130)


def _report(console: SafeConsole, plan: Plan, store: Store, results: Path) -> None:
    """Print the results of the cells of this plan; exit with code 1 if a cell has failed."""
    keys = {c.key for c in plan.cells} | {c.key for c, _ in plan.skipped}
    rows = [row for row in store.rows(PARTS) if row["key"] in keys]
    render(rows, console, results="" if results == LIVE else str(results), read=reader(store))
    flag = "" if results == LIVE else f" --results {results}"
    console.print(f"rows in {results / 'rows.jsonl'}; browse the runs: equipoise ui{flag}", style="dim")
    if failed := sum(row["status"] == "failed" for row in rows):
        echo(f"{failed} of {len(rows)} cells failed; --redo failed runs those again", to_err=True)
        sys.exit(1)
    if lacking := len(keys) - len(rows):
        echo(f"{lacking} of {len(keys)} cells have no row; the same command runs them", to_err=True)
        sys.exit(1)
