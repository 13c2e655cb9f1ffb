"""Thresholds that maximise F1, fitted on out-of-fold logits.

All functions take logits (n, L) and Y (n, L) of 0/1, compute in float64, are deterministic, and predict a label if
**logit > threshold**. A threshold lies halfway between two neighbouring scores, so equal scores are never separated. "Predict
none" is just above the highest score and "predict all" just below the lowest, so every threshold is finite. Of equally good
thresholds (to 12 decimals) the highest is taken, the one with the fewest predictions.

On the rows they were fitted on, thresholds look better than they are. To measure them on those rows, use `cross_fitted`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from equipoise.core.arrays import Bools, Floats, Ints, descending, ends_of_ties, label_matrix, score_matrix
from equipoise.core.errors import EquipoiseError, unknown

#: A function that fits thresholds: (logits, Y, folds) → one threshold, or one per label.
Fit = Callable[[Floats, Bools, Ints], ArrayLike]


class Curves(NamedTuple):
    """For each label, the number of hits when its k highest-scored rows are predicted, for all k = 0..n."""

    scores: Floats  # (L, n), descending
    hits: Ints  # (L, n + 1): positives among the k highest scores
    possible: (
        Bools  # (L, n + 1): whether the k-th score differs from the next, so that a threshold fits in between
    )

    @property
    def positives(self) -> Ints:
        """Positives of each label, (L,)."""
        return self.hits[:, -1]

    def f1(self) -> Floats:
        """F1 of each label at each k, (L, n + 1); 0 for k = 0 and for a label without positives."""
        sizes = np.arange(self.hits.shape[1]) + self.positives[:, None]
        return np.asarray(2.0 * self.hits / np.maximum(sizes, 1))

    def cut(self, k: Ints) -> Floats:
        """The threshold of each label that predicts its k highest scores, (L,)."""
        labels, last = np.arange(len(self.scores)), self.scores.shape[1] - 1
        above, below = self.scores[labels, np.maximum(k - 1, 0)], self.scores[labels, np.minimum(k, last)]
        # Halved before adding, which cannot overflow. Between two adjacent floats the midpoint may round up to `above`, which
        # would then no longer exceed the threshold; so the threshold is at most the next float below it.
        middle = np.minimum(below / 2 + above / 2, np.nextafter(above, -np.inf))
        none, everything = np.nextafter(self.scores[:, 0], np.inf), np.nextafter(self.scores[:, -1], -np.inf)
        return np.where(k == 0, none, np.where(k > last, everything, np.maximum(middle, below)))


def predict(logits: ArrayLike, thresholds: ArrayLike) -> Bools:
    """Predictions `logits > thresholds`, (n, L) bool; thresholds are one number or (L,)."""
    # In float64: comparing float32 logits with a Python float would round the threshold to float32, perhaps onto a score.
    return np.asarray(np.asarray(logits, dtype=np.float64) > np.asarray(thresholds, dtype=np.float64))


@dataclass(frozen=True, eq=False)
class ThresholdRule:
    """A decision by thresholds, logits (n, L) → bool; `values` is one number or (L,)."""

    values: ArrayLike

    def __call__(self, logits: ArrayLike) -> Bools:
        return predict(logits, self.values)


def global_threshold(
    logits: ArrayLike,
    Y: ArrayLike,
    folds: ArrayLike | None = None,
    *,
    average: Literal["micro", "macro"] = "micro",
) -> float:
    """The threshold for all labels that maximises micro-F1 (or macro-F1), an exact maximum over all n·L + 1 cuts.

    Macro-F1 averages over the labels with a positive in Y. If there is no positive at all, nothing is predicted. `folds` is
    accepted so that the signature is that of a `Fit`, but not used: all rows are pooled, since a single number does not
    overfit.

    Source: the idea of Huang et al. 2021, DOI 10.18653/v1/2021.emnlp-main.643, without their grid from .40 to .60. For
    calibrated scores the best threshold is F*/2 (Lipton, Elkan & Naryanaswamy 2014, DOI 10.1007/978-3-662-44851-9_15).
    """
    scores, true = _checked(logits, Y)
    if average == "micro":
        pooled = _curves(scores.reshape(-1, 1), true.reshape(-1, 1))
        return float(pooled.cut(_best(pooled.f1(), pooled.possible))[0])
    if average == "macro":
        return _macro_threshold(scores, true)
    raise unknown("average", average, ["micro", "macro"])


def scut(logits: ArrayLike, Y: ArrayLike, folds: ArrayLike | None = None) -> Floats:
    """SCut: for each label the threshold that maximises its F1, (L,). It overfits rare labels; see `scut_smoothed`.

    With `folds` (n,), a threshold is fitted on each fold's rows and their mean is taken; folds in which the label has no
    positive are left out. A label without any positive, or with all its positives in one of several folds, gets the threshold
    "predict none", just above its highest score.

    Source: Yang 2001, DOI 10.1145/383952.383975.
    """
    scores, true = _checked(logits, Y)
    parts = [np.ones(len(true), dtype=np.bool_)] if folds is None else _masks(folds, len(true))
    return _fold_mean(scores, [_raw(_curves(scores[part], true[part])) for part in parts])


def scut_smoothed(logits: ArrayLike, Y: ArrayLike, folds: ArrayLike) -> Floats:
    """SCut smoothed by micro-F1, (L,): thresholds per label that overfit rare labels less.

    In each fold, labels are visited from the most to the least frequent. The l-th label takes the threshold that maximises
    F1_j / l + the micro-F1 of labels 1..l, with the thresholds of the earlier labels fixed. For a rare label, many false
    positives thus cost more micro-F1 than its own F1 can gain. A label's threshold is the mean over folds.

    Variant, where the description leaves room or programs differ: frequency is counted over all rows, and ties are resolved by
    column. Micro-F1 accumulates within a fold (a published program mixes one fold's counts with the sums of all folds). A label
    without a positive in a fold is skipped there: it counts neither in l nor in micro-F1, and its threshold for that fold is
    "predict none". A label with no positive, or with all of them in one of several folds, gets "predict none" over all rows (see
    `scut`). F1 is 0 if nothing is predicted.

    `folds` (n,) is the fold in which each row was held out. Raises EquipoiseError if its length is not n.
    Source: Lin and Lin 2023 (CIKM, "micromacro-freq"), DOI 10.1145/3583780.3614996.
    """
    scores, true = _checked(logits, Y)
    order = np.argsort(-np.count_nonzero(true, axis=0), kind="stable")
    curves = [_curves(scores[part], true[part]) for part in _masks(folds, len(true))]
    none = [c.cut(np.zeros(len(order), dtype=np.int64)) for c in curves]
    return _fold_mean(scores, [_smoothed(c, order) for c in curves], none)


def cross_fitted(fit: Fit, logits: ArrayLike, Y: ArrayLike, folds: ArrayLike) -> Bools:
    """Predictions for each fold's rows by thresholds fitted on the other folds' rows, (n, L) bool.

    `fit` is called with the other folds' logits, Y and folds, and returns one threshold or one per label: `global_threshold`,
    `scut` or `scut_smoothed`, for example. Raises EquipoiseError if there are fewer than two folds.
    """
    scores, true = _checked(logits, Y)
    groups, masks = np.asarray(folds), _masks(folds, len(true))
    if len(masks) < 2:
        raise EquipoiseError(f"cross-fitting needs at least 2 folds; the rows given have {len(masks)}")
    predicted = np.zeros(true.shape, dtype=np.bool_)
    for mask in masks:
        predicted[mask] = predict(scores[mask], fit(scores[~mask], true[~mask], groups[~mask]))
    return predicted


def _curves(scores: Floats, true: Bools) -> Curves:
    ordered, hit = descending(np.ascontiguousarray(scores.T), np.ascontiguousarray(true.T))
    hits = np.zeros((len(hit), hit.shape[1] + 1), dtype=np.int64)
    np.cumsum(hit, axis=1, out=hits[:, 1:])
    predict_none = np.ones((len(hit), 1), dtype=np.bool_)  # k = 0 is always possible
    return Curves(ordered, hits, np.hstack([predict_none, ends_of_ties(ordered)]))


def _best(objective: Floats, possible: Bools) -> Ints:
    """For each label the smallest possible k with the highest objective."""
    # Rounding makes values equal that are equal in exact arithmetic; argmax then takes the first.
    return np.asarray(np.argmax(np.where(possible, np.round(objective, 12), -np.inf), axis=-1))


def _raw(curves: Curves) -> Floats:
    """The threshold of each label that maximises its own F1, (L,); NaN for a label without positives."""
    return np.where(curves.positives > 0, curves.cut(_best(curves.f1(), curves.possible)), np.nan)


def _smoothed(curves: Curves, order: Ints) -> Floats:
    """The smoothed thresholds of one fold, (L,), with labels visited in this order; NaN for a label without positives."""
    chosen = np.zeros(len(curves.hits), dtype=np.int64)
    label_f1, sizes = curves.f1(), np.arange(curves.hits.shape[1])
    # Of the labels visited so far; micro-F1 is 2·hits / total with total = predicted + true.
    hits, total = 0, 0
    for rank, j in enumerate((j for j in order if curves.positives[j] > 0), start=1):
        micro = 2.0 * (hits + curves.hits[j]) / (total + sizes + curves.positives[j])
        chosen[j] = _best(label_f1[j] / rank + micro, curves.possible[j])
        hits, total = hits + curves.hits[j, chosen[j]], total + chosen[j] + curves.positives[j]
    return np.where(curves.positives > 0, curves.cut(chosen), np.nan)


def _fold_mean(scores: Floats, thresholds: list[Floats], missing: list[Floats] | None = None) -> Floats:
    """The mean of the folds' thresholds, (L,), or "predict none" for a label known in fewer than two folds.

    Args:
        thresholds: (L,) for each fold, NaN where unknown.
        missing: what replaces NaN in each fold; None leaves NaN out of the mean.
    """
    known = ~np.isnan(thresholds)
    counted = known if missing is None else np.ones_like(known)
    filled = np.where(known, thresholds, 0.0 if missing is None else missing)
    mean = filled.sum(axis=0) / np.maximum(counted.sum(axis=0), 1)
    # Positives that all lie in one fold were scored by a model trained without any, so their logits are meaningless. A
    # threshold fitted to them made the refitted model predict the label for nearly every row (seen on the data set
    # `medical`).
    reliable = known.sum(axis=0) >= min(2, len(thresholds))
    # What replaces it may only depend on the order of the label's own scores. A threshold shared with other labels would
    # change its decisions with any shift of its scores, such as the one of `logit_adjustment`.
    return np.where(reliable, mean, np.nextafter(scores.max(axis=0), np.inf))


def _macro_threshold(scores: Floats, true: Bools) -> float:
    """The one threshold for all labels that maximises macro-F1."""
    curves = _curves(scores, true)
    if not curves.positives.any():
        return float(np.nextafter(scores.max(), np.inf))
    # As the threshold falls past one score after another, each step changes the F1 of one label. The cumulative sum of these
    # changes, in descending order of all scores, is thus the macro-F1 at every cut.
    averaged = curves.positives > 0
    steps = np.diff(curves.f1(), axis=1) * averaged[:, None]
    order = np.argsort(-curves.scores, axis=None, kind="stable")
    macro = np.concatenate([[0.0], np.cumsum(steps.ravel()[order])]) / averaged.sum()
    # The pooled curves only tell which cuts are possible, i.e. do not separate equal scores.
    pooled = _curves(scores.reshape(-1, 1), true.reshape(-1, 1))
    return float(pooled.cut(_best(macro[None, :], pooled.possible))[0])


def _masks(folds: ArrayLike, rows: int) -> list[Bools]:
    """Which rows belong to each fold, one (rows,) mask per fold."""
    groups = np.asarray(folds)
    if groups.shape != (rows,):
        raise EquipoiseError(
            f"folds have shape {groups.shape}; expected one fold id for each of the {rows} rows"
        )
    return [groups == fold for fold in np.unique(groups)]


def _checked(logits: ArrayLike, Y: ArrayLike) -> tuple[Floats, Bools]:
    true = label_matrix(Y)
    scores = score_matrix(logits, true.shape, "logits").astype(np.float64, copy=False)
    if len(true) == 0:
        raise EquipoiseError("no rows to fit a threshold on; at least one is needed")
    if not np.isfinite(scores).all():
        raise EquipoiseError("logits contain infinity; thresholds can only be fitted to finite logits")
    return scores, true
