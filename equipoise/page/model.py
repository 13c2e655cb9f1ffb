"""The view-model of the page: what the template shows, as plain dataclasses. Only this module knows the rooms that compute it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from equipoise.catalog.strategies import get_strategy, places
from equipoise.core.errors import EquipoiseError
from equipoise.page.extras import Extras
from equipoise.page.labels import LabelTable
from equipoise.report.comparison import Comparison
from equipoise.report.power import detectable
from equipoise.report.results import RANKED, StrategyResult
from equipoise.report.significance import Difference
from equipoise.report.units import BASELINE
from equipoise.report.words.conclusions import conclusions

#: Name in the report → its words on the page, in the order in which the page shows them; mAP leads.
MEASURES = {"map": "mAP", "tuned_macro_f1": "macro-F1, tuned", "fixed_macro_f1": "macro-F1 at .5"}
#: The class of a difference in tables and pictures.
BETTER, WORSE, UNCLEAR, SAME = "better", "worse", "unclear", "same"


@dataclass(frozen=True)
class Delta:
    """A difference to the baseline: its mean, its 95 % interval (NaN if there is none), and its class on the page.

    `better`, `equal` and `worse` are the probabilities that the true difference is above, within or below ± `EQUAL`.
    """

    mean: float
    low: float
    high: float
    p: float  # adjusted by Holm's method
    kind: str
    better: float = math.nan
    equal: float = math.nan
    worse: float = math.nan


@dataclass(frozen=True)
class Line:
    """One strategy in one table. `means` and `deltas` are keyed as MEASURES; `extra` by name in `extras.METRICS` and COSTS."""

    strategy: str
    stages: tuple[str, ...]
    state: str
    rank: int | None
    splits: int
    means: dict[str, float]
    deltas: dict[str, Delta]
    seconds: float
    why: str
    audit: str
    extra: dict[str, float] = field(default_factory=dict)

    @property
    def is_baseline(self) -> bool:
        """Whether this is the strategy that all others are compared with."""
        return self.strategy == BASELINE


@dataclass(frozen=True)
class Table:
    """All strategies on one data set, backbone and settings: a section of the page. `anchor` is its id there."""

    anchor: str
    title: str
    dataset: str
    backbone: str
    generated: bool
    official: bool
    splits: int
    facts: list[str]  # sentences on the rows behind the table
    warnings: list[str]
    conclusions: list[str]
    lines: list[Line]
    detectable: dict[str, float]  # measure → difference that would usually be starred; without those unknown
    support: dict[str, float]  # test rows or combinations behind the recalls of rare combinations
    labels: LabelTable

    @property
    def ranked(self) -> list[Line]:
        """The complete strategies, best first."""
        return [line for line in self.lines if line.state == RANKED]

    @property
    def missing(self) -> list[Line]:
        """The strategies that are not ranked: incomplete, failed or skipped."""
        return [line for line in self.lines if line.state != RANKED]

    @property
    def baseline(self) -> Line | None:
        """The baseline, if it is complete."""
        return next((line for line in self.ranked if line.is_baseline), None)

    @property
    def measures(self) -> list[str]:
        """The measures for which the table has differences to the baseline; without any, those that have a mean."""
        # Without a complete baseline there are no differences, and the pictures show means instead.
        compared = [name for name in MEASURES if any(name in line.deltas for line in self.ranked)]
        return compared or [
            name for name in MEASURES if any(math.isfinite(line.means[name]) for line in self.ranked)
        ]


def table_of(number: int, comparison: Comparison, extras: Extras, labels: LabelTable) -> Table:
    """The view of one comparison; `extras` and `labels` are computed from the same rows. `number` counts from 1."""
    return Table(
        anchor=f"table-{number}",
        title=comparison.title,
        dataset=comparison.dataset,
        backbone=comparison.backbone,
        generated=comparison.generated,
        official=comparison.official,
        splits=len(comparison.units),
        facts=_facts(comparison),
        warnings=[text for text in (comparison.features, comparison.bound) if text],
        conclusions=conclusions(comparison),
        lines=[_line(result, extras) for result in comparison.results],
        detectable={name: size for name in MEASURES if math.isfinite(size := detectable(comparison, name))},
        support=extras.support,
        labels=labels,
    )


def _line(result: StrategyResult, extras: Extras) -> Line:
    return Line(
        strategy=result.strategy,
        stages=stages_of(result.strategy),
        state=result.state,
        rank=result.rank,
        splits=result.splits,
        means=result.means,
        deltas={name: _delta(result, name, delta) for name, delta in result.deltas.items()},
        seconds=result.seconds,
        why=result.why,
        audit=result.audit,
        extra=extras.means.get(result.strategy, {}),
    )


def _delta(result: StrategyResult, name: str, delta: Difference) -> Delta:
    # Neither what cannot differ nor what did not on any split is evidence for or against a gain.
    same = result.same_as.get(name) == BASELINE or delta.identical
    chances = delta.chances or (math.nan, math.nan, math.nan)
    kind = SAME if same else UNCLEAR if not delta.significant else BETTER if delta.mean > 0 else WORSE
    return Delta(delta.mean, delta.low, delta.high, delta.p_holm, kind, *chances)


def _facts(comparison: Comparison) -> list[str]:
    """What a reader has to know about the rows of a comparison."""
    splits, seeds = len(comparison.units), len({seed for seed, _ in comparison.units})
    facts = [f"{splits} split{'s' * (splits != 1)}" + (f" over {seeds} seeds" if seeds > 1 else "")]
    if comparison.official:
        facts = ["the official split alone, so no intervals"]
    if comparison.devices:
        facts.append(f"on {' and '.join(comparison.devices)}")
    # Splits that only some strategies have, as in a sweep that is under way.
    if comparison.left_out:
        listed = ", ".join(str(split) for _, split in comparison.left_out)
        facts.append(f"split {listed} left out, because too few strategies have it")
    if comparison.superseded:
        one = comparison.superseded == 1
        facts.append(f"{comparison.superseded} older row{'' if one else 's'} of the same cells left out")
    return facts


def stages_of(spec: str) -> tuple[str, ...]:
    """The stages at which a strategy acts, as far as the catalog knows it; empty for a plugin that is named by its place.

    Reading a report must not run code that rows name.
    """
    try:
        return () if places(spec) else tuple(dict.fromkeys(get_strategy(spec).stages))
    except EquipoiseError:
        return ()
