"""Cost against quality: the Pareto frontier of a table, and its picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from equipoise.page.model import MEASURES, Line, Table
from equipoise.page.pictures import WIDTH, Scale, cut, picture, ticks
from equipoise.report.words.numbers import duration, number

#: Edges of the plotting area in pixels.
LEFT, RIGHT, TOP, BOTTOM = 44, WIDTH - 10, 14, 226


@dataclass(frozen=True)
class Spot:
    """A strategy in the picture: what it costs (above 0), how good it is, and whether it is on the frontier."""

    name: str
    cost: float
    quality: float
    front: bool


def frontier(lines: Sequence[Line], name: str) -> list[str]:
    """The strategies that no cheaper one equals or beats in mean quality, the cheapest first."""
    known = [line for line in lines if line.seconds > 0 and math.isfinite(line.means[name])]
    kept: list[Line] = []
    # Of strategies that cost the same the best comes first, and keeps the others out.
    for line in sorted(known, key=lambda line: (line.seconds, -line.means[name])):
        if not kept or line.means[name] > kept[-1].means[name]:
            kept.append(line)
    return [line.strategy for line in kept]


def cost_quality(table: Table, name: str) -> Markup:
    """Time of a cell against quality, for the strategies of a table."""
    front = frontier(table.ranked, name)
    spots = [
        Spot(line.strategy, line.seconds, line.means[name], line.strategy in front)
        for line in table.ranked
        if line.seconds > 0 and math.isfinite(line.means[name])
    ]
    title, what = f"Cost and quality, {table.title}", f"Time of a cell against {MEASURES[name]}"
    return scatter(f"{table.anchor}-cost", title, what, spots, duration)


def scatter(
    ident: str, title: str, what: str, spots: Sequence[Spot], written: Callable[[float], str]
) -> Markup:
    """Cost on a logarithmic axis against quality; a line joins the frontier, whose members are named. "" below two spots."""
    if len(spots) < 2:
        return Markup("")
    x0, x1 = _widened([math.log10(spot.cost) for spot in spots], 0.1)
    y0, y1 = _widened([spot.quality for spot in spots], 0.01)

    def x(cost: float) -> float:
        return LEFT + (RIGHT - LEFT) * (math.log10(cost) - x0) / (x1 - x0)

    def y(quality: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (quality - y0) / (y1 - y0)

    places = [(x(spot.cost), y(spot.quality), spot) for spot in sorted(spots, key=lambda spot: spot.cost)]
    front = [place for place in places if place[2].front]
    # A line of no length with round ends is a dot, in fewer bytes than a circle.
    dots = {
        kind: "".join(f"M{a:.1f} {b:.1f}h0" for a, b, spot in places if spot.front == on_front)
        for kind, on_front in (("unclear", False), ("better", True))
    }
    content = (
        _axes(y, [(x(cost), written(cost)) for cost in _costs(x0, x1)], ticks(y0, y1))
        + f'<path class="f" d="{_stairs(front)}"/>'
        + "".join(f'<path class="d {kind}" d="{drawn}"/>' for kind, drawn in dots.items() if drawn)
        + _named(front)
    )
    told = "; ".join(f"{spot.name}: {written(spot.cost)}, {number(spot.quality)}" for *_, spot in front)
    words = f"{what}. On the Pareto frontier, the cheapest first: {told}."
    return picture(ident, title, words, WIDTH, BOTTOM + 22, content)


#: Position in pixels, and the spot.
Place = tuple[float, float, Spot]


def _stairs(front: Sequence[Place]) -> str:
    """The best quality that can be had at each cost."""
    return "".join(
        f"M{a:.1f} {b:.1f}" if i == 0 else f"H{a:.1f}V{b:.1f}" for i, (a, b, _) in enumerate(front)
    )


def _axes(y: Scale, costs: Sequence[tuple[float, str]], qualities: Sequence[float]) -> str:
    grid = "".join(f"M{LEFT} {y(tick):.1f}H{RIGHT}" for tick in qualities)
    left = "".join(f'<text class="e" x="{LEFT - 5}" y="{y(t) + 4:.1f}">{number(t)}</text>' for t in qualities)
    below = "".join(
        f'<text class="t" x="{a:.1f}" y="{BOTTOM + 16}">{escape(text)}</text>' for a, text in costs
    )
    return f'<path class="g" d="{grid}"/>{left}{below}'


def _named(front: Sequence[Place]) -> str:
    """The names of the members of the frontier, each at the side where there is room, without overlap."""
    # From the best and dearest down, so that its name is never the one that is left out.
    drawn, last = "", -math.inf
    for a, b, spot in reversed(front):
        if abs(b - last) < 12:  # too close to the name above
            continue
        last = b
        side, shift = ("e", -7) if a > RIGHT / 2 else ("s", 7)
        drawn += f'<text class="{side}" x="{a + shift:.1f}" y="{b - 6:.1f}">{escape(cut(spot.name))}</text>'
    return drawn


def _widened(values: Sequence[float], least: float) -> tuple[float, float]:
    # Marks keep away from the edges; `least` also parts the ends where all values are alike.
    margin = max((max(values) - min(values)) * 0.08, least)
    return min(values) - margin, max(values) + margin


def _costs(x0: float, x1: float) -> list[float]:
    """Costs to mark between two powers of ten; more of them on a short axis."""
    steps = (1, 2, 5) if x1 - x0 < 2 else (1,)
    found = [f * 10.0**p for p in range(math.floor(x0), math.ceil(x1) + 1) for f in steps]
    inside = [cost for cost in found if x0 <= math.log10(cost) <= x1]
    # Where all costs are alike, no round number may lie between them.
    return inside if len(inside) > 1 else [tick for tick in ticks(10**x0, 10**x1) if tick > 0]
