"""Before a sweep, backbones and data sets of plugins are checked: a fault is one line, and no cell runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from equipoise import run
from equipoise.catalog.registry import registry
from equipoise.core.errors import EquipoiseError

MODEL = '''
import torch
from dataclasses import dataclass
from equipoise.contracts.backbone import Backbone, uniform
from equipoise.contracts.features import Standardised, TfIdf

@dataclass(frozen=True)
class Mine(Backbone):
    """One layer, as people write it."""

    name = "mine_{n}"

    def features(self, kind):
        return TfIdf(200) if kind == "text" else Standardised(unit=True)

    def init(self, width, outputs, generator):
        return {{"w": uniform(generator, width, outputs, fan_in=width), "b": torch.zeros(1, outputs)}}

    def forward(self, params, x, drop):
        z = x @ params["w"] + params["b"]
        return {out}
'''
DATA = '''
import numpy as np
from dataclasses import dataclass
from equipoise.contracts.dataset import Dataset, DatasetSource

@dataclass(frozen=True)
class Mine(DatasetSource):
    """Numbers."""

    def load(self, data_dir):
        rng = {rng}
        Y = np.arange(120)[:, None] % (2, 3, 5) == 0
        return {out}

sources = (Mine("mine_{n}", "numbers"),)
'''
GOOD = "Dataset(self.name, rng.normal(size=(120, 4)) + Y[:, :1], Y, ('a', 'b', 'c'), 'here', 'free')"
SETTINGS: dict[str, Any] = {"trials": 1, "folds": 2, "epochs": 1, "splits": 1}


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("equipoise.catalog.registry._REGISTRIES", {})
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())


def a_plugin(kind: str, text: str) -> None:
    Path("plug.py").write_text(text, encoding="utf-8")
    registry(kind).add_file("plug.py")


@pytest.mark.parametrize(
    ("n", "out", "says"),
    [
        (
            "mean",
            "z.mean(-1)",
            r"backbone mine_mean breaks .*: shapes \(forward, texts\): logits have shape \(32,\)",
        ),
        (
            "noise",
            "z + torch.randn_like(z)",
            "PyTorch's global generator was changed - draw initial parameters",
        ),
        ("batch", "z - z.mean(0)", "the logits of a row differ"),
        ("wide", "z @ params['w']", r"with x = sparse rows.* and the parameters w \(\d+, 3\)"),
    ],
)
def test_a_wrong_backbone_is_one_line(n: str, out: str, says: str) -> None:
    a_plugin("backbone", MODEL.format(n=n, out=out))
    with pytest.raises(EquipoiseError, match=says) as refused:
        run(dataset="design-emails[rows=120]", backbone=f"mine_{n}", strategy="none", **SETTINGS)
    assert "\n" not in str(refused.value)
    assert not Path("results/live/rows.jsonl").exists()


@pytest.mark.parametrize(
    ("n", "rng", "out", "says"),
    [
        (
            "dict",
            "np.random.default_rng(0)",
            "{'X': rng}",
            "dataset 'mine_dict': load returned an object of type dict",
        ),
        ("new", "np.random.default_rng()", GOOD, "deterministic .load.: two loads give different data"),
        pytest.param(
            "old", "np.random", GOOD, "NumPy's global generator was changed", marks=pytest.mark.global_rng
        ),
        ("gone", "open('nowhere')", GOOD, "dataset 'mine_gone' could not be loaded: FileNotFoundError"),
    ],
)
def test_a_wrong_data_set_is_one_line(n: str, rng: str, out: str, says: str) -> None:
    a_plugin("dataset", DATA.format(n=n, rng=rng, out=out))
    with pytest.raises(EquipoiseError, match=says) as refused:
        run(dataset=f"mine_{n}", backbone="linear", strategy="none", **SETTINGS)
    assert "\n" not in str(refused.value)
    assert not Path("results/live/rows.jsonl").exists()
