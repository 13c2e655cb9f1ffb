"""Decisions: where a score becomes a label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from equipoise import decisions
from equipoise.strategy import Context, Strategy


@dataclass(frozen=True)
class GlobalThreshold(Strategy):
    """One threshold for all labels, the one that maximises micro-F1 out of fold."""

    name: ClassVar[str] = "global_threshold"
    reference: ClassVar[str] = (
        "Huang, Giledereli, Köksal, Özgür & Ozkirimli 2021, DOI 10.18653/v1/2021.emnlp-main.643"
    )

    def decide(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        threshold = decisions.global_threshold(logits, Y)
        return lambda z: decisions.predict(z, threshold)


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
        fit = decisions.scut_smoothed if self.smooth else decisions.scut
        thresholds = fit(logits, Y, ctx.folds)
        return lambda z: decisions.predict(z, thresholds)
