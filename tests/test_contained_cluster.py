"""The time limit of cells in a worker of a cluster: its process ends, and the row says what that may have been."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

from equipoise.experiment.cell import Cell
from equipoise.experiment.settings import Settings
from equipoise.sweep.attempts import Attempts

HANGS = """
import dataclasses, time
from equipoise.cluster import remote
from equipoise.experiment.cell import Cell
from equipoise.experiment.settings import Settings

cell = Cell("d", "", "linear", "none", 0, 0, Settings(), "cpu", "")
remote._limit([cell]).cancel()
remote._limit([dataclasses.replace(cell, timeout=0.1)]).cancel()
time.sleep(0.5)
print("here", flush=True)
remote._limit([dataclasses.replace(cell, timeout=0.2), dataclasses.replace(cell, timeout=0.1)])
time.sleep(60)
"""


def test_a_worker_ends_when_the_time_of_its_cells_is_over() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGS], capture_output=True, text=True, check=False, timeout=50
    )
    assert (done.stdout, done.returncode) == ("here\n", 5), done.stderr


def test_the_row_of_a_cell_whose_workers_ended_names_its_limit() -> None:
    plain = Cell("d", "", "linear", "none", 0, 0, Settings(), "cpu", "")
    limited = replace(plain, split=1, timeout=6.0)
    attempts = Attempts([plain, limited], deaths=3)
    for _ in range(3):
        attempts.died([plain.key, limited.key])
    errors = {cell.split: row["error"] for cell, (row, _) in attempts.given_up()}
    ending = "the worker process died, three times (killed, or out of memory"
    assert errors[0] == f"RuntimeError: {ending})"
    assert errors[1] == f"RuntimeError: {ending}, or over its limit of 6 s)"
