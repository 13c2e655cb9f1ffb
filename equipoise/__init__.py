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
    from equipoise.api import run
    from equipoise.bayes import bayes_posterior, bayes_scores
    from equipoise.composition import get_strategy
    from equipoise.data import load_dataset
    from equipoise.dataset import Dataset
    from equipoise.diagnosis import Diagnosis, diagnose
    from equipoise.errors import EquipoiseError
    from equipoise.hyperparameters import tunable
    from equipoise.standalone import loss_of
    from equipoise.strategy import Context, Strategy, bce
    from equipoise.tasks import Task
    from equipoise.training_rows import Rows

_WHERE = {
    "Context": "equipoise.strategy",
    "Dataset": "equipoise.dataset",
    "Diagnosis": "equipoise.diagnosis",
    "EquipoiseError": "equipoise.errors",
    "Rows": "equipoise.training_rows",
    "Strategy": "equipoise.strategy",
    "Task": "equipoise.tasks",
    "bayes_posterior": "equipoise.bayes",
    "bayes_scores": "equipoise.bayes",
    "bce": "equipoise.strategy",
    "diagnose": "equipoise.diagnosis",
    "get_strategy": "equipoise.composition",
    "load_dataset": "equipoise.data",
    "loss_of": "equipoise.standalone",
    "run": "equipoise.api",
    "tunable": "equipoise.hyperparameters",
}
_MODULES = ("measures", "metrics")

__all__ = [
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
    "diagnose",
    "get_strategy",
    "load_dataset",
    "loss_of",
    "measures",
    "metrics",
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
