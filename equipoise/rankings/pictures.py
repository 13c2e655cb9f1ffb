"""Draws rankings: critical-difference diagrams, cost beside quality, and the effects of strategies over data sets."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from equipoise import plots
from equipoise.core.errors import EquipoiseError
from equipoise.plots.effects import Estimate
from equipoise.rankings.measured import MeasuredEffect
from equipoise.rankings.model import Ranking
from equipoise.rankings.ranking import METRICS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(ranked: Sequence[Ranking], folder: Path) -> list[Path]:
    """Draw each ranking into a folder as SVG: the critical-difference diagram, and cost beside quality.

    Raises:
        EquipoiseError: there is no such folder and none can be made, or no ranking to draw.
    """
    # Drawn before the folder is made, so that nothing is left where there is nothing to draw.
    figures = _figures(ranked)
    if not figures:
        raise EquipoiseError(f"nothing to draw into {folder}: {ranked[0].why_not}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            figure.savefig(folder / f"{name}.svg")
    except OSError as error:
        raise EquipoiseError(f"cannot draw into {folder}: {error.strerror}") from None
    return [folder / f"{name}.svg" for name in figures]


def _figures(ranked: Sequence[Ranking]) -> dict[str, Figure]:
    figures = {}
    for one in ranked:
        if one.why_not:
            continue
        # The name says what is drawn, as all pictures of a report lie in one folder.
        name = f"{one.metric}-{_file_name(one.backbone or 'all backbones')}"
        strategies = [s.strategy for s in one.strategies]
        figures[f"ranks-{name}"] = plots.critical_difference(
            strategies,
            [s.average_rank for s in one.strategies],
            one.groups,
            one.critical_difference,
            name=f"{METRICS[one.metric]}, {one.backbone or 'all backbones'}, {len(one.blocks)} data sets",
        )
        figures[f"cost-{name}"] = plots.cost_quality(
            strategies,
            [s.cost for s in one.strategies],
            [s.mean_score for s in one.strategies],
            [s.pareto for s in one.strategies],
            quality=f"mean {METRICS[one.metric]} over {len(one.blocks)} data sets",
        )
    return figures


def as_svg(ranked: Sequence[Ranking], effects: Sequence[MeasuredEffect]) -> dict[str, bytes]:
    """File name → SVG: the pictures of `draw`, and the effects of the strategies on each backbone with several data sets.

    The bytes depend on the arguments alone: Matplotlib's time and random names of parts are left out.
    """
    # Imported late: it takes half a second, and most commands draw nothing.
    import matplotlib as mpl

    figures = {**_effects(effects), **_figures(ranked)}
    with mpl.rc_context({"svg.hashsalt": "equipoise"}):
        return {f"{name}.svg": _svg(figure) for name, figure in figures.items()}


def _effects(effects: Sequence[MeasuredEffect]) -> dict[str, Figure]:
    figures = {}
    for backbone in dict.fromkeys(one.backbone for one in effects):
        own = [one for one in effects if one.backbone == backbone]
        most = max(len(one.datasets) for one in own)
        # Over one data set there is a table, and no spread to draw.
        if most > 1:
            panels = {
                f"Δ {words}": {
                    one.strategy: Estimate(one.mean, one.low, one.high, one.differences)
                    for one in own
                    if one.metric == metric
                }
                for metric, words in METRICS.items()
            }
            words = f"{backbone}: difference from none over up to {most} data sets"
            figures[f"effects-{_file_name(backbone)}"] = plots.effect_sizes(panels, words)
    return figures


def _svg(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def _file_name(text: str) -> str:
    # A spec may hold signs that a file system refuses, and be longer than it allows a name to be.
    return "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in text)[:80].strip("-")
