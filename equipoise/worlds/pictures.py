"""Two pictures of controlled worlds: the regime map, and how much of a gain is a matter of thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from equipoise.core.arrays import Floats
from equipoise.plots.canvas import BLUE, FAINT, INK, MUTED, ORANGE, VERMILION, clean, panels, title
from equipoise.report.significance import LEVEL
from equipoise.worlds.effects import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

#: From blue over white to orange, which colour-blind readers tell apart.
_COLOURS = "PuOr_r"


def regime_map(
    panels_: Mapping[str, Mapping[str, Sequence[Estimate]]],
    corners: Sequence[str],
    limits: Sequence[float],
    groups: Sequence[int] = (),
) -> Figure:
    """Draw mean differences from `none`: a panel for each score, a line for each strategy, a column for each kind of world.

    Colour and number give the difference. Bold numbers with a frame are significant after Holm's correction for the panel.

    Args:
        panels_: title → strategy → an estimate for each column, NaN where the strategy was not run.
        corners: names of the columns.
        limits: the difference at which the colours of each panel end.
        groups: positions of columns before which a line separates groups.
    """
    heights = sum(len(lines) for lines in panels_.values())
    figure, grid = panels(len(panels_), 1, 8.6, 0.62 * len(panels_) + 0.245 * heights + 0.5)
    for axes, (name, lines), limit in zip(grid, panels_.items(), limits, strict=True):
        _heat(axes, lines, limit)
        for position in groups:
            axes.axvline(position - 0.5, color=INK, linewidth=1)
        axes.set_xticks(range(len(corners)), corners)
        title(axes, name)
    return figure


def _heat(axes: Axes, lines: Mapping[str, Sequence[Estimate]], limit: float) -> None:
    values = np.array([[one.value for one in line] for line in lines.values()])
    axes.imshow(values, cmap=_COLOURS, vmin=-limit, vmax=limit, aspect="auto")
    axes.set_yticks(range(len(lines)), [clean(name) for name in lines])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    for y, line in enumerate(lines.values()):
        for x, one in enumerate(line):
            _number(axes, x, y, one, limit)


def _number(axes: Axes, x: int, y: int, one: Estimate, limit: float) -> None:
    if not np.isfinite(one.value):
        axes.text(x, y, "–", ha="center", va="center", fontsize=7, color=MUTED)
        return
    significant = one.p_holm < 1 - LEVEL
    # White on the dark half of the colours, for the contrast that readers need.
    dark = abs(one.value) > 0.5 * limit
    # `none` and a strategy that cannot differ from it by this score.
    sign = f"{one.value:+.3f}".replace("0.", ".").replace("-", "−") if one.value else "same"
    weight = "bold" if significant else "normal"
    axes.text(
        x, y, sign, ha="center", va="center", fontsize=7, fontweight=weight, color="white" if dark else INK
    )
    if significant:
        axes.add_patch(_frame(x, y))


def _frame(x: int, y: int) -> Patch:
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.46, y - 0.42), 0.92, 0.84, fill=False, edgecolor=INK, linewidth=0.9)


def ladder(steps: Mapping[str, Floats], corners: Sequence[str], name: str) -> Figure:
    """Draw scores on one axis, a line for each kind of world: from the baseline at ½ to the best possible.

    Args:
        steps: name of a step → its score in each kind of world, in the order in which they are explained.
        corners: names of the kinds of worlds.
        name: the title.
    """
    figure, (axes,) = panels(1, 1, 8.6, 1.3 + 0.3 * len(corners))
    colours = (MUTED, ORANGE, BLUE, VERMILION, INK)
    markers = ("o", "D", "o", "s", "|")
    heights = np.arange(len(corners))
    # (steps, kinds): a line joins the lowest and the highest step of each kind.
    table = np.array(list(steps.values()))
    axes.hlines(
        heights, np.nanmin(table, axis=0), np.nanmax(table, axis=0), color=FAINT, linewidth=2, zorder=1
    )
    for (step, scores), colour, marker in zip(steps.items(), colours, markers, strict=False):
        axes.scatter(
            scores, heights, s=80 if marker == "|" else 28, c=colour, marker=marker, label=step, zorder=2
        )
    axes.set_yticks(heights, corners)
    axes.set_ylim(len(corners) - 0.5, -0.5)
    axes.set_xlabel("macro-F1", fontsize=8)
    figure.legend(fontsize=7.5, frameon=False, loc="outside lower center", ncols=3)
    title(axes, name)
    return figure
