"""Puts a ranking into sentences: who is tied for first, who differs from `none`, and what is undecided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from equipoise.rankings.model import RankedStrategy, Ranking
from equipoise.report.comparison import BASELINE
from equipoise.report.equalities import enumerated
from equipoise.report.significance import EQUAL, LEVEL
from equipoise.report.words.numbers import interval, number

#: Names in one sentence; more are counted.
MOST = 8


def sentences(ranking: Ranking, metric: str) -> Iterator[str]:
    """The result, the most important first; `metric` is its name in words."""
    where = f"{metric} on {ranking.backbone}" if ranking.backbone else f"{metric} averaged over backbones"
    blocks = len(ranking.blocks)
    if ranking.why_not:
        yield f"By {where}, there is no ranking: {ranking.why_not}."
    else:
        yield f"By {where}, over {blocks} data sets: {_first(ranking)}"
        yield from _against_none(ranking)
    yield from _equal(ranking)
    yield from _caveats(ranking)


def _names(strategies: Sequence[RankedStrategy]) -> str:
    shown = [f"{BASELINE} (baseline)" if s.strategy == BASELINE else s.strategy for s in strategies[:MOST]]
    rest = len(strategies) - MOST
    return enumerated([*shown, f"{rest} more"] if rest > 0 else shown)


def _first(ranking: Ranking) -> str:
    # Written so that an undefined p is not significant.
    if not ranking.p < 1 - LEVEL:
        test = "Friedman" if ranking.test == "friedman" else "Wilcoxon"
        return (
            f"the ranks of the {sum(not s.same_as for s in ranking.strategies)} strategies do not differ significantly ({test}"
            f" p {_p(ranking.p)}), so all are tied."
        )
    # What cannot differ from another strategy is named in a sentence of its own.
    first = [s for s in ranking.tied_for_first if not s.same_as]
    if len(first) == 1:
        return f"{_names(first)} ranks first, significantly ahead of all others."
    return f"{len(first)} strategies are tied for first: {_names(first)}."


def _p(p: float) -> str:
    # Rounded to three digits, a smaller p would read .000.
    return f"= {number(p)}" if p >= 0.0005 else "< .001"


def _sized(strategy: RankedStrategy) -> str:
    effect = strategy.effect
    assert effect is not None
    return f"{strategy.strategy} {number(effect.mean, True)} {interval(effect)}"


def _against_none(ranking: Ranking) -> Iterator[str]:
    """Who is better and worse than `none`, practically equal to it, or neither; one sentence each."""
    compared = [s for s in ranking.strategies if s.effect is not None and not s.same_as]
    if not compared:
        if not any(s.strategy == BASELINE for s in ranking.strategies):
            yield f"Without a complete {BASELINE!r} there is no baseline to compare the strategies with; run it as well."
        return
    better = [s for s in compared if s.effect and s.effect.significant and s.effect.mean > 0]
    worse = [s for s in compared if s.effect and s.effect.significant and s.effect.mean < 0]
    # Every strategy here has an effect; the conditions are for the type checker.
    better.sort(key=lambda s: -s.effect.mean if s.effect else 0.0)
    worse.sort(key=lambda s: s.effect.mean if s.effect else 0.0)
    # The best first, and the worst first: a reader looks at the ends.
    if better:
        yield f"Significantly better than none (baseline) on average: {_list([_sized(s) for s in better])}."
    else:
        yield "No strategy is significantly better than none (baseline) on average."
    tied = [s for s in ranking.tied_for_first if not s.same_as]
    # Readers take the two statements for a contradiction, which they are not.
    if any(s.strategy == BASELINE for s in tied) and any(s in better for s in tied):
        yield (
            "Ranks ignore how large a difference is, so a strategy can be tied with none by ranks and still be significantly"
            " better on average."
        )
    if worse:
        yield f"Significantly worse than none (baseline): {_list([_sized(s) for s in worse])}."
    yield from _leave_one_out(better + worse)
    open_ = [s for s in compared if s not in better and s not in worse]
    equal = [s for s in open_ if s.effect and s.effect.practically_equal]
    if equal:
        yield (
            f"Practically equal to none on most data sets (within ±{number(EQUAL)} with probability {number(LEVEL)} or more, and"
            f" so is the interval of the mean): {_names(equal)}."
        )
    if rest := [s for s in open_ if s not in equal]:
        yield f"Undecided, neither different from none nor practically equal to it: {_names(rest)}."


def _leave_one_out(significant: Sequence[RankedStrategy]) -> Iterator[str]:
    """Whether the significant means stay so without any one data set: a mean that rests on one is a weak claim about others."""
    leaning = [s for s in significant if s.effect and s.effect.leans_on]
    firm = [s for s in significant if s not in leaning]
    if firm:
        yield f"This stays significant whichever data set is left out: {_names(firm)}."
    if leaning:
        which = [f"{s.strategy} ({_without(s.effect.leans_on)})" for s in leaning if s.effect]
        yield f"This is no longer significant when one data set is left out: {_list(which)}."


def _without(datasets: Sequence[str]) -> str:
    # The names of generated data sets with options are as long as a line.
    return f"without {datasets[0]}" if len(datasets) == 1 else f"any of {len(datasets)}"


def _list(parts: list[str]) -> str:
    rest = len(parts) - MOST
    return enumerated([*parts[:MOST], f"{rest} more"] if rest > 0 else parts)


def _equal(ranking: Ranking) -> Iterator[str]:
    # One sentence for all that are equal to one strategy.
    of: dict[str, list[RankedStrategy]] = {}
    for strategy in ranking.strategies:
        if strategy.same_as:
            of.setdefault(strategy.same_as, []).append(strategy)
    for other, same in of.items():
        word = "shares" if len(same) == 1 else "share"
        yield f"{_names(same)} cannot differ from {other} here, and {word} its {'scores' if ranking.why_not else 'rank'}."


def _caveats(ranking: Ranking) -> Iterator[str]:
    blocks = len(ranking.blocks)
    # A finding on generated data is one about their generator first of all.
    if generated := sum(block.generated for block in ranking.blocks):
        some = f"{generated} of {blocks} data sets {'is' if generated == 1 else 'are'}"
        yield f"{'The data set is' if blocks == 1 else some} generated."
    if single := [block.dataset for block in ranking.blocks if block.official]:
        yield f"The official split, a single draw, stands for {enumerated(single)}."
    if ranking.missing:
        one = len(ranking.missing) == 1
        yield f"{len(ranking.missing)} {'strategy is' if one else 'strategies are'} not ranked, for lack of complete tables."
    if ranking.settings:
        yield f"Settings differ between tables: {', '.join(ranking.settings)}."
    if not ranking.backbone and not ranking.why_not:
        yield "Tables of one data set depend on each other, so each data set counts once."
        yield from _mixture(ranking)


def _mixture(ranking: Ranking) -> Iterator[str]:
    """Say where data sets were run on different backbones: the mean over them then belongs to no backbone."""
    mixes = Counter(block.backbones for block in ranking.blocks)
    if len(mixes) > 1:
        parts = [f"{enumerated(list(names))} on {count}" for names, count in mixes.most_common()]
        yield (
            f"Not all data sets have the same backbones ({'; '.join(parts)}), so a mean over them describes no single model:"
            " see the ranking of each backbone."
        )
