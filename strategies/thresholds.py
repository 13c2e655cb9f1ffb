"""Decisions: where a score becomes a label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy

from equipoise import thresholds
from equipoise.contracts.strategy import Context, Strategy

#: Numbers that `rowwise` holds at once: rows × labels².
HELD = 8_000_000


@dataclass(frozen=True)
class GlobalThreshold(Strategy):
    """One threshold for all labels, the one that maximises micro-F1 out of fold."""

    name: ClassVar[str] = "global_threshold"
    reference: ClassVar[str] = (
        "Huang, Giledereli, Köksal, Özgür & Ozkirimli 2021, DOI 10.18653/v1/2021.emnlp-main.643"
    )

    def decide(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        threshold = thresholds.global_threshold(logits, Y)
        return thresholds.ThresholdRule(threshold)


@dataclass(frozen=True)
class SCut(Strategy):
    """A threshold per label that maximises F1 out of fold; smoothed over labels, so that rare ones do not overfit.

    Smoothing: labels in descending frequency, each maximising F1_j / (labels so far) + the micro-F1 of all so far, the mean
    over the folds' thresholds (Lin & Lin 2023). `smooth=false` is the raw maximum of each label's own F1.
    """

    name: ClassVar[str] = "scut"
    reference: ClassVar[str] = (
        "Yang 2001, DOI 10.1145/383952.383975; smoothing: Lin & Lin 2023, DOI 10.1145/3583780.3614996"
    )

    smooth: bool = True

    def decide(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        fit = thresholds.scut_smoothed if self.smooth else thresholds.scut
        per_label = fit(logits, Y, ctx.folds)
        return thresholds.ThresholdRule(per_label)


@dataclass(frozen=True)
class TopK(Strategy):
    """The k highest scores of each row; k = 0 takes the k of the highest micro-F1 out of fold.

    RCut. Equal scores: the label that comes first. It predicts as many labels for every row, so it suits data where rows have
    about as many; k beyond the number of labels means all.
    """

    name: ClassVar[str] = "top_k"
    reference: ClassVar[str] = "RCut: Yang 2001, DOI 10.1145/383952.383975"

    k: int = 0

    def decide(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        k = self.k if self.k > 0 else best_k(logits, Y)
        return lambda z: highest(z, np.full(len(z), k))


@dataclass(frozen=True)
class ExpectedF1(Strategy):
    """A threshold per label at F*/2, half the best F1 that the scores promise, taken as probabilities.

    For calibrated scores the threshold of the best F1 is half that F1. Here F* is the fixed point of F ↦ F1 expected at F / 2,
    as a ratio of expectations over the rows given, so labels are read from σ(z) alone and none is looked at: a rare label's
    few positives cannot be overfitted, but the scores have to be calibrated. After a re-weighting loss, write
    `platt+expected_f1`.
    """

    name: ClassVar[str] = "expected_f1"
    reference: ClassVar[str] = "Lipton, Elkan & Naryanaswamy 2014, DOI 10.1007/978-3-662-44851-9_15"

    def decide(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        per_label = scipy.special.logit(best_expected_f1(scipy.special.expit(logits.astype(np.float64))) / 2)
        return thresholds.ThresholdRule(per_label)


@dataclass(frozen=True)
class RowwiseExpectedF1(Strategy):
    """For each row the labels with the highest expected F1, its labels taken as independent with probabilities σ(z).

    Exact: the best set holds the k most probable labels for some k, and the expected F1 of all k takes O(L²) a row. F1 is 0
    where a row has no label (`samples_f1` leaves such rows out), so at least one label is always predicted. Nothing is fitted;
    scores have to be calibrated (`platt+rowwise_expected_f1`).
    """

    name: ClassVar[str] = "rowwise_expected_f1"
    reference: ClassVar[str] = (
        "Ye, Chai, Lee & Chieu 2012, Optimizing F-measure: a tale of two approaches, ICML, arXiv:1206.4625"
    )

    def decide(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        return rowwise


def rowwise(logits: np.ndarray) -> np.ndarray:
    """The decision of the highest expected F1 in each row, (n, L) bool; of equally good ones, the fewest labels."""
    out = np.zeros(logits.shape, dtype=bool)
    rows = max(1, HELD // logits.shape[1] ** 2)
    for start in range(0, len(logits), rows):
        own = logits[start : start + rows]
        p = -np.sort(-scipy.special.expit(own.astype(np.float64)), axis=1)
        out[start : start + rows] = highest(own, 1 + np.argmax(np.round(expected_f1(p), 12), axis=1))
    return out


def expected_f1(p: np.ndarray) -> np.ndarray:
    """Expected F1 of predicting the k first of L independent labels with probabilities p (n, L), (n, L) for k = 1..L.

    E F1 = Σ_i 2 i · P(i of the first k are true) · E[1 / (k + i + those true among the rest)]. The last factor, as a
    function of k + i, follows from that of k + 1 by one label moving to the rest; the first one grows by one label.
    """
    n, labels = p.shape
    q = p.T[:, :, None]
    first = np.zeros((labels + 1, n, labels + 1))
    first[0, :, 0] = 1.0
    for k in range(labels):
        first[k + 1] = first[k] * (1 - q[k])
        first[k + 1, :, 1:] += first[k, :, :-1] * q[k]
    rest = np.broadcast_to(1 / np.arange(1, 2 * labels + 1), (n, 2 * labels))
    out = np.empty((n, labels))
    for k in range(labels, 0, -1):
        hits = np.arange(1, k + 1)
        out[:, k - 1] = (2 * hits * first[k, :, 1 : k + 1] * rest[:, k : 2 * k]).sum(1)
        rest = rest[:, :-1] * (1 - q[k - 1]) + rest[:, 1:] * q[k - 1]
    return out


def best_expected_f1(p: np.ndarray) -> np.ndarray:
    """(L,) highest 2 Σ_{p > t} p / (Σ p + #{p > t}) of each label over all thresholds t, by F ↦ the ratio at t = F / 2.

    From F = 0 the ratio only grows and ends at its maximum after finitely many steps (Dinkelbach 1967).
    """
    best = np.zeros(p.shape[1])
    for _ in range(len(p) + 1):
        above = p > best / 2
        ratio = 2 * (p * above).sum(0) / np.maximum(p.sum(0) + above.sum(0), 1e-300)
        if (ratio <= best).all():
            break
        best = np.maximum(best, ratio)
    return np.clip(best, 1e-12, 1.0)


def best_k(logits: np.ndarray, Y: np.ndarray) -> int:
    """The k whose k highest scores of each row have the highest micro-F1; the smallest of equally good ones."""
    order = np.argsort(-logits, axis=1, kind="stable")
    hits = np.cumsum(np.take_along_axis(Y, order, 1).sum(0, dtype=np.int64))
    k = np.arange(1, Y.shape[1] + 1)
    return int(k[np.argmax(2 * hits / (len(Y) * k + Y.sum(dtype=np.int64)))])


def highest(logits: np.ndarray, k: np.ndarray) -> np.ndarray:
    """(n, L) bool: the k_i highest scores of row i, the first of equal ones."""
    order = np.argsort(-logits, axis=1, kind="stable")
    out = np.zeros(logits.shape, dtype=bool)
    np.put_along_axis(out, order, np.arange(logits.shape[1]) < np.asarray(k)[:, None], 1)
    return out
