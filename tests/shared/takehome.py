"""Small files with labels that can be learned, and commands in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import equipoise
from equipoise.cli.main import app
from equipoise.core.errors import EquipoiseError

LABELS = ["queue", "cache", "broker"]
FILLERS = ["schema", "deploy", "latency", "naming", "retry", "index", "event", "team", "host", "plan"]
QUICK: dict[str, Any] = {"trials": 1, "folds": 2, "epochs": 12, "batch_size": 32, "device": "cpu"}


def write_mails(path: Path, n: int, seed: int) -> Path:
    """A CSV file of texts in which words say the labels, though not always; one text has a comma, one line breaks."""
    rng = np.random.default_rng(seed)
    Y = (rng.random((n, 3)) < [0.5, 0.3, 0.15]).astype(int)
    shown = np.where(rng.random((n, 3)) < 0.92, Y, 1 - Y)
    texts = [
        ", ".join([*rng.choice(FILLERS, 5), *(LABELS[j] for j in range(3) if row[j])]) + "\nbye"
        for row in shown
    ]
    frame = pd.DataFrame(
        {"id": np.arange(n), "text": texts, **{label: Y[:, j] for j, label in enumerate(LABELS)}}
    )
    frame.to_csv(path, index=False)
    return path


def write_numbers(path: Path, n: int, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)) * [1, 10, 0.1, 3] + 5
    Y = ((X - 5) / [1, 10, 0.1, 3] + rng.normal(size=(n, 4)) * 0.4 > [0, 0.5, 1, 0])[:, :3].astype(int)
    frame = pd.DataFrame(
        {**{f"x{j}": X[:, j] for j in range(4)}, **{lab: Y[:, j] for j, lab in enumerate(LABELS)}}
    )
    frame.to_csv(path, index=False)
    return path


def fitted(folder: Path) -> Path:
    """Puts train.csv and new.csv into a folder, and the model fitted on the first."""
    write_mails(folder / "train.csv", 240, 1)
    write_mails(folder / "new.csv", 300, 2)
    equipoise.fit(folder / "train.csv", strategy="focal", model=folder / "model", **QUICK)
    return folder


def benchmarked(folder: Path) -> Path:
    """A store with two strategies and two backbones on the training file of `fitted`."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("equipoise.sweep.run.MlflowWriter", Mock())
        equipoise.run(dataset=str(folder / "train.csv"), backbone=["linear", "mlp[hidden=8]"], strategy=["none", "pos_weight"],
                      splits=3, results=folder / "results", device="cpu", trials=2, folds=2, epochs=6, batch_size=32)  # fmt: skip
    return folder / "results"


def run(*words: Any) -> str:
    """The output of a command that must succeed."""
    found = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})
    assert found.exit_code == 0, (found.output, found.exception)
    return " ".join(found.output.split())


def refused(*words: Any) -> str:
    """The error of a command; one line."""
    found = CliRunner().invoke(app, [str(word) for word in words])
    assert isinstance(found.exception, EquipoiseError), (found.output, found.exception)
    assert "\n" not in str(found.exception)
    return str(found.exception)
