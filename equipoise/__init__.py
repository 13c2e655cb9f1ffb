"""Which balancing strategy works on imbalanced multilabel data, measured.

    import equipoise

    data = equipoise.load_dataset("yeast")
    rows = equipoise.run(dataset="yeast", backbone="mlp", strategy=["none", "focal"], trials=4, splits=3)

Names are loaded when they are first used, so that `import equipoise` and `equipoise --help` are quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equipoise import measures, metrics
    from equipoise.api import bayes_posterior, bayes_scores, rank, run
    from equipoise.catalog.datasets import load_dataset
    from equipoise.catalog.functional import loss_of
    from equipoise.catalog.strategies import compose, get_strategy
    from equipoise.cluster.executor import Cluster
    from equipoise.contracts.context import Context
    from equipoise.contracts.dataset import Dataset
    from equipoise.contracts.hyperparameters import tunable
    from equipoise.contracts.rows import Rows
    from equipoise.contracts.strategy import Strategy, bce
    from equipoise.contracts.tasks import Task
    from equipoise.core.errors import EquipoiseError
    from equipoise.diagnosis import Diagnosis, diagnose

_WHERE = {
    "Cluster": "equipoise.cluster.executor",
    "Context": "equipoise.contracts.context",
    "Dataset": "equipoise.contracts.dataset",
    "Diagnosis": "equipoise.diagnosis",
    "EquipoiseError": "equipoise.core.errors",
    "Rows": "equipoise.contracts.rows",
    "Strategy": "equipoise.contracts.strategy",
    "Task": "equipoise.contracts.tasks",
    "bayes_posterior": "equipoise.api",
    "bayes_scores": "equipoise.api",
    "bce": "equipoise.contracts.strategy",
    "compose": "equipoise.catalog.strategies",
    "diagnose": "equipoise.diagnosis",
    "get_strategy": "equipoise.catalog.strategies",
    "load_dataset": "equipoise.catalog.datasets",
    "loss_of": "equipoise.catalog.functional",
    "rank": "equipoise.api",
    "run": "equipoise.api",
    "tunable": "equipoise.contracts.hyperparameters",
}
_MODULES = ("measures", "metrics")

__all__ = [
    "Cluster",
    "Context",
    "Dataset",
    "Diagnosis",
    "EquipoiseError",
    "Rows",
    "Strategy",
    "Task",
    "bayes_posterior",
    "bayes_scores",
    "bce",
    "compose",
    "diagnose",
    "get_strategy",
    "load_dataset",
    "loss_of",
    "measures",
    "metrics",
    "rank",
    "run",
    "tunable",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"equipoise.{name}")
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("equipoise")
    raise AttributeError(f"module 'equipoise' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
