"""Pictures of labelsets: the most frequent ones (UpSet), and how many occur how often (frequency spectrum)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise.core.arrays import Ints
from equipoise.core.errors import EquipoiseError
from equipoise.measures import labelsets
from equipoise.plots.canvas import (
    BLUE,
    FAINT,
    INK,
    MUTED,
    ORANGE,
    VERMILION,
    clean,
    panels,
    single,
    title,
    with_labels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_SETS, MOST_LABELS = 24, 30


def labelset_upset(Y: ArrayLike, labels: Sequence[str], most: int = MOST_SETS) -> Figure:
    """The `most` frequent labelsets: a bar for the rows of each, and below it a dot for every label in it.

    The lines of the lower panel are the labels, the most frequent first: those that occur in a labelset shown, at most 30.
    A note counts the labelsets not shown. Y has shape (n, L), and labels are L names. Source: Lex et al. 2014, UpSet, DOI
    10.1109/TVCG.2014.2346248.

    Raises:
        EquipoiseError: Y has no row, or `most` is below 1.
    """
    bits = with_labels(Y, labels)
    distinct, counts = labelsets(bits)
    if most < 1 or not len(counts):
        raise EquipoiseError(
            f"{len(counts)} labelsets, at most {most} of them shown: there is nothing to draw"
        )
    shown, sizes = distinct[:most].astype(bool), counts[:most]
    frequency = np.count_nonzero(bits, axis=0)
    order = [int(j) for j in np.argsort(-frequency, kind="stable") if shown[:, j].any()][:MOST_LABELS]
    width = 2.6 + 0.27 * max(len(sizes), 6)
    figure, (bars, dots) = panels(2, 1, width, 2.4 + 0.2 * max(len(order), 2))
    # The lower panel has a line of equal height for each label, whatever their number.
    if grid := bars.get_gridspec():
        grid.set_height_ratios([1.7, 0.2 * max(len(order), 2)])
    _bars(bars, sizes)
    _dots(dots, shown[:, order], [clean(labels[j]) for j in order])
    rest = len(counts) - len(sizes)
    note = f"{sizes.sum() / counts.sum():.0%} of the rows" + (
        f"; {rest:,} rarer labelsets have the others" if rest else ""
    )
    heading = f"The {len(sizes)} most frequent labelsets" if rest else f"All {len(sizes)} labelsets"
    title(bars, heading, note)
    return figure


def _bars(axes: Axes, sizes: Ints) -> None:
    places = np.arange(len(sizes))
    axes.bar(places, sizes, color=BLUE, width=0.7)
    _above(axes, places, sizes, sizes, 7)
    # The same limits as the dots below; at least six places wide.
    axes.set_xlim(-0.7, max(len(sizes), 6) - 0.3)
    axes.set_ylim(0, 1.12 * sizes.max())  # room for the numbers above the bars
    axes.set_xticks([])
    axes.set_ylabel("rows", fontsize=8.5, color=MUTED)
    axes.spines["bottom"].set_visible(False)


def _dots(axes: Axes, shown: np.ndarray, names: list[str]) -> None:
    sets, labels = shown.shape
    for line in range(0, labels, 2):  # shade every other line, to guide the eye
        axes.axhspan(line - 0.5, line + 0.5, color="#f4f4f4", linewidth=0, zorder=0)
    column, label = np.nonzero(~shown)
    axes.scatter(column, label, s=16, color=FAINT, linewidths=0, zorder=2)
    column, label = np.nonzero(shown)
    axes.scatter(column, label, s=30, color=INK, linewidths=0, zorder=3)
    for place, row in enumerate(shown):
        if row.sum() > 1:  # a line from the first to the last dot of the labelset
            members = np.flatnonzero(row)
            axes.vlines(place, members[0], members[-1], color=INK, linewidth=1.4, zorder=3)
        if not row.any():
            axes.text(
                place, max(labels - 1, 0) / 2, "no label", rotation=90, ha="center", va="center", fontsize=7
            )
    axes.set_xlim(-0.7, max(sets, 6) - 0.3)
    axes.set_ylim(max(labels, 1) - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_yticks(range(labels), names, fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def labelset_spectrum(Y: ArrayLike, labels: Sequence[str]) -> Figure:
    """How many labelsets occur once, twice, 3–5, 6–10, … times, and how many rows they have.

    Each group has two bars: its share of the labelsets and its share of the rows. The labelsets of the groups on the left
    are those that rare-combination recall is about. Y has shape (n, L), and labels are L names.

    Raises:
        EquipoiseError: Y has no row.
    """
    _, counts = labelsets(with_labels(Y, labels))
    if not len(counts):
        raise EquipoiseError("Y has no row, so there is no labelset to count")
    # Roughly a factor of three between the groups, as on a logarithmic scale.
    edges = [edge for edge in (1, 2, 3, 6, 11, 31, 101, 301, 1001) if edge <= counts.max()]
    group = np.searchsorted(edges, counts, side="right") - 1
    rows = np.bincount(group, weights=counts, minlength=len(edges)).astype(np.int64)
    figure, axes = single(6.8, 3.4)
    _shares(axes, np.bincount(group, minlength=len(edges)), -0.2, VERMILION, "labelsets")
    _shares(axes, rows, 0.2, ORANGE, "rows in them", hatch="////")
    axes.set_xticks(range(len(edges)), _names(edges, int(counts.max())), fontsize=7)
    axes.set_xlabel("rows that a labelset occurs in", fontsize=8.5, color=MUTED)
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.margins(y=0.12)
    figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=8, labelcolor=INK)
    single_sets = int((counts == 1).sum())
    title(
        axes,
        "How often labelsets occur",
        f"{len(counts):,} labelsets, {single_sets:,} of them in a single row",
    )
    return figure


def _shares(
    axes: Axes, values: Ints, shift: float, colour: str, words: str, hatch: str | None = None
) -> None:
    """Bars of each group's share, with the counts above them."""
    places, shares = np.arange(len(values)) + shift, values / values.sum()
    axes.bar(places, shares, 0.38, color=colour, hatch=hatch, edgecolor="white", linewidth=0, label=words)
    _above(axes, places, shares, values, 7.5)


def _above(axes: Axes, places: ArrayLike, heights: ArrayLike, numbers: Ints, size: float) -> None:
    for place, height, number in zip(np.asarray(places), np.asarray(heights), numbers, strict=True):
        axes.annotate(
            f"{number:,}",
            (place, height),
            (0, 2),
            textcoords="offset points",
            ha="center",
            fontsize=size,
            color=MUTED,
        )


def _names(edges: list[int], highest: int) -> list[str]:
    """The names of the groups: 1, 2, 3–5, 6–10, …; the last one ends at the highest count."""
    ends = [edge - 1 for edge in edges[1:]] + [highest]
    return [f"{a:,}" if a == b else f"{a:,}–{b:,}" for a, b in zip(edges, ends, strict=True)]
