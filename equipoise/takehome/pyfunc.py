"""A saved model for MLflow: the flavour `mlflow.pyfunc`, which loads the folder with `equipoise.load_model` and no pickle."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.core.errors import EquipoiseError
from equipoise.core.lazy import lazy
from equipoise.store.store import Store
from equipoise.takehome.folder import find
from equipoise.takehome.model import Model
from equipoise.takehome.saved import load_model
from equipoise.takehome.table import rows_of
from equipoise.tracking.database import create_database, database_uri, quiet

if TYPE_CHECKING:
    import mlflow
    import pandas as pd
    from mlflow.models import ModelSignature
else:
    mlflow, pd = lazy("mlflow"), lazy("pandas")

#: What MLflow loads a model with.
LOADER = "equipoise.takehome.pyfunc"


class Predictor:
    """What `mlflow.pyfunc.load_model` returns, wrapped: predicts a frame with the columns of the training file."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """The labels of the rows, a 0/1 column for each; with the parameter `scores`, probabilities.

        Args:
            model_input: a frame that has the columns of the model's inputs, in any order and among others; categories are
                words, and dates are written, as in the training file.
        """
        X = rows_of(self.model.facts, model_input)
        values = (
            self.model.predict_proba(X)
            if (params or {}).get("scores")
            else self.model.predict(X).astype(np.int64)
        )
        return pd.DataFrame(values, columns=list(self.model.labels))


def _load_pyfunc(data_path: str) -> Predictor:
    """Called by MLflow with the path of the model's folder."""
    return Predictor(load_model(data_path))


def export_mlflow(folder: str | Path, destination: str | Path) -> Path:
    """Write a saved model as an MLflow model, for `mlflow models predict`, `serve` and `mlflow.pyfunc.load_model`.

    Args:
        folder: a model that `equipoise fit` wrote. destination: a folder that does not exist yet.

    Raises:
        EquipoiseError: there is no such model, or the destination exists.
    """
    model, path = load_model(folder), Path(destination)
    # MLflow would mix its files with those that are there.
    if path.exists():
        raise EquipoiseError(f"{path} exists; give a folder that does not exist yet")
    with quiet():
        mlflow.pyfunc.save_model(path=str(path), **_flavour(model, Path(folder)))
    return path


def log_model(folder: str | Path, results: str | Path) -> str:
    """Log a saved model, with its expected scores, to the MLflow database of a store; returns the URI of the model.

    The run is in the experiment "models" and is named after strategy and backbone.
    """
    model, store = load_model(folder), Store(Path(results))
    store.path.mkdir(parents=True, exist_ok=True)
    database, artifacts = store.path / "mlflow.db", store.path / "mlartifacts"
    # One process writes to the database at a time.
    with store.locked(), quiet():
        artifacts.mkdir(exist_ok=True)
        if not database.exists():
            create_database(database, artifacts)
        with _tracked(database_uri(database)):
            # MLflow refuses to make an experiment of a name twice.
            client = mlflow.MlflowClient()
            known = client.get_experiment_by_name("models")
            where = f"{artifacts.resolve().as_uri()}/models"
            number = client.create_experiment("models", where) if known is None else known.experiment_id
            facts = model.facts
            name = f"{facts['strategy']} on {facts['backbone']}, {facts['dataset']}"
            with mlflow.start_run(experiment_id=number, run_name=name):
                mlflow.log_params({**facts["params"], "dataset_sha256": facts["dataset_sha256"]})
                scores = facts["expected"]["scores"]
                mlflow.log_metrics({f"expected_{n}": v for n, v in scores.items() if v is not None})
                logged = mlflow.pyfunc.log_model(name="model", **_flavour(model, Path(folder)))
    return str(logged.model_uri)


@contextmanager
def _tracked(uri: str) -> Iterator[None]:
    """Within the block, MLflow uses this database; afterwards the one it used before."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)


def _flavour(model: Model, folder: Path) -> dict[str, Any]:
    return {
        "loader_module": LOADER,
        "data_path": os.fspath(find(folder)),
        "signature": _signature(model),
        # Written down instead of guessed, which would load the model in another process.
        "pip_requirements": ["equipoise", *(f"{name}=={v}" for name, v in _pinned(model).items())],
    }


def _pinned(model: Model) -> dict[str, str]:
    """Libraries of which another version may give other bits."""
    # A local version such as 2.9.1+cpu is on no index.
    versions = model.facts["versions"]
    return {
        name: versions[name].partition("+")[0]
        for name in ("torch", "numpy", "scikit-learn")
        if name in versions
    }


def _signature(model: Model) -> ModelSignature:
    """The columns that the model reads and writes, and the parameter `scores`."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

    table = model.facts["table"]
    words = (
        table["inputs"] if model.facts["input"] == "text" else {*table["categories"], *table.get("dates", {})}
    )
    inputs: list[Any] = [
        ColSpec(DataType.string if name in words else DataType.double, name) for name in table["inputs"]
    ]
    outputs: list[Any] = [ColSpec(DataType.double, label) for label in model.labels]
    scores = ParamSpec("scores", DataType.boolean, False)
    return ModelSignature(Schema(inputs), Schema(outputs), ParamSchema([scores]))
