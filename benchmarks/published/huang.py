"""The tables of Huang et al. 2021 on Reuters-21578, and how they are scored: label groups, and one threshold for all labels.

Huang, Giledereli, Köksal, Özgür & Ozkirimli 2021, Balancing methods for multi-label text classification with long-tailed class
distribution, EMNLP, DOI 10.18653/v1/2021.emnlp-main.643: 6769 training, 1000 development and 3019 test stories, 90 labels.
Labels with 35 training stories or more are "head", those with 8 or fewer "tail", counted in the 6769 alone.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

import equipoise
from equipoise.contracts.dataset import TRAIN, Dataset
from equipoise.metrics import frequency_groups, macro_f1, micro_f1

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
#: Group of labels → (micro, macro) F1 × 100; "total" is all labels.
Scores = dict[str, tuple[float, float]]

DATASET = "reuters-21578[split=huang2021]"
GROUPS = ("total", "head", "medium", "tail")
#: The printed rows, as read from table 2 of the paper.
PUBLISHED: dict[str, Scores] = {
    name: dict(zip(GROUPS, scores, strict=True))
    for name, scores in {
        "SVM": ((87.60, 51.63), (89.87, 78.47), (66.92, 61.00), (22.54, 13.83)),
        "BCE": ((89.14, 47.32), (91.75, 82.81), (66.28, 57.26), (0.0, 0.0)),
        "FL": ((89.97, 56.83), (91.83, 82.64), (76.16, 70.63), (27.40, 15.37)),
        "CB": ((89.23, 52.96), (91.56, 80.44), (71.64, 66.61), (23.08, 9.93)),
        "R-FL": ((89.47, 54.35), (91.59, 80.39), (72.86, 66.69), (25.00, 14.22)),
        "NTR-FL": ((90.70, 60.70), (92.37, 82.65), (79.35, 75.34), (39.51, 22.33)),
        "CB-NTR": ((90.74, 63.31), (92.46, 83.28), (78.42, 72.98), (46.32, 32.31)),
        "DB": ((90.62, 64.47), (92.14, 83.48), (80.25, 77.01), (48.89, 31.39)),
    }.items()
}
#: The probabilities that the paper tries as the one threshold of all labels: .40, .41 … .60.
PROBABILITIES = np.arange(40, 61) / 100
#: The margins that its program for the SVM tries: -1.0, -0.9 … 1.0.
MARGINS = np.arange(-10, 11) / 10


@lru_cache(maxsize=1)
def reuters() -> Dataset:
    """The data set with the split of the paper in `official`."""
    return equipoise.load_dataset(DATASET)


def groups(data: Dataset) -> dict[str, Bools]:
    """Masks (90,) of the labels of each group, by their counts in the rows that the paper trains on."""
    everything = np.ones(len(data.labels), dtype=np.bool_)
    return {"total": everything, **frequency_groups(data.Y[data.official == TRAIN])}


def scored(true: ArrayLike, predicted: ArrayLike, masks: dict[str, Bools]) -> Scores:
    """Micro- and macro-F1 × 100 over the labels of each group; NaN macro-F1 for a group without a label to score.

    Args:
        true, predicted: (n, L) of 0/1.
    """
    Y, decided = np.asarray(true), np.asarray(predicted)
    return {
        name: (100 * micro_f1(Y[:, mask], decided[:, mask]), 100 * macro_f1(Y[:, mask], decided[:, mask]))
        for name, mask in masks.items()
    }


def best_threshold(true: ArrayLike, scores: Floats, candidates: Floats) -> float:
    """The first candidate at which `scores > candidate` has the highest micro-F1."""
    return float(candidates[np.argmax([micro_f1(true, scores > cut) for cut in candidates])])


def mean_share(Y: ArrayLike) -> float:
    """The mean of r_ij = (1/n_j) / Σ_{k ∈ Y_i} 1/n_k over the positive cells (i, j), which the authors' notebook prints.

    Every label of every row moves its last digits, so it tells whether two sets of rows are the same.
    """
    positive = np.asarray(Y) > 0
    rates = positive / np.maximum(positive.sum(0), 1)
    return float((rates / np.maximum(rates.sum(1, keepdims=True), 1e-300))[positive].mean())
