"""Checks of `same_as`: trains a strategy and what it declares to be the same, and compares what they predict."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.equalities import OFF, declared, variants
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.equality import COLUMNS, Equality
from equipoise.contracts.strategy import REPRESENTATION, Strategy
from equipoise.experiment.settings import Settings
from equipoise.testing.exam import Exam, Stopped, quietly
from equipoise.testing.training import trained
from equipoise.testing.worlds import World, worlds

#: One convex model, one with a hidden layer, and one whose labels are fitted separately.
BACKBONES = ("linear", "mlp[hidden=64]", "logistic_regression")
#: Long enough for different losses to show; rounding errors have no time to grow in a hidden layer of 64.
SETTINGS = Settings(trials=1, folds=2, epochs=10)
#: A strong penalty, since a weight on a whole label changes little else in a linear model.
C = 1.0
#: How far two scores may be in another order, in standard deviations of a label's scores: rounding in single precision.
ORDER = 1e-3
#: The share of decisions that may differ, since a score may lie at its threshold up to rounding.
DECISIONS = 0.01
Results = dict[str, np.ndarray]


def check_equalities(exam: Exam) -> None:
    """Check the declarations of a strategy at its settings, and at settings of which they may depend, see `variants`."""
    # Settings that are no fields, or hooks that do not work, would be reported once more. The worlds used here hold numbers.
    if exam.unusable or exam.findings.failed("off", "strategy") or "text" in exam.strategy.requires:
        return
    for world in (worlds()["usual"], worlds()["one label"]):
        if world.n_labels == 1 and "labels" in exam.strategy.requires:
            continue
        # With a single label there is little to get wrong, so that one backbone is enough.
        for name in BACKBONES if world.n_labels > 1 else BACKBONES[:1]:
            backbone = get_backbone(name)
            if _fits(exam.strategy, backbone):
                with suppress(Stopped):
                    _Comparisons(exam, backbone, world).run()


def _fits(strategy: Strategy, backbone: Backbone) -> bool:
    if REPRESENTATION in strategy.needs and backbone.head is None:
        return False
    return backbone.gradient or "loss" not in strategy.stages or strategy.exclusive


class _Comparisons:
    """The trainings that the declarations of one strategy ask for, on one backbone and world; each is run once."""

    def __init__(self, exam: Exam, backbone: Backbone, world: World) -> None:
        self._exam, self._backbone, self._world = exam, backbone, world
        self._known: dict[str, Results] = {}

    def run(self) -> None:
        """Compare a few of the settings at which each declaration is made."""
        reasons: dict[tuple[str, ...], list[tuple[Strategy, Equality]]] = {}
        for variant in variants(self._exam.strategy):
            for equality in self._declared(variant):
                # That `off` is none is checked elsewhere, bit for bit.
                if equality.why != OFF:
                    reason = (equality.why, *map(str, equality.columns.items()))
                    reasons.setdefault(reason, []).append((variant, equality))
        if reasons:
            # Not judged: what the engine or scikit-learn import is not the strategy's doing.
            quietly(lambda: trained(Strategy(), self._world, self._backbone, SETTINGS, C))
        for cases in reasons.values():
            # The first are the defaults; settings that are far apart find a condition that was forgotten.
            for i in sorted({0, len(cases) // 2, len(cases) - 1}):
                self._compare(*cases[i])

    def _declared(self, variant: Strategy) -> list[Equality]:
        equalities: list[Equality] = self._exam.run(
            "same_as", self._world.name, lambda: declared(variant, self._backbone, self._world.n_labels)
        )
        return equalities

    def _compare(self, strategy: Strategy, equality: Equality) -> None:
        strange = {*equality.columns, *equality.columns.values()} - set(COLUMNS)
        note = self._exam.findings.note
        if strange:
            note("same_as", "same_as", "", f"there are no columns {', '.join(sorted(strange))}")
            return
        other = get_strategy(equality.strategy)
        if problem := difference(self._results(strategy), self._results(other), equality):
            words = f"{strategy.spec} is not {other.spec} on {self._backbone.name}: {problem}"
            note("same_as", "same_as", self._world.name, words)

    def _results(self, strategy: Strategy) -> Results:
        if strategy.spec not in self._known:
            self._known[strategy.spec] = self._exam.run(
                "training",
                self._world.name,
                lambda: trained(strategy, self._world, self._backbone, SETTINGS, C),
            )
        return self._known[strategy.spec]


def difference(ours: Results, theirs: Results, equality: Equality) -> str:
    """How the results of two trainings contradict a declaration; "" if they do not."""
    for column, of_other in equality.columns.items():
        if column == "map":
            a, b = ours["scores"], theirs["scores"]
            if (inversion := max(inversions(a, b), inversions(b, a))) > ORDER:
                return f"scores in another order, by up to {inversion:.1g} standard deviations"
        elif (share := float(np.mean(ours[column] != theirs[of_other]))) > DECISIONS:
            return f"{share:.0%} of the decisions of column {column} differ"
    return ""


def inversions(a: np.ndarray, b: np.ndarray) -> float:
    """By how much the values of b (n, L) fall at most, in standard deviations, where those of a rise; 0 in the same order."""
    worst = 0.0
    for x, y in zip(a.T, b.T, strict=True):
        ordered = y[np.argsort(x, kind="stable")]
        fall = np.max(np.maximum.accumulate(ordered) - ordered)
        worst = max(worst, float(fall) / max(float(ordered.std()), 1e-12))
    return worst
