"""A saved model in MLflow: the flavour pyfunc, without pickles."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import equipoise
from equipoise.core.errors import EquipoiseError
from equipoise.takehome.pyfunc import _signature, export_mlflow, log_model
from equipoise.tracking.database import database_uri, quiet

from .shared.takehome import LABELS, QUICK, write_mails


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.csv, new.csv, a model and its MLflow export."""
    path: Path = tmp_path_factory.mktemp("mlflow")
    write_mails(path / "train.csv", 120, 1)
    write_mails(path / "new.csv", 20, 2)
    equipoise.fit(path / "train.csv", strategy="platt", model=path / "model", **QUICK)
    export_mlflow(path / "model", path / "exported")
    return path


def expected(folder: Path) -> np.ndarray:
    new = equipoise.load_dataset(folder / "new.csv")
    return equipoise.load_model(folder / "model").predict(new.X)


def test_pyfunc_predicts_what_the_model_predicts(folder: Path) -> None:
    import mlflow

    with quiet():
        loaded = mlflow.pyfunc.load_model(str(folder / "exported"))
    frame = pd.read_csv(folder / "new.csv")
    assert (loaded.predict(frame)[LABELS].to_numpy() == expected(folder)).all()
    scores = loaded.predict(frame, params={"scores": True})
    new = equipoise.load_dataset(folder / "new.csv")
    assert (scores.to_numpy() == equipoise.load_model(folder / "model").predict_proba(new.X)).all()


def test_nothing_in_it_is_a_pickle(folder: Path) -> None:
    names = [file.name for file in (folder / "exported").rglob("*") if file.is_file()]
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".pt", ".pth", ".joblib"))]
    assert "loader_module: equipoise.takehome.pyfunc" in (folder / "exported" / "MLmodel").read_text()


def test_dates_and_categories_are_text() -> None:
    table = {
        "inputs": ["day", "colour", "size"],
        "categories": {"colour": ["red"]},
        "dates": {"day": ["%Y-%m-%d", [0]]},
    }
    model = SimpleNamespace(facts={"input": "numbers", "table": table}, labels=("a",))
    kinds = {column.name: column.type.name for column in _signature(model).inputs}  # type: ignore[arg-type]
    assert kinds == {"day": "string", "colour": "string", "size": "double"}


def test_an_existing_destination_is_kept(folder: Path) -> None:
    with pytest.raises(EquipoiseError, match="exists"):
        export_mlflow(folder / "model", folder / "exported")


@pytest.mark.slow
def test_the_store_gets_the_model_with_its_expected_scores(folder: Path, template: Path) -> None:
    import mlflow

    (folder / "results").mkdir()
    shutil.copy(template, folder / "results" / "mlflow.db")
    before = mlflow.get_tracking_uri()
    uri = log_model(folder / "model", folder / "results")
    assert mlflow.get_tracking_uri() == before
    client = mlflow.MlflowClient(database_uri(folder / "results" / "mlflow.db"))
    (run,) = client.search_runs([client.get_experiment_by_name("models").experiment_id])
    scores = equipoise.load_model(folder / "model").facts["expected"]["scores"]
    assert run.data.metrics["expected_map"] == pytest.approx(scores["map"])
    assert uri.startswith("models:/")


@pytest.mark.slow
def test_mlflow_models_predict_answers(folder: Path) -> None:
    command = [Path(sys.executable).with_name("mlflow"), "models", "predict", "--env-manager", "local"]
    files = ["-m", folder / "exported", "-i", folder / "new.csv", "-t", "csv", "-o", folder / "out.json"]
    subprocess.run(
        [*command, *files], check=True, timeout=300, env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    )
    answers = json.loads((folder / "out.json").read_text())["predictions"]
    assert [[answer[label] for label in LABELS] for answer in answers] == expected(folder).tolist()
