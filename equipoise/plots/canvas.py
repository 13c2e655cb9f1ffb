"""What all pictures share: the palette, empty figures, titles, and names made safe for Matplotlib."""

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
    """A figure with one pair of axes; width and height in inches."""
    figure, (axes, *_) = panels(1, 1, width, height)
    return figure, axes


def panels(count: int, columns: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with `count` axes (at least one), arranged line by line; width and height in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)  # type: ignore[union-attr,call-arg]
    lines = max(1, math.ceil(count / columns))
    grid = [figure.add_subplot(lines, columns, index + 1) for index in range(max(1, count))]
    for axes in grid:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(FAINT)
        axes.tick_params(labelsize=8, color=FAINT, labelcolor=INK, length=3)
        axes.set_axisbelow(True)
    return figure, grid


def title(axes: Axes, text: str, note: str = "") -> None:
    """A left-aligned title, and below it a note in small grey letters."""
    # The empty line keeps room for the note, which the layout engine does not see.
    axes.set_title(text + ("\n" if note else ""), loc="left", fontsize=10.5, color=INK)
    if note:
        style = {"fontsize": 8, "color": MUTED, "xycoords": "axes fraction", "textcoords": "offset points"}
        axes.annotate(note, (0, 1), (0, 7), **style)  # type: ignore[arg-type]


def clean(name: object, width: int = 30) -> str:
    """A name on one line, cut to `width` characters, with dollar signs escaped (Matplotlib would typeset mathematics)."""
    flat = " ".join(str(name).split())
    return (flat if len(flat) <= width else flat[: width - 1] + "…").replace("$", r"\$")


def with_labels(Y: ArrayLike, labels: Sequence[str]) -> Bools:
    """Y as an (n, L) bool array. Raises EquipoiseError unless there is one label name for each column."""
    bits = label_matrix(Y)
    if bits.shape[1] != len(labels):
        raise EquipoiseError(
            f"{len(labels)} label names for {bits.shape[1]} columns of Y; one name is needed for each column"
        )
    return bits
