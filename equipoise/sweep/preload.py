"""Imports everything that a worker needs: on Linux, in the process that workers are forked from (`equipoise.sweep.pool`).

The module does its work when it is imported. It must not start a thread, touch a CUDA device or run third-party plugins: a fork
copies neither threads nor the state of a device.
"""

from __future__ import annotations

import contextlib
import gc
import importlib

from equipoise.catalog.registry import PACKAGES, built_in

#: Libraries that take long to import. Not scikit-learn: tables of numbers do not need it, and for texts importing it here would
#: take as long as in the worker.
HEAVY = ("torch", "optuna.samplers", "scipy.optimize")
OURS = (
    "catalog.strategies",
    "contracts.features",
    "experiment.pipeline",
    "experiment.decision",
    "experiment.jobs",
    "experiment.prepared",
    "experiment.search.proposals",
    "experiment.search.trials",
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
    # A module that cannot be imported is reported by the worker that needs it.
    with contextlib.suppress(Exception):
        importlib.import_module(_name)

with contextlib.suppress(Exception):
    versions = importlib.import_module("equipoise.experiment.versions")
    # Hashed right after loading: workers run this code even if the files are edited later.
    versions.engine_code()
    versions.edited_while_loading()

gc.collect()
# The collector writes to the objects it visits. Frozen objects are not visited, so their memory stays shared after a fork.
gc.freeze()
