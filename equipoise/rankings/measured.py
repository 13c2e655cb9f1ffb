"""The measured effect of each strategy: its mean difference from `none` over data sets, on each backbone.

Unlike a ranking, which needs every strategy on every table, an effect is over all data sets on which the strategy and `none` have
finished. So effects of two strategies may be over different data sets.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from equipoise.rankings.effects import effect
from equipoise.rankings.scores import numbers
from equipoise.rankings.tables import one_per_pair, worth
from equipoise.report.comparison import BASELINE, Comparison

#: Metrics of an effect, as the report names them. The last is the strategy's own decision, for those that have one, minus
#: `none` with tuned thresholds.
METRICS = ("map", "tuned_macro_f1", "fixed_macro_f1", "own_macro_f1")


@dataclass(frozen=True)
class MeasuredEffect:
    """The difference of a strategy from `none` in one metric over data sets; NaN where it cannot be estimated.

    Attributes:
        backbone: its name; its settings may differ from data set to data set, such as the length of texts.
        metric: one of METRICS.
        datasets: their names; differences: strategy minus `none` on each, a mean over splits.
        generated: how many of the data sets are generated.
        mean, low, high: the random-effects mean and its 95 % interval (see `equipoise.rankings.effects.effect`); below five
            data sets the plain mean alone.
    """

    backbone: str
    strategy: str
    metric: str
    datasets: tuple[str, ...]
    differences: tuple[float, ...]
    generated: int
    mean: float
    low: float
    high: float

    def record(self) -> dict[str, object]:
        """The effect as a line of a table, with the data sets where it is best and worst in place of all."""
        # The extremes tell whether the mean hides effects of opposite signs.
        best, worst = int(np.argmax(self.differences)), int(np.argmin(self.differences))
        values = {k: v for k, v in asdict(self).items() if k not in ("datasets", "differences")}
        return values | {
            "datasets": len(self.datasets),
            "best_dataset": self.datasets[best],
            "best": self.differences[best],
            "worst_dataset": self.datasets[worst],
            "worst": self.differences[worst],
        }


def measured_effects(comparisons: Sequence[Comparison]) -> list[MeasuredEffect]:
    """The effects of every strategy but `none`, backbone by backbone.

    Raises:
        EquipoiseError: a package of the extra `statistics` is not installed.
    """
    by_backbone: dict[str, dict[str, Comparison]] = {}
    for table in one_per_pair(comparisons)[0]:
        if table.baseline is not None:
            own = by_backbone.setdefault(_name(table), {})
            # A backbone may have run on a data set with two settings, of which a data set counts once.
            own[table.dataset] = max(table, own.get(table.dataset, table), key=worth)
    return [
        one
        for backbone, own in by_backbone.items()
        for metric in METRICS
        for one in _effects(backbone, metric, own.values())
    ]


def _name(table: Comparison) -> str:
    # Texts of one data set are longer than those of another, so that the settings of one backbone must differ.
    return table.backbone.partition("[")[0].strip()


def _effects(backbone: str, metric: str, tables: Iterable[Comparison]) -> list[MeasuredEffect]:
    found: dict[str, list[tuple[Comparison, float, float]]] = {}
    for table in tables:
        for strategy, difference, variance in _differences(table, metric):
            found.setdefault(strategy, []).append((table, difference, variance))
    out = []
    for strategy, of in found.items():
        differences = [difference for _, difference, _ in of]
        estimate = effect(np.array(differences), np.array([variance for *_, variance in of]))
        names = tuple(table.dataset for table, *_ in of)
        generated = sum(table.generated for table, *_ in of)
        interval = (estimate.mean, estimate.low, estimate.high)
        out.append(
            MeasuredEffect(backbone, strategy, metric, names, tuple(differences), generated, *interval)
        )
    return out


def _differences(table: Comparison, metric: str) -> list[tuple[str, float, float]]:
    """Strategy, difference from `none`, and its variance, of all strategies that are complete in a table."""
    # Only the report knows with whose decision each is compared, and it has the difference with its error.
    if metric == "own_macro_f1":
        return [
            (result.strategy, delta.mean, delta.error**2)
            for result in table.ranked
            # Only against `none`: the report compares some decision rules with another strategy that is the same rule.
            if result.own_decision
            and not result.own_against
            and (delta := result.deltas.get(metric)) is not None
            if math.isfinite(delta.mean)
        ]
    complete = [result.strategy for result in table.ranked if math.isfinite(result.means[metric])]
    if BASELINE not in complete:
        return []
    # The same numbers as in a ranking of this table alone.
    values = numbers([table], complete, metric)
    lines = zip(complete, values.differences[:, 0], values.variances[:, 0], strict=True)
    return [(name, float(d), float(v)) for name, d, v in lines if name != BASELINE]
