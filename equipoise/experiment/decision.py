"""Fits score maps and decisions on out-of-fold logits: the strategy's own, and two that every strategy gets.

The two are "fixed" (probability 0.5) and "tuned" (smoothed thresholds per label). Comparing strategies under both shows whether
a strategy gains more than tuned thresholds alone would.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from equipoise import metrics, thresholds
from equipoise.catalog.strategies import deciding_parts
from equipoise.contracts import hook_results
from equipoise.contracts.strategy import Context, Strategy
from equipoise.core.seeds import stream
from equipoise.splits.outer import stratified_folds
from equipoise.thresholds import ThresholdRule

Map = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class DecisionRule:
    """Fitted maps from logits to decisions, to be applied to rows that they were not fitted on.

    Attributes:
        adjust: logits → logits, all score maps of the strategy in order.
        own: adjusted logits → bool, the strategy's own decision (the fixed one if it has none); None if it decides by the votes
            of its tasks, which adjusted logits do not tell.
        tuned: adjusted logits → bool at smoothed thresholds per label, fitted in the same way for every strategy.
    """

    adjust: Map
    own: Map | None
    tuned: ThresholdRule

    @staticmethod
    def fixed(adjusted: np.ndarray) -> np.ndarray:
        """True where the probability exceeds one half (the logit exceeds 0)."""
        return adjusted > 0

    def all(self, logits: np.ndarray, votes: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """The adjusted logits as "scores" and the decisions "fixed", "tuned" and "own", each (n, L).

        `votes` (n, L) are the decisions of `Strategy.vote` for the same rows, where the strategy has them.

        Raises:
            ValueError: the strategy decides by votes, and there are none.
        """
        z = self.adjust(logits)
        own = votes if self.own is None else self.own(z)
        if own is None:
            raise ValueError("the strategy decides by the votes of its tasks, and these are missing")
        return {"scores": z, "fixed": self.fixed(z), "tuned": self.tuned(z), "own": own}

    def thresholds(self, n_labels: int) -> dict[str, np.ndarray]:
        """The thresholds (L,) of "fixed" and "tuned", and of "own" if that decision compares logits with thresholds."""
        # In logits: 0 stands for a probability of one half.
        rules = {"fixed": ThresholdRule(0.0), "tuned": self.tuned, "own": self.own}
        return {
            name: np.broadcast_to(rule.values, n_labels).astype(np.float64)
            for name, rule in rules.items()
            if isinstance(rule, ThresholdRule)
        }


def fit_decision_rule(
    strategy: Strategy, logits: np.ndarray, Y: np.ndarray, folds: np.ndarray, role: tuple[object, ...]
) -> DecisionRule:
    """Fit the strategy's maps, one after the other, on out-of-fold logits and labels (n, L) and their folds (n,).

    `role` names the random streams of the hooks.
    """
    maps, z = _fit_maps(strategy, logits, Y, folds, role)
    # Thresholds are fitted on mapped logits, since they are applied to mapped logits.
    per_label = thresholds.scut_smoothed(z, Y, folds)
    own: Map | None = None if strategy.voter is not None else ThresholdRule(0.0)
    if "decide" in strategy.stages:
        own = _fit_own(strategy, z, Y, folds, role)
    return DecisionRule(adjust=lambda x: _through(maps, x), own=own, tuned=ThresholdRule(per_label))


def objective(
    strategy: Strategy,
    logits: np.ndarray,
    Y: np.ndarray,
    folds: np.ndarray,
    role: tuple[object, ...],
    metric: str,
) -> float:
    """The objective of the search: macro-F1 ("macro_f1") or mean average precision ("map"), cross-fitted.

    Each fold is decided by maps that were fitted on the other folds. A strategy that decides is scored by its own decision,
    every other one at tuned thresholds: at fixed thresholds, the search would prefer hyperparameters that merely shift logits.
    """
    # Votes are no exception. Searched by the macro-F1 of its votes, `label_powerset` on yeast (`linear`, 3 splits) would gain in
    # that (.411 → .440) and lose in all else: subset accuracy .239 → .226, tuned macro-F1 .496 → .488, mAP .518 → .510.
    decided = np.zeros(Y.shape, dtype=bool)
    adjusted = np.array(logits)
    for fold in np.unique(folds):
        held_out, rest = folds == fold, folds != fold
        rule = fit_decision_rule(strategy, logits[rest], Y[rest], folds[rest], (*role, int(fold)))
        adjusted[held_out] = rule.adjust(logits[held_out])
        decision = rule.own if rule.own is not None and "decide" in strategy.stages else rule.tuned
        decided[held_out] = decision(adjusted[held_out])
    if metric == "map":
        return float(metrics.mean_average_precision(Y, adjusted))
    return float(metrics.macro_f1(Y, decided))


def decision_score(
    strategy: Strategy,
    logits: np.ndarray,
    Y: np.ndarray,
    folds: np.ndarray,
    role: tuple[object, ...],
    metric: str = "macro_f1",
) -> float:
    """The score by which settings of heads, score maps and decisions are chosen, cross-fitted like `objective`; higher is better.

    It is the macro-F1 of the strategy's own decisions. For a strategy that only maps scores it is minus the mean log-loss,
    unless one of its parts says `tuned_on = "macro_f1"`: a map that keeps the order of the rows of each label changes neither
    tuned decisions nor average precision, so `objective` could not tell its settings apart. It can where a part puts rows in
    another order, and says `tuned_on = "objective"`.
    """
    # A head beside score maps has been chosen before them, by itself.
    parts = [p for p in deciding_parts(strategy) if "head" not in p.stages] or deciding_parts(strategy)
    tuned_on = {p.tuned_on for p in parts}
    decides = "decide" in strategy.stages or "macro_f1" in tuned_on
    if "objective" in tuned_on and not decides:
        return objective(strategy, logits, Y, folds, role, metric)
    adjusted, decided = np.array(logits), np.zeros(Y.shape, dtype=bool)
    for fold in np.unique(folds):
        held_out, rest = folds == fold, folds != fold
        fold_role = (*role, int(fold))
        maps, z = _fit_maps(strategy, logits[rest], Y[rest], folds[rest], fold_role)
        adjusted[held_out] = _through(maps, logits[held_out])
        if decides:
            decision = _fit_own(strategy, z, Y[rest], folds[rest], fold_role)
            decided[held_out] = decision(adjusted[held_out])
    if decides:
        return float(metrics.macro_f1(Y, decided))
    # The log-loss of a logit z is log(1 + exp z) − y z; logaddexp does not overflow for large z.
    z = adjusted.astype(np.float64)
    return -float(np.mean(np.logaddexp(0.0, z) - Y * z))


def decision_folds(
    folds: np.ndarray, Y: np.ndarray, seed: int, groups: np.ndarray | None = None
) -> np.ndarray:
    """Folds for fitting decisions on the held-out rows: the inner folds, or three parts of a single holdout.

    `groups` (n,) are rows that must stay together, if there are any.
    """
    # With a single holdout all held-out rows have fold 0, and cross-fitting needs at least two folds.
    if folds.max() > 0:
        return folds
    return stratified_folds(Y, min(3, len(Y)), seed, groups)


def _fit_maps(
    strategy: Strategy, logits: np.ndarray, Y: np.ndarray, folds: np.ndarray, role: tuple[object, ...]
) -> tuple[list[Map], np.ndarray]:
    """The score maps, each fitted on the output of the one before it, and the output of the last."""
    maps, z = [], logits
    for i, part in enumerate(strategy.chain("adjust")):
        maps.append(_checked_map(part, part.adjust(z, Y, _context(Y, folds, ("adjust", *role, i)))))
        z = maps[-1](z)
    return maps, z


def _fit_own(
    strategy: Strategy, z: np.ndarray, Y: np.ndarray, folds: np.ndarray, role: tuple[object, ...]
) -> Map:
    owner = strategy.owner("decide")
    decide = hook_results.fitted(owner, "decide", owner.decide(z, Y, _context(Y, folds, ("decide", *role))))
    # Thresholds keep their type, since a row says what they are.
    if isinstance(decide, ThresholdRule):
        return ThresholdRule(hook_results.threshold_values(owner, decide.values, z.shape[1]))
    return lambda x: hook_results.decisions(owner, "decide", decide(x), x.shape)


def _checked_map(part: Strategy, returned: object) -> Map:
    score_map = hook_results.fitted(part, "adjust", returned)
    return lambda z: hook_results.scores(part, "adjust", score_map(z), z.shape, z)


def _context(Y: np.ndarray, folds: np.ndarray, role: tuple[object, ...]) -> Context:
    # Counts of the rows that the decision is fitted on, not of those that a network was trained on.
    return replace(Context(Y.sum(0, dtype=np.int64), len(Y), folds=folds), rng=stream(*role))


def _through(maps: list[Map], z: np.ndarray) -> np.ndarray:
    for score_map in maps:
        z = score_map(z)
    return z
