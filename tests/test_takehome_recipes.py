"""Recipes: plain PyTorch scripts that reach the scores of the model they are written from."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F

import equipoise
from equipoise import metrics
from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.context import Context
from equipoise.core.errors import EquipoiseError
from equipoise.experiment.jobs import drawn_positives
from equipoise.takehome.recipe import Winner, of_model, of_report, write_recipe
from equipoise.takehome.recipe_parts import LOSSES, NETWORKS

from .shared.takehome import LABELS, QUICK, benchmarked, fitted, run, write_numbers


@pytest.fixture(scope="module")
def mails(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fitted(tmp_path_factory.mktemp("mails"))


@pytest.fixture(scope="module")
def store(mails: Path) -> Path:
    return benchmarked(mails)


def reached(script: str, folder: Path, tmp_path: Path) -> float:
    """The macro-F1 on new.csv of a recipe that was run by itself, without equipoise on its path."""
    (tmp_path / "recipe.py").write_text(script, encoding="utf-8")
    words = [
        sys.executable,
        "-I",
        tmp_path / "recipe.py",
        folder / "train.csv",
        folder / "new.csv",
        tmp_path / "p.csv",
    ]
    subprocess.run(words, check=True, timeout=300)
    truth = pd.read_csv(folder / "new.csv")[LABELS].to_numpy()
    return float(metrics.macro_f1(truth, pd.read_csv(tmp_path / "p.csv")[LABELS].to_numpy()))


def compared(folder: Path, backbone: str, strategy: str, tmp_path: Path) -> tuple[float, float]:
    """The macro-F1 of a model on new.csv, and that of its recipe."""
    model = equipoise.fit(folder / "train.csv", backbone=backbone, strategy=strategy, **QUICK)
    new = equipoise.load_dataset(folder / "new.csv")
    return float(metrics.macro_f1(new.Y, model.predict(new.X))), reached(
        write_recipe(of_model(model)), folder, tmp_path
    )


def test_a_recipe_reaches_the_scores_of_the_model(mails: Path, tmp_path: Path) -> None:
    script = write_recipe(of_model(equipoise.load_model(mails / "model")))
    assert "equipoise" not in script.partition('"""\nimport')[2]
    model, new = equipoise.load_model(mails / "model"), equipoise.load_dataset(mails / "new.csv")
    assert reached(script, mails, tmp_path) == pytest.approx(
        metrics.macro_f1(new.Y, model.predict(new.X)), abs=0.02
    )


def test_thresholds_far_from_one_half_are_written_as_they_are(mails: Path) -> None:
    model = equipoise.load_model(mails / "model")
    far = replace(model, evidence=replace(model.evidence, tuned=np.array([50.0, -60.0, 0.25])))
    assert "THRESHOLDS = torch.tensor([50.0, -60.0, 0.25])" in write_recipe(of_model(far))


@pytest.mark.slow
def test_a_recipe_for_numbers(tmp_path: Path) -> None:
    write_numbers(tmp_path / "train.csv", 240, 1)
    write_numbers(tmp_path / "new.csv", 300, 2)
    model, recipe = compared(tmp_path, "mlp[hidden=16]", "none", tmp_path)
    assert model > 0.75
    assert recipe == pytest.approx(model, abs=0.04)


@pytest.mark.slow
def test_a_recipe_from_the_report(mails: Path, store: Path, tmp_path: Path) -> None:
    run("recipe", "--results", store, "--dataset", mails / "train.csv", "--out", tmp_path / "r.py")
    script = (tmp_path / "r.py").read_text(encoding="utf-8")
    assert "in split" in script
    assert reached(script, mails, tmp_path) > 0.7
    assert of_report(store, str(mails / "train.csv")).thresholds is not None


@pytest.mark.slow
@pytest.mark.parametrize(("backbone", "strategy"), [
    *itertools.product(["linear"], [n for n in LOSSES if " " not in n]),
    *itertools.product(["linear"], ["focal[alpha=-1]", "asl[focus_gradient=false]", "balanced_sampling"]),
    ("linear", "sqrt_sampling+asl+scut"),
    ("linear", "balanced_sampling+pos_weight"),
    *itertools.product([n for n in NETWORKS if n != "linear"], ["none", "focal", "scut", "asl"]),
])  # fmt: skip
def test_every_recipe_reaches_the_scores_of_its_model(
    backbone: str, strategy: str, mails: Path, tmp_path: Path
) -> None:
    model, recipe = compared(mails, backbone, strategy, tmp_path)
    # A network of another start differs by so much.
    assert recipe == pytest.approx(model, abs=0.08)


@pytest.mark.parametrize(
    "draws", ["none", "balanced_sampling[mix=0.7]", "balanced_sampling[mix=0]", "sqrt_sampling"]
)
@pytest.mark.parametrize(
    "loss", [*(name for name in LOSSES if " " not in name), "focal[alpha=-1]", "asl[focus_gradient=false]"]
)
def test_the_loss_of_a_recipe_is_that_of_the_strategy(loss: str, draws: str) -> None:
    """Beside sampling weights, a loss makes up for the imbalance that is left among the rows as they are drawn."""
    rng = np.random.default_rng(0)
    Y = (rng.random((60, 3)) < [0.5, 0.2, 0.05]).astype(np.uint8)
    z, targets = (
        torch.tensor(rng.normal(size=(60, 3)) * 2, dtype=torch.float32),
        torch.tensor(Y, dtype=torch.float32),
    )
    names = [name for name in (loss, draws) if name != "none"] or ["none"]
    winner = Winner(
        "made", get_backbone("linear"), get_strategy("+".join(names)), 0.1, 1.0, np.zeros(3), "", list("abc"), ["x"], "numbers",
        False, None, {"epochs": 1, "batch_size": 8}, {},
    )  # fmt: skip
    script = write_recipe(winner)
    code = script[
        script.index(NETWORKS["linear"]) + len(NETWORKS["linear"]) : script.index("# The output starts")
    ]
    made: dict[str, Any] = {
        "torch": torch,
        "F": F,
        "math": math,
        "Y": targets,
        "n": 60,
        "positives": targets.sum(0),
    }
    exec(code, made)
    weights = get_strategy(draws).weights(Y, Context(Y.sum(0), len(Y)))
    drawn = torch.tensor(drawn_positives(Y, weights), dtype=torch.float32)
    torch.testing.assert_close(made["draw"], torch.tensor(weights / weights.sum(), dtype=torch.float32))
    rows = torch.tensor(60.0)
    expected = get_strategy(loss).loss(
        z, targets, Context(targets.sum(0), rows, trained_pos=drawn, trained_rows=rows)
    )
    torch.testing.assert_close(made["loss"](z, targets), expected, rtol=1e-4, atol=1e-5)
    assert ("multinomial" in script) == (draws not in ("none", "balanced_sampling[mix=0]"))


@pytest.mark.parametrize(("backbone", "strategy", "says"), [
    ("linear", "ml_ros", "it can for: none, pos_weight"), ("linear", "classifier_chain", "strategy 'classifier_chain'"),
    ("linear", "platt", "strategy 'platt'"), ("linear", "top_k", "decision 'top_k'"),
])  # fmt: skip
def test_what_a_recipe_cannot_say_is_refused_in_one_line(
    backbone: str, strategy: str, says: str, mails: Path
) -> None:
    model = equipoise.fit(mails / "train.csv", backbone=backbone, strategy=strategy, **{**QUICK, "epochs": 1})
    with pytest.raises(EquipoiseError, match=says) as caught:
        write_recipe(of_model(model))
    assert "\n" not in str(caught.value)
