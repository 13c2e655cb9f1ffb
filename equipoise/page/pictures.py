"""The pictures of the page as inline SVG. Each has a title and a description, and stands beside a table of its numbers.

Colours come from the style sheet of the page, so that pictures follow dark mode. Marks of one class are drawn as one path:
a hundred tables with forty strategies each would otherwise make a page of many megabytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from equipoise.page.model import BETTER, MEASURES, SAME, UNCLEAR, WORSE, Line, Table
from equipoise.report.words.numbers import number

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
    # The largest power of ten that is too fine, and then 1, 2, 5 or 10 of it, as people count.
    step = 10.0 ** math.floor(math.log10(span / most))
    step *= next(f for f in (1, 2, 5, 10) if span / (step * f) <= most)
    # Whole multiples, since adding up steps would add up rounding; 1e-9 keeps an end that is a tick itself.
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


@dataclass(frozen=True)
class Dot:
    """A row of a dot plot: its name, its value, the ends of its interval (NaN: none), and its class."""

    name: str
    value: float
    low: float
    high: float
    kind: str


def forest(table: Table, name: str) -> Markup:
    """Dots and 95 % intervals of the differences to the baseline; without a baseline, dots of the means."""
    dots, compared = _dots(table, name)
    what = f"Difference to none in {MEASURES[name]}" if compared else f"Mean {MEASURES[name]}"
    # The first picture of a table holds the names, and the others refer to them, which makes a large page a tenth smaller.
    first, ident = table.measures[0], f"{table.anchor}-names"
    if name == first:
        names = f'<g id="{ident}">{_names(dots)}</g>'
    elif [dot.name for dot in dots] == [dot.name for dot in _dots(table, first)[0]]:
        names = f'<use href="#{ident}"/>'
    else:
        names = _names(dots)
    return dot_plot(f"{table.anchor}-{name}", f"{what}, {table.title}", dots, compared, names)


def _dots(table: Table, name: str) -> tuple[list[Dot], bool]:
    """The rows of the picture of a measure, and whether they are differences."""
    compared = any(name in line.deltas for line in table.ranked)
    lines = [line for line in table.ranked if not compared or name in line.deltas or line.is_baseline]
    return [_dot(line, name, compared) for line in lines], compared


def _dot(line: Line, name: str, compared: bool) -> Dot:
    delta = line.deltas.get(name)
    if not compared:
        return Dot(line.strategy, line.means[name], math.nan, math.nan, UNCLEAR)
    if delta is None:
        return Dot(line.strategy, 0.0, math.nan, math.nan, SAME)
    return Dot(line.strategy, delta.mean, delta.low, delta.high, delta.kind)


def dot_plot(ident: str, title: str, dots: Sequence[Dot], signed: bool, names: str = "") -> Markup:
    """A dot and an interval for each row, and for differences (`signed`) the line of no difference.

    `names` is the markup of the names, if they are not to be drawn here.
    """
    low, high = _range(dots, signed)
    bottom = ROW * len(dots)

    def x(value: float) -> float:
        # An interval that leaves the axis is drawn to its end.
        return NAMES + (WIDTH - NAMES - 12) * (min(max(value, low), high) - low) / (high - low)

    # Grid and names first: what is drawn later lies on top.
    content = _axis(x, low, high, bottom, signed) + (names or _names(dots)) + _marks(dots, x)
    return picture(ident, title, _words(dots, signed), WIDTH, bottom + 26, content)


def _names(dots: Sequence[Dot]) -> str:
    return "".join(f"<text y={ROW * i + 13}>{escape(cut(dot.name))}</text>" for i, dot in enumerate(dots))


def _range(dots: Sequence[Dot], signed: bool) -> tuple[float, float]:
    """The ends of the axis. They are always apart."""
    known = [value for dot in dots for value in (dot.value, dot.low, dot.high) if math.isfinite(value)]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    if signed:
        # An interval of two splits may be far wider than the differences: it is cut here, and the table has its ends.
        most = max(0.02, *(8 * abs(dot.value) for dot in dots if math.isfinite(dot.value)), 0.0)
        low, high = max(min(low, 0.0), -most), min(max(high, 0.0), most)
    # Equal values need an axis of some length, too.
    margin = max((high - low) * 0.05, 0.002)
    return low - margin, high + margin


def _marks(dots: Sequence[Dot], x: Scale) -> str:
    drawn = []
    for kind in KINDS:
        own = [
            (ROW * i + 9, dot) for i, dot in enumerate(dots) if dot.kind == kind and math.isfinite(dot.value)
        ]
        bars = "".join(f"M{x(dot.low):.0f} {y}H{x(dot.high):.0f}" for y, dot in own if math.isfinite(dot.low))
        points = "".join(f"M{x(dot.value):.0f} {y}h0" for y, dot in own)
        drawn += [f'<path class="i {kind}" d="{bars}"/>'] if bars else []
        drawn += [f'<path class="d {kind}" d="{points}"/>'] if points else []
    return "".join(drawn)


def _axis(x: Scale, low: float, high: float, bottom: int, signed: bool) -> str:
    """Grid lines with numbers below; the line of no difference is stronger."""
    marks = ticks(low, high, 7)
    grid = "".join(f"M{x(tick):.1f} 0V{bottom}" for tick in marks)
    labels = "".join(
        f'<text class="t" x="{x(tick):.1f}" y="{bottom + 16}">{_short(tick, signed)}</text>' for tick in marks
    )
    zero = f'<path class="z" d="M{x(0.0):.1f} 0V{bottom}"/>' if signed else ""
    return f'<path class="g" d="{grid}"/>{zero}{labels}'


def _short(value: float, signed: bool) -> str:
    """A score for an axis, without zeros at its end: .5, +.02, 0."""
    text = number(value, signed)
    short = text.rstrip("0")
    return "0" if signed and abs(value) < 1e-9 else short if short[-1:].isdigit() else text


def _words(dots: Sequence[Dot], signed: bool) -> str:
    """The picture in words, for a screen reader."""
    found = [(dot.value, dot.name) for dot in dots if math.isfinite(dot.value)]
    if not found:
        return "No strategy has a defined value."
    (high, best), (low, worst) = max(found), min(found)
    told = f"From {number(low, signed)} ({worst}) to {number(high, signed)} ({best})."
    if signed:
        better, fewer = (sum(dot.kind == kind for dot in dots) for kind in (BETTER, WORSE))
        told += f" Significantly better than none: {better}; significantly worse: {fewer}."
    return told
