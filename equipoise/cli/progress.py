"""Progress of a sweep: on a terminal one bar for all of it and one for each cell that runs, elsewhere a line now and then."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich import progress as bars
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from equipoise.cli.dry_run import cell_in_words
from equipoise.report.words.numbers import duration, percent
from equipoise.sweep.watching import KNOWN, Progress, Watcher

#: Seconds without any line after which one says how far the sweep is, where there are no bars.
SILENCE = 60.0


class SweepProgress:
    """Bars on a terminal; elsewhere a plain line for each cell that ends, and one a minute while none ends."""

    def __init__(self, console: Console, cells: Sequence[Any]) -> None:
        self._live = console.is_terminal
        self._console = console
        self._shares = dict.fromkeys((c.key for c in cells), 0.0)
        self._bars: dict[str, TaskID] = {}
        self._progress = bars.Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            # The report follows in the place of the bars.
            transient=True,
            refresh_per_second=4,  # the default of ten takes a twentieth of a core
            disable=not self._live,
            # What plugins print goes to a log, not above the bars.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._finished: set[str] = set()
        self._began = self._spoke = time.monotonic()
        self._lock = threading.Lock()  # news of running cells may come from a listening thread
        self._total = self._progress.add_task("sweep", total=len(cells) or 1, state=f"0/{len(cells)}")
        self.watcher = Watcher(on_progress=self._step, on_row=self._row, on_problem=self._problem)

    def __enter__(self) -> SweepProgress:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def finished(self) -> int:
        """The number of cells whose rows have been written."""
        return len(self._finished)

    def stop(self) -> None:
        """Remove the bars from the terminal."""
        self._progress.stop()

    def _step(self, news: Progress) -> None:
        cell = news.cell
        with self._lock:
            if cell.key in self._finished:  # a late message of a worker
                return
            self._shares[cell.key] = news.share
            if cell.key not in self._bars:
                description = escape(f"  {cell_in_words(cell)}")
                self._bars[cell.key] = self._progress.add_task(description, total=1.0, state="")
            self._progress.update(self._bars[cell.key], completed=news.share, state=news.words)
            self._progress.update(self._total, completed=sum(self._shares.values()))
            if self._live or time.monotonic() - self._spoke < SILENCE:
                return
            left = f", about {duration(news.left)} left" if news.left > 0 else ""
            self._say(f"{self._overall()}; {cell_in_words(cell)}: {news.words}, {percent(news.share)}{left}")

    def _overall(self) -> str:
        """How many cells are done, the share of the sweep, and its time left, from the time so far."""
        done, share = len(self._finished), sum(self._shares.values()) / max(len(self._shares), 1)
        words = f"{done} of {len(self._shares)} cells done, {percent(share)}"
        if share >= KNOWN:
            words += f", about {duration((time.monotonic() - self._began) * (1 - share) / share)} left"
        return words

    def _say(self, line: str) -> None:
        self._spoke = time.monotonic()
        # A line stays a line in a file, whatever its length.
        self._console.print(line, markup=False, soft_wrap=True)

    def _row(self, cell: Any, row: Mapping[str, Any]) -> None:
        with self._lock:
            self._finished.add(cell.key)
            self._shares[cell.key] = 1.0
            if cell.key in self._bars:
                self._progress.remove_task(self._bars.pop(cell.key))
            state = f"{len(self._finished)}/{len(self._shares)}"
            self._progress.update(self._total, completed=sum(self._shares.values()), state=state)
        words = cell_in_words(cell)
        if row["status"] == "failed":
            self._problem(f"{words} failed: {row['error']}")
        elif not self._live:
            self._say(f"{state} {words}: {row['cost']['seconds_total']:.1f} s")

    def _problem(self, line: str) -> None:
        # The console of the progress prints above the bars instead of into them.
        self._spoke = time.monotonic()
        self._progress.console.print(line, style="yellow", markup=False)
