"""What a worker will need, imported once: on Linux, in the process that workers are forked from (`equipoise.sweep.pool`).

Importing this module is all it is for. Nothing here may start a thread, touch a CUDA device or run third-party plugins: a
fork must find a process in which nothing has happened yet.
"""

from __future__ import annotations

import contextlib
import gc
import importlib

from equipoise.catalog.registry import PACKAGES, built_in

#: scikit-learn is not among them: tables of numbers need none of it, and texts wait for it as long here as there.
HEAVY = ("torch", "optuna.samplers", "scipy.optimize")
OURS = (
    "catalog.strategies",
    "contracts.features",
    "experiment.pipeline",
    "experiment.decision",
    "experiment.jobs",
    "experiment.prepared",
    "experiment.proposals",
    "experiment.search",
    "metrics",
    "splits.outer",
    "sweep.batches",
    "sweep.pool",
    "sweep.run",
)

for _name in (
    *HEAVY,
    *(f"equipoise.{name}" for name in OURS),
    *built_in(PACKAGES["strategy"]),
    *built_in(PACKAGES["backbone"]),
):
    with contextlib.suppress(Exception):  # the worker that needs it will say what is wrong with it
        importlib.import_module(_name)

with contextlib.suppress(Exception):
    versions = importlib.import_module("equipoise.experiment.versions")
    versions.engine_code()  # hashed right after loading: workers run this code even if the files are edited
    versions.edited_while_loading()

gc.collect()
gc.freeze()  # pages of objects that the collector never visits stay shared with the workers
