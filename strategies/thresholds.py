"""Decision rules: when a score becomes a predicted label, fitted on out-of-fold scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import scipy

from equipoise import thresholds
from equipoise.contracts.equality import Equality, same
from equipoise.contracts.options import option
from equipoise.contracts.strategy import Context, Strategy
from equipoise.strategies.calibration import Platt

if TYPE_CHECKING:
    from equipoise.contracts.backbone import Backbone

#: Largest working array of `rowwise`, rows × labels²: 64 MB of float64.
MAX_CELLS = 8_000_000
#: The probabilities among which `global_threshold[grid=true]` chooses.
GRID = np.arange(40, 61) / 100


@dataclass(frozen=True)
class GlobalThreshold(Strategy):
    """Global threshold: one threshold for all labels, chosen to maximise micro-F1 out of fold.

    Variant: the idea of Huang et al., who choose it on validation data from a grid between .40 and .60. Here every threshold
    that changes a decision is a candidate; with `grid=true` only the probabilities .40, .41, …, .60 are (the step is ours),
    and of equally good ones the highest is taken.
    """

    name: ClassVar[str] = "global_threshold"
    reference: ClassVar[str] = (
        "Huang, Giledereli, Köksal, Özgür & Ozkirimli 2021, Balancing methods for multi-label text classification with "
        "long-tailed class distribution, EMNLP, DOI 10.18653/v1/2021.emnlp-main.643"
    )

    grid: bool = False

    def decide(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        if not self.grid:
            return thresholds.ThresholdRule(thresholds.global_threshold(logits, Y))
        candidates = scipy.special.logit(GRID)
        return thresholds.ThresholdRule(max(candidates, key=lambda t: (_micro_f1(logits, Y, t), t)))


@dataclass(frozen=True)
class SCut(Strategy):
    """SCut: one threshold per label, chosen to maximise its F1 out of fold, smoothed so that rare labels do not overfit.

    Smoothing (Lin & Lin 2023): labels are processed in descending frequency; each threshold maximises F1_j / (number of labels
    so far) + the micro-F1 of all labels so far, and the thresholds of the folds are averaged. `smooth=false` takes the
    threshold that maximises each label's own F1.
    """

    name: ClassVar[str] = "scut"
    reference: ClassVar[str] = (
        "Yang 2001, A study of thresholding strategies for text categorization, SIGIR, DOI 10.1145/383952.383975; smoothing: "
        "Lin & Lin 2023, On the thresholding strategy for infrequent labels in multi-label classification, CIKM, DOI "
        "10.1145/3583780.3614996"
    )

    smooth: bool = True

    @property
    def clashes(self) -> Mapping[str, str]:
        return {"shift": "chooses the threshold of each label again, which takes back the shift of {other}"}

    def same_as(self, backbone: Backbone, n_labels: int) -> list[Equality]:
        # Compared with its own tuned decisions, which are those of none: it only decides.
        return same("none", "its thresholds are the tuned ones", [], own="tuned") if self.smooth else []

    def decide(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        fit = thresholds.scut_smoothed if self.smooth else thresholds.scut
        per_label = fit(logits, Y, ctx.folds)
        return thresholds.ThresholdRule(per_label)


@dataclass(frozen=True)
class TopK(Strategy):
    """RCut: predict the k labels with the highest scores in every row.

    `k=0` chooses the k with the highest micro-F1 out of fold; a k above the number of labels predicts all. Of equal scores the
    label in the earlier column wins. Since every row gets the same number of labels, RCut suits data whose rows have about
    equally many.
    """

    name: ClassVar[str] = "top_k"
    reference: ClassVar[str] = (
        "RCut: Yang 2001, A study of thresholding strategies for text categorization, SIGIR, DOI 10.1145/383952.383975"
    )

    k: int = option(0, at_least=0)  # 0: chosen out of fold

    def decide(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        k = min(self.k, logits.shape[1]) if self.k > 0 else best_k(logits, Y)
        return lambda z: highest(z, np.full(len(z), k))


@dataclass(frozen=True)
class ExpectedF1(Strategy):
    """One threshold per label at half the best F1 that the scores promise, if they are read as probabilities.

    For calibrated scores the threshold with the best F1 is F*/2, where F* is that best F1. F* is the fixed point of
    F ↦ (expected F1 at the threshold F / 2), the expected F1 being the ratio of expectations over the out-of-fold rows. Scores
    are calibrated first, by the line that `platt` fits at its defaults: few networks' scores are probabilities, those of a
    re-weighting loss least. Labels enter through these two numbers a label only, so that the few positives of a rare label are
    hardly overfitted.

    Variant: `calibrate=false` reads the scores as they are.
    """

    name: ClassVar[str] = "expected_f1"
    reference: ClassVar[str] = (
        "Lipton, Elkan & Naryanaswamy 2014, Optimal thresholding of classifiers to maximize F1 measure, ECML PKDD, DOI "
        "10.1007/978-3-662-44851-9_15"
    )

    calibrate: bool = True

    def decide(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        z = logits.astype(np.float64)
        if not self.calibrate:
            return thresholds.ThresholdRule(half_f1_logits(z))
        line = Platt().adjust(z, Y, ctx)
        # The line rises, so that a threshold on calibrated scores is one on the scores themselves.
        return thresholds.ThresholdRule(line.inverse(half_f1_logits(line(z))))


@dataclass(frozen=True)
class RowwiseExpectedF1(Strategy):
    """Predict for each row the labelset with the highest expected F1, treating labels as independent with probability σ(z).

    The maximum is exact: the best labelset consists of the k most probable labels for some k, and the expected F1 of all k
    takes O(L²) per row. A row without labels counts as F1 = 0 (`samples_f1` leaves such rows out), so at least one label is
    always predicted. Scores are calibrated first, as in `expected_f1`; with `calibrate=false` nothing is fitted.
    """

    name: ClassVar[str] = "rowwise_expected_f1"
    reference: ClassVar[str] = (
        "Ye, Chai, Lee & Chieu 2012, Optimizing F-measures: a tale of two approaches, ICML, arXiv:1206.4625"
    )

    calibrate: bool = True

    def decide(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        if not self.calibrate:
            return rowwise
        line = Platt().adjust(logits.astype(np.float64), Y, ctx)
        return lambda z: rowwise(line(z.astype(np.float64)))


def half_f1_logits(logits: np.ndarray) -> np.ndarray:
    """Half the best expected F1 of each label as a threshold on its logits, (L,), for logits (n, L)."""
    return np.asarray(scipy.special.logit(best_expected_f1(scipy.special.expit(logits)) / 2))


def rowwise(logits: np.ndarray) -> np.ndarray:
    """The labelset with the highest expected F1 in each row, (n, L) bool; of equally good ones the smallest."""
    out = np.zeros(logits.shape, dtype=bool)
    rows = max(1, MAX_CELLS // logits.shape[1] ** 2)
    for start in range(0, len(logits), rows):
        chunk = logits[start : start + rows]
        p = -np.sort(-scipy.special.expit(chunk.astype(np.float64)), axis=1)
        # Rounded, so that values which are equal in exact arithmetic tie and argmax takes the smallest k.
        out[start : start + rows] = highest(chunk, 1 + np.argmax(np.round(expected_f1(p), 12), axis=1))
    return out


def expected_f1(p: np.ndarray) -> np.ndarray:
    """Expected F1 of predicting the first k of L independent labels with probabilities p (n, L), for k = 1 .. L: (n, L).

    E F1 = Σ_i 2i · P(i of the first k labels are true) · E[1 / (k + i + number of true labels among the others)].

    Source: Ye, Chai, Lee & Chieu 2012, arXiv:1206.4625.
    """
    n, labels = p.shape
    q = p.T[:, :, None]
    # first[k, :, i] = P(i of the first k labels are true), built up one label at a time.
    first = np.zeros((labels + 1, n, labels + 1))
    first[0, :, 0] = 1.0
    for k in range(labels):
        first[k + 1] = first[k] * (1 - q[k])
        first[k + 1, :, 1:] += first[k, :, :-1] * q[k]
    # rest[:, s − 1] = E[1 / (s + number of true labels after the first k)]; for k = L there are no others, so it is 1 / s. Going
    # down to k − 1 adds label k − 1 to the others: true with probability q, which moves s to s + 1.
    rest = np.broadcast_to(1 / np.arange(1, 2 * labels + 1), (n, 2 * labels))
    out = np.empty((n, labels))
    for k in range(labels, 0, -1):
        hits = np.arange(1, k + 1)
        out[:, k - 1] = (2 * hits * first[k, :, 1 : k + 1] * rest[:, k : 2 * k]).sum(1)
        rest = rest[:, :-1] * (1 - q[k - 1]) + rest[:, 1:] * q[k - 1]
    return out


def best_expected_f1(p: np.ndarray) -> np.ndarray:
    """Best expected F1 of each label over all thresholds t, the maximum of 2 Σ_{p > t} p / (Σ p + #{p > t}), (L,).

    Iterates F ↦ the ratio at t = F / 2. Starting from 0, the ratio only grows and reaches its maximum after finitely many
    steps (Dinkelbach 1967).
    """
    best = np.zeros(p.shape[1])
    for _ in range(len(p) + 1):
        above = p > best / 2
        ratio = 2 * (p * above).sum(0) / np.maximum(p.sum(0) + above.sum(0), 1e-300)
        if (ratio <= best).all():
            break
        best = np.maximum(best, ratio)
    return np.clip(best, 1e-12, 1.0)  # the caller takes a logit, which 0 does not have


def best_k(logits: np.ndarray, Y: np.ndarray) -> int:
    """The k for which predicting the k highest scores of each row has the highest micro-F1; of equally good ones the smallest."""
    order = np.argsort(-logits, axis=1, kind="stable")
    hits = np.cumsum(np.take_along_axis(Y, order, 1).sum(0, dtype=np.int64))
    k = np.arange(1, Y.shape[1] + 1)
    return int(k[np.argmax(2 * hits / (len(Y) * k + Y.sum(dtype=np.int64)))])


def _micro_f1(logits: np.ndarray, Y: np.ndarray, threshold: float) -> float:
    """Micro-F1 at one threshold for all labels; 0 where nothing is predicted or true."""
    predicted = thresholds.predict(logits, threshold)
    size = int(predicted.sum()) + int(Y.sum(dtype=np.int64))
    return 2.0 * int((predicted & (Y > 0)).sum()) / max(size, 1)


def highest(logits: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Marks the k_i highest scores of row i, (n, L) bool; of equal scores the earlier columns."""
    order = np.argsort(-logits, axis=1, kind="stable")
    out = np.zeros(logits.shape, dtype=bool)
    np.put_along_axis(out, order, np.arange(logits.shape[1]) < np.asarray(k)[:, None], 1)
    return out
