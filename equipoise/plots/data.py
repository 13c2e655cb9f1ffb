"""Pictures of the label matrix: how often labels occur, and which occur together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise.core.arrays import Floats, Ints, ratio
from equipoise.measures import cooccurrence as cooccurrence_counts
from equipoise.measures import mean_ir
from equipoise.metrics.frequency import HEAD, TAIL
from equipoise.plots.canvas import (
    BLUE,
    FAINT,
    INK,
    MUTED,
    ORANGE,
    VERMILION,
    clean,
    single,
    title,
    with_labels,
)
from equipoise.plots.ordering import side_by_side

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

GROUPS = {
    "head": (BLUE, "o", f"head: {HEAD} rows or more"),
    "medium": (ORANGE, "s", "medium"),
    "tail": (VERMILION, "D", f"tail: {TAIL} rows or fewer"),
}
MOST_NAMES = 60  # labels that can be named legibly along one side
NUMBERED = 15  # with more labels a cell of the heat map has no room for its number


def label_distribution(Y: ArrayLike, labels: Sequence[str]) -> Figure:
    """The number of rows of each label, most frequent first, on a logarithmic scale.

    Colours and marks show the frequency group (head, medium, tail). Up to 60 labels are named, one on each line; more are
    drawn over their rank. Y has shape (n, L), and labels are L names.
    """
    bits = with_labels(Y, labels)
    counts = np.count_nonzero(bits, axis=0)
    order = np.argsort(-counts, kind="stable")
    if len(labels) <= MOST_NAMES:
        figure, axes = single(6.4, 1.8 + 0.21 * len(labels))
        _named_counts(figure, axes, counts[order], [clean(labels[j]) for j in order])
    else:
        figure, axes = single(7.2, 4.0)
        _ranked_counts(figure, axes, counts[order])
    ratio = mean_ir(bits)
    note = f"{len(bits):,} rows, {len(labels)} label{'s' * (len(labels) > 1)}" + (
        "" if math.isnan(ratio) else f", MeanIR {ratio:.1f}"
    )
    title(axes, "Rows per label", note)
    return figure


def cooccurrence(Y: ArrayLike, labels: Sequence[str], *, clustered: bool = False) -> Figure:
    """Heat map of labels that occur together: the share of the row label's rows that also have the column label.

    The most frequent labels come first; with `clustered`, labels that occur together are next to each other. Of more than
    60 labels the 60 most frequent are shown, with a note. Up to 15 labels have the percentages written in the cells. A
    label without rows has an empty line. Y has shape (n, L), and labels are L names.
    """
    bits = with_labels(Y, labels)
    order = np.argsort(-np.count_nonzero(bits, axis=0), kind="stable")[:MOST_NAMES]
    if clustered:
        order = order[side_by_side(bits[:, order])]
    shares = _shares(cooccurrence_counts(bits[:, order]))
    names = [clean(labels[j]) for j in order]
    # Inches: one cell is larger if it holds a number, and the margin has room for the longest name.
    side = max(3.4, len(names) * (0.37 if len(names) <= NUMBERED else 0.165))
    margin = 0.08 * max(map(len, names))
    figure, axes = single(side + margin + 0.9, side + margin + 1.0)
    _heat_map(figure, axes, shares, names)
    note = "share of the row label's rows that also have the column label"
    cap = f"the {len(order)} most frequent of {len(labels)} labels: " if len(order) < len(labels) else ""
    title(axes, "Labels that occur together", cap + note)
    return figure


def _named_counts(figure: Figure, axes: Axes, counts: Ints, names: list[str]) -> None:
    places = np.arange(len(counts))
    drawn = np.maximum(counts, 0.6)  # 0 has no place on a logarithmic axis: draw it to the left of 1
    axes.hlines(places, 0.5, drawn, color=FAINT, linewidth=1)
    _grouped(figure, axes, drawn, places, counts, size=22)
    for place, x, count in zip(places, drawn, counts, strict=True):
        axes.annotate(
            f"{count:,}",
            (x, place),
            (6, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=MUTED,
        )
    axes.set_yticks(places, names)
    axes.set_ylim(len(counts) - 0.4, -0.6)  # downwards: the most frequent label is at the top
    axes.set_xscale("log")
    _plain_numbers(axes.xaxis)
    axes.set_xlim(0.5, 2.2 * max(1, counts.max()))
    axes.set_xlabel("rows (logarithmic)", fontsize=8.5, color=MUTED)
    axes.tick_params(axis="y", length=0)


def _ranked_counts(figure: Figure, axes: Axes, counts: Ints) -> None:
    _grouped(figure, axes, np.arange(1, len(counts) + 1), np.maximum(counts, 0.6), counts, size=9)
    axes.set_yscale("log")
    _plain_numbers(axes.yaxis)
    axes.set_ylim(0.5, 1.6 * max(1, counts.max()))
    axes.set_xlim(0, len(counts) + 1)
    axes.set_xlabel("rank of the label by frequency", fontsize=8.5, color=MUTED)
    axes.set_ylabel("rows (logarithmic)", fontsize=8.5, color=MUTED)
    axes.grid(axis="y", color=FAINT, linewidth=0.5)


def _plain_numbers(axis: Axis) -> None:
    """Label the axis 1, 10, 100 and 1,000 instead of with powers of ten, without minor ticks."""
    from matplotlib.ticker import NullLocator

    axis.set_major_formatter("{x:,.0f}")
    axis.set_minor_locator(NullLocator())


def _grouped(
    figure: Figure, axes: Axes, x: Floats | Ints, y: Floats | Ints, counts: Ints, size: float
) -> None:
    """Draw one mark per label in the colour and form of its frequency group, and a legend of the groups."""
    groups = {"head": counts >= HEAD, "medium": (counts < HEAD) & (counts > TAIL), "tail": counts <= TAIL}
    for name, (colour, mark, words) in GROUPS.items():
        if (members := groups[name]).any():
            legend = f"{words} ({members.sum()})"
            axes.scatter(
                x[members],
                y[members],
                s=size,
                color=colour,
                marker=mark,
                linewidths=0,
                zorder=3,
                label=legend,
            )
    # "outside" makes the layout engine reserve room for the legend.
    style = {"ncols": 3, "frameon": False, "fontsize": 8, "labelcolor": INK, "handletextpad": 0.2}
    figure.legend(loc="outside lower left", **style)


def _shares(counts: Ints) -> Floats:
    """P(column label | row label), (L, L); NaN on the diagonal and for labels without rows."""
    row_counts = np.diag(counts).astype(np.float64)
    shares = ratio(counts, row_counts[:, None])
    np.fill_diagonal(shares, np.nan)
    return shares


def _heat_map(figure: Figure, axes: Axes, shares: Floats, names: list[str]) -> None:
    from matplotlib import colormaps

    colours = colormaps["Blues"].with_extremes(bad="#f4f4f4")  # NaN: the diagonal and labels without rows
    image = axes.imshow(shares, cmap=colours, vmin=0, vmax=1, interpolation="nearest")
    size = 8.5 if len(names) <= NUMBERED else 6.5
    axes.set_xticks(range(len(names)), names, rotation=90 if len(names) > 8 else 35, fontsize=size)
    axes.set_yticks(range(len(names)), names, fontsize=size)
    axes.tick_params(length=0)
    # Slanted names must end, not be centred, at their column; upright ones need no adjustment.
    for tick in axes.get_xticklabels() if len(names) <= 8 else []:
        tick.set(ha="right", rotation_mode="anchor")
    axes.spines[:].set_visible(False)
    if len(names) <= NUMBERED:
        _percentages(axes, shares)
    bar = figure.colorbar(
        image, ax=axes, shrink=0.5, aspect=25, pad=0.02, ticks=[0, 0.5, 1], format="{x:.0%}"
    )
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, labelcolor=INK, length=0)


def _percentages(axes: Axes, shares: Floats) -> None:
    for i, j in zip(*np.nonzero(~np.isnan(shares)), strict=True):
        share = shares[i, j]
        words = "·" if share == 0 else "<1" if share < 0.01 else f"{100 * share:.0f}"
        # White on dark cells keeps the number readable.
        axes.text(j, i, words, ha="center", va="center", fontsize=8, color="white" if share > 0.55 else INK)
