"""Precision–recall curves, one small panel per label: as a figure, or on a sheet that is reused for many runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.core.arrays import Bools, Floats, Ints, descending, ends_of_ties, score_matrix
from equipoise.core.errors import EquipoiseError
from equipoise.metrics.ranking import average_precision_per_label
from equipoise.plots.canvas import BLUE, FAINT, INK, MUTED, clean, panels, with_labels

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 90


def pr_curves(Y_true: ArrayLike, scores: ArrayLike, labels: Sequence[str], max_labels: int = 12) -> Figure:
    """Precision over recall, one small panel per label, from the most to the least frequent.

    The dashed line is the label's prevalence, which is the precision of random scores. Labels without positives have no
    curve. Of more than `max_labels` other labels, `max_labels` are chosen evenly from frequent to rare, and a note says
    so. Y_true and scores have shape (n, L).

    Raises:
        EquipoiseError: no label has a positive, or `max_labels` is below 1.
    """
    contents, note = _contents(Y_true, scores, labels, max_labels)
    figure, grid = _frame(len(contents), note)
    for panel, content in zip(grid, contents, strict=True):
        panel.show(content)
    return figure


class CurveSheet:
    """Draws `pr_curves` for many runs quickly: the parts they share (axes, ticks, texts) are drawn once and kept as pixels.

    This takes a tenth of the time of a new figure for every run.
    """

    def __init__(self) -> None:
        self._shape: tuple[object, ...] = ()
        self._canvas: Any = None
        self._panels: list[_Panel] = []
        self._blank: Any = None

    def write(
        self, file: Path, Y_true: ArrayLike, scores: ArrayLike, labels: Sequence[str], max_labels: int = 12
    ) -> None:
        """Write the picture as a PNG file; the other arguments are those of `pr_curves`."""
        from PIL import Image

        contents, note = _contents(Y_true, scores, labels, max_labels)
        if self._shape != (shape := (len(contents), note, *labels)):
            self._prepare(contents, note)
            self._shape = shape
        self._canvas.restore_region(self._blank)
        for panel, content in zip(self._panels, contents, strict=True):
            panel.show(content)
            for artist in panel.moving:
                panel.axes.draw_artist(artist)
        pixels = np.asarray(self._canvas.buffer_rgba())[..., :3]
        Image.fromarray(pixels).save(file, format="png", dpi=(DPI, DPI), compress_level=4)

    def _prepare(self, contents: Sequence[_Content], note: str) -> None:
        """Lay out the sheet for the first run's texts, then draw everything that stays the same and keep its pixels."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        self._shape = ()  # stays empty if drawing fails, so that the next call starts again
        figure, self._panels = _frame(len(contents), note)
        self._canvas = FigureCanvasAgg(figure)
        figure.set_dpi(DPI)
        for panel, content in zip(self._panels, contents, strict=True):
            panel.show(content)
        figure.draw_without_rendering()  # computes the layout, which then stays fixed
        figure.set_layout_engine("none")
        for panel in self._panels:
            for artist in panel.moving:
                artist.set_animated(True)  # excluded from `draw`, and so from the kept pixels
        self._canvas.draw()
        self._blank = self._canvas.copy_from_bbox(figure.bbox)


@dataclass(frozen=True, eq=False)
class _Content:
    """The content of one panel."""

    name: str
    words: str
    recall: Floats
    precision: Floats
    prevalence: float


@dataclass(frozen=True, eq=False)
class _Panel:
    """A pair of axes, and its artists that differ from run to run."""

    axes: Axes
    curve: Any
    guess: Any  # the dashed line at the prevalence
    title: Any
    words: Any

    @property
    def moving(self) -> tuple[Artist, ...]:
        """The artists that are drawn anew for every run."""
        return self.guess, self.curve, self.title, self.words

    def show(self, content: _Content) -> None:
        """Put the content of a run into the artists."""
        self.curve.set_data(content.recall, content.precision)
        self.guess.set_ydata([content.prevalence] * 2)
        self.title.set_text(f"{content.name}\n")
        self.words.set_text(content.words)


def _contents(
    Y_true: ArrayLike, scores: ArrayLike, labels: Sequence[str], most: int
) -> tuple[list[_Content], str]:
    """The contents of all panels, and the title of the picture."""
    true = with_labels(Y_true, labels)
    logits = score_matrix(scores, true.shape)
    chosen, scored = _spread(np.count_nonzero(true, axis=0), most)
    true, logits = true[:, chosen], logits[:, chosen]
    quality = average_precision_per_label(true, logits)
    contents = []
    for j, label in enumerate(chosen):
        recall, precision = _points(true[:, j], logits[:, j])
        words = f"AP {quality[j]:.2f}, {np.count_nonzero(true[:, j]):,} positive"
        contents.append(
            _Content(
                clean(labels[label], 22),
                words,
                np.concatenate([[0.0], recall]),  # the curve begins at recall 0 with the first precision
                np.concatenate([precision[:1], precision]),
                float(true[:, j].mean()),
            )
        )
    cap = f"; {len(chosen)} of {scored} labels, from frequent to rare" if len(chosen) < scored else ""
    return contents, f"Precision and recall (dashed: prevalence{cap})"


def _spread(counts: Ints, most: int) -> tuple[list[int], int]:
    """The labels to draw, from frequent to rare, and the number of labels that have a curve at all."""
    order = [int(j) for j in np.argsort(-counts, kind="stable") if counts[j] > 0]
    if most < 1 or not order:
        raise EquipoiseError(
            f"{len(order)} labels with a positive, max_labels = {most}: there is no curve to draw"
        )
    ranks = np.unique(np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(int))
    return [order[i] for i in ranks], len(order)


def _points(true: Bools, scores: NDArray[Any]) -> tuple[Floats, Floats]:
    """Recall and precision at every distinct threshold, from the highest to the lowest."""
    # Rows with equal scores are predicted together, so only the end of each group of ties is a threshold.
    ordered, hit = descending(scores[None, :], true[None, :])
    ends = ends_of_ties(ordered)[0]
    hits, size = np.cumsum(hit[0])[ends], (np.arange(len(true)) + 1)[ends]
    return hits / true.sum(), hits / size


def _frame(count: int, title: str) -> tuple[Figure, list[_Panel]]:
    """A figure with `count` empty panels."""
    columns = count if count <= 5 else 4
    figure, grid = panels(count, columns, 1.9 * columns + 0.5, 1.95 * math.ceil(count / columns) + 0.8)
    figure.supxlabel("recall", fontsize=9, color=MUTED)
    figure.supylabel("precision", fontsize=9, color=MUTED)
    figure.suptitle(title, fontsize=10.5, color=INK, x=0.01, ha="left")
    return figure, [_panel(axes) for axes in grid]


def _panel(axes: Axes) -> _Panel:
    (curve,) = axes.step([], [], where="pre", color=BLUE, linewidth=1.5)
    guess = axes.axhline(0.0, color=MUTED, linewidth=0.9, linestyle=(0, (3, 2)))
    axes.set(xlim=(0, 1.02), ylim=(0, 1.04), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.set_xticklabels(["0", ".5", "1"])
    axes.set_yticklabels(["0", ".5", "1"])
    axes.grid(color=FAINT, linewidth=0.5)
    title = axes.set_title("", loc="left", fontsize=9, color=INK)
    style = {"xycoords": "axes fraction", "textcoords": "offset points", "fontsize": 7.5, "color": MUTED}
    words = axes.annotate("", (0, 1), (0, 4), **style)  # type: ignore[arg-type]
    return _Panel(axes, curve, guess, title, words)
