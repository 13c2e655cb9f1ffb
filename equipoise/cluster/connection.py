"""A connection to a scheduler. Everything that dask is asked for goes through here, and nothing waits for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager, suppress
from typing import Any

from equipoise.cluster.address import Address, distributed
from equipoise.core.errors import EquipoiseError

#: Seconds in which a scheduler must answer, and a worker that takes a chunk of data, perhaps over a slow line.
ANSWER, TAKEN = 10.0, 60.0
#: Seconds between two attempts to connect.
RETRY = 0.5


class SchedulerLost(Exception):
    """The scheduler does not answer, or another one has taken its place."""


class WorkerLost(Exception):
    """The worker, or the scheduler, has gone while it was asked for something."""


class Connection:
    """A client of one scheduler. If that is replaced at the same address, the connection counts as lost."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._scheduler: str | None = None

    async def workers(self) -> set[str]:
        """The addresses of the workers that are connected to the scheduler.

        Raises:
            SchedulerLost: it does not answer.
        """
        if self._client.status != "running":
            raise SchedulerLost
        try:
            seen = await asyncio.wait_for(self._client.scheduler.identity(n_workers=-1), ANSWER)
        except (TimeoutError, OSError):
            raise SchedulerLost from None
        # The client of dask reconnects by itself, to whatever scheduler it finds; that one knows of no tasks of ours.
        if (self._scheduler or seen["id"]) != seen["id"]:
            raise SchedulerLost
        self._scheduler = seen["id"]
        return set(seen["workers"])

    def listen(self, topic: str, hear: Callable[[Any], None]) -> None:
        """Call `hear` with every message that workers send under a topic."""
        self._client.subscribe_topic(topic, lambda event: hear(event[1]))

    async def call(self, worker: str, function: Callable[..., Any], *args: Any) -> Any:
        """Call a quick function in the event loop of a worker.

        Raises:
            WorkerLost: it, or the scheduler, has gone.
            Exception: whatever the function raises, or why the worker could not load it.
        """
        try:
            answers = await asyncio.wait_for(self._client.run(function, *args, workers=[worker]), TAKEN)
            return answers[worker]
        # Of a time-out, too, which is an OSError: a worker that stands still must not keep data from the others.
        except (OSError, KeyError):
            raise WorkerLost from None

    async def perform(self, worker: str, name: str, function: Callable[..., Any], *args: Any) -> Any:
        """Run a function as a task on this worker and on no other; cancelling this coroutine cancels the task.

        Args:
            name: what dask calls the task; the last argument of the function.

        Raises:
            WorkerLost: it, or the scheduler, has gone.
            EquipoiseError: the scheduler cannot pass the task on.
        """
        future = self._client.submit(
            function, *args, name, key=name, workers=[worker], allow_other_workers=False, pure=False
        )
        try:
            return await future
        except (OSError, CancelledError, distributed().KilledWorker):
            raise WorkerLost from None
        except Exception as error:
            line = " ".join(str(error).split())
            raise EquipoiseError(
                f"the scheduler cannot pass work on ({line:.200}); it needs this version of equipoise, too"
            ) from None
        finally:
            # Frees the memory of the worker, too.
            future.release()

    async def close(self) -> None:
        """Close the connection; the scheduler may be gone."""
        with suppress(Exception):
            await asyncio.wait_for(self._client.close(), ANSWER)


@asynccontextmanager
async def connected(
    address: Address, patience: float, on_wait: Callable[[], None] = lambda: None
) -> AsyncIterator[Connection]:
    """Connect to a scheduler, trying again for `patience` seconds; `on_wait` is called after the first failure.

    Raises:
        EquipoiseError: none answers.
    """
    connection = await _connect(address, patience, on_wait)
    try:
        yield connection
    finally:
        await connection.close()


async def _connect(address: Address, patience: float, on_wait: Callable[[], None]) -> Connection:
    deadline = time.monotonic() + patience
    while (connection := await _try(address)) is None:
        if time.monotonic() > deadline:
            tls = " with these TLS files" if address.tls_ca else ""
            raise EquipoiseError(
                f"no scheduler answers at {address.url}{tls}; start one with `dask scheduler --host {address.host} "
                f"--port {address.port}`, and workers with `equipoise worker {address.url}`"
            )
        on_wait()
        on_wait = _said
        await asyncio.sleep(RETRY)
    return connection


async def _try(address: Address) -> Connection | None:
    """Connect once; None if no scheduler answers."""
    try:
        # First without dask, which would go on trying in its own way, and log every failure.
        _, probe = await asyncio.wait_for(asyncio.open_connection(address.host, address.port), ANSWER)
        probe.close()
    except OSError:
        return None
    client = distributed().Client(
        address.url, asynchronous=True, timeout=ANSWER, security=address.security(), set_as_default=False
    )
    connection = Connection(client)
    try:
        await asyncio.wait_for(client, ANSWER)
        return connection
    except OSError:
        await connection.close()
        return None


def _said() -> None:
    """Take the place of a callback that has been called."""
