"""Workers that come back to an address, and data that a worker finds or does not find in a shared folder."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pooch
import pytest

from equipoise.cluster import packing, remote
from equipoise.cluster.assignments import DEATHS, Assignments
from equipoise.cluster.connection import WorkerLost
from equipoise.cluster.crew import Crew
from equipoise.cluster.identity import identity
from equipoise.cluster.messages import Job, Missing
from equipoise.core.errors import EquipoiseError
from equipoise.experiment.cell import Cell
from equipoise.experiment.settings import Settings
from equipoise.readers import downloads
from equipoise.readers.downloads import ENVIRONMENT, Pin

ADDRESS = "tcp://127.0.0.1:8791"


class Kills:
    """A connection whose workers die of every cell, except that the first one is asked to end and says so."""

    def __init__(self) -> None:
        self.leave: Any = None
        self.perform_calls = 0

    def listen(self, topic: str, hear: Any) -> None:
        if "leaving" in topic:
            self.leave = hear

    async def call(self, worker: str, function: Any, *args: Any) -> Any:
        return ("host-1-1", identity())

    async def perform(self, worker: str, *args: Any) -> Any:
        self.perform_calls += 1
        if self.perform_calls == 1:
            self.leave(worker)
        raise WorkerLost

    async def workers(self) -> set[str]:
        # There, gone, there again: always at the same address.
        self.seen = not getattr(self, "seen", False)
        return {ADDRESS} if self.seen else set()


def test_who_left_once_is_blamed_for_what_happens_at_the_address_later() -> None:
    """Otherwise a cell that kills its worker would be run there again and again, for ever."""
    (cell,) = cells = [Cell("d", "", "linear", "none", 0, 0, Settings(), "cpu", "")]
    told: list[Any] = []
    driver = Mock(assignments=Assignments(cells), digests={"d": ""}, put=told.append)
    driver.name = "sweep"
    driver.refusal.return_value = None
    driver.unwritten.return_value = 0
    kills = Kills()
    asyncio.run(asyncio.wait_for(Crew(driver, kills).work(), 60))  # type: ignore[arg-type]
    ((given_up, (row, _)),) = [item for item in told if not isinstance(item, str)]
    assert (given_up, row["status"]) == (cell, "failed")
    assert kills.perform_calls == 1 + DEATHS


def test_a_worker_downloads_nothing_and_asks_the_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    retrieve = Mock(side_effect=OSError("no network in this test"))
    monkeypatch.setattr(pooch, "retrieve", retrieve)
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "shared"))
    here = remote.Here(tmp_path, identity(), "host-1-1")
    monkeypatch.setattr(remote, "HERE", [here])
    names = ("enron-email", "openml[id=41465]")
    job = Job("sweep", (), dict.fromkeys(names, "0" * 64), {})
    assert remote._datasets(here, job) == ({}, names)
    assert Missing(names).names == names
    retrieve.assert_not_called()
    # Outside of it, the same data set is downloaded.
    with pytest.raises(EquipoiseError, match="failed"):
        downloads.fetch(Pin("d", "file", "http://localhost/file", None), tmp_path)
    retrieve.assert_called_once()


def test_a_worker_takes_what_the_shared_folder_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "shared"))
    here = remote.Here(tmp_path, identity(), "host-1-1")
    monkeypatch.setattr(remote, "HERE", [here])
    name = "design-emails[rows=60]"
    digest = packing.digest(remote.load_dataset(name))
    found, missing = remote._datasets(here, Job("sweep", (), {name: digest}, {}))
    assert (list(found), missing) == ([name], ())
