"""Draws rankings into a folder: the critical-difference diagram, and cost beside quality."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from equipoise import plots
from equipoise.core.errors import EquipoiseError
from equipoise.rankings.model import Ranking
from equipoise.rankings.ranking import METRICS


def draw(ranked: Sequence[Ranking], folder: Path) -> list[Path]:
    """Draw each ranking into a folder as SVG: the critical-difference diagram, and cost beside quality.

    Raises:
        EquipoiseError: there is no such folder and none can be made, or no ranking to draw.
    """
    figures = {}
    for one in ranked:
        if one.why_not:
            continue
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
    # Before the folder is made, so that no empty one stays behind.
    if not figures:
        raise EquipoiseError(f"nothing to draw into {folder}: {ranked[0].why_not}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            figure.savefig(folder / f"{name}.svg")
    except OSError as error:
        raise EquipoiseError(f"cannot draw into {folder}: {error.strerror}") from None
    return [folder / f"{name}.svg" for name in figures]


def _file_name(text: str) -> str:
    # A spec may hold signs that a file system refuses, and be longer than it allows a name to be.
    return "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in text)[:80].strip("-")
