"""Ranks strategies over data sets: one ranking per backbone, and one over all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from equipoise.core.arrays import Floats
from equipoise.core.errors import EquipoiseError
from equipoise.rankings import effects, ranks
from equipoise.rankings.families import family
from equipoise.rankings.model import FEWEST_BLOCKS, Block, Effect, RankedStrategy, Ranking
from equipoise.rankings.regimes import regimes
from equipoise.rankings.scores import Numbers, numbers
from equipoise.rankings.tables import classes, name_of, select
from equipoise.rankings.words import sentences
from equipoise.report.comparison import Comparison

#: Metrics that are ranked by, as the report names them, the leading one first, with their names in sentences.
METRICS = {"map": "mAP", "tuned_macro_f1": "macro-F1 with tuned thresholds"}
Traits = Mapping[str, Mapping[str, float]]


def rankings(
    comparisons: Sequence[Comparison], metric: str = "map", traits: Traits | None = None
) -> list[Ranking]:
    """Rank by one metric on each backbone, and with several backbones over all of them first.

    Args:
        comparisons: tables, from `equipoise.report.comparison.compare`.
        metric: one of METRICS.
        traits: data set → measures, see `Block.traits`.

    Raises:
        EquipoiseError: an unknown metric, or a package of the extra `statistics` is not installed.
    """
    if metric not in METRICS:
        raise EquipoiseError(f"cannot rank by {metric!r} (known: {', '.join(METRICS)})")
    backbones = list(dict.fromkeys(table.backbone for table in comparisons))
    # With one backbone, the ranking over all would be its ranking once more.
    whole = [_ranking(comparisons, "", metric, traits or {})] if len(backbones) > 1 else []
    single = [
        _ranking([t for t in comparisons if t.backbone == name], name, metric, traits or {})
        for name in backbones
    ]
    return whole + single


def _ranking(tables: Sequence[Comparison], backbone: str, metric: str, traits: Traits) -> Ranking:
    selected = select(tables, metric)
    values = numbers(selected.tables, selected.strategies, metric)
    blocks = tuple(_block(name, selected.tables, traits) for name in values.datasets)
    stands_for = classes(selected.tables, selected.strategies, metric)
    bare = Ranking(
        metric,
        backbone,
        blocks,
        (),
        settings=_differing([table.settings for table in selected.tables]),
        why_not=_why_not(blocks, stands_for),
        missing=selected.missing,
        left_out=selected.left_out,
    )
    if selected.strategies and blocks:
        bare = _filled(bare, values, stands_for)
        bare = replace(bare, regimes=regimes(values, stands_for, selected.tables, blocks))
    return replace(bare, sentences=tuple(sentences(bare, METRICS[metric])))


def _differing(settings: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    # Compared as text: a value may be a list, which cannot be in a set.
    names = dict.fromkeys(name for one in settings for name in one)
    return tuple(name for name in names if len({str(one.get(name)) for one in settings}) > 1)


def _why_not(blocks: Sequence[Block], stands_for: Mapping[str, str]) -> str:
    if len(stands_for) < 2:
        return "fewer than two strategies are complete"
    # One strategy would be tested, and no test compares fewer than two.
    if len(set(stands_for.values())) < 2:
        return "the strategies that are complete cannot differ"
    if len(blocks) < FEWEST_BLOCKS:
        sets = "one data set is" if len(blocks) == 1 else f"{len(blocks)} data sets are"
        return f"only {sets} complete, and a ranking needs at least {FEWEST_BLOCKS}"
    return ""


def _block(dataset: str, tables: Sequence[Comparison], traits: Traits) -> Block:
    own = [table for table in tables if table.dataset == dataset]
    return Block(
        dataset=dataset,
        tables=tuple(name_of(table, tables) for table in own),
        # What is said of a data set rests on no more splits than the weakest of its tables has.
        splits=min(len(table.units) for table in own),
        generated=any(table.generated for table in own),
        official=any(table.official for table in own),
        traits=dict(traits.get(dataset, {})),
        backbones=tuple(sorted({table.backbone for table in own})),
    )


def _filled(ranking: Ranking, values: Numbers, stands_for: Mapping[str, str]) -> Ranking:
    """The ranking with its strategies, tests, ties and wins. Of what cannot differ, one strategy is tested."""
    # Two that cannot differ share a rank, and counting both would move the ranks of all others.
    tested = [k for k, name in enumerate(values.strategies) if stands_for[name] == name]
    scores = values.per_dataset(values.scores)
    ranked = ranks.rank(scores[tested])
    average = ranked.mean(axis=1)
    # Rounded, since the order of a sum changes its last bits; of equal ranks the higher mean score stands first.
    order = sorted(
        range(len(tested)), key=lambda i: (round(average[i], 9), -scores[tested[i]].mean(), tested[i])
    )
    tested, average, ranked = [tested[i] for i in order], average[order], ranked[order]
    test = ranks.RankTest("", np.nan, np.nan, np.nan)
    if not ranking.why_not:
        test = ranks.omnibus(scores[tested])
    if test.significant and test.direction < 0:  # of two strategies the second is better by Wilcoxon's test
        tested, average, ranked = tested[::-1], average[::-1], ranked[::-1]
        test = replace(test, direction=-test.direction)
    places = ranks.places(average, test)
    deltas = _effects(values, tested, bool(ranking.why_not))
    strategies = []
    for i, k in enumerate(tested):
        name = values.strategies[k]
        one = RankedStrategy(
            strategy=name,
            family=family(name),
            scores=tuple(scores[k].tolist()),
            ranks=tuple(ranked[i].tolist()),
            average_rank=float(average[i]),
            mean_score=float(scores[k].mean()),
            place_low=places[i][0],
            place_high=places[i][1],
            effect=deltas.get(name),
        )
        # What cannot differ has the numbers of the strategy that was tested, and stands directly behind it.
        same = [m for m in values.strategies if stands_for[m] == name and m != name]
        strategies += [one, *(replace(one, strategy=m, family=family(m), same_as=name) for m in same)]
    strategies = _with_costs(strategies, values)
    return replace(
        ranking,
        strategies=tuple(strategies),
        test=test.test,
        statistic=test.statistic,
        p=test.p,
        critical_difference=test.critical_difference,
        groups=_groups(strategies, ranks.ties(average, test) if test.test else []),
        wins=_wins(np.array([one.scores for one in strategies])),
    )


def _effects(values: Numbers, tested: Sequence[int], plain: bool) -> dict[str, Effect]:
    """The effect of every tested strategy but `none`, adjusted as one family. `plain`: means alone."""
    # Without `none` there is nothing that all differences could be from.
    base = values.baseline
    if base is None:
        return {}
    differences = values.per_dataset(values.differences)
    # Backbones of a data set share its splits: their average has no smaller variance than one of them, at worst.
    variances = values.per_dataset(values.variances)
    found = {
        values.strategies[k]: Effect(float(differences[k].mean()))
        if plain
        else effects.effect(differences[k], variances[k])
        for k in tested
        if k != base
    }
    adjusted = effects.holm(found)
    by_name = {name: values.strategies.index(name) for name in found}
    return effects.with_leaning(
        adjusted,
        {name: differences[k] for name, k in by_name.items()},
        {name: variances[k] for name, k in by_name.items()},
        values.datasets,
    )


def _with_costs(strategies: Sequence[RankedStrategy], values: Numbers) -> list[RankedStrategy]:
    """The strategies with seconds, cost relative to `none`, and whether they are on the Pareto front of cost and mean score."""
    seconds, costs = values.per_dataset(values.seconds).mean(axis=1), values.costs
    rows = [values.strategies.index(one.strategy) for one in strategies]
    # Without `none` there is no relative cost, and seconds order the strategies as well.
    price = np.where(np.isfinite(costs), costs, seconds)[rows]
    front = pareto(np.array([one.mean_score for one in strategies]), price)
    return [
        replace(one, seconds=float(seconds[k]), cost=float(costs[k]), pareto=on)
        for one, k, on in zip(strategies, rows, front, strict=True)
    ]


def pareto(quality: Floats, price: Floats) -> list[bool]:
    """Which are on the front: none is better at no higher price, nor cheaper at no lower quality. Without a price, none is."""
    quality = np.round(quality, ranks.DIGITS)
    # [i, j]: whether j is as good as i in both, and strictly better in one of them.
    at_least = (quality[None, :] >= quality[:, None]) & (price[None, :] <= price[:, None])
    strictly = (quality[None, :] > quality[:, None]) | (price[None, :] < price[:, None])
    return (~(at_least & strictly).any(axis=1) & np.isfinite(price)).tolist()


def _wins(scores: Floats) -> tuple[tuple[int, ...], ...]:
    scores = np.round(scores, ranks.DIGITS)
    # [i, j, b]: whether i scores higher than j on block b.
    return tuple(tuple(row) for row in (scores[:, None] > scores[None]).sum(axis=2).tolist())


def _groups(
    strategies: Sequence[RankedStrategy], tested: Sequence[tuple[int, int]]
) -> tuple[tuple[int, int], ...]:
    """Ties of tested strategies as positions among all: what cannot differ stands behind the one that was tested, and is in."""
    # The positions of tested strategies, and the end: the next start ends the class of the one before.
    starts = [i for i, one in enumerate(strategies) if not one.same_as] + [len(strategies)]
    groups = [(starts[first], starts[last + 1] - 1) for first, last in tested]
    # What cannot differ is tied, also where the class is told from all others.
    for first, after in pairwise(starts):
        if after - first > 1 and not any(low <= first <= high for low, high in groups):
            groups.append((first, after - 1))
    return tuple(sorted(groups))
