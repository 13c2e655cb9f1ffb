"""The pictures of a ranking over data sets: the critical-difference diagram, the mean differences, and cost against quality."""

from __future__ import annotations

import math

from markupsafe import Markup, escape

from equipoise.page.cost import Spot, scatter
from equipoise.page.model import BETTER, SAME, UNCLEAR, WORSE
from equipoise.page.pictures import ROW, Dot, Scale, cut, dot_plot, picture, ticks
from equipoise.rankings.model import Effect, Ranking
from equipoise.report.words.numbers import duration

#: With more strategies than this, the diagram shows the best ones; the table has all.
MOST = 40
#: Width of the diagram, and of the column of names at either side, which holds the longest name (`cut`) and its rank.
WIDE, SIDE = 800, 210


def critical_difference(ranking: Ranking, ident: str) -> Markup:
    """Demšar's diagram (2006): average ranks on a line, and bars that join strategies that cannot be told apart.

    Names of the better half stand at the left, of the others at the right. "" without a ranking.
    """
    shown = ranking.strategies[:MOST]
    if ranking.why_not or len(shown) < 2:
        return Markup("")
    low, high = 1.0, max(math.ceil(shown[-1].average_rank), 2)
    # A group of which only one strategy is shown joins nothing.
    groups = [(a, min(b, len(shown) - 1)) for a, b in ranking.groups if a < len(shown) - 1]
    top = 56
    # Each group has a bar of its own under the line, and names begin below the last bar.
    start = top + 8 * len(groups) + 14

    def x(rank: float) -> float:
        return SIDE + (WIDE - 2 * SIDE) * (rank - low) / (high - low)

    half = (len(shown) + 1) // 2
    content = _scale(x, low, high, top) + _length(ranking, x, low)
    # Three pixels beyond the ranks, so that a bar visibly covers the lines that it joins.
    for i, (first, last) in enumerate(groups):
        a, b = x(shown[first].average_rank), x(shown[last].average_rank)
        content += f'<path class="k" d="M{a - 3:.1f} {top + 10 + 8 * i}H{b + 3:.1f}"/>'
    for i, strategy in enumerate(shown):
        # The best stands highest at the left, the worst highest at the right, so that no two lines cross.
        left = i < half
        y = start + ROW * (i if left else len(shown) - 1 - i)
        end, side, at = (SIDE - 6, "e", SIDE - 10) if left else (WIDE - SIDE + 6, "s", WIDE - SIDE + 10)
        content += f'<path class="l" d="M{x(strategy.average_rank):.1f} {top}V{y}H{end}"/>'
        text = f"{cut(strategy.strategy)} {strategy.average_rank:.1f}"
        content += f'<text class="{side}" x="{at}" y="{y + 4}">{escape(text)}</text>'
    best = ", ".join(f"{s.strategy} {s.average_rank:.2f}" for s in shown[:5])
    words = f"Average ranks over {len(ranking.blocks)} data sets, the best first: {best}."
    if math.isfinite(ranking.critical_difference):
        words += f" Ranks that differ by less than {ranking.critical_difference:.2f} cannot be told apart."
    height = start + ROW * half
    return picture(f"{ident}-cd", "Critical-difference diagram", words, WIDE, height, content)


def _scale(x: Scale, low: float, high: float, y: int) -> str:
    marks = ticks(low, high, 12)
    line = f"M{x(low):.1f} {y}H{x(high):.1f}" + "".join(f"M{x(t):.1f} {y}v-6" for t in marks)
    return f'<path class="l" d="{line}"/>' + "".join(
        f'<text class="t" x="{x(t):.1f}" y="{y - 10}">{t:g}</text>' for t in marks
    )


def _length(ranking: Ranking, x: Scale, low: float) -> str:
    """The critical difference as a bar above the line."""
    if not math.isfinite(ranking.critical_difference):
        return ""
    a, b = x(low), x(low + ranking.critical_difference)
    return (
        f'<path class="k" d="M{a:.1f} 22H{b:.1f}"/><text class="s" x="{a:.1f}" y="14">critical difference '
        f"{ranking.critical_difference:.2f}</text>"
    )


def kind_of(effect: Effect | None) -> str:
    """The class of a mean difference on the page."""
    if effect is None:  # the baseline, and what cannot differ from it
        return SAME
    return UNCLEAR if not effect.significant else BETTER if effect.mean > 0 else WORSE


def effects(ranking: Ranking, ident: str) -> Markup:
    """Mean differences to the baseline over data sets, with 95 % intervals; "" without a baseline."""
    if not any(strategy.effect for strategy in ranking.strategies):
        return Markup("")
    dots = [
        Dot(s.strategy, s.effect.mean, s.effect.low, s.effect.high, kind_of(s.effect))
        if s.effect
        else Dot(s.strategy, 0.0, math.nan, math.nan, SAME)
        for s in ranking.strategies
    ]
    return dot_plot(f"{ident}-effects", "Mean difference to none over data sets", dots, signed=True)


def cost_over_data(ranking: Ranking, ident: str) -> Markup:
    """Cost relative to the baseline against the mean score; in seconds where there is no baseline."""
    relative = any(math.isfinite(strategy.cost) for strategy in ranking.strategies)
    spots = [
        Spot(s.strategy, cost, s.mean_score, s.pareto)
        for s in ranking.strategies
        # A baseline that took no time at all makes every other cost infinite, which no axis can hold.
        if 0 < (cost := s.cost if relative else s.seconds) < math.inf and math.isfinite(s.mean_score)
    ]
    what = (
        "Time relative to none against the mean score"
        if relative
        else "Seconds of a cell against the mean score"
    )
    return scatter(
        f"{ident}-cost", "Cost and quality over data sets", what, spots, times if relative else duration
    )


def times(factor: float) -> str:
    """A relative cost: 0.5×, 3×, 120×."""
    return "–" if math.isnan(factor) else f"{factor:.3g}×"
