"""What advice rests on: which splits, which backbone, which probability, and what it does not claim."""

from __future__ import annotations

import math

import numpy as np
import pytest

from equipoise.core.arrays import Floats
from equipoise.page.actions import actions
from equipoise.report.advice import NO_GAIN, OPEN, TRADE, WON
from equipoise.report.comparison import compare
from equipoise.report.significance import Difference
from equipoise.report.table import _subtitle
from equipoise.report.verdicts.shrinkage import LEAST_SPREAD, prior_variance, shrunk
from equipoise.report.words.conclusions import conclusions

from .shared.planted import advice, noise, only, rows_of, words


def open_table() -> Floats:
    """Ten strategies of which the first may gain."""
    deltas = noise(10, 3, 5)
    deltas[0, 0] = 0.012 + noise(5, sd=0.014, seed=1)
    return deltas


def test_additional_splits_of_one_strategy_count() -> None:
    first = advice(rows_of(open_table()))
    assert (first.verdict, first.rival, first.splits) == (OPEN, "s0", 5)
    more = only(rows_of(0.03 + noise(1, 3, 15, sd=0.01, seed=2), splits=list(range(5, 20))), "s0")
    then = advice(rows_of(open_table()) + more)
    assert (then.verdict, then.strategy, then.splits) == (WON, "s0", 20)


def test_the_best_of_many_pays_for_it_on_additional_splits() -> None:
    deltas = open_table()
    more = only(rows_of(0.02 + noise(1, 3, 5, sd=0.02, seed=3), splits=list(range(5, 10))), "s0")
    pair = compare(only(rows_of(deltas), "s0") + more)[0]
    (alone,) = (result.deltas["map"] for result in pair.ranked if result.strategy == "s0")
    found = advice(rows_of(deltas) + more)
    assert found.gain is not None
    assert found.splits == 10
    assert found.gain.p_holm == pytest.approx(min(1, 10 * alone.p_holm))


@pytest.mark.parametrize(("gain", "verdict"), [(0.0, NO_GAIN), (0.04, WON)])
def test_a_confirmation_counts_by_itself(gain: float, verdict: str) -> None:
    deltas = noise(8, 3, 5, sd=0.002)
    deltas[0] += 0.04
    won = advice(rows_of(deltas))
    assert (won.verdict, won.fresh) == (WON, False)
    assert words(won)[words(won).index("--seed") + 1] == "1"
    again = only(rows_of(gain + noise(1, 3, 5, sd=0.002, seed=1), seed=1), "s0")
    (table,) = compare(rows_of(deltas) + again)
    assert "split 0, 1, 2, 3, 4 of seed 1 left out" in _subtitle(table)
    found = advice(rows_of(deltas) + again)
    assert found.verdict == verdict
    if verdict == WON:
        assert found.fresh
        assert "had no part in the choice" in found.text
        assert found.command == "equipoise diagnose d"


def test_the_winner_of_another_backbone_is_used() -> None:
    better = noise(3, 3, 5, seed=1)
    better[0] += 0.10
    rows = rows_of(noise(3, 3, 5), base=0.5) + rows_of(better, base=0.49, backbone="mlp")
    found = advice(rows)
    assert (found.verdict, found.backbone, found.strategy) == (WON, "mlp", "s0")
    assert found.most_gain == pytest.approx(0.1)
    assert actions(compare(rows), "")[0].state == "a strategy is better"


def test_probabilities_are_shrunk_towards_nothing() -> None:
    family = {f"s{i}": Difference(mean, error=0.02, df=4.0) for i, mean in enumerate((0.02, -0.02, 0.01))}
    chances = shrunk(family)
    flat = family["s0"].chances
    assert flat is not None
    assert chances["s0"].better < flat.better / 3
    assert sum(chances["s0"]) == pytest.approx(1)
    # Differences far above their errors keep their size.
    assert shrunk({"a": Difference(0.1, error=0.002, df=9.0)})["a"].better > 0.999
    assert shrunk({"a": Difference(0.1)}) == {}


def test_more_degrees_of_freedom_never_make_a_difference_noisier() -> None:
    better = [
        shrunk({"a": Difference(0.03, error=0.01, df=df)})["a"].better
        for df in (1, 2, 2.1, 2.9, 3, 4, 9, math.inf)
    ]
    assert better == sorted(better)


def test_the_variance_of_the_prior_solves_its_equation() -> None:
    means, variances = np.array([0.05, -0.03, 0.01]), np.array([1e-4, 2e-4, 4e-4])
    tau2 = prior_variance(means, variances)
    assert float((means**2 / (variances + tau2)).sum()) == pytest.approx(3)
    assert prior_variance(means / 100, variances) == LEAST_SPREAD**2


def test_strategies_that_do_nothing_are_hardly_called_likely() -> None:
    rng, likely, reports = np.random.default_rng(0), 0, 60
    for _ in range(reports):
        # The noise of strategies differs, which made four reports in five say "likely" under a flat prior.
        spread = 0.012 * np.exp(rng.normal(0, 1.5, (29, 1, 1)))
        found = advice(rows_of(rng.normal(0, 1, (29, 3, 5)) * spread))
        likely += found.chances is not None and found.chances.better >= 0.66
        assert found.verdict == WON or "likely (" not in found.text
    assert likely <= 6


def test_what_is_not_starred_gets_no_word() -> None:
    found = advice(rows_of(open_table()))
    assert "taken by itself, the probability that it gains more than .010 mAP is" in found.text
    assert "picked as the best of 10, so this is too high" in found.text
    assert "likely" not in found.text
    told = conclusions(compare(rows_of(open_table()))[0])[0]
    assert "(taken by itself, better by more than .010" in told
    assert "as the best of 10, better:" in told


def test_a_noisy_loss_is_not_no_gain() -> None:
    found = advice(rows_of(noise(1, 3, 5, sd=0.05) - 0.002))
    assert found.gain is not None
    assert found.gain.chances is not None
    assert found.gain.chances.better > 0.2
    assert (found.verdict, found.decided) == (OPEN, False)


def test_a_trade_is_named() -> None:
    deltas = noise(3, 3, 5)
    deltas[0, 0] += 0.03
    deltas[0, 1] -= 0.05
    found = advice(rows_of(deltas))
    assert (found.verdict, found.strategy, found.rival) == (TRADE, "none", "s0")
    assert "+.030 [" in found.text
    assert "against −.050 [" in found.text
    assert "is likely to gain" not in found.text
    assert actions(compare(rows_of(deltas)), "")[0].state == "a strategy trades one metric for the other"


def test_equal_differences_are_a_candidate_without_a_variance() -> None:
    deltas = noise(3, 3, 5)
    deltas[0, 0] = 0.03125
    found = advice(rows_of(deltas))
    assert (found.verdict, found.rival) == (OPEN, "s0")
    assert "The best candidate is s0 (+.031 mAP), but its variance cannot be estimated." in found.text
    assert words(found)[words(found).index("--splits") + 1] == "10"


def test_a_significant_gain_that_is_too_small_is_not_used() -> None:
    deltas = noise(2, 3, 5, sd=0.0003)
    deltas[0] += 0.003
    found = advice(rows_of(deltas))
    assert (found.verdict, found.strategy) == (NO_GAIN, "none")
    assert "significant, but too small to matter; none is simpler" in found.text


def test_the_other_metric_is_always_named() -> None:
    deltas = noise(3, 3, 5)
    deltas[0, 0] += 0.03
    deltas[0, 1] = -0.037 + noise(5, sd=0.06, seed=4)
    found = advice(rows_of(deltas))
    assert found.verdict == WON
    assert "mAP over none, and −.037 [" in found.sentences[0]


def test_an_open_question_goes_to_a_new_seed_where_that_takes_fewer_splits() -> None:
    deltas = open_table()
    deltas[0, 0] = 0.02 + noise(5, sd=0.016, seed=1)
    found = advice(rows_of(deltas))
    assert (found.verdict, found.new_seed) == (OPEN, True)
    assert found.more_splits is not None
    count = int(words(found)[words(found).index("--splits") + 1])
    assert (found.more_splits, words(found)[-2:]) == (5 + count, ["--seed", "1"])
    # Cells of the baseline and of the strategy, 10 s each.
    assert found.seconds == pytest.approx(count * 20)
    more = only(rows_of(0.03 + noise(1, 3, count, sd=0.02, seed=3), seed=1), "s0")
    then = advice(rows_of(deltas) + more)
    assert (then.verdict, then.fresh, then.splits) == (WON, True, count)
