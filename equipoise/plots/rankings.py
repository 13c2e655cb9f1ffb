"""Rankings over data sets in pictures: the critical-difference diagram, and cost beside quality."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from equipoise.core.errors import EquipoiseError
from equipoise.plots.canvas import BLUE, FAINT, INK, MUTED, VERMILION, clean, single, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BASELINE = "none"
#: With more strategies only the front and the baseline are named.
_ALL_NAMED = 12


def critical_difference(
    strategies: Sequence[str],
    ranks: Sequence[float],
    groups: Sequence[tuple[int, int]],
    difference: float = math.nan,
    name: str = "",
) -> Figure:
    """Draw average ranks on an axis, with a bar over strategies whose ranks do not differ significantly (Demšar 2006).

    Args:
        strategies, ranks: names and average ranks, in ascending order of rank; the best stands left.
        groups: (first, last) positions of ties, both included.
        difference: the critical difference, drawn as a scale; NaN for none.
        name: the title.

    Raises:
        EquipoiseError: there are fewer than two strategies, or the ranks are not in order or undefined.
    """
    if len(strategies) < 2 or len(strategies) != len(ranks):
        raise EquipoiseError("a critical-difference diagram needs two strategies or more, each with a rank")
    # Written so that NaN, which is neither above nor below anything, fails as well.
    if not all(a <= b < math.inf for a, b in pairwise(ranks)):
        raise EquipoiseError("a critical-difference diagram needs the ranks in ascending order")
    half = (len(strategies) + 1) // 2
    bars = _stacked([(ranks[first], ranks[last]) for first, last in groups])
    below = 0.9 + 0.5 * max((level for *_, level in bars), default=0)
    figure, axes = single(8.0, 1.5 + 0.24 * (half + 2 * below))
    low, high = math.floor(ranks[0]), math.ceil(ranks[-1])
    high = max(high, low + 1)
    margin = 0.42 * (high - low)
    axes.set_xlim(low - margin, high + margin)
    axes.set_ylim(below + half + 0.2, -2.2)
    axes.axis("off")
    _axis(axes, low, high)
    for i, (strategy, rank) in enumerate(zip(strategies, ranks, strict=True)):
        # The better half is labelled on the left from the top down, the other half on the right from the bottom up.
        left = i < half
        height = below + (i if left else len(strategies) - 1 - i) + 0.5
        _label(axes, strategy, rank, height, low - 0.02 * margin if left else high + 0.02 * margin, left)
    for start, end, level in bars:
        y = 0.55 + 0.5 * level
        axes.plot([start - 0.01 * margin, end + 0.01 * margin], [y, y], color=INK, linewidth=3.2, zorder=3)
    if not math.isnan(difference):
        _scale(axes, low, difference)
    title(
        axes,
        clean(name, 80),
        "average rank, 1 is best; a bar joins strategies that do not differ significantly",
    )
    return figure


def _axis(axes: Axes, low: int, high: int) -> None:
    axes.plot([low, high], [0, 0], color=INK, linewidth=1)
    step = max(1, round((high - low) / 12))
    for tick in range(low, high + 1, step):
        axes.plot([tick, tick], [0, -0.22], color=INK, linewidth=1)
        axes.text(tick, -0.3, str(tick), ha="center", va="bottom", fontsize=8, color=INK)


def _label(axes: Axes, strategy: str, rank: float, height: float, end: float, left: bool) -> None:
    base = strategy == BASELINE
    color = VERMILION if base else MUTED
    axes.plot([rank, rank, end], [0, height, height], color=color, linewidth=0.8, zorder=2)
    words = f"{clean(strategy, 26)}  {rank:.2f}" if left else f"{rank:.2f}  {clean(strategy, 26)}"
    axes.text(
        end,
        height,
        f" {words} ",
        ha="right" if left else "left",
        va="center",
        fontsize=8,
        color=INK,
        fontweight="bold" if base else "normal",
    )


def _scale(axes: Axes, low: float, difference: float) -> None:
    end = low + difference
    axes.plot([low, end], [-1.35, -1.35], color=MUTED, linewidth=1.2)
    for x in (low, end):
        axes.plot([x, x], [-1.5, -1.2], color=MUTED, linewidth=1.2)
    axes.text(
        low, -1.55, f"critical difference {difference:.2f}", ha="left", va="bottom", fontsize=8, color=MUTED
    )


def _stacked(bars: Sequence[tuple[float, float]]) -> list[tuple[float, float, int]]:
    """Bars with the lowest free level for each, so that overlapping ones lie below each other."""
    ends: list[float] = []
    out = []
    for start, end in sorted(bars):
        level = next((i for i, taken in enumerate(ends) if taken < start), len(ends))
        ends[level : level + 1] = [end]
        out.append((start, end, level))
    return out


def cost_quality(
    strategies: Sequence[str],
    costs: Sequence[float],
    scores: Sequence[float],
    front: Sequence[bool],
    quality: str = "mean score",
) -> Figure:
    """Draw the score of each strategy over its cost relative to `none`; the Pareto front is joined and named.

    Args:
        strategies, costs, scores: one of each per strategy; strategies without a finite cost above 0 are left out.
        front: whether no other strategy scores as high for as little.
        quality: what the scores are, for the axis.

    Raises:
        EquipoiseError: no strategy has a cost.
    """
    points = [
        point
        for point in zip(costs, scores, strategies, front, strict=True)
        if 0 < point[0] < math.inf and math.isfinite(point[1])
    ]
    if not points:
        raise EquipoiseError("no strategy has a cost relative to none to draw")
    figure, axes = single(6.4, 4.4)
    middle = math.sqrt(min(p[0] for p in points) * max(p[0] for p in points))
    axes.set_xscale("log")
    on = sorted(point for point in points if point[3])
    if on:
        axes.step([p[0] for p in on], [p[1] for p in on], where="post", color=BLUE, linewidth=1.2, zorder=1)
    for cost, score, strategy, best in points:
        base = strategy == BASELINE
        color = VERMILION if base else BLUE if best else MUTED
        axes.scatter(
            cost, score, s=46 if best or base else 24, color=color, marker="D" if best else "o", zorder=3
        )
        if best or base or len(points) <= _ALL_NAMED:
            _point_name(axes, strategy, (cost, score), best, cost > middle)
    _cost_axis(axes, [point[0] for point in points])
    axes.set_xlabel("time of a cell relative to none (log scale)", fontsize=8.5, color=INK)
    axes.set_ylabel(clean(quality, 60), fontsize=8.5, color=INK)
    axes.grid(color=FAINT, linewidth=0.5)
    axes.margins(0.12)
    title(axes, "Cost and quality", "diamonds: no other strategy scores as high for as little time")
    return figure


def _point_name(axes: Axes, strategy: str, at: tuple[float, float], best: bool, left: bool) -> None:
    """The name beside a mark, towards the middle of the picture; that of `none` below, for others are often as good."""
    base = strategy == BASELINE
    axes.annotate(
        clean(strategy),
        at,
        (-7 if left else 7, -12 if base else 5),
        textcoords="offset points",
        ha="right" if left else "left",
        fontsize=8 if best or base else 7,
        color=INK if best or base else MUTED,
        fontweight="bold" if base else "normal",
    )


def _cost_axis(axes: Axes, costs: Sequence[float]) -> None:
    """Ticks at 1, 2, 5 × powers of ten within the range, written as factors."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    low, high = min(costs) / 1.3, max(costs) * 1.3
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [m * 10.0**p for p in powers for m in (1, 2, 5) if low <= m * 10.0**p <= high]
    axes.xaxis.set_major_locator(FixedLocator(ticks or [1.0]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
    axes.xaxis.set_minor_locator(NullLocator())
