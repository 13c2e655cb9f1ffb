"""The sheet that every picture is drawn on: palette, figure, titles, names that can be printed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from equipoise.core.arrays import Bools, label_matrix
from equipoise.core.errors import EquipoiseError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, FAINT = "#222222", "#6f6f6f", "#d9d9d9"
BLUE, ORANGE, VERMILION = "#0072B2", "#E69F00", "#D55E00"  # Okabe and Ito 2008


def single(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with one pair of axes; inches."""
    figure, (axes, *_) = panels(1, 1, width, height)
    return figure, axes


def panels(count: int, columns: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with `count` axes (at least one) filled line by line; inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)  # type: ignore[union-attr,call-arg]
    lines = max(1, math.ceil(count / columns))
    grid = [figure.add_subplot(lines, columns, at + 1) for at in range(max(1, count))]
    for axes in grid:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(FAINT)
        axes.tick_params(labelsize=8, color=FAINT, labelcolor=INK, length=3)
        axes.set_axisbelow(True)
    return figure, grid


def title(axes: Axes, text: str, note: str = "") -> None:
    """A title at the left, and under it a note in small grey."""
    axes.set_title(text + ("\n" if note else ""), loc="left", fontsize=10.5, color=INK)
    if note:
        style = {"fontsize": 8, "color": MUTED, "xycoords": "axes fraction", "textcoords": "offset points"}
        axes.annotate(note, (0, 1), (0, 7), **style)  # type: ignore[arg-type]


def clean(name: object, width: int = 30) -> str:
    """A name on one line, cut to `width`, with its dollars taken literally (matplotlib would set mathematics)."""
    flat = " ".join(str(name).split())
    return (flat if len(flat) <= width else flat[: width - 1] + "…").replace("$", r"\$")


def with_labels(Y: ArrayLike, labels: Sequence[str]) -> Bools:
    """Y as (n, L) bool, with as many names as columns, or EquipoiseError."""
    bits = label_matrix(Y)
    if bits.shape[1] != len(labels):
        raise EquipoiseError(
            f"{len(labels)} label names for {bits.shape[1]} columns of Y; one name each is needed"
        )
    return bits
