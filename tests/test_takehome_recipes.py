"""Recipes: plain PyTorch scripts that reach the scores of the model they are written from."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import equipoise
from equipoise import metrics
from equipoise.core.errors import EquipoiseError
from equipoise.takehome.recipe import of_model, of_report, write_recipe
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
    *itertools.product([n for n in NETWORKS if n != "linear"], ["none", "focal", "scut", "asl"]),
])  # fmt: skip
def test_every_recipe_reaches_the_scores_of_its_model(
    backbone: str, strategy: str, mails: Path, tmp_path: Path
) -> None:
    model, recipe = compared(mails, backbone, strategy, tmp_path)
    # A network of another start differs by so much.
    assert recipe == pytest.approx(model, abs=0.08)


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
