"""Prints the report on a terminal: one table per comparison, readable on 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from equipoise.report.advice import Advice
from equipoise.report.comparison import BASELINE, Comparison, StrategyResult
from equipoise.report.equalities import FIXED, TUNED
from equipoise.report.power import differing
from equipoise.report.words.conclusions import conclusions
from equipoise.report.words.numbers import duration, interval, number

WIDE = 116  # terminal columns; from this width on, an interval fits beside its mean
NARROW = 78  # below this width some columns are left out
MICRO = 7  # the column of micro-F1, the first to be left out where a table is too wide
SUMMARY_LEGEND = (
    "none: no strategy gains on average; *: p < .05 after Holm's correction. --details prints every table."
)
LEADING = ("map", TUNED, FIXED)  # the columns, the one that is ranked by first
NAME = 17  # columns for the name of a strategy on a narrow terminal
LEGEND = (
    "Means over splits. mAP: mean average precision, which needs no threshold, so it leads; F1: macro-F1; .5: threshold 0.5;"
    " tuned: per-label thresholds from out-of-fold training rows; Δ none: difference to none (baseline) on the same splits;"
    " micro: micro-F1, tuned; rcr@10: recall of rare label combinations (seen 1–10 times in training, all labels right), tuned;"
    " time: per cell."
    " [ ], or the second line: 95 % t interval for this comparison alone, from 3 splits on, with variances moderated over the"
    " strategies (Smyth 2004) and corrected for splits that share rows; *: p < .05 after Holm's correction for all that the table"
    " compares. same: cannot differ, or identical on every split. docs/statistics.md has formulas and error rates."
)


def render(
    comparisons: Sequence[Comparison], advice: Sequence[Advice], console: Console, *, details: bool
) -> None:
    """Print every comparison, or without details one line for each; then what to do, and a legend of the columns."""
    if not comparisons:
        console.print("No rows yet: no run has been stored here.")
        return
    if details:
        for comparison in comparisons:
            _print_comparison(comparison, console)
    else:
        console.print(_summary(comparisons))
        console.print(SUMMARY_LEGEND, style="dim")
        console.print()
    for piece in advice:
        console.print(Text(f"What to do about {piece.dataset}", style="bold"))
        for sentence in piece.sentences:
            console.print(Text("▸ ").append(sentence))
        console.print()
    if details and any(comparison.ranked for comparison in comparisons):
        console.print(Text(LEGEND, style="dim"))


def _summary(comparisons: Sequence[Comparison]) -> Table:
    """One line for each comparison: the strategies with the largest gains, starred where they are significant."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("data · backbone", overflow="fold")
    for head in ("splits", "ranked", "missing"):
        table.add_column(head, justify="right", no_wrap=True)
    for head in ("largest gain in mAP", "largest gain in tuned F1"):
        table.add_column(head, overflow="fold")
    for comparison in comparisons:
        ranked = len(comparison.ranked)
        counts = (len(comparison.units), ranked, len(comparison.results) - ranked)
        gains = (_largest(comparison, name) for name in (LEADING[0], TUNED))
        table.add_row(Text(comparison.title), *(str(count or "") for count in counts), *gains)
    return table


def _largest(comparison: Comparison, name: str) -> Text:
    results = differing(comparison, name)
    if not results:
        return Text("–", style="dim")
    # A significant gain comes before a larger one that chance may explain.
    best = max(results, key=lambda result: (result.deltas[name].significant, result.deltas[name].mean))
    if not best.deltas[name].mean > 0:
        return Text(BASELINE, style="dim")
    star = "*" if best.deltas[name].significant else ""
    return Text(
        f"{number(best.deltas[name].mean, True)}{star} {best.strategy}", style="green" if star else ""
    )


def _print_comparison(comparison: Comparison, console: Console) -> None:
    console.print(Text(comparison.title, style="bold"))
    console.print(Text(_subtitle(comparison), style="dim"))
    if comparison.ranked:
        console.print(_fitting(_table(comparison, console.width >= WIDE), console))
        for result in filter(lambda result: result.own_decision, comparison.ranked):
            console.print(_own(result))
        for result in filter(lambda result: result.audit, comparison.ranked):
            console.print(Text(result.audit, style="dim"))
    for result in comparison.results:
        if result.state != "ranked":
            console.print(_missing(result, len(comparison.units)))
    if comparison.features:
        console.print(Text(comparison.features, style="dim"))
    if comparison.bound:
        console.print(Text(comparison.bound, style="yellow"))
    for sentence in conclusions(comparison):
        console.print(Text("▸ ").append(sentence))
    console.print()


def _subtitle(comparison: Comparison) -> str:
    """The line under the title: splits, ranking, support, devices, and which rows are not used."""
    splits, seeds = len(comparison.units), len({seed for seed, _ in comparison.units})
    subtitle = f"{splits} split{'s' * (splits != 1)}" + (f" over {seeds} seeds" if seeds > 1 else "")
    if comparison.official:
        subtitle = "the official split alone, so no intervals" + (
            f"; means of {seeds} seeds" if seeds > 1 else ""
        )
    if comparison.ranked:
        subtitle += (
            f", ranked by mAP, then tuned macro-F1; rcr@10 is based on {comparison.support:.0f} test rows"
        )
    if comparison.devices:
        subtitle += f"; on {' and '.join(comparison.devices)}"
    if comparison.left_out:
        subtitle += f"; {_listed(comparison)} left out, because too few strategies have it"
    if comparison.superseded:
        subtitle += f"; {comparison.superseded} older row{'s' * (comparison.superseded != 1)} of the same cells left out"
    return subtitle


def _listed(comparison: Comparison) -> str:
    """The splits that are left out, with their seeds where there are several."""
    seeds: dict[int, list[str]] = {}
    for seed, split in comparison.left_out:
        seeds.setdefault(seed, []).append(str(split))
    several = {seed for seed, _ in (*comparison.units, *comparison.left_out)} != {0}
    parts = [
        f"split {', '.join(splits)}" + (f" of seed {seed}" if several else "")
        for seed, splits in seeds.items()
    ]
    return " and ".join(parts)


def _table(comparison: Comparison, wide: bool) -> Table:
    # No padding: with it nine columns do not fit into 80 characters.
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0, show_edge=False)
    table.add_column("strategy", overflow="fold", min_width=NAME, max_width=None if wide else NAME)
    heads = (
        "\nmAP",
        "F1\ntuned",
        "F1\n.5",
        "Δ none\nmAP",
        "Δ none\ntuned",
        "Δ none\n.5",
        "\nmicro",
        "rcr\n@10",
        "\ntime",
    )
    for head in heads:
        table.add_column(Text(head, justify="right"), justify="right", no_wrap=True)
    for result in comparison.ranked:
        table.add_row(*_cells(result, wide), end_section=False)
    return table


def _fitting(table: Table, console: Console) -> Table:
    """The table with those of its columns that the terminal has room for: the names and the leading scores stay."""
    width = console.width
    if width < NARROW:
        # rich would take the room from the names. Of a row: name, mAP, tuned F1 and, if there is room, their differences.
        kept = [0, 1, 2, *([4] if width >= NAME + 23 else []), *([5] if width >= NAME + 35 else [])]
        table.columns = [table.columns[i] for i in kept]
        return table
    # Otherwise rich would cut the last column short: the ends of an interval near 0 have a digit more. Names can be folded.
    if _room(table, console) <= NAME and len(table.columns) > MICRO:
        del table.columns[MICRO]
    return table


def _room(table: Table, console: Console) -> int:
    """The terminal columns that the numbers of a table leave to its names."""
    names, *table.columns = table.columns
    numbers = Measurement.get(console, console.options.update(width=10 * WIDE), table).maximum
    table.columns = [names, *table.columns]
    return console.width - numbers


def _cells(result: StrategyResult, wide: bool) -> list[Text | str]:
    shown = result.means
    return [
        Text(_name(result.strategy, wide), style="bold" if result.rank == 1 else ""),
        *(number(shown[name]) for name in LEADING),
        *(_delta(result, name, wide) for name in LEADING),
        *(number(shown[name]) for name in ("tuned_micro_f1", "rcr_at_10")),
        duration(result.seconds),
    ]


def _name(strategy: str, wide: bool) -> str:
    """The name of a strategy; on a narrow terminal a long composition is broken before each plus."""
    return strategy if wide or len(strategy) <= NAME else strategy.replace("+", "\n+")


def _delta(result: StrategyResult, name: str, wide: bool) -> Text:
    delta = result.deltas.get(name)
    if delta is None:
        return Text("" if result.strategy == BASELINE else "–", style="dim")  # nothing to compare with
    if result.same_as.get(name) == BASELINE and delta.mean != 0:
        return Text(number(delta.mean, True) + " ", style="dim")  # noise: it cannot differ
    if delta.identical:  # identical scores on every split
        return Text("same ", style="dim")
    colour = "" if not delta.significant else "green" if delta.mean > 0 else "red"
    # The space in place of a star keeps the digits aligned.
    text = Text(number(delta.mean, True) + ("*" if delta.significant else " "), style=colour)
    # Three intervals do not fit into 80 columns; that at .5 says the least.
    if (span := interval(delta)) and (wide or name != FIXED):
        # Without brackets, because with them ten columns do not fit into 80 characters.
        text.append(f" {span}" if wide else f"\n{span[1:-1].replace(', ', ' ')}", style="dim")
    return text


def _own(result: StrategyResult) -> Text:
    """The line for a strategy with its own decision rule: its score, and the difference to `none` under such a rule."""
    delta = result.deltas.get("own_macro_f1")
    against = result.own_against or f"{BASELINE} tuned"
    gain = "" if delta is None else f" (Δ {against}: {number(delta.mean, True)} {interval(delta)}".rstrip()
    mark = "" if delta is None else "*)" if delta.significant else ")"
    return Text(
        f"own decision {result.strategy}: macro-F1 {number(result.means['own_macro_f1'])}{gain}{mark}"
    )


def _missing(result: StrategyResult, splits: int) -> Text:
    done = f" ({result.splits} of {splits} splits)" if result.state == "incomplete" else ""
    return Text.assemble(
        (f"{result.state}{done} ", "yellow"), result.strategy, f": {result.why}" if result.why else ""
    )
