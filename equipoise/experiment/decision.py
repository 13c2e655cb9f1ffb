"""From out-of-fold logits to decisions: the strategy's score maps and decision, and the two that every strategy gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from equipoise import metrics, thresholds
from equipoise.catalog.strategies import deciding_parts
from equipoise.contracts.strategy import Context, Strategy
from equipoise.core.seeds import stream
from equipoise.splits.outer import stratified_folds
from equipoise.thresholds import ThresholdRule

Map = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class DecisionRule:
    """Maps fitted on out-of-fold rows, to be applied to other rows.

    Attributes:
        adjust: logits → logits, all score maps of the strategy in order.
        own: adjusted logits → bool by the strategy's own decision (the fixed one where it has none).
        tuned: adjusted logits → bool at smoothed per-label thresholds, the same procedure for every strategy.
    """

    adjust: Map
    own: Map
    tuned: ThresholdRule

    @staticmethod
    def fixed(adjusted: np.ndarray) -> np.ndarray:
        """True where the probability exceeds one half (the logit exceeds 0)."""
        return adjusted > 0

    def all(self, logits: np.ndarray) -> dict[str, np.ndarray]:
        """The adjusted logits as "scores" and the decisions "fixed", "tuned" and "own", each (n, L)."""
        z = self.adjust(logits)
        return {"scores": z, "fixed": self.fixed(z), "tuned": self.tuned(z), "own": self.own(z)}

    def thresholds(self, n_labels: int) -> dict[str, np.ndarray]:
        """The thresholds (L,) behind "fixed", "tuned" and "own", the last only where its decision is one by thresholds."""
        rules = {"fixed": ThresholdRule(0.0), "tuned": self.tuned, "own": self.own}
        found = {name: rule.values for name, rule in rules.items() if isinstance(rule, ThresholdRule)}
        return {name: np.broadcast_to(values, n_labels).astype(np.float64) for name, values in found.items()}


def fit_decision_rule(
    strategy: Strategy, logits: np.ndarray, Y: np.ndarray, folds: np.ndarray, role: tuple[object, ...]
) -> DecisionRule:
    """Fit the strategy's maps, one after the other, on out-of-fold logits and labels (n, L) and their folds (n,)."""
    maps, z = _fit_maps(strategy, logits, Y, folds, role)
    per_label = thresholds.scut_smoothed(z, Y, folds)
    own = _fit_own(strategy, z, Y, folds, role) if "decide" in strategy.stages else ThresholdRule(0.0)
    return DecisionRule(adjust=lambda x: _through(maps, x), own=own, tuned=ThresholdRule(per_label))


def objective(
    strategy: Strategy,
    logits: np.ndarray,
    Y: np.ndarray,
    folds: np.ndarray,
    role: tuple[object, ...],
    what: str,
) -> float:
    """What the search maximises: macro-F1 or mean average precision of out-of-fold logits, cross-fitted.

    Each fold is decided by maps that were fitted on the other folds. A strategy with a decision of its own is judged by it,
    every other one at tuned thresholds, so that what is searched is not a threshold in disguise.
    """
    decided = np.zeros(Y.shape, dtype=bool)
    adjusted = np.array(logits)
    for fold in np.unique(folds):
        own, rest = folds == fold, folds != fold
        decider = fit_decision_rule(strategy, logits[rest], Y[rest], folds[rest], (*role, int(fold)))
        adjusted[own] = decider.adjust(logits[own])
        judge = decider.own if "decide" in strategy.stages else decider.tuned
        decided[own] = judge(adjusted[own])
    if what == "map":
        return float(metrics.mean_average_precision(Y, adjusted))
    return float(metrics.macro_f1(Y, decided))


def decision_score(
    strategy: Strategy, logits: np.ndarray, Y: np.ndarray, folds: np.ndarray, role: tuple[object, ...]
) -> float:
    """What the settings of score maps and decisions are chosen by, cross-fitted like `objective`; higher is better.

    Macro-F1 of the strategy's own decisions; for one that only maps scores minus the mean log-loss, unless one of its parts
    says `tuned_on = "macro_f1"`. A map that keeps the order of each label's rows cannot change any of what `objective`
    says, so there the choice would be one of noise.
    """
    decides = "decide" in strategy.stages or any(p.tuned_on == "macro_f1" for p in deciding_parts(strategy))
    adjusted, decided = np.array(logits), np.zeros(Y.shape, dtype=bool)
    for fold in np.unique(folds):
        own, rest = folds == fold, folds != fold
        at = (*role, int(fold))
        maps, z = _fit_maps(strategy, logits[rest], Y[rest], folds[rest], at)
        adjusted[own] = _through(maps, logits[own])
        if decides:
            decided[own] = _fit_own(strategy, z, Y[rest], folds[rest], at)(adjusted[own])
    if decides:
        return float(metrics.macro_f1(Y, decided))
    z = adjusted.astype(np.float64)
    return -float(np.mean(np.logaddexp(0.0, z) - Y * z))


def decision_folds(folds: np.ndarray, Y: np.ndarray, seed: int) -> np.ndarray:
    """Folds for fitting decisions, among the rows that were held out: the inner folds, or three parts of a single holdout."""
    if folds.max() > 0:
        return folds
    return stratified_folds(Y, min(3, len(Y)), seed)


def _fit_maps(
    strategy: Strategy, logits: np.ndarray, Y: np.ndarray, folds: np.ndarray, role: tuple[object, ...]
) -> tuple[list[Map], np.ndarray]:
    """The score maps, each fitted on what the one before gives, and what the last one gives."""
    maps, z = [], logits
    for place, part in enumerate(strategy.chain("adjust")):
        maps.append(part.adjust(z, Y, _context(Y, folds, ("adjust", *role, place))))
        z = maps[-1](z)
    return maps, z


def _fit_own(
    strategy: Strategy, z: np.ndarray, Y: np.ndarray, folds: np.ndarray, role: tuple[object, ...]
) -> Map:
    return strategy.owner("decide").decide(z, Y, _context(Y, folds, ("decide", *role)))


def _context(Y: np.ndarray, folds: np.ndarray, role: tuple[object, ...]) -> Context:
    return replace(Context(Y.sum(0, dtype=np.int64), len(Y), folds=folds), rng=stream(*role))


def _through(maps: list[Map], z: np.ndarray) -> np.ndarray:
    for fitted in maps:
        z = fitted(z)
    return z
