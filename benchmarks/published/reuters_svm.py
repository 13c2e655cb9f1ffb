"""The SVM row of Huang et al. 2021: TF-IDF and a LinearSVC (C = 1) for each label, with every choice that the paper leaves open.

The paper prints neither the features nor class weights nor a threshold. The authors' public program
(github.com/Roche/BalancedLossNLP, Reuters/svm-ovr-tfidf.py) counts scikit-learn's default tokens, fits TF-IDF on the 6769
training stories, trains on them alone, and computes four rows: with and without `class_weight="balanced"`, each at threshold 0
and at the one threshold that has the best micro-F1 on the development stories.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import product
from huang import DATASET, GROUPS, MARGINS, PUBLISHED, Floats, Scores, best_threshold, groups, reuters, scored
from number_rows import ROWS, Row, measured
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import LinearSVC

from equipoise.contracts.dataset import DEV, TEST, TRAIN, Dataset

PART = "reuters-svm"
LIBRARIES = ("scikit-learn", "scipy", "numpy")
C, MAX_ITERATIONS, SEED = 1.0, 10_000, 123


class Variant(NamedTuple):
    """One way to fill in what the paper does not say; the first of `VARIANTS` is the authors' program.

    Attributes:
        with_dev: whether the 1000 development stories are trained on, too; no threshold can be chosen on them then.
        escaped: whether "<" is written "&lt;", as in the edition of the collection that NLTK distributes.
        tfidf: options of `TfidfVectorizer`.
    """

    name: str
    with_dev: bool = False
    escaped: bool = False
    tfidf: tuple[tuple[str, Any], ...] = ()


VARIANTS = (
    Variant("as in the program"),
    Variant("“<” written “&lt;”", escaped=True),
    Variant("case kept", tfidf=(("lowercase", False),)),
    Variant("English stop words left out", tfidf=(("stop_words", "english"),)),
    Variant("words in two stories or more", tfidf=(("min_df", 2),)),
    Variant("words in two stories or more, “<” written “&lt;”", escaped=True, tfidf=(("min_df", 2),)),
    Variant("words in three stories or more", tfidf=(("min_df", 3),)),
    Variant("5000 most frequent words", tfidf=(("max_features", 5000),)),
    Variant("sublinear counts", tfidf=(("sublinear_tf", True),)),
    Variant("words and pairs of words", tfidf=(("ngram_range", (1, 2)),)),
    Variant("trained on 7769 stories", with_dev=True),
)
WEIGHTS = (None, "balanced")


def margins(data: Dataset, variant: Variant, class_weight: str | None) -> tuple[Floats, Floats]:
    """Margins (1000, 90) of the development stories and (3019, 90) of the test stories."""
    part = data.official
    texts = np.array([t.replace("<", "&lt;") for t in data.X], dtype=object) if variant.escaped else data.X
    train = np.isin(part, (TRAIN, DEV) if variant.with_dev else (TRAIN,))
    words = TfidfVectorizer(**dict(variant.tfidf))
    svm = LinearSVC(C=C, class_weight=class_weight, max_iter=MAX_ITERATIONS, random_state=SEED)
    model = OneVsRestClassifier(svm).fit(words.fit_transform(texts[train]), data.Y[train])
    dev, test = (model.decision_function(words.transform(texts[part == which])) for which in (DEV, TEST))
    return dev, test


def decided(data: Dataset, variant: Variant, class_weight: str | None) -> Row:
    """The scores at threshold 0 and, where the development stories were not trained on, at the one they choose."""
    dev, test = margins(data, variant, class_weight)
    cuts = {"0": 0.0}
    if not variant.with_dev:
        cuts["chosen"] = best_threshold(data.Y[data.official == DEV], dev, MARGINS)
    true, masks = data.Y[data.official == TEST], groups(data)
    return {
        "thresholds": cuts,
        "scores": {name: scored(true, test > cut, masks) for name, cut in cuts.items()},
    }


def distance(scores: Scores) -> float:
    """The mean absolute difference to the published row, over its eight numbers, in points."""
    return float(np.mean([np.abs(np.subtract(scores[g], PUBLISHED["SVM"][g])) for g in GROUPS]))


def rows(path: Path = ROWS) -> Iterator[Row]:
    """A row for each variant and class weight; those in the file that still hold are not measured again."""
    data = reuters()
    for variant in VARIANTS:
        for weight in WEIGHTS:
            settings = (data.sha256, variant[1:], weight, C, MAX_ITERATIONS, SEED, MARGINS.tolist())
            name = f"{variant.name}, {'class weights balanced' if weight else 'no class weights'}"
            yield measured(
                PART, name, settings, LIBRARIES, lambda v=variant, w=weight: decided(data, v, w), path
            )
    yield ours(data, path)


def ours(data: Dataset, path: Path = ROWS) -> Row:
    """The backbone `linear_svc` under `none` on the 7769 stories, at the default budget."""

    def measure() -> Row:
        found = product.run(product.Cells(DATASET, "linear_svc"), data)["none"]
        return product.row(found, groups(data), margins=True)

    return measured(
        PART,
        "linear_svc, none",
        (data.sha256, DATASET, "linear_svc", "none", ()),
        product.LIBRARIES,
        measure,
        path,
    )


if __name__ == "__main__":
    for row in rows():
        print(row["name"], row["scores"], flush=True)
