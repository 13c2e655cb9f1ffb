"""Run the cells of a plan: in this process or in several, one writer, resumable at any instant."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from equipoise.cell import Cell
from equipoise.dataset import Dataset
from equipoise.errors import EquipoiseError
from equipoise.groups import Result, attempt, failed, groups
from equipoise.plan import Plan
from equipoise.store import Store

REDO = ("missing", "failed", "all")
#: A cell whose worker died this often becomes a failed row.
DEATHS = 2
#: Seconds between two visits to MLflow while cells run.
SYNC_EVERY = 10.0


@dataclass(frozen=True)
class Watcher:
    """Who wants to know: a share of a cell done (0..1), a row written, a problem in one line."""

    on_share: Callable[[Cell, float], None] = lambda cell, share: None
    on_row: Callable[[Cell, dict[str, Any]], None] = lambda cell, row: None
    on_problem: Callable[[str], None] = lambda line: None


def outstanding(plan: Plan, store: Store, redo: str) -> list[Cell]:
    """The cells still to run: those without a row, also those that failed, or all.

    Raises:
        EquipoiseError: `redo` is another word.
    """
    if redo not in REDO:
        raise EquipoiseError(f"redo must be one of {', '.join(REDO)}, got {redo!r}")
    have = {} if redo == "all" else store.statuses()
    again = {"failed"} if redo == "failed" else set()
    return [c for c in plan.cells if c.key not in have or have[c.key] in again]


def sweep(
    plan: Plan, store: Store, *, workers: int = 1, redo: str = "missing", watcher: Watcher | None = None
) -> None:
    """Run what is outstanding, writing each row as it comes and MLflow now and then.

    Args:
        workers: processes; 1 runs in this one. The rows do not depend on it.

    Raises:
        EquipoiseError: another sweep is writing to the store, or workers < 1.
        KeyboardInterrupt: rows that were written stay; the same call goes on from there.
    """
    if workers < 1:
        raise EquipoiseError(f"workers must be 1 or more, got {workers}")
    watch = watcher or Watcher()
    with store.locked():
        cells = outstanding(plan, store, redo)
        have = store.statuses()
        if store.torn:
            watch.on_problem(store.torn)
        for cell, reason in plan.skipped:
            if cell.key not in have:
                store.append(cell.row("skipped", reason=reason))
        run = _in_processes if workers > 1 and len(cells) > 1 else _in_this_process
        last = time.monotonic()
        try:
            for cell, (row, predictions) in run(cells, plan.data, workers, watch):
                store.append(row, predictions)
                watch.on_row(cell, row)
                if time.monotonic() - last > SYNC_EVERY:
                    _sync(store, watch)
                    last = time.monotonic()
        finally:
            _sync(store, watch)


def _sync(store: Store, watch: Watcher) -> None:
    """Bring MLflow up to date. It is a view: trouble with it is told and loses no row."""
    if not store.rows_file.exists():
        return
    try:
        from equipoise.tracking import Tracker

        problems = Tracker(store).sync().problems
    except Exception as error:
        problems = [f"MLflow was not written ({type(error).__name__}: {' '.join(str(error).split())[:200]})"]
    for line in problems:
        watch.on_problem(line)


def _in_this_process(
    cells: Sequence[Cell], data: Mapping[str, Dataset], workers: int, watch: Watcher
) -> Iterator[tuple[Cell, Result]]:
    for group in groups(cells):
        yield from attempt(group, data, watch.on_share)


def _in_processes(
    cells: Sequence[Cell], data: Mapping[str, Dataset], workers: int, watch: Watcher
) -> Iterator[tuple[Cell, Result]]:
    """A pool of spawned processes; when one dies, what ran is tried again, one by one: so the next death is its own."""
    left = {cell.key: cell for cell in cells}
    deaths = dict.fromkeys(left, 0)
    while left:
        suspects = [cell for key, cell in left.items() if deaths[key]]
        chosen = [(cell,) for cell in suspects] or groups(left.values(), workers)
        with _Pool(1 if suspects else min(workers, len(chosen)), data, watch) as pool:
            try:
                for key, result in pool.run(chosen):
                    yield left.pop(key), result
            except BrokenProcessPool:
                for key in pool.running():
                    deaths[key] += 1
        for key in [k for k in left if deaths[k] >= DEATHS]:
            cell = left.pop(key)
            yield (
                cell,
                (
                    failed(cell, RuntimeError("the worker process died, twice (killed, or out of memory)")),
                    None,
                ),
            )


class _Pool:
    """Worker processes with one thread each, and a queue on which they say how far they are."""

    def __init__(self, workers: int, data: Mapping[str, Dataset], watch: Watcher) -> None:
        context = multiprocessing.get_context("spawn")
        self._news = context.Queue()
        self._watch = watch
        self._started: set[str] = set()
        self._cells: dict[str, Cell] = {}
        self._executor = ProcessPoolExecutor(workers, context, _start_worker, (dict(data), self._news))
        self._listener = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> _Pool:
        self._listener.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            for process in list((getattr(self._executor, "_processes", None) or {}).values()):
                process.terminate()
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._news.put(None)
        self._listener.join(timeout=5)

    def running(self) -> set[str]:
        """Keys of cells that were begun and not finished."""
        time.sleep(0.2)  # let the listener catch up with what the dead had said
        return set(self._started)

    def run(self, chosen: Iterable[Sequence[Cell]]) -> Iterator[tuple[str, Result]]:
        """The results of groups of cells, as they come."""
        self._cells = {cell.key: cell for group in chosen for cell in group}
        futures: set[Future[list[tuple[str, Result]]]] = {
            self._executor.submit(_work, tuple(group)) for group in chosen
        }
        while futures:
            done = wait(futures, return_when=FIRST_COMPLETED).done
            futures -= done
            for future in sorted(done, key=lambda f: f.exception() is not None):  # a death loses no result
                for key, result in future.result():
                    self._started.discard(key)
                    yield key, result

    def _listen(self) -> None:
        while (news := self._news.get()) is not None:
            key, share = news
            if share == 0.0:
                self._started.add(key)
            self._watch.on_share(self._cells[key], share)


_WORKER: dict[str, Any] = {}


def _start_worker(data: dict[str, Dataset], news: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    _WORKER.update(data=data, news=news, said={})


def _end_with_parent() -> None:
    """A worker whose sweep was killed outright would wait for its next cell for ever."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


def _work(cells: Sequence[Cell]) -> list[tuple[str, Result]]:
    for cell in cells:
        _WORKER["news"].put((cell.key, 0.0))

    def report(cell: Cell, share: float) -> None:
        now = time.monotonic()
        if now - _WORKER["said"].get(cell.key, 0.0) > 0.2:
            _WORKER["said"][cell.key] = now
            _WORKER["news"].put((cell.key, max(share, 1e-9)))

    return [(cell.key, result) for cell, result in attempt(cells, _WORKER["data"], report)]
