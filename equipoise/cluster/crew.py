"""The workers of one scheduler, each looked after by one coroutine that gives it one group of cells at a time.

Dask knows which workers there are and carries messages; which worker runs what is decided here. So it is known which cells a dead
worker was running.
"""

from __future__ import annotations

import asyncio
import math
import pickle
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from equipoise.catalog.parts import in_module
from equipoise.catalog.plugins import sources_of
from equipoise.cluster import packing, remote
from equipoise.cluster.connection import Connection, WorkerLost
from equipoise.cluster.messages import LEAVING, Finished, Job, Refused

if TYPE_CHECKING:
    from equipoise.cluster.assignments import Group
    from equipoise.cluster.driver import Driver

#: Seconds between two looks at which workers there are.
POLL = 0.5
#: Seconds without a worker until a line says so.
LONELY = 5.0
#: Results that may wait to be written before workers wait, too.
UNWRITTEN = 16


class Crew:
    """The workers behind one connection; another scheduler has another crew."""

    def __init__(self, driver: Driver, connection: Connection) -> None:
        self._driver, self._connection = driver, connection
        self._assignments = driver.assignments
        #: The coroutine of each worker; it ends when its worker is refused or lost.
        self._employed: dict[str, asyncio.Task[None]] = {}
        self._names: dict[str, str] = {}
        self._admitted: set[str] = set()
        #: Why each refused worker is refused.
        self._refused: dict[str, str] = {}
        #: Workers whose group is running, and those that were asked to end.
        self._running: set[str] = set()
        self._leaving: set[str] = set()
        self._sending = asyncio.Lock()
        self._finished = asyncio.Event()
        self._lonely_since = time.monotonic()

    async def work(self) -> None:
        """Give cells to workers until none is left.

        Raises:
            SchedulerLost: the groups that were out will be given out again.
        """
        self._assignments.all_back()
        self._connection.listen(self._driver.name, self._driver.hear_share)
        self._connection.listen(LEAVING, self._leaving.add)
        try:
            while self._assignments.left:
                self._tend(await self._connection.workers())
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._finished.wait(), POLL)
                self._finished.clear()
        finally:
            for employment in self._employed.values():
                employment.cancel()
            await asyncio.gather(*self._employed.values(), return_exceptions=True)

    def _tend(self, present: set[str]) -> None:
        """Notice which workers have come and gone."""
        for worker, employment in list(self._employed.items()):
            if worker not in present:
                self._gone(worker)
            elif employment.done() and worker not in self._refused:
                # It was not reached for a moment; an exception of another kind is a fault of ours, raised here.
                employment.result()
                self._assignments.back(worker)
                self._admitted.discard(worker)
                self._running.discard(worker)
                del self._employed[worker]
        for worker in present - self._employed.keys():
            self._employed[worker] = asyncio.create_task(self._employ(worker))
        self._assignments.divide(len(self._admitted))
        self._mention_loneliness()

    def _gone(self, worker: str) -> None:
        self._employed.pop(worker).cancel()
        self._admitted.discard(worker)
        self._refused.pop(worker, None)
        to_blame = worker in self._running and worker not in self._leaving
        # Another worker may come to the same address.
        self._running.discard(worker)
        self._leaving.discard(worker)
        if not to_blame:
            self._assignments.back(worker)
            return
        self._driver.put(f"worker {self._names[worker]} is gone; its cells are run again, one by one")
        for given_up in self._assignments.died(worker):
            self._driver.put(given_up)

    def _mention_loneliness(self) -> None:
        if self._admitted:
            self._lonely_since = time.monotonic()
        elif time.monotonic() - self._lonely_since > LONELY:
            self._driver.put(_lonely(self._driver.address.url, list(self._refused.values())))
            # Said once for each time without workers.
            self._lonely_since = math.inf

    async def _employ(self, worker: str) -> None:
        """Everything that is done with one worker, from the first question to its last group."""
        try:
            refusal = await self._greet(worker)
            if refusal is None:
                self._admitted.add(worker)
                # Without waiting for the next look at the workers.
                self._assignments.divide(len(self._admitted))
            while refusal is None:
                group = await self._assignments.take(worker)
                refusal = await self._hand(worker, group)
            self._admitted.discard(worker)
            self._assignments.back(worker)
            await self._refuse(worker, refusal)
        except WorkerLost:
            # The next look at the workers shows whether it has died.
            return

    async def _greet(self, worker: str) -> str | None:
        """Ask a worker who it is; returns why it is refused, or None."""
        self._names[worker] = worker
        try:
            greeting = await self._connection.call(worker, remote.greet)
        except WorkerLost:
            raise
        except Exception as error:
            return f"it does not run this version of equipoise ({type(error).__name__}: {error})"
        if greeting is None:
            return f"it was not started by `equipoise worker {self._driver.address.url}`"
        self._names[worker], found = greeting
        return self._driver.refusal(found)

    async def _refuse(self, worker: str, reason: str) -> None:
        self._refused[worker] = reason
        line = f"worker {self._names[worker]} is refused: {' '.join(reason.split())}"[:500]
        self._driver.put(line)
        # It is only a courtesy: a process that runs something else does not know how to print it.
        with suppress(Exception):
            await self._connection.call(worker, remote.tell, line)

    async def _hand(self, worker: str, group: Group) -> str | None:
        """Have a worker run a group; returns why it refused, or None."""
        job = self._job(group)
        while True:
            self._running.add(worker)
            reply = await self._connection.perform(worker, self._driver.task(), remote.perform, job)
            self._running.discard(worker)
            if isinstance(reply, Refused):
                return reply.reason
            if isinstance(reply, Finished):
                await self._finish(worker, reply)
                return None
            for name in reply.names:
                if problem := await self._send(worker, name):
                    return problem

    def _job(self, group: Group) -> bytes:
        files = {place.where for cell in group for place in cell.places if not in_module(place.where)}
        plugins = {file: sources_of(Path(file)) for file in files}
        digests = {cell.dataset: self._driver.digests[cell.dataset] for cell in group}
        return pickle.dumps(Job(self._driver.name, group, digests, plugins))

    async def _finish(self, worker: str, reply: Finished) -> None:
        self._assignments.done(worker)
        for key, result in reply.results:
            if (cell := self._assignments.finish(key)) is not None:
                self._driver.put((cell, result))
        self._finished.set()
        while self._driver.unwritten() > UNWRITTEN:
            await asyncio.sleep(POLL)

    async def _send(self, worker: str, name: str) -> str | None:
        """Send a data set to a worker; returns why the worker could not store it, or None."""
        digest, sweep, call = self._driver.digests[name], self._driver.name, self._connection.call
        # One at a time: the driver holds one chunk, and workers that share a folder get one copy.
        async with self._sending:
            if await call(worker, remote.holds, digest):
                return None
            offset = 0
            for chunk in packing.packed(self._driver.data[name]):
                if problem := await call(worker, remote.receive, digest, sweep, offset, chunk):
                    return str(problem)
                offset += len(chunk)
            return await call(worker, remote.receive, digest, sweep, offset, b"") or None


def _lonely(url: str, refusals: list[str]) -> str:
    """A line that says why no cell runs, and what to do."""
    if not refusals:
        return f"no worker at {url} yet; waiting for one (to start it: equipoise worker {url})"
    workers = "the only worker" if len(refusals) == 1 else f"each of the {len(refusals)} workers"
    # Workers of one cluster are mostly alike, so one reason stands for all.
    reason = " ".join(refusals[-1].split())
    return f"no cell runs, since {workers} at {url} was refused: {reason:.300}; waiting for another worker"
