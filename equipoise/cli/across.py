"""`equipoise report --across`: strategies ranked over the data sets of one or several stores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equipoise import plots
from equipoise.cli.report import _of_suite
from equipoise.core.console import terminal
from equipoise.core.errors import EquipoiseError
from equipoise.core.output import echo, echo_json
from equipoise.rankings.export import SELECTION, rank_rows, to_json
from equipoise.rankings.model import Ranking
from equipoise.rankings.ranking import METRICS
from equipoise.rankings.table import render
from equipoise.store.store import Store


def across(
    folders: Sequence[Path],
    suite: str | None,
    *,
    metric: str | None,
    wins: bool,
    json: bool,
    pictures: Path | None,
) -> None:
    """Print the rankings, by one metric or by all of METRICS, and draw them into a folder where one is given.

    Raises:
        EquipoiseError: there are no rows, the metric is unknown, or a picture cannot be written; or, after the rankings of the
            others, that some rows are damaged.
    """
    if metric is not None and metric not in METRICS:
        raise EquipoiseError(f"--metric must be one of {', '.join(METRICS)}; got {metric!r}")
    stores = [Store(folder) for folder in folders]
    rows: list[dict[str, Any]] = [row for store in stores for row in store.rows(SELECTION)]
    rows = rows if suite is None else _of_suite(rows, suite)
    damage = "; ".join(store.damage for store in stores if store.damage)
    if not rows:
        of = f" of suite {suite!r}" if suite else ""
        where = ", ".join(map(str, folders))
        raise EquipoiseError(
            damage or f"no rows in {where}{of}: run something first, e.g. equipoise run quick"
        )
    ranked = [one for name in ([metric] if metric else METRICS) for one in rank_rows(rows, name)]
    # Before anything is printed: a picture that cannot be drawn is an error.
    drawn = [] if pictures is None else draw(ranked, pictures)
    if json:
        echo_json(to_json(ranked))
    else:
        render(ranked, terminal(), wins=wins)
    for file in drawn:
        echo(f"picture {file}", to_err=json)
    if damage:
        raise EquipoiseError(damage)


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
    return "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in text)[:80].strip("-")
