"""Cost against quality: the Pareto frontier of a table, and its picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from equipoise.page.model import MEASURES, Line, Table
from equipoise.page.pictures import WIDTH, cut, picture, ticks
from equipoise.report.conclusions import number
from equipoise.report.table import duration


def frontier(lines: Sequence[Line], name: str) -> list[Line]:
    """The strategies that no cheaper one equals or beats in mean quality, the cheapest first."""
    known = [
        line
        for line in lines
        if math.isfinite(line.seconds) and line.seconds > 0 and math.isfinite(line.means[name])
    ]
    kept: list[Line] = []
    for line in sorted(known, key=lambda line: (line.seconds, -line.means[name])):
        if not kept or line.means[name] > kept[-1].means[name]:
            kept.append(line)
    return kept


def cost_quality(table: Table, name: str) -> Markup:
    """Seconds of a cell (logarithmic) against quality; the line joins the Pareto frontier, whose members are named."""
    front = frontier(table.ranked, name)
    lines = [line for line in table.ranked if line.seconds > 0 and math.isfinite(line.means[name])]
    if len(lines) < 2:
        return Markup("")
    logs = [math.log10(line.seconds) for line in lines]
    values = [line.means[name] for line in lines]
    (x0, x1), (y0, y1) = _widened(logs, 0.1), _widened(values, 0.01)
    left, right, top, bottom = 44, WIDTH - 10, 14, 226

    def x(log: float) -> float:
        return left + (right - left) * (log - x0) / (x1 - x0)

    def y(value: float) -> float:
        return bottom - (bottom - top) * (value - y0) / (y1 - y0)

    members = {line.strategy for line in front}
    rest = "".join(
        f"M{x(a):.1f} {y(v):.1f}h0"
        for line, a, v in zip(lines, logs, values, strict=True)
        if line.strategy not in members
    )
    places = [(x(math.log10(line.seconds)), y(line.means[name])) for line in front]
    stairs = "M" + "".join(
        f"{a:.1f} {b:.1f}" if i == 0 else f"H{a:.1f}V{b:.1f}" for i, (a, b) in enumerate(places)
    )
    dots = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in places)
    grid = "".join(f"M{left} {y(t):.1f}H{right}" for t in ticks(y0, y1))
    labels = "".join(
        f'<text class="e" x="{left - 5}" y="{y(t) + 4:.1f}">{number(t)}</text>' for t in ticks(y0, y1)
    )
    labels += "".join(
        f'<text class="t" x="{x(math.log10(s)):.1f}" y="{bottom + 16}">{duration(s)}</text>'
        for s in _seconds(x0, x1)
    )
    content = (
        f'<path class="g" d="{grid}"/><path class="f" d="{stairs}"/><path class="d unclear" d="{rest}"/>'
        f'<path class="d better" d="{dots}"/>{labels}{_named(front, places, right)}'
    )
    told = "; ".join(
        f"{line.strategy}: {duration(line.seconds)}, {number(line.means[name])}" for line in front
    )
    words = f"Seconds of a cell against {MEASURES[name]}. On the Pareto frontier, the cheapest first: {told}."
    return picture(
        f"{table.anchor}-cost", f"Cost and quality, {table.title}", words, WIDTH, bottom + 22, content
    )


def _named(front: Sequence[Line], places: Sequence[tuple[float, float]], right: float) -> str:
    """The names of the members of the frontier, each at the side where there is room, without overlap."""
    drawn, last = "", -math.inf
    for line, (a, b) in reversed(list(zip(front, places, strict=True))):
        if b - last < 12:  # too close to the name above
            continue
        last = b
        left = a > right / 2
        side, shift = ("e", -7) if left else ("s", 7)
        text = escape(cut(line.strategy))
        drawn += f'<text class="{side}" x="{a + shift:.1f}" y="{b - 6:.1f}">{text}</text>'
    return drawn


def _widened(values: Sequence[float], least: float) -> tuple[float, float]:
    margin = max((max(values) - min(values)) * 0.08, least)
    return min(values) - margin, max(values) + margin


def _seconds(x0: float, x1: float) -> list[float]:
    """Durations to mark on a logarithmic axis between two powers of ten; more of them on a short axis."""
    steps = (1, 2, 5) if x1 - x0 < 2 else (1,)
    found = [f * 10.0**p for p in range(math.floor(x0), math.ceil(x1) + 1) for f in steps]
    return [s for s in found if x0 <= math.log10(s) <= x1]
