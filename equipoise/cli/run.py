"""`equipoise run`: the plan, progress with the time left, the result."""

from __future__ import annotations

import json as json_
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from equipoise.catalog.specs import with_settings
from equipoise.cli import dry_run as planned
from equipoise.core.errors import EquipoiseError

if TYPE_CHECKING:
    from equipoise.splits.outer import Split
    from equipoise.sweep.workers import Workers


def run(
    suite: str | None,
    datasets: Sequence[str],
    backbones: Sequence[str],
    strategies: Sequence[str],
    budget: dict[str, Any],
    *,
    splits: str | None,
    seed: int | None,
    workers: str,
    device: str,
    results: Path,
    data_dir: Path | None,
    redo: str,
    dry_run: bool,
    json: bool = False,
) -> None:
    """Plan, run, and show the report."""
    from equipoise.api import choose, prepare
    from equipoise.report.export import render
    from equipoise.store.store import Store
    from equipoise.sweep.plan import make_plan
    from equipoise.sweep.run import outstanding, sweep
    from equipoise.sweep.workers import Workers, asked, fitting

    if json and not dry_run:
        raise EquipoiseError("--json goes with --dry-run; the results as data: equipoise report --json")
    console = Console()
    chosen = choose(suite, datasets, backbones, all_named(strategies), budget, splits_of(splits), seed)
    wanted = asked(workers)
    if not dry_run:
        prepare(chosen, workers)
    plan = make_plan(chosen, device=device, data_dir=data_dir)
    store = Store(results)
    todo = outstanding(plan, store, redo)
    hands = fitting(todo, plan.data) if wanted is None else Workers(wanted)
    if json:
        typer.echo(json_.dumps(planned.as_data(plan, todo, hands, results), indent=2))
        return
    _tell(console, plan, len(todo), hands, results)
    if dry_run:
        planned.tell(console, plan, todo)
        return
    with _Bars(console, todo) as bars:
        try:
            sweep(plan, store, workers=hands.count, redo=redo, watcher=bars.watcher)
        except KeyboardInterrupt:
            bars.stop()
            done, going_on = bars.finished, "" if redo == "missing" else ", without --redo,"
            typer.echo(
                f"interrupted: {done} of {len(todo)} cells are done and kept in {results}; "
                f"the same command{going_on} goes on from there",
                err=True,
            )
            sys.exit(130)
    wanted_keys = {c.key for c in plan.cells} | {c.key for c, _ in plan.skipped}
    rows = [row for row in store.rows() if row["key"] in wanted_keys]
    render(rows, console)
    console.print(
        f"rows in {results / 'rows.jsonl'}; browse the runs: equipoise ui{_flag(results)}", style="dim"
    )
    if failed := sum(row["status"] == "failed" for row in rows):
        typer.echo(f"{failed} of {len(rows)} cells failed; --redo failed runs those again", err=True)
        sys.exit(1)


def with_columns(datasets: Sequence[str], table: Mapping[str, str]) -> list[str]:
    """Dataset specs with the options given for a file written into its brackets."""
    if not table:
        return list(datasets)
    if len(datasets) != 1:
        raise EquipoiseError(
            f"{', '.join('--' + k.replace('_', '-') for k in table)} describe one file: give one --dataset"
        )
    return [with_settings(datasets[0], table)]


def all_named(strategies: Sequence[str]) -> list[str]:
    """`all` stands for every strategy that can be loaded."""
    from equipoise.catalog.registry import registry

    return [n for s in strategies for n in (registry("strategy").names() if s == "all" else [s])]


def splits_of(text: str | None) -> Split | None:
    from equipoise.splits.outer import OFFICIAL

    if text is None or text == OFFICIAL:
        return text
    try:
        return int(text)
    except ValueError:
        raise EquipoiseError(f"--splits must be a number from 1, or {OFFICIAL}; got {text!r}") from None


def _tell(console: Console, plan: Any, todo: int, hands: Workers, results: Path) -> None:
    from equipoise.splits.outer import OFFICIAL
    from equipoise.sweep.plan import describe

    for data in plan.data.values():
        for note in data.notes:
            console.print(f"{data.name}: {note}", style="dim", markup=False)
    for name in dict.fromkeys(cell.dataset for cell in plan.cells if cell.split == OFFICIAL):
        console.print(f"{name}: {_official(plan.data[name])}", style="dim", markup=False)
    counts = describe(plan)
    there = len(plan.cells) - todo
    console.print(
        f"{counts['cells']} cells ({there} there already), {counts['trainings']} trainings, {counts['skipped']} skipped; "
        f"{hands}; results in {results}",
        markup=False,
    )


def _official(data: Any) -> str:
    from equipoise.splits.outer import official_split

    train, test = official_split(data.official)
    return f"the official split, {len(train)} rows to train and tune on, {len(test)} to test on"


def _flag(results: Path) -> str:
    return "" if results == Path("results/live") else f" --results {results}"


class _Bars:
    """One bar for the sweep, one for each cell that runs; plain lines where there is no terminal."""

    def __init__(self, console: Console, cells: Sequence[Any]) -> None:
        from equipoise.sweep.run import Watcher

        self._live = console.is_terminal
        self._console = console
        self._shares = dict.fromkeys((c.key for c in cells), 0.0)
        self._bars: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            refresh_per_second=4,  # ten, the default, are a twentieth of a core
            disable=not self._live,
        )
        self._finished: set[str] = set()
        self._lock = threading.Lock()
        self._total = self._progress.add_task("sweep", total=len(cells) or 1, state=f"0/{len(cells)}")
        self.watcher = Watcher(on_share=self._share, on_row=self._row, on_problem=self._problem)

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def finished(self) -> int:
        """Rows that have come."""
        return len(self._finished)

    def stop(self) -> None:
        self._progress.stop()

    def _share(self, cell: Any, share: float) -> None:
        """News of a cell that runs, perhaps from a listening thread, perhaps after its row has come."""
        with self._lock:
            if cell.key in self._finished:
                return
            self._shares[cell.key] = share
            if cell.key not in self._bars:
                self._bars[cell.key] = self._progress.add_task(
                    escape(f"  {planned.where(cell)}"), total=1.0, state=""
                )
            self._progress.update(self._bars[cell.key], completed=share)
            self._progress.update(self._total, completed=sum(self._shares.values()))

    def _row(self, cell: Any, row: Mapping[str, Any]) -> None:
        with self._lock:
            self._finished.add(cell.key)
            self._shares[cell.key] = 1.0
            if cell.key in self._bars:
                self._progress.remove_task(self._bars.pop(cell.key))
            state = f"{len(self._finished)}/{len(self._shares)}"
            self._progress.update(self._total, completed=sum(self._shares.values()), state=state)
        where = planned.where(cell)
        if row["status"] == "failed":
            self._problem(f"{where} failed: {row['error']}")
        elif not self._live:
            self._console.print(f"{state} {where}: {row['cost']['seconds_total']:.1f} s", markup=False)

    def _problem(self, line: str) -> None:
        self._progress.console.print(line, style="yellow", markup=False)
