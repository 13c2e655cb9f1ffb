"""Prints rankings on a terminal: sentences, the ranking, scores per data set, regimes, and what is not ranked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from textwrap import shorten, wrap

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from equipoise.rankings.model import FEWEST_BLOCKS, Missing, RankedStrategy, Ranking, Regime
from equipoise.rankings.ranking import METRICS
from equipoise.report.comparison import BASELINE
from equipoise.report.equalities import enumerated
from equipoise.report.significance import EQUAL
from equipoise.report.words.numbers import interval, number

NAME = 17  # columns for the name of a strategy on a narrow terminal
_WHY, _LINES = 240, 12  # characters of a reason, and lines of strategies that are not ranked
WIDE = 116  # terminal columns from which a name needs no fold
BEST = "‹"  # no star: a star stands for significance
SCORES = f"Scores: means over splits; {BEST} marks the best on a data set."
LEGEND = (
    "rank: average over data sets, 1 is best; ties: strategies that share a letter do not differ significantly (Nemenyi, 95 %);"
    " places: those that the data leave open; mean: over data sets; Δ none: random-effects mean difference from none (baseline)"
    " with its 95 % interval [ ] (Hartung & Knapp); *: p < .05 after Holm's correction; better = worse: probability in % that a"
    f" practical gain, a difference within ±{number(EQUAL)}, or a practical loss is the most likely outcome on a data set"
    " (Bayesian signed rank); cost: time of a cell relative to none; ◆: no other strategy scores as high for as little time."
    " Where:"
    " the family (stages) with the most best scores, how many it would have by chance, and its mean difference from none, from"
    f" {FEWEST_BLOCKS} data sets on."
)


def render(ranked: Sequence[Ranking], console: Console, *, wins: bool = False) -> None:
    """Print all rankings and a legend; `wins`: with the matrix of wins."""
    for ranking in ranked:
        _print(ranking, console, wins)
    if any(ranking.strategies and not ranking.why_not for ranking in ranked):
        console.print(Text(LEGEND, style="dim"))
    if any(ranking.strategies for ranking in ranked):
        console.print(Text(SCORES, style="dim"))


def title(ranking: Ranking) -> str:
    """Metric, backbone and number of data sets."""
    count = len(ranking.blocks)
    sets = f"{count} data set{'s' * (count != 1)}"
    return f"{METRICS[ranking.metric]} · {ranking.backbone or 'all backbones'} · {sets}"


def _print(ranking: Ranking, console: Console, wins: bool) -> None:
    console.print(Text(title(ranking), style="bold"))
    for sentence in ranking.sentences:
        console.print(Text("▸ ").append(sentence))
    wide = console.width >= WIDE
    if ranking.strategies and not ranking.why_not:
        console.print(_places(ranking, wide))
        console.print(Text(_test(ranking), style="dim"))
    if ranking.strategies:
        for table in _scores(ranking, console.width, wide):
            console.print(table)
    if wins and ranking.strategies:
        console.print(_wins(ranking, wide))
    if ranking.regimes and not ranking.why_not:
        console.print(_regimes(ranking.regimes, wide))
    for line in (*_missing(ranking.missing), *(f"left out {line}" for line in ranking.left_out)):
        console.print(Text(line, style="dim"))
    console.print()


def _test(ranking: Ranking) -> str:
    p = f"p = {number(ranking.p)}" if ranking.p >= 0.0005 else "p < .001"
    if ranking.test == "wilcoxon":
        return f"Wilcoxon signed rank W = {ranking.statistic:g}, {p}"
    told = f"critical difference of average ranks {ranking.critical_difference:.2f}"
    return f"Friedman (Iman–Davenport) F = {ranking.statistic:.2f}, {p}; {told} (Nemenyi)"


def _grid(heads: Iterable[str], wide: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("strategy", overflow="fold", min_width=NAME, max_width=None if wide else NAME)
    for head in heads:
        table.add_column(Text(head, justify="right"), justify="right", no_wrap=True)
    return table


def _places(ranking: Ranking, wide: bool) -> Table:
    heads = (
        "rank",
        "ties",
        "places",
        "mean",
        "Δ none",
        "better\n=\nworse" if not wide else "better = worse",
        "cost",
    )
    table = _grid(heads, wide)
    for letters, one in zip(_letters(ranking), ranking.strategies, strict=True):
        table.add_row(
            _name(one, wide),
            f"{one.average_rank:.1f}",
            letters,
            f"{one.place_low}–{one.place_high}" if one.place_low < one.place_high else f"{one.place_low}",
            number(one.mean_score),
            _delta(one, wide),
            _chances(one),
            "" if math.isnan(one.cost) else f"{one.cost:.1f}×" + ("◆" if one.pareto else " "),
        )
    return table


def _name(one: RankedStrategy, wide: bool) -> Text:
    name = one.strategy if wide or len(one.strategy) <= NAME else one.strategy.replace("+", "\n+")
    return Text(name, style="bold" if one.strategy == BASELINE else "")


def _letters(ranking: Ranking) -> list[str]:
    """For each strategy the letters of its groups of ties; after z they go on as a1, b1, …"""
    names = [chr(97 + i % 26) + (str(i // 26) if i >= 26 else "") for i in range(len(ranking.groups))]
    return [
        "".join(n for n, (first, last) in zip(names, ranking.groups, strict=True) if first <= i <= last)
        for i in range(len(ranking.strategies))
    ]


def _delta(one: RankedStrategy, wide: bool) -> Text:
    effect = one.effect
    if effect is None:
        return Text("" if one.strategy == BASELINE else "–", style="dim")
    colour = "" if not effect.significant else "green" if effect.mean > 0 else "red"
    text = Text(number(effect.mean, True) + ("*" if effect.significant else " "), style=colour)
    if not math.isnan(effect.low):
        span = interval(effect).replace(",", "")
        text.append((" " if wide else "\n") + span, style="dim")
    return text


def _chances(one: RankedStrategy) -> str:
    effect = one.effect
    if effect is None or math.isnan(effect.better):
        return ""
    return " ".join(f"{100 * part:3.0f}" for part in (effect.better, effect.equal, effect.worse))


def _scores(ranking: Ranking, width: int, wide: bool) -> Iterable[Table]:
    """The matrix of strategies × data sets, in as many tables as the width asks for."""
    # Rounded first: of two that read the same, a reader takes both for the best.
    scores = [[round(s, 3) for s in one.scores] for one in ranking.strategies]
    per_table = max(1, (width - (max(len(s.strategy) for s in ranking.strategies) if wide else NAME)) // 11)
    for start in range(0, len(ranking.blocks), per_table):
        columns = range(start, min(start + per_table, len(ranking.blocks)))
        table = _grid([_folded(ranking.blocks[b].dataset) for b in columns], wide)
        # Several may be best on a data set, and each gets the mark.
        best = {b: max(row[b] for row in scores) for b in columns}
        for one, row in zip(ranking.strategies, scores, strict=True):
            cells = [Text(number(row[b]) + (BEST if row[b] == best[b] else " ")) for b in columns]
            table.add_row(_name(one, wide), *cells)
        yield table


def _folded(name: str, width: int = 10) -> str:
    """A name in lines of at most `width` characters, broken at hyphens where possible."""
    pieces = wrap(name, width, break_on_hyphens=True, break_long_words=True)
    return "\n".join(pieces)


def _wins(ranking: Ranking, wide: bool) -> Table:
    """Row i, column j: data sets on which strategy i scores higher than strategy j, by their places."""
    table = _grid(["", *(str(i + 1) for i in range(len(ranking.strategies)))], wide)
    table.title = "data sets won: row against column"
    for i, (one, row) in enumerate(zip(ranking.strategies, ranking.wins, strict=True)):
        table.add_row(_name(one, wide), str(i + 1), *("·" if i == j else str(n) for j, n in enumerate(row)))
    return table


def _regimes(regimes: Sequence[Regime], wide: bool) -> Table:
    """For each regime the family with the most best scores. Its difference from none is shown where it has an interval."""
    table = _grid(("data\nsets", "most wins", "wins", "by\nchance", "Δ none"), wide)
    table.columns[0].header = "where"
    table.columns[0].max_width = None if wide else 24
    for regime in regimes:
        top = regime.families[0]
        # A mean of few data sets, without an interval, would be read as a finding.
        known = not math.isnan(top.low)
        span = f"{number(top.mean, True)} {interval(top).replace(',', '')}" if known else "–"
        wins = (f"{_count(top.wins)} of {regime.tables}", _count(top.by_chance))
        if sum(one.wins > top.wins - 0.05 for one in regime.families) > 1:
            # Of equals none is named, and none has a difference to show.
            table.add_row(Text(regime.level), str(len(regime.datasets)), "several", wins[0], "", "")
            continue
        table.add_row(Text(regime.level), str(len(regime.datasets)), Text(top.family), *wins, Text(span))
    return table


def _count(value: float) -> str:
    # Ties count in parts, so that a count may be 2.5.
    return f"{value:.0f}" if abs(value - round(value)) < 0.05 else f"{value:.1f}"


def _missing(missing: Sequence[Missing]) -> list[str]:
    """One line for all strategies that lack the same tables for the same reason; the first lines alone where there are many."""
    # A sweep of fifty strategies that was stopped would fill the screen otherwise.
    groups: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for one in missing:
        groups.setdefault((one.lacks, one.why), []).append(one.strategy)
    lines = [
        f"not ranked: {enumerated(names)}: {_lacks(lacks, missing[0].tables)}{shorten(why, _WHY, placeholder=' …')}"
        for (lacks, why), names in groups.items()
    ]
    rest = sum(len(names) for names in list(groups.values())[_LINES:])
    return [*lines[:_LINES], *([f"not ranked: {rest} more, which --json lists"] if rest else [])]


def _lacks(lacks: Sequence[str], tables: int) -> str:
    if len(lacks) == tables and tables > 1:
        return "on all, "
    return (
        f"on {enumerated(list(lacks))}, " if len(lacks) < FEWEST_BLOCKS else f"on {len(lacks)} of {tables}, "
    )
