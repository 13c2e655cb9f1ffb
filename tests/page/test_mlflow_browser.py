"""MLflow's own page in a real browser: the saved view says who won, and the summary run shows its ranking and the report."""

from __future__ import annotations

import shutil
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from equipoise.store.store import Store
from equipoise.tracking import server
from equipoise.tracking.database import quiet
from equipoise.tracking.tracker import Tracker

Rows = Callable[..., list[dict[str, Any]]]
WAIT = 120_000  # ms; MLflow's page takes seconds to start, on a busy machine many


@pytest.fixture
def served(rows_of: Rows, template: Path, tmp_path: Path) -> Iterator[tuple[str, Store]]:
    """The address of MLflow's server over a store with one data set."""
    store = Store(tmp_path / "store")
    store.path.mkdir()
    shutil.copyfile(template, store.path / "mlflow.db")
    for row in rows_of():
        store.append(row)
    tracker = Tracker(store)
    tracker.sync()
    assert tracker.summarize() == []
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with server.started(store.path, "127.0.0.1", port) as process:
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
                break
            except OSError:
                time.sleep(0.3)
        yield f"http://127.0.0.1:{port}/", store


def summary_of(store: Store) -> Any:
    with quiet():
        from mlflow import MlflowClient

        client = MlflowClient(Tracker(store).uri)
        experiments = [found.experiment_id for found in client.search_experiments()]
        return client.search_runs(experiments, "tags.level = 'summary'")[0]


@pytest.mark.slow
def test_the_saved_view_and_the_summary_are_shown(browser: Any, served: tuple[str, Store]) -> None:
    address, store = served
    (name, page), *_ = server.pages(store.path)
    assert name == "letters"
    tab = browser.new_context(viewport={"width": 1800, "height": 1000}).new_page()
    tab.goto(address + page)
    tab.get_by_text("focal · linear").first.wait_for(timeout=WAIT)
    shown = tab.inner_text("body")
    names = [line for line in shown.splitlines() if line.endswith(" · linear")]
    assert names == [f"{s} · linear" for s in ("focal", "pos_weight", "none", "ml_ros")], "by mAP"
    assert "scores/map" in shown
    assert "versus none" in shown
    assert "Who won" in shown
    assert "What to do." in shown
    run = summary_of(store)
    runs = f"{address}#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}/artifacts"
    tab.goto(f"{runs}/ranking.json")
    tab.get_by_role("cell", name="pos_weight").first.wait_for(timeout=WAIT)
    # Another address of the same page would leave the tree of files where it is.
    tab.goto("about:blank")
    tab.goto(f"{runs}/report.html")
    tab.frame_locator("iframe").get_by_role("heading", name="Verdict").wait_for(timeout=WAIT)
