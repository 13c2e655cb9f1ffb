"""From logits to a decision: thresholds that maximise F1, fitted on out-of-fold logits.

Everything here takes (n, L) logits and (n, L) Y of 0/1, works in float64, draws no random number, and decides
**predicted = logit > threshold**. A threshold is the midpoint between two neighbouring scores, so it never
separates equal ones; "predict none" lies just above the highest score, "predict all" just below the lowest,
so every threshold is finite. Of thresholds that are equally good (to 12 decimals) the highest is taken: the
fewest predictions.

Thresholds fitted on rows flatter themselves on the same rows: `cross_fitted` gives decisions fit for an
objective.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from equipoise.core.arrays import Bools, Floats, Ints, descending, ends_of_ties, label_matrix, score_matrix
from equipoise.core.errors import EquipoiseError, unknown

Fit = Callable[[Floats, Bools, Ints], ArrayLike]  # (logits, Y, folds) -> one threshold, or one per label


class Curves(NamedTuple):
    """Each label's scores from high to low and what predicting its k highest would give, k = 0..n."""

    scores: Floats  # (L, n), descending
    hits: Ints  # (L, n + 1): positives among the k highest
    possible: (
        Bools  # (L, n + 1): a threshold can stand behind the k-th score (it is not equal to the next one)
    )

    @property
    def positives(self) -> Ints:
        """Positives of each label, (L,)."""
        return self.hits[:, -1]

    def f1(self) -> Floats:
        """F1 of each label at each k, (L, n + 1); 0 where nothing is predicted, and for a label without positives."""
        sizes = np.arange(self.hits.shape[1]) + self.positives[:, None]
        return np.asarray(2.0 * self.hits / np.maximum(sizes, 1))

    def cut(self, k: Ints) -> Floats:
        """The threshold of each label that predicts its k highest scores, (L,)."""
        labels, last = np.arange(len(self.scores)), self.scores.shape[1] - 1
        above, below = self.scores[labels, np.maximum(k - 1, 0)], self.scores[labels, np.minimum(k, last)]
        middle = np.minimum(
            below / 2 + above / 2, np.nextafter(above, -np.inf)
        )  # of two adjacent floats: the lower
        none, everything = np.nextafter(self.scores[:, 0], np.inf), np.nextafter(self.scores[:, -1], -np.inf)
        return np.where(k == 0, none, np.where(k > last, everything, np.maximum(middle, below)))


def predict(logits: ArrayLike, thresholds: ArrayLike) -> Bools:
    """`logits > thresholds` in float64, (n, L); thresholds are one number or (L,).

    Comparing float32 logits with a Python float would round the threshold, perhaps onto a score: hence this
    function.
    """
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
    """The one threshold for all labels with the highest micro-F1 (or macro-F1), exact over all n·L + 1 cuts.

    Macro-F1 averages over the labels with a positive in Y. With no positive at all, nothing is predicted.
    `folds` is accepted so that this is a `Fit`, and not used: all rows are pooled, for one number has data
    enough.

    Source: micro as Huang et al. 2021, DOI 10.18653/v1/2021.emnlp-main.643; for a calibrated score the best
    is F*/2 (Lipton, Elkan, Naryanaswamy 2014, DOI 10.1007/978-3-662-44851-9_15).
    """
    scores, true = _checked(logits, Y)
    if average == "micro":
        pooled = _curves(scores.reshape(-1, 1), true.reshape(-1, 1))
        return float(pooled.cut(_best(pooled.f1(), pooled.possible))[0])
    if average == "macro":
        return _macro_threshold(scores, true)
    raise unknown("average", average, ["micro", "macro"])


def scut(logits: ArrayLike, Y: ArrayLike, folds: ArrayLike | None = None) -> Floats:
    """SCut: for each label the threshold with its highest F1, (L,). It overfits rare labels; see `scut_smoothed`.

    With `folds` (n,), the mean over the folds of the thresholds fitted on each fold's rows; a fold where the
    label has no positive is left out of its mean. A label without any positive, or with all its positives in
    one of several folds, gets the `global_threshold`: finite, and the best guess for a label about which
    nothing is known.

    Source: Yang 2001, DOI 10.1145/383952.383975.
    """
    scores, true = _checked(logits, Y)
    parts = [np.ones(len(true), dtype=np.bool_)] if folds is None else _masks(folds, len(true))
    return _fold_mean(scores, true, [_raw(_curves(scores[part], true[part])) for part in parts])


def scut_smoothed(logits: ArrayLike, Y: ArrayLike, folds: ArrayLike) -> Floats:
    """SCut smoothed by micro-F1, (L,): per-label thresholds that do not chase a rare label's noise.

    In each fold, labels are visited from the most to the least frequent. The l-th takes the threshold that
    maximises F1_j / l + micro-F1 over the labels 1..l, the earlier ones as already decided: when few
    positives are at stake, a burst of false positives costs more micro-F1 than its F1 can win. A label's
    threshold is the mean of its folds'.

    Chosen here, where descriptions and programs leave room or differ: frequency is counted over all rows
    given, ties go by column; micro-F1 accumulates within the fold (a published program mixes one fold's
    counts with the sums of all); a label without a positive in a fold is skipped there, neither counted in l
    nor in micro-F1, and that fold's part of its mean is "predict none", just above the highest score; one with
    no positive, or with all of them in one of several folds, gets the `global_threshold` (see `scut`); F1 is 0
    where nothing is predicted; ties go to the highest threshold.

    `folds` (n,) says which fold each row was held out in. Raises EquipoiseError where its length is not n.
    Source: Lin and Lin 2023 (CIKM, "micromacro-freq"), DOI 10.1145/3583780.3614996.
    """
    scores, true = _checked(logits, Y)
    order = np.argsort(-np.count_nonzero(true, axis=0), kind="stable")
    curves = [_curves(scores[part], true[part]) for part in _masks(folds, len(true))]
    none = [c.cut(np.zeros(len(order), dtype=np.int64)) for c in curves]
    return _fold_mean(scores, true, [_smoothed(c, order) for c in curves], none)


def cross_fitted(fit: Fit, logits: ArrayLike, Y: ArrayLike, folds: ArrayLike) -> Bools:
    """Decide each fold's rows, (n, L), by thresholds fitted on the other folds' rows.

    `fit(logits, Y, folds)` is called with the other folds' rows and returns one threshold or one per label:
    any of `global_threshold`, `scut` and `scut_smoothed`. Raises EquipoiseError with fewer than two folds.
    """
    scores, true = _checked(logits, Y)
    groups, masks = np.asarray(folds), _masks(folds, len(true))
    if len(masks) < 2:
        raise EquipoiseError(f"cross-fitting needs at least 2 folds; the rows given have {len(masks)}")
    decided = np.zeros(true.shape, dtype=np.bool_)
    for mask in masks:
        decided[mask] = predict(scores[mask], fit(scores[~mask], true[~mask], groups[~mask]))
    return decided


def _curves(scores: Floats, true: Bools) -> Curves:
    ordered, hit = descending(np.ascontiguousarray(scores.T), np.ascontiguousarray(true.T))
    hits = np.zeros((len(hit), hit.shape[1] + 1), dtype=np.int64)
    np.cumsum(hit, axis=1, out=hits[:, 1:])
    first = np.ones((len(hit), 1), dtype=np.bool_)
    return Curves(ordered, hits, np.hstack([first, ends_of_ties(ordered)]))


def _best(objective: Floats, possible: Bools) -> Ints:
    """The smallest k of each label with the highest objective; rounding makes equally good ones equal."""
    return np.asarray(np.argmax(np.where(possible, np.round(objective, 12), -np.inf), axis=-1))


def _raw(curves: Curves) -> Floats:
    return np.where(curves.positives > 0, curves.cut(_best(curves.f1(), curves.possible)), np.nan)


def _smoothed(curves: Curves, order: Ints) -> Floats:
    chosen = np.zeros(len(curves.hits), dtype=np.int64)
    alone, sizes = curves.f1(), np.arange(curves.hits.shape[1])
    hits, total = 0, 0  # of the labels decided so far: micro-F1 is 2·hits / (predicted + true)
    for seen, j in enumerate((j for j in order if curves.positives[j] > 0), start=1):
        micro = 2.0 * (hits + curves.hits[j]) / (total + sizes + curves.positives[j])
        chosen[j] = _best(alone[j] / seen + micro, curves.possible[j])
        hits, total = hits + curves.hits[j, chosen[j]], total + chosen[j] + curves.positives[j]
    return np.where(curves.positives > 0, curves.cut(chosen), np.nan)


def _fold_mean(
    scores: Floats, true: Bools, thresholds: list[Floats], missing: list[Floats] | None = None
) -> Floats:
    """Mean of the folds' thresholds, NaN left out or replaced; the global one for a label with too few folds.

    Positives that all lie in one fold were scored by a model that had seen none: their logits say nothing,
    and a threshold fitted to them (measured on `medical`) lets a refitted model predict the label for nearly
    every row.
    """
    known = ~np.isnan(thresholds)
    counted = known if missing is None else np.ones_like(known)
    filled = np.where(known, thresholds, 0.0 if missing is None else missing)
    mean = filled.sum(axis=0) / np.maximum(counted.sum(axis=0), 1)
    some = known.sum(axis=0) >= min(2, len(thresholds))
    return mean if some.all() else np.where(some, mean, global_threshold(scores, true))


def _macro_threshold(scores: Floats, true: Bools) -> float:
    """Walk down all scores at once; each step changes one label's F1, and a tie group counts when it is complete."""
    curves = _curves(scores, true)
    if not curves.positives.any():
        return float(np.nextafter(scores.max(), np.inf))
    kept = curves.positives > 0
    steps = np.diff(curves.f1(), axis=1) * kept[:, None]
    order = np.argsort(-curves.scores, axis=None, kind="stable")
    macro = np.concatenate([[0.0], np.cumsum(steps.ravel()[order])]) / kept.sum()
    pooled = _curves(scores.reshape(-1, 1), true.reshape(-1, 1))
    return float(pooled.cut(_best(macro[None, :], pooled.possible))[0])


def _masks(folds: ArrayLike, rows: int) -> list[Bools]:
    groups = np.asarray(folds)
    if groups.shape != (rows,):
        raise EquipoiseError(
            f"folds have shape {groups.shape}; needed: one fold id for each of the {rows} rows"
        )
    return [groups == fold for fold in np.unique(groups)]


def _checked(logits: ArrayLike, Y: ArrayLike) -> tuple[Floats, Bools]:
    true = label_matrix(Y)
    scores = score_matrix(logits, true.shape, "logits").astype(np.float64, copy=False)
    if len(true) == 0:
        raise EquipoiseError("no rows to fit a threshold on; at least one is needed")
    if not np.isfinite(scores).all():
        raise EquipoiseError("logits hold infinity; a threshold can only be fitted to finite logits")
    return scores, true
