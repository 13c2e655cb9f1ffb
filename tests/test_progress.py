"""Progress inside a cell: trials and time left for a watcher, a line a minute where there are no bars; and the same rows."""

from __future__ import annotations

import io
import math
from pathlib import Path

import pytest
from rich.console import Console

from equipoise.cli import progress as module
from equipoise.cli.progress import SweepProgress
from equipoise.store.rows import fingerprint
from equipoise.store.store import Store
from equipoise.sweep import pool, watching
from equipoise.sweep.executors import ThisProcess
from equipoise.sweep.run import sweep
from equipoise.sweep.watching import Progress, Watcher, with_progress

from .shared.pipeline import numbers, plan_of

pytestmark = pytest.mark.usefixtures("own_catalogue", "without_mlflow")


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(watching, "time", made)
    monkeypatch.setattr(module, "time", made)
    return made


def test_a_watcher_hears_of_trials_and_the_rows_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "PACE", 0.0)
    heard: list[Progress] = []
    plan = plan_of(["none", "focal"], numbers(), split_count=1)
    sweep(plan, Store(tmp_path / "a"), executor=ThisProcess(), watcher=Watcher(on_progress=heard.append))
    sweep(plan, Store(tmp_path / "b"), executor=ThisProcess())
    a, b = ({row["key"]: fingerprint(row) for row in Store(tmp_path / name).rows()} for name in "ab")
    assert a == b
    for cell in plan.cells:
        own = [news for news in heard if news.cell.key == cell.key]
        assert len(own) > 2
        assert [news.share for news in own] == sorted(news.share for news in own)
        assert {news.trials for news in own} == {cell.settings.trials}
        assert all(1 <= news.trial <= news.trials for news in own)
        assert own[-1].share == 1.0
        assert own[-1].words == "refit"


def test_time_left_is_told_from_the_share_and_starts_again_with_a_cell(clock: Clock) -> None:
    heard: list[Progress] = []
    (cell,) = plan_of(["none"], numbers(), split_count=1).cells
    share = with_progress(Watcher(on_progress=heard.append)).on_share
    share(cell, 0.0)
    clock.now += 10
    share(cell, 0.001)
    share(cell, 0.25)
    assert math.isnan(heard[1].left), "a hundredth of a percent says nothing"
    assert heard[2].left == pytest.approx(30.0)
    assert heard[2].seconds == 10.0
    share(cell, 0.0)  # its worker has died, and it is run again
    clock.now += 1
    share(cell, 0.5)
    assert heard[-1].left == pytest.approx(1.0)


def test_without_bars_a_line_a_minute_says_how_far_it_is(clock: Clock) -> None:
    out = io.StringIO()
    cells = plan_of(["none", "focal"], numbers(), split_count=1).cells
    with SweepProgress(Console(file=out, width=40), cells) as progress:
        share = with_progress(progress.watcher).on_share
        share(cells[0], 0.0)
        for _ in range(179):
            clock.now += 1
            share(cells[0], 0.5)
        assert len(out.getvalue().splitlines()) == 2
        progress.watcher.on_row(cells[0], {"status": "ok", "cost": {"seconds_total": 179.0}})
        clock.now += 59
        share(cells[1], 0.2)
    first, second, row = out.getvalue().splitlines()
    assert first.startswith("0 of 2 cells done, 25 %, about 3.0min left; numbers · linear · none · split 0: ")
    assert first.endswith(", 50 %, about 60s left")
    assert "trial" in second
    assert row.startswith("1/2 numbers · linear · none")


def test_a_terminal_shows_the_trial_beside_the_bar_and_no_lines(clock: Clock) -> None:
    out = io.StringIO()
    cells = plan_of(["none"], numbers(), split_count=1).cells
    console = Console(file=out, force_terminal=True, width=160)
    with SweepProgress(console, cells) as progress:
        clock.now += 100
        with_progress(progress.watcher).on_share(cells[0], 0.5)
        (total, bar) = progress._progress.tasks
        assert bar.fields["state"].startswith("trial ")
        assert (total.completed, bar.completed) == (0.5, 0.5)
    assert "cells done" not in out.getvalue()
