"""The scoring of Huang et al. 2021, their split and their SVM row, with our loader and metrics (benchmarks/published)."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from equipoise.catalog.datasets import load_dataset
from equipoise.contracts.dataset import DEV, TEST, TRAIN, Dataset

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path += (added := [str(BENCHMARKS), str(BENCHMARKS / "published")])
try:
    import huang
    import reuters_svm
finally:
    sys.path[-len(added) :] = []


def toy() -> Dataset:
    """Label a has 40 training rows, b 10, c 1; the development row of c does not count."""
    Y = np.zeros((60, 3), dtype=np.uint8)
    Y[:40, 0] = Y[:10, 1] = Y[:1, 2] = Y[50, 2] = 1
    Y[55:57, 0] = Y[57:59, 1] = Y[59, 2] = 1
    official = np.repeat([TRAIN, DEV, TEST], [50, 5, 5])
    return Dataset("toy", np.zeros((60, 1)), Y, ("a", "b", "c"), official=official)


def test_groups_follow_the_training_rows_alone() -> None:
    data = toy()
    masks, true = huang.groups(data), data.Y[55:]
    margins = np.where(true == 1, 1.0, -1.0)
    assert huang.scored(true, margins > 0, masks) == dict.fromkeys(huang.GROUPS, (100, 100))
    margins[0, 0] = -0.25  # one of two a's is missed, and found again at a lower threshold
    assert huang.scored(true, margins > 0, masks)["head"] == pytest.approx((200 / 3, 200 / 3))
    assert huang.scored(true, margins > 0, masks)["tail"] == (100, 100)
    assert huang.scored(true, margins > -0.3, masks)["head"] == (100, 100)


@pytest.mark.parametrize(
    ("count", "group"), [(1, "tail"), (8, "tail"), (9, "medium"), (34, "medium"), (35, "head")]
)
def test_bounds_of_the_groups(count: int, group: str) -> None:
    Y = np.zeros((50, 1), dtype=np.uint8)
    Y[:count] = 1
    data = Dataset("toy", np.zeros((50, 1)), Y, ("a",), official=np.full(50, TRAIN))
    assert [name for name, mask in huang.groups(data).items() if mask[0]] == ["total", group]


def test_scores_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    true, predicted = rng.random((200, 6)) < 0.3, rng.random((200, 6)) < 0.4
    masks = {"total": np.ones(6, dtype=bool), "head": np.arange(6) < 2}
    for name, (micro, macro) in huang.scored(true, predicted, masks).items():
        y, p = true[:, masks[name]], predicted[:, masks[name]]
        assert micro == pytest.approx(100 * f1_score(y, p, average="micro"))
        assert macro == pytest.approx(100 * f1_score(y, p, average="macro"))


def test_the_one_threshold_is_the_first_of_the_best() -> None:
    """Golden: at .42 to .44 the third row is no longer predicted, and both positives are."""
    true = np.array([[1], [1], [0], [0]])
    probabilities = np.array([[0.9], [0.445], [0.415], [0.1]])
    assert huang.best_threshold(true, probabilities, huang.PROBABILITIES) == pytest.approx(0.42)
    assert huang.PROBABILITIES[[0, -1]] == pytest.approx([0.40, 0.60])
    assert len(huang.PROBABILITIES) == 21
    assert huang.best_threshold(
        true, np.array([[0.9], [-0.35], [-0.45], [-2.0]]), huang.MARGINS
    ) == pytest.approx(-0.4)


def test_mean_share_by_hand() -> None:
    """n = (2, 1): row 0 has both labels, r = 1/3 and 2/3; row 1 has one label, r = 1."""
    assert huang.mean_share([[1, 1], [1, 0], [0, 0]]) == pytest.approx((1 / 3 + 2 / 3 + 1) / 3)


def test_the_distance_to_the_published_row() -> None:
    there = huang.PUBLISHED["SVM"]
    assert reuters_svm.distance(there) == 0
    assert reuters_svm.distance({**there, "tail": (22.54 + 4, 13.83 - 4)}) == pytest.approx(1.0)


@pytest.mark.slow
@pytest.mark.needs_data
def test_the_split_is_the_authors_and_the_row_is_where_it_was_found(data_dir: Path) -> None:
    data = load_dataset(huang.DATASET, data_dir=data_dir)
    # What the authors' notebook (Reuters/dataset_prep.ipynb) prints for their training stories.
    assert huang.mean_share(data.Y[data.official == TRAIN]) == pytest.approx(0.8118253777884384, abs=1e-15)
    found = reuters_svm.decided(data, reuters_svm.VARIANTS[0], None)["scores"]
    assert found["0"]["total"] == pytest.approx((85.84, 41.18), abs=0.3)
    for group, published in huang.PUBLISHED["SVM"].items():
        assert found["chosen"][group] == pytest.approx(published, abs=1.0 if group != "tail" else 3.0)
