"""The result in one picture: the score of each strategy at the threshold 0.5 and at tuned thresholds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from equipoise.core.errors import EquipoiseError
from equipoise.plots.canvas import BLUE, FAINT, INK, MUTED, VERMILION, clean, panels, title
from equipoise.splits.outer import OFFICIAL, split_name

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES = {"macro_f1": "macro-F1", "micro_f1": "micro-F1", "samples_f1": "samples-F1"}


def comparison(frame: pd.DataFrame, metric: str = "macro_f1") -> Figure:
    """Compare strategies by a metric at 0.5 (ring) and with tuned thresholds (dot), one panel per data set and backbone.

    Small marks are the outer splits and large ones their means. Strategies are ranked by the tuned mean, and the thin line
    is the tuned mean of the baseline `none`. A gain at 0.5 that vanishes with tuned thresholds is a threshold in disguise:
    then the bar of the strategy is short, that of `none` is long, and their dots agree. An official split has a panel of
    its own.

    `frame` has the columns dataset, backbone, strategy, split, "fixed/METRIC" and "tuned/METRIC"; rows with NaN are left
    out. Raises EquipoiseError if a column is missing or no row has both numbers.
    """
    wanted = ["dataset", "backbone", "strategy", "split", f"fixed/{metric}", f"tuned/{metric}"]
    if missing := [column for column in wanted if column not in frame.columns]:
        raise EquipoiseError(f"the frame lacks {', '.join(missing)}; needed: {', '.join(wanted)}")
    rows = frame[wanted].dropna().set_axis([*wanted[:4], "fixed", "tuned"], axis=1)
    if rows.empty:
        raise EquipoiseError(f"no row of the frame has both fixed/{metric} and tuned/{metric}")
    official = rows["split"] == OFFICIAL
    # The split becomes part of the data set's name, so that it has its own panel.
    rows["dataset"] = rows["dataset"].where(
        ~official, rows["dataset"].astype(str) + ", " + split_name(OFFICIAL)
    )
    cases = list(rows.groupby(["dataset", "backbone"], sort=True))
    most = max(part["strategy"].nunique() for _, part in cases)
    columns = 2 if len(cases) == 4 else min(3, len(cases))  # four panels look better as a square
    # Settings in brackets are omitted from a backbone's name unless two backbones would then look the same.
    short = {name.split("[")[0] for name in rows["backbone"]}
    plain = len(short) == rows["backbone"].nunique()
    lines = math.ceil(len(cases) / columns)
    figure, grid = panels(len(cases), columns, 3.6 * columns + 0.6, (0.32 * most + 0.85) * lines + 0.6)
    for axes, ((dataset, backbone), part) in zip(grid, cases, strict=False):
        _dumbbells(axes, part)
        title(axes, f"{clean(dataset)} · {clean(str(backbone).split('[')[0] if plain else backbone)}")
    _legend(figure, NAMES.get(metric, metric), 4 if columns > 1 else 2)
    return figure


def _dumbbells(axes: Axes, rows: pd.DataFrame) -> None:
    means = rows.groupby("strategy")[["fixed", "tuned"]].mean()
    means = means.sort_values(["tuned", "fixed"], ascending=False, kind="stable")
    if "none" in means.index:
        axes.axvline(float(means["tuned"]["none"]), color=MUTED, linewidth=0.8, zorder=1)
    for place, (strategy, (fixed, tuned)) in enumerate(means.iterrows()):
        own_rows = rows[rows["strategy"] == strategy]
        axes.plot(
            [fixed, tuned], [place, place], color="#a8a8a8", linewidth=2, zorder=2, solid_capstyle="butt"
        )
        # Splits at 0.5 lie below the bar, those with tuned thresholds above it, so that they do not hide each other.
        axes.scatter(
            own_rows["fixed"], [place + 0.26] * len(own_rows), s=7, color=VERMILION, alpha=0.55, linewidths=0
        )
        axes.scatter(
            own_rows["tuned"], [place - 0.26] * len(own_rows), s=7, color=BLUE, alpha=0.55, linewidths=0
        )
        axes.scatter(fixed, place, s=44, facecolor="white", edgecolor=VERMILION, linewidth=1.6, zorder=4)
        axes.scatter(tuned, place, s=52, color=BLUE, linewidths=0, zorder=3)
    _strategy_axis(axes, [str(strategy) for strategy in means.index])


def _strategy_axis(axes: Axes, strategies: list[str]) -> None:
    axes.set_yticks(range(len(strategies)), [clean(strategy, 34) for strategy in strategies])
    axes.set_ylim(len(strategies) - 0.4, -0.6)  # downwards: the best strategy is at the top
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=FAINT, linewidth=0.5)
    axes.margins(x=0.08)
    axes.locator_params(axis="x", nbins=5)
    for tick, strategy in zip(axes.get_yticklabels(), strategies, strict=True):
        tick.set_fontweight("bold" if strategy == "none" else "normal")  # the baseline stands out


def _legend(figure: Figure, metric: str, columns: int) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D(
            [], [], marker="o", linestyle="", color=VERMILION, markerfacecolor="white", markeredgewidth=1.6
        ),
        Line2D([], [], marker="o", linestyle="", color=BLUE),
        Line2D([], [], marker="o", linestyle="", color=MUTED, markersize=2.6, markeredgewidth=0),
        Line2D([], [], color=MUTED, linewidth=0.8),
    ]
    words = [f"{metric} at 0.5", "with tuned thresholds", "one split", "none (baseline), tuned"]
    style = {"ncols": columns, "frameon": False, "fontsize": 8.5, "labelcolor": INK, "handletextpad": 0.3}
    figure.legend(marks, words, loc="outside upper left", **style)
