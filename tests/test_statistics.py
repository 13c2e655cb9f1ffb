"""The committed statistics of the data sets match the data, and `info` shows them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from equipoise.catalog.datasets import load_dataset
from equipoise.catalog.registry import registry
from equipoise.cli.main import app
from equipoise.contracts.dataset import Dataset
from equipoise.datasets import statistics

#: Where a copy of the same rows may come from two places.
MAY_DIFFER = {"source"}


@pytest.mark.parametrize("name", statistics.names())
def test_statistics_are_those_of_the_data(name: str, data_dir: Path) -> None:
    kept = statistics.committed(name)
    found = json.loads(json.dumps(statistics.statistics(load_dataset(name, data_dir=data_dir))))
    assert kept is not None
    assert list(found) == list(kept)
    for key in kept.keys() - MAY_DIFFER:
        assert found[key] == _near(kept[key]), key


def _near(value: Any) -> Any:
    return pytest.approx(value, rel=1e-9) if isinstance(value, float) else value


def test_every_dataset_has_statistics_and_terms() -> None:
    built_in = {entry.name for entry in registry("dataset").entries() if entry.origin == "built-in"}
    assert built_in == {*statistics.names(), "openml"}
    for name in statistics.names():
        kept = statistics.committed(name)
        assert kept is not None
        assert kept["terms"]
        assert kept["citation"]
        assert kept["rows"] > kept["labels"] > 1


def test_the_literature_s_numbers() -> None:
    """MeanIR, CVIR, SCUMBLE and TCS as published; test_measures.py has more of them."""
    printed = {
        "emotions": (1.478068, 0.179571, 0.010952, 9.364262),
        "yeast": (7.196811, 1.883751, 0.104359, 12.562053),
        "enron": (73.952793, 1.959628, 0.302768, 17.503112),
        "corel5k": (189.567560, 1.526606, 0.394147, 20.199925),
    }
    for name, numbers in printed.items():
        kept = statistics.committed(name)
        assert kept is not None
        measured = [kept[key] for key in ("mean_ir", "cvir", "scumble", "tcs")]
        assert measured == pytest.approx(numbers, abs=6e-7)


def test_undefined_is_null_and_text_has_no_inputs(tmp_path: Path) -> None:
    texts = np.array(["a", "bc", "def"], dtype=object)
    data = Dataset("toy", texts, np.array([[1], [0], [1]]), ("x",), official=np.array([0, 0, 2]))
    written = statistics.write(data, tmp_path)
    record = json.loads(written.read_text(encoding="utf-8"), parse_constant=_refuse)
    assert (record["inputs"], record["rdep"], record["cvir"]) == (None, None, None)
    assert "tcs" not in record
    assert record["characters"] == 2
    assert record["official"] == {"train": 2, "dev": 0, "test": 1}
    assert not any(isinstance(v, float) and math.isnan(v) for v in record.values())


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def test_info_shows_terms_and_statistics_without_the_data(tmp_path: Path) -> None:
    env = {"EQUIPOISE_DATA": str(tmp_path)}
    shown = CliRunner().invoke(app, ["info", "reuters-21578", "--json"], env=env)
    assert shown.exit_code == 0
    record = json.loads(shown.stdout)
    assert "research only" in record["terms"]
    assert "Lewis" in record["citation"]
    assert record["options"] == {"split": "modapte"}
    assert record["statistics"]["mean_ir"] == pytest.approx(384.739, abs=1e-3)
    words = CliRunner().invoke(app, ["info", "goemotions"], env=env).stdout
    assert "CC BY 4.0" in words
    assert "mean_ir" in words
    assert list(tmp_path.iterdir()) == []
    assert "statistics" not in json.loads(CliRunner().invoke(app, ["info", "openml", "--json"]).stdout)
