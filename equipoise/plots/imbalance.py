"""Picture of IRLbl: how many times rarer each label is than the most frequent one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise.core.arrays import Bools, Floats
from equipoise.measures import irlbl, mean_ir
from equipoise.plots.canvas import BLUE, FAINT, INK, MUTED, VERMILION, clean, single, title, with_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NAMES = 60  # labels that can be named legibly, one on each line


def imbalance_ratios(Y: ArrayLike, labels: Sequence[str]) -> Figure:
    """IRLbl of each label, least imbalanced first, with MeanIR as a line; the labels above it are the minority labels.

    Minority labels are those that ML-ROS and similar methods resample. Up to 60 labels are named; more are drawn as bars
    over their rank. Labels without a row have IRLbl = ∞; they are not drawn, and a note gives their number. Y has shape
    (n, L), and labels are L names.
    """
    bits = with_labels(Y, labels)
    ratios, mean = irlbl(bits), mean_ir(bits)
    order = np.argsort(ratios, kind="stable")
    order = order[np.isfinite(ratios[order])]  # labels without a row
    named = len(order) <= MOST_NAMES
    values, minority = ratios[order], ratios[order] > mean
    figure, axes = single(6.4, 1.7 + 0.21 * max(3, len(order))) if named else single(7.2, 4.0)
    _bars(axes, values, minority, named)
    _scales(axes, named, values)
    if named:
        _names(axes, values, [clean(labels[j]) for j in order])
    if not math.isnan(mean):
        line = axes.axvline if named else axes.axhline
        line(mean, color=INK, linewidth=1, linestyle=(0, (4, 2)), label=f"MeanIR {mean:,.1f}")
        figure.legend(loc="outside lower left", ncols=3, frameon=False, fontsize=8, labelcolor=INK)
    hidden = len(labels) - len(order)
    note = f"not drawn: {hidden} without any row (IRLbl ∞)" if hidden else ""
    title(axes, "Imbalance ratio per label", note)
    return figure


def _bars(axes: Axes, values: Floats, minority: Bools, named: bool) -> None:
    places, draw = np.arange(len(values)), axes.barh if named else axes.bar
    for chosen, colour, words in (
        (~minority, BLUE, "others"),
        (minority, VERMILION, "minority: IRLbl above MeanIR"),
    ):
        if chosen.any():
            draw(
                places[chosen],
                values[chosen],
                color=colour,
                label=f"{words} ({np.count_nonzero(chosen)})",
                # Hatching distinguishes the groups without colour; on hundreds of thin bars it would be a blur.
                hatch="////" if named and colour == VERMILION else None,
                edgecolor="white",
                linewidth=0,
            )


def _names(axes: Axes, values: Floats, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    for place, value in enumerate(values):
        axes.annotate(
            f"{value:,.1f}",
            (value, place),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=MUTED,
            bbox={
                "facecolor": "white",
                "edgecolor": "none",
                "pad": 0.6,
            },  # keeps the line of MeanIR off the number
            zorder=4,
        )


def _scales(axes: Axes, named: bool, values: Floats) -> None:
    """A logarithmic scale for IRLbl with plain numbers; it starts below 1, so that a bar of height 1 is visible."""
    from matplotlib.ticker import NullLocator

    axis = axes.xaxis if named else axes.yaxis
    (axes.set_xscale if named else axes.set_yscale)("log")
    axis.set_major_formatter("{x:,.0f}")
    axis.set_minor_locator(NullLocator())
    high = 2.0 * float(values.max(initial=5.0))  # room for the number beside the longest bar
    (axes.set_xlim if named else axes.set_ylim)(0.8, high)
    words = "IRLbl: rows of the most frequent label / rows of this one (logarithmic)"
    if named:
        axes.set_xlabel(words, fontsize=8.5, color=MUTED)
        axes.tick_params(axis="y", length=0)
    else:
        axes.set_xlabel("rank of the label by frequency", fontsize=8.5, color=MUTED)
        axes.set_ylabel("IRLbl (logarithmic)", fontsize=8.5, color=MUTED)
        axes.grid(axis="y", color=FAINT, linewidth=0.5)
