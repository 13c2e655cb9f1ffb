"""The published SVM result on Reuters, reproduced with our loader, split and metrics (benchmarks/published)."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from equipoise.catalog.datasets import load_dataset
from equipoise.contracts.dataset import Dataset

SCRIPT = Path(__file__).resolve().parent.parent / "benchmarks" / "published" / "reuters_svm.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reuters_svm", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_groups_follow_the_training_rows_alone(script: ModuleType) -> None:
    """Label a has 40 training rows, b 10, c 1; the development row of c does not count."""
    Y = np.zeros((60, 3), dtype=np.uint8)
    Y[:40, 0] = Y[:10, 1] = Y[:1, 2] = Y[50, 2] = 1
    Y[55:57, 0] = Y[57:59, 1] = Y[59, 2] = 1
    official = np.repeat([0, 1, 2], [50, 5, 5])
    data = Dataset("toy", np.zeros((60, 1)), Y, ("a", "b", "c"), official=official)
    margins = np.where(Y[55:] == 1, 1.0, -1.0)
    assert script.scored(data, margins, 0.0) == dict.fromkeys(("total", "head", "medium", "tail"), (100, 100))
    margins[0, 0] = -0.25  # one of two a's is missed, and found again at a lower threshold
    assert script.scored(data, margins, 0.0)["head"] == pytest.approx((200 / 3, 200 / 3))
    assert script.scored(data, margins, 0.0)["tail"] == (100, 100)
    assert script.scored(data, margins, -0.3)["head"] == (100, 100)


def test_the_threshold_is_chosen_on_the_development_rows(script: ModuleType) -> None:
    official = np.array([0, 0, 1, 1, 1, 2])
    data = Dataset(
        "toy", np.zeros((6, 1)), np.array([[1], [0], [1], [1], [0], [0]]), ("a",), official=official
    )
    assert script.best_threshold(data, np.array([[0.9], [-0.35], [-0.45]])) == pytest.approx(-0.4)


@pytest.mark.slow
def test_the_row_is_where_it_was_found(script: ModuleType, data_dir: Path) -> None:
    data = load_dataset("reuters-21578[split=huang2021]", data_dir=data_dir)
    plain, chosen = (scores for _, scores in script.results(data, (script.Variant("plain"),)))
    assert plain["total"] == pytest.approx((85.84, 41.18), abs=0.3)
    for group, published in script.PUBLISHED.items():
        assert chosen[group] == pytest.approx(published, abs=1.0 if group != "tail" else 3.0)
