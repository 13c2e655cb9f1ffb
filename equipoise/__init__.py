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
    from equipoise.contracts.backbone import Backbone, Flops, uniform
    from equipoise.contracts.context import Context
    from equipoise.contracts.dataset import Dataset, DatasetSource
    from equipoise.contracts.estimator import EstimatorBackbone
    from equipoise.contracts.features import Standardised, TfIdf, TokenIds
    from equipoise.contracts.hyperparameters import Tunable, tunable
    from equipoise.contracts.options import option
    from equipoise.contracts.rows import Rows
    from equipoise.contracts.strategy import Strategy, bce
    from equipoise.contracts.tasks import Task
    from equipoise.core.errors import EquipoiseError
    from equipoise.diagnosis import Diagnosis, diagnose
    from equipoise.ops.affine import affine
    from equipoise.ops.dropout import Drop
    from equipoise.ops.inputs import Dense, Sparse, TokenBatch, Tokens
    from equipoise.ops.sparse import SparseBatch, SparseRows
    from equipoise.takehome.fit import fit
    from equipoise.takehome.model import Model
    from equipoise.takehome.saved import load_model

_WHERE = {
    "Backbone": "equipoise.contracts.backbone",
    "Cluster": "equipoise.cluster.executor",
    "Context": "equipoise.contracts.context",
    "Dataset": "equipoise.contracts.dataset",
    "DatasetSource": "equipoise.contracts.dataset",
    "Dense": "equipoise.ops.inputs",
    "Diagnosis": "equipoise.diagnosis",
    "Drop": "equipoise.ops.dropout",
    "EquipoiseError": "equipoise.core.errors",
    "EstimatorBackbone": "equipoise.contracts.estimator",
    "Flops": "equipoise.contracts.backbone",
    "Model": "equipoise.takehome.model",
    "Rows": "equipoise.contracts.rows",
    "Sparse": "equipoise.ops.inputs",
    "SparseBatch": "equipoise.ops.sparse",
    "SparseRows": "equipoise.ops.sparse",
    "Standardised": "equipoise.contracts.features",
    "Strategy": "equipoise.contracts.strategy",
    "Task": "equipoise.contracts.tasks",
    "TfIdf": "equipoise.contracts.features",
    "TokenBatch": "equipoise.ops.inputs",
    "TokenIds": "equipoise.contracts.features",
    "Tokens": "equipoise.ops.inputs",
    "Tunable": "equipoise.contracts.hyperparameters",
    "affine": "equipoise.ops.affine",
    "bayes_posterior": "equipoise.api",
    "bayes_scores": "equipoise.api",
    "bce": "equipoise.contracts.strategy",
    "compose": "equipoise.catalog.strategies",
    "diagnose": "equipoise.diagnosis",
    "fit": "equipoise.takehome.fit",
    "get_strategy": "equipoise.catalog.strategies",
    "load_dataset": "equipoise.catalog.datasets",
    "load_model": "equipoise.takehome.saved",
    "loss_of": "equipoise.catalog.functional",
    "option": "equipoise.contracts.options",
    "rank": "equipoise.api",
    "run": "equipoise.api",
    "tunable": "equipoise.contracts.hyperparameters",
    "uniform": "equipoise.contracts.backbone",
}
_MODULES = ("measures", "metrics")

__all__ = [
    "Backbone",
    "Cluster",
    "Context",
    "Dataset",
    "DatasetSource",
    "Dense",
    "Diagnosis",
    "Drop",
    "EquipoiseError",
    "EstimatorBackbone",
    "Flops",
    "Model",
    "Rows",
    "Sparse",
    "SparseBatch",
    "SparseRows",
    "Standardised",
    "Strategy",
    "Task",
    "TfIdf",
    "TokenBatch",
    "TokenIds",
    "Tokens",
    "Tunable",
    "affine",
    "bayes_posterior",
    "bayes_scores",
    "bce",
    "compose",
    "diagnose",
    "fit",
    "get_strategy",
    "load_dataset",
    "load_model",
    "loss_of",
    "measures",
    "metrics",
    "option",
    "rank",
    "run",
    "tunable",
    "uniform",
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
