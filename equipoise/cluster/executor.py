"""`Cluster`: an executor whose workers are processes of `equipoise worker`, on this machine or on others."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.cluster.address import Address, distributed
from equipoise.core.lazy import lazy

if TYPE_CHECKING:
    from equipoise.cluster import driver as drivers
    from equipoise.contracts.dataset import Dataset
    from equipoise.experiment.cell import Cell
    from equipoise.sweep.executors import Results
    from equipoise.sweep.watching import Watcher
else:
    # It imports PyTorch, which a command that plans nothing does not need.
    drivers = lazy("equipoise.cluster.driver")

#: Seconds to wait for the driver's thread to take leave of the scheduler.
GOODBYE = 15.0


@dataclass(frozen=True)
class Cluster:
    """Runs cells on the workers of a dask scheduler; see `equipoise.sweep.executors.Executor`.

    Args:
        url: tcp://HOST:PORT or tls://HOST:PORT, the address of the scheduler.
        tls_ca, tls_cert, tls_key: PEM files, for tls://.
        allow_mixed: take workers with other versions of libraries or another CPU, on which the last bits may differ.

    Raises:
        EquipoiseError: the address is wrong, a file is missing, or dask.distributed is not installed.
    """

    url: str
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    allow_mixed: bool = False

    def __post_init__(self) -> None:
        self._address()
        distributed()

    def _address(self) -> Address:
        return Address(self.url, self.tls_ca, self.tls_cert, self.tls_key)

    def __str__(self) -> str:
        return f"workers of {self.url}"

    def run(self, cells: Collection[Cell], data: Mapping[str, Dataset], watch: Watcher) -> Results:
        """See `Executor.run`.

        Raises:
            EquipoiseError: no scheduler answers, or it was lost and did not come back in time.
        """
        if not cells:
            return
        items: queue.SimpleQueue[Any] = queue.SimpleQueue()
        driver = drivers.Driver(
            self._address(),
            cells,
            data,
            allow_mixed=self.allow_mixed,
            put=items.put,
            unwritten=items.qsize,
            on_share=watch.on_share,
        )
        with _Background(driver.run(), items):
            # None ends the results; an exception ends them, too.
            while (item := items.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                if isinstance(item, str):
                    watch.on_problem(item)
                else:
                    yield item


class _Background:
    """Runs a coroutine in a thread of its own; its end, or its exception, is the last of the items."""

    def __init__(self, coroutine: Any, items: queue.SimpleQueue[Any]) -> None:
        self._coroutine, self._items = coroutine, items
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="equipoise-cluster", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        # The caller may stop early (Ctrl-C, a full disk): cells that run are then called off.
        self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join(GOODBYE)
        if not self._thread.is_alive():
            self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._task = self._loop.create_task(self._coroutine)
        try:
            self._loop.run_until_complete(self._task)
            self._items.put(None)
        except BaseException as error:
            self._items.put(error)

    def _cancel(self) -> None:
        self._task.cancel()
