"""One worker process: cells run in its main thread, and a dask worker in another one.

The main thread is the only one that receives signals, and the one whose memory `GLIBC_TUNABLES` of local workers is made for.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import queue
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.cluster import remote
from equipoise.cluster.address import Address, distributed
from equipoise.cluster.identity import identity
from equipoise.cluster.messages import LEAVING
from equipoise.core.errors import one_line
from equipoise.sweep.pool import ONE_THREAD

#: Exit codes of a worker process: it was asked to end, the scheduler is gone, or it could not connect.
ENDED, LOST, UNREACHABLE = 0, 3, 4
#: Seconds until a worker that is asked to end must have told the driver.
GOODBYE = 5.0


@dataclass(frozen=True)
class Place:
    """What a worker process is started with.

    Attributes:
        name: unique among the workers of a scheduler. folder: shared by the workers of one command.
        host, port: where the worker listens; None lets dask choose an address that the scheduler can reach.
    """

    address: Address
    name: str
    folder: Path
    host: str | None = None
    port: int | None = None


class MainThread(Executor):
    """An executor that runs what is submitted in the thread that calls `run_forever`."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue a call."""
        future: Future[Any] = Future()
        self._calls.put((future, lambda: fn(*args, **kwargs)))
        return future

    def run_forever(self) -> None:
        """Run calls in their order; ends with the process."""
        while True:
            future, call = self._calls.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)


def serve(place: Place, environment: dict[str, str]) -> None:
    """Be a worker until the scheduler is gone or SIGTERM comes; the process then ends with one of the exit codes above."""
    # The process that started this one handles Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The environment so far is that of the server process that this one was forked from.
    os.environ.clear()
    os.environ.update({**ONE_THREAD, **environment})
    threading.Thread(target=_end_with_parent, args=(place.folder,), daemon=True).start()
    remote.HERE[:] = [remote.Here(place.folder, identity(), place.name)]
    calls = MainThread()
    asked = threading.Event()
    # A flag, because a handler may interrupt any step of this thread.
    signal.signal(signal.SIGTERM, lambda number, frame: asked.set())
    threading.Thread(target=_be_a_node, args=(place, calls, asked), daemon=True).start()
    calls.run_forever()


def _end_with_parent(folder: Path) -> None:
    """End with `equipoise worker`; if that was killed, the copies of data sets are still there."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(ENDED)


def _be_a_node(place: Place, calls: MainThread, asked: threading.Event) -> None:
    code = UNREACHABLE
    try:
        code = asyncio.run(_node(place, calls, asked))
    except TimeoutError:
        pass
    except Exception as error:
        # Dask wraps what went wrong, such as a port that is taken, in an error that does not say it.
        print(f"{place.name}: {one_line(error.__cause__ or error)}", file=sys.stderr, flush=True)
    finally:
        # At once, since a cell that still runs in the main thread is nobody's any more.
        os._exit(code)


async def _node(place: Place, calls: MainThread, asked: threading.Event) -> int:
    """Run a dask worker; returns the exit code of the process."""
    node = distributed().Worker(
        place.address.url,
        name=place.name,
        nthreads=1,
        # Cells decide about their memory; dask would pause or kill a worker that takes much.
        memory_limit=0,
        executor=calls,
        local_directory=str(place.folder),
        security=place.address.security(),
        host=place.host,
        port=place.port,
        # Its server of statistics must not listen to other machines.
        dashboard_address="127.0.0.1:0",
        death_timeout=30,
    )
    await node
    remote.HERE[0].node = node
    ended = asyncio.ensure_future(node.finished())
    while not asked.is_set():
        # A handler in the main thread cannot wake this loop.
        if (await asyncio.wait({ended}, timeout=0.2))[0]:
            return LOST
    node.log_event(LEAVING, node.address)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(node.close(executor_wait=False), GOODBYE)
    return ENDED
