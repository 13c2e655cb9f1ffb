"""Precision–recall curves, a small panel for each label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.arrays import Bools, Floats, Ints, descending, ends_of_ties, score_matrix
from equipoise.errors import EquipoiseError
from equipoise.metrics.ranking import average_precision_per_label
from equipoise.pictures.canvas import BLUE, FAINT, INK, MUTED, clean, panels, with_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def pr_curves(Y_true: ArrayLike, scores: ArrayLike, labels: Sequence[str], max_labels: int = 12) -> Figure:
    """Precision over recall, one small panel per label, from the most to the least frequent.

    The dashed line is the label's prevalence: what guessing gives. Labels without a positive have no curve;
    of more than `max_labels` others, some are chosen evenly from frequent to rare, and a note says so. Y_true
    and scores (n, L).
    """
    true = with_labels(Y_true, labels)
    logits = score_matrix(scores, true.shape)
    chosen, scored = _spread(np.count_nonzero(true, axis=0), max_labels)
    columns = len(chosen) if len(chosen) <= 5 else 4
    figure, grid = panels(
        len(chosen), columns, 1.9 * columns + 0.5, 1.95 * math.ceil(len(chosen) / columns) + 0.8
    )
    quality = average_precision_per_label(true, logits)
    for axes, j in zip(grid, chosen, strict=False):
        _pr_panel(axes, true[:, j], logits[:, j], clean(labels[j], 22), float(quality[j]))
    cap = f"; {len(chosen)} of {scored} labels, from frequent to rare" if len(chosen) < scored else ""
    figure.supxlabel("recall", fontsize=9, color=MUTED)
    figure.supylabel("precision", fontsize=9, color=MUTED)
    figure.suptitle(
        f"Precision and recall (dashed: prevalence{cap})", fontsize=10.5, color=INK, x=0.01, ha="left"
    )
    return figure


def _spread(counts: Ints, most: int) -> tuple[list[int], int]:
    """Labels to draw, from frequent to rare, and how many could be drawn."""
    order = [int(j) for j in np.argsort(-counts, kind="stable") if counts[j] > 0]
    if most < 1 or not order:
        raise EquipoiseError(
            f"{len(order)} labels with a positive, max_labels = {most}: there is no curve to draw"
        )
    at = np.unique(np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(int))
    return [order[i] for i in at], len(order)


def _points(true: Bools, scores: NDArray[Any]) -> tuple[Floats, Floats]:
    """Recall and precision of every possible threshold, from the highest to the lowest."""
    ordered, hit = descending(scores[None, :], true[None, :])
    ends = ends_of_ties(ordered)[0]
    hits, size = np.cumsum(hit[0])[ends], (np.arange(len(true)) + 1)[ends]
    return hits / true.sum(), hits / size


def _pr_panel(axes: Axes, true: Bools, scores: NDArray[Any], name: str, quality: float) -> None:
    recall, precision = _points(true, scores)
    across = np.concatenate([[0.0], recall])
    axes.step(across, np.concatenate([precision[:1], precision]), where="pre", color=BLUE, linewidth=1.5)
    axes.axhline(true.mean(), color=MUTED, linewidth=0.9, linestyle=(0, (3, 2)))
    axes.set(xlim=(0, 1.02), ylim=(0, 1.04), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.set_xticklabels(["0", ".5", "1"])
    axes.set_yticklabels(["0", ".5", "1"])
    axes.grid(color=FAINT, linewidth=0.5)
    axes.set_title(f"{name}\n", loc="left", fontsize=9, color=INK)
    axes.annotate(
        f"AP {quality:.2f}, {true.sum():,} positive",
        (0, 1),
        (0, 4),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=7.5,
        color=MUTED,
    )
