"""The measured effects of strategies over data sets in one picture: differences from `none` with their intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from equipoise.core.errors import EquipoiseError
from equipoise.plots.canvas import BLUE, FAINT, INK, MUTED, clean, panels, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Differences within ± this count as practically equal, and are shaded.
EQUAL = 0.01
_LEGEND = "dot and line: mean and 95 % interval; small marks: data sets; grey band: practically equal"


@dataclass(frozen=True)
class Estimate:
    """A mean difference, its interval (NaN: none), and the differences on the single data sets."""

    mean: float
    low: float
    high: float
    differences: Sequence[float]


def effect_sizes(estimates: Mapping[str, Mapping[str, Estimate]], name: str = "") -> Figure:
    """Draw mean differences from `none` (dots) with 95 % intervals (lines), and those on each data set (small marks).

    Args:
        estimates: heading of a panel → strategy → its estimate. Strategies stand in the order of their means in the first panel,
            the best at the top; those that a panel lacks have an empty line there.
        name: the title.

    Raises:
        EquipoiseError: there is nothing to draw.
    """
    if not estimates or not any(estimates.values()):
        raise EquipoiseError("no measured effect to draw")
    lead = next(iter(estimates.values()))
    everyone = dict.fromkeys(strategy for panel in estimates.values() for strategy in panel)
    # An undefined mean compares with nothing: it stands last, with those that the first panel lacks.
    order = sorted(
        everyone, key=lambda s: -lead[s].mean if s in lead and lead[s].mean == lead[s].mean else math.inf
    )
    figure, grid = panels(len(estimates), len(estimates), 2.2 + 2.9 * len(estimates), 1.3 + 0.23 * len(order))
    for place, (axes, (heading, panel)) in enumerate(zip(grid, estimates.items(), strict=True)):
        axes.axvspan(-EQUAL, EQUAL, color=FAINT, alpha=0.45, linewidth=0, zorder=0)
        axes.axvline(0, color=MUTED, linewidth=0.8, zorder=1)
        for height, strategy in enumerate(order):
            if strategy in panel:
                _estimate(axes, height, panel[strategy])
        axes.set_ylim(len(order) - 0.4, -0.6)
        axes.set_yticks(range(len(order)), [clean(s, 34) for s in order] if place == 0 else [""] * len(order))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.locator_params(axis="x", nbins=5)
        axes.grid(axis="y", color=FAINT, linewidth=0.4)
        title(axes, clean(heading, 60))
    figure.suptitle(f"{clean(name, 90)}\n{_LEGEND}", x=0.01, ha="left", fontsize=9, color=INK)
    return figure


def _estimate(axes: Axes, height: float, one: Estimate) -> None:
    marks = [height] * len(one.differences)
    axes.scatter(one.differences, marks, s=8, color=MUTED, alpha=0.6, linewidths=0, zorder=2)
    if math.isfinite(one.low):
        axes.plot([one.low, one.high], [height, height], color=BLUE, linewidth=1.6, zorder=3)
    axes.scatter(one.mean, height, s=30, color=BLUE, linewidths=0, zorder=4)
