"""The pictures of the page as inline SVG. Each has a title and a description, and stands beside a table of its numbers.

Colours come from the style sheet of the page, so that pictures follow dark mode. Marks of one class are drawn as one path:
a hundred tables with forty strategies each would otherwise make a page of many megabytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup, escape

from equipoise.page.model import BETTER, MEASURES, SAME, UNCLEAR, WORSE, Line, Table
from equipoise.report.conclusions import number

ROW, NAMES, WIDTH = 18, 150, 430  # pixels: height of a row, width of the column of names, width of a picture
LONGEST = 24  # characters of a name; the table has it in full
KINDS = (UNCLEAR, SAME, BETTER, WORSE)  # drawn in this order
Scale = Callable[[float], float]


def picture(ident: str, title: str, words: str, width: int, height: int, content: str) -> Markup:
    """An SVG element with a title and a description for screen readers; `content` is safe markup."""
    return Markup(
        '<svg role="img" viewBox="0 0 {w} {h}" class="p" aria-labelledby="{i}-t {i}-d"><title id="{i}-t">{t}</title>'
        '<desc id="{i}-d">{d}</desc>{c}</svg>'
    ).format(w=width, h=height, i=ident, t=title, d=words, c=Markup(content))


def cut(name: str) -> str:
    """A name as it fits into a picture."""
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers between two values, at most about `most` of them."""
    span = high - low
    if not span > 0 or not math.isfinite(span):
        return [low]
    step = 10.0 ** math.floor(math.log10(span / most))
    step *= next(f for f in (1, 2, 5, 10) if span / (step * f) <= most)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def forest(table: Table, name: str) -> Markup:
    """Dots and 95 % intervals of the differences to the baseline; without a baseline, dots of the means."""
    compared = any(name in line.deltas for line in table.ranked)
    lines = [line for line in table.ranked if not compared or name in line.deltas or line.is_baseline]
    points = [_point(line, name, compared) for line in lines]
    known = [value for point in points for value in point[:3] if math.isfinite(value)]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    low, high = (min(low, 0.0), max(high, 0.0)) if compared else (low, high)
    # An interval of two splits may be far wider than the differences; it is cut, and the table has its ends.
    if compared and (means := [abs(p[0]) for p in points if math.isfinite(p[0])]):
        most = max(8 * max(means), 0.02)
        low, high = max(low, -most), min(high, most)
    margin = max((high - low) * 0.05, 0.002)
    low, high = low - margin, high + margin
    height = ROW * len(lines) + 26

    def x(value: float) -> float:
        return NAMES + (WIDTH - NAMES - 12) * (value - low) / (high - low)

    marks = _marks(points, x, (low, high))
    names = "".join(
        f'<text x="0" y="{ROW * i + 13}">{escape(cut(line.strategy))}</text>' for i, line in enumerate(lines)
    )
    what = f"Difference to none in {MEASURES[name]}" if compared else f"Mean {MEASURES[name]}"
    return picture(
        f"{table.anchor}-{name}",
        f"{what}, {table.title}",
        _words(lines, points, compared),
        WIDTH,
        height,
        _axis(x, low, high, height - 26, compared) + names + marks,
    )


#: Value, lower and upper end of the interval (NaN: none), class.
Point = tuple[float, float, float, str]


def _point(line: Line, name: str, compared: bool) -> Point:
    delta = line.deltas.get(name)
    if not compared:
        return line.means[name], math.nan, math.nan, UNCLEAR
    return (
        (0.0, math.nan, math.nan, SAME) if delta is None else (delta.mean, delta.low, delta.high, delta.kind)
    )


def _marks(points: Sequence[Point], x: Scale, ends: tuple[float, float]) -> str:
    drawn = []
    for kind in KINDS:
        bars, dots = "", ""
        for row, (value, low, high, own) in enumerate(points):
            if own == kind and math.isfinite(value):
                y = ROW * row + 9
                dots += f"M{x(min(max(value, ends[0]), ends[1])):.1f} {y}h0"
                if math.isfinite(low):
                    bars += f"M{x(max(low, ends[0])):.1f} {y}H{x(min(high, ends[1])):.1f}"
        if dots:
            drawn.append(f'<path class="i {kind}" d="{bars}"/><path class="d {kind}" d="{dots}"/>')
    return "".join(drawn)


def _axis(x: Scale, low: float, high: float, bottom: int, signed: bool) -> str:
    """Grid lines with numbers below; the line of no difference is stronger."""
    grid = labels = ""
    for tick in ticks(low, high, 4):
        grid += f"M{x(tick):.1f} 0V{bottom}"
        labels += f'<text class="t" x="{x(tick):.1f}" y="{bottom + 16}">{_short(tick, signed)}</text>'
    zero = f'<path class="z" d="M{x(0.0):.1f} 0V{bottom}"/>' if signed else ""
    return f'<path class="g" d="{grid}"/>{zero}{labels}'


def _short(value: float, signed: bool) -> str:
    text = number(value, signed)
    return "0" if signed and abs(value) < 1e-9 else text.rstrip("0") if len(text.rstrip("0")) > 2 else text


def _words(lines: Sequence[Line], points: Sequence[Point], compared: bool) -> str:
    found = [
        (point[0], line.strategy)
        for line, point in zip(lines, points, strict=True)
        if math.isfinite(point[0])
    ]
    if not found:
        return "No strategy has a defined value."
    best, worst = max(found), min(found)
    told = f"From {number(worst[0], compared)} ({worst[1]}) to {number(best[0], compared)} ({best[1]})."
    if compared:
        better, worse = (sum(p[3] == kind for p in points) for kind in (BETTER, WORSE))
        told += f" Significantly better than none: {better}; significantly worse: {worse}."
    return told
