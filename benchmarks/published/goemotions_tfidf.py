"""The TF-IDF and logistic regression row on GoEmotions, micro-F1 .51 (Harutyunyan & Kumar 2026, arXiv:2601.18162).

The abstract says: binary relevance, the official split of training, validation and test comments, and class weights by inverse
frequency. It does not say the features, C, or how labels are decided. Each is varied here; thresholds are chosen on the
validation comments.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import huang
import numpy as np
import product
from number_rows import ROWS, Row, measured
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

import equipoise
from equipoise.contracts.dataset import DEV, TEST, TRAIN, Dataset
from equipoise.metrics import hamming_loss, subset_accuracy
from equipoise.thresholds import scut, scut_smoothed

PART = "goemotions"
PUBLISHED = 51.0  # micro-F1 × 100, printed with two digits
DATASET = "goemotions"
LIBRARIES = ("scikit-learn", "scipy", "numpy")
#: The probabilities tried as the one threshold of all labels.
PROBABILITIES = np.arange(5, 96) / 100
#: Cells of this product, less than the defaults so that they are affordable on two cores.
OURS = {
    "linear": (("trials", 4), ("folds", 1), ("epochs", 10)),
    "logistic_regression": (("trials", 2), ("folds", 1)),
}


class Variant(NamedTuple):
    """One way to fill in what the abstract does not say; `tfidf` are options of `TfidfVectorizer`."""

    name: str
    class_weight: str | None = "balanced"
    C: float = 1.0
    tfidf: tuple[tuple[str, Any], ...] = ()


PAIRS = (("ngram_range", (1, 2)), ("min_df", 2))
VARIANTS = (
    Variant("words, no class weights", None),
    Variant("words, class weights"),
    Variant("words, no class weights, C = 10", None, 10.0),
    Variant("words, class weights, C = 10", C=10.0),
    Variant("words and pairs, no class weights", None, tfidf=PAIRS),
    Variant("words and pairs, class weights", tfidf=PAIRS),
    Variant("words, stop words left out, no class weights", None, tfidf=(("stop_words", "english"),)),
    Variant("words, stop words left out, class weights", tfidf=(("stop_words", "english"),)),
)


@lru_cache(maxsize=1)
def goemotions() -> Dataset:
    """The data set, loaded once."""
    return equipoise.load_dataset(DATASET)


def logits(data: Dataset, variant: Variant) -> tuple[huang.Floats, huang.Floats]:
    """Logits of the validation and the test comments, by one classifier a label, fitted on the training comments."""
    part = data.official
    words = TfidfVectorizer(**dict(variant.tfidf))
    model = LogisticRegression(
        C=variant.C, class_weight=variant.class_weight, solver="liblinear", max_iter=1000, random_state=0
    )
    fitted = OneVsRestClassifier(model).fit(words.fit_transform(data.X[part == TRAIN]), data.Y[part == TRAIN])
    dev, test = (fitted.decision_function(words.transform(data.X[part == which])) for which in (DEV, TEST))
    return dev, test


def decided(data: Dataset, variant: Variant) -> Row:
    """The scores of the test comments under four decisions."""
    dev, test = logits(data, variant)
    Y_dev, Y = data.Y[data.official == DEV], data.Y[data.official == TEST]
    cut = huang.best_threshold(Y_dev, product.probability(dev), PROBABILITIES)
    folds = np.arange(len(dev)) % 3
    made = {
        "half": test > 0,
        "one": product.probability(test) > cut,
        "per label": test > scut_smoothed(dev, Y_dev, folds),
        "per label, unsmoothed": test > scut(dev, Y_dev),
    }
    return {"thresholds": {"one": cut}, "scores": {rule: scores(Y, made[rule]) for rule in made}}


def scores(true: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    """Micro- and macro-F1 × 100 over all labels, Hamming loss, and subset accuracy."""
    everything = {"total": np.ones(true.shape[1], dtype=np.bool_)}
    return {
        **huang.scored(true, predicted, everything),
        "hamming loss": round(float(hamming_loss(true, predicted)), 4),
        "subset accuracy": round(float(subset_accuracy(true, predicted)), 4),
    }


def ours(backbone: str) -> Row:
    """What a row of a cell of this product holds; validation comments are trained on."""
    data = goemotions()
    result = product.run(product.Cells(DATASET, backbone, settings=OURS[backbone]), data)["none"]
    row = product.row(result, {"total": np.ones(len(data.labels), dtype=np.bool_)})
    made = product.decisions(result.arrays)[0]
    return {**row, "scores": {rule: scores(result.arrays["test_Y"], made[rule]) for rule in made}}


def rows(path: Path = ROWS) -> Iterator[Row]:
    """A row for each variant and for each cell of ours; those in the file that still hold are not measured again."""
    data = goemotions()
    for variant in VARIANTS:
        settings = (data.sha256, *variant[1:], PROBABILITIES.tolist())
        yield measured(PART, variant.name, settings, LIBRARIES, partial(decided, data, variant), path)
    for backbone, budget in OURS.items():
        settings = (data.sha256, backbone, budget)
        yield measured(
            PART, f"{backbone} of this suite", settings, product.LIBRARIES, partial(ours, backbone), path
        )


if __name__ == "__main__":
    for row in rows():
        print(row["name"], row["scores"], flush=True)
