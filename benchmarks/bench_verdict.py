"""The report on trial: how often it claims what is not so, whether its intervals cover the truth, and what it can find.

    pytest benchmarks/bench_verdict.py -m slow      # the tables go to results/benchmarks/verdict.md

Trains what is not stored yet (`verdict_rows` says what): EQUIPOISE_BENCH_TABLES tables (20) for each study, ten splits each, on
a quiet machine some 10 s a table for `linear` and `mlp`, and minutes for `lstm`. The statistics themselves take a minute.
docs/statistics.md shows what was measured.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from scipy import stats
from story import markdown
from verdict import correlations, coverage, false_claims, plain_stars, power
from verdict_rows import measure, stored

from equipoise.core.errors import EquipoiseError

TABLES = int(os.environ.get("EQUIPOISE_BENCH_TABLES", "20"))
NAMES = ("map", "tuned_macro_f1", "fixed_macro_f1")
LSTM = "lstm[bidirectional=false,max_tokens=40]"
Tell = Callable[[str, str, str], None]
pytestmark = pytest.mark.slow


def tables(study: str, data: str, backbone: str) -> dict[int, dict[str, dict[str, list[float]]]]:
    try:
        measure(study, data, backbone, TABLES)
    except EquipoiseError as error:
        pytest.skip(str(error))
    return stored(study, data, backbone)


def at_most_five_per_cent(count: int, reports: int) -> bool:
    """Whether so many errors are not surprising at 5 % (one-sided, at the 1 % level)."""
    return bool(stats.binomtest(count, reports, 0.05, alternative="greater").pvalue > 0.01)


@pytest.mark.parametrize(
    ("data", "backbone"), [("emotions", "linear"), ("emotions", "mlp"), ("design-emails[rows=400]", LSTM)]
)
def test_false_claims_about_strategies_that_do_nothing(data: str, backbone: str, tell: Tell) -> None:
    found = tables("aa", data, backbone)
    lines = []
    for splits in (2, 3, 5, 10):
        now = false_claims(found, splits)
        plain, corrected = (plain_stars(found, splits, ratio) for ratio in (0.0, 0.25))
        before = (e.rates().split(" · ")[0] for e in (plain, corrected))
        lines.append((str(splits), str(now.reports), *before, *now.rates().split(" · ")))
        assert at_most_five_per_cent(now.words, now.reports)
        assert at_most_five_per_cent(now.stars, now.reports)
        assert now.stars == 0 or splits > 2
    heads = ("splits", "reports", "plain t: stars", "Nadeau–Bengio t: stars", "now: stars", "now: words")
    tell("verdict", f"A/A, {data}, {backbone}", markdown(heads, lines))


@pytest.mark.parametrize(("study", "data"), [("world", "design-emails"), ("parts", "tmc2007-500")])
def test_intervals_cover_the_truth(study: str, data: str, tell: Tell) -> None:
    found = tables(study, data, "linear")
    lines = []
    for splits in (3, 5, 10):
        for name in NAMES:
            shares = [coverage(found, splits, name, ratio) for ratio in (0.0, 0.25, None)]
            cells = [f"{100 * share:.1f} %" for share, _ in shares]
            lines.append((str(splits), name, str(shares[-1][1]), *cells))
            assert shares[-1][0] > 0.9
    heads = ("splits", "metric", "intervals", "plain t", "Nadeau–Bengio t", "now")
    tell("verdict", f"Coverage of 95 % intervals, {study}, {data}", markdown(heads, lines))


@pytest.mark.parametrize(("study", "data"), [("world", "design-emails"), ("parts", "tmc2007-500")])
def test_correlation_of_splits(study: str, data: str, tell: Tell) -> None:
    found = tables(study, data, "linear")
    strategies = [s for s in next(iter(found.values())) if s not in ("none", "scut")]
    lines = []
    for name in NAMES:
        for strategy in strategies:
            same, same_error, other, other_error = correlations(found, strategy, name)
            cells = (f"{same:+.3f} ± {same_error:.3f}", f"{other:+.3f} ± {other_error:.3f}")
            lines.append((name, strategy, *cells))
            # Nadeau and Bengio assume .2.
            assert same < 0.2 + 3 * same_error
    heads = ("metric", "strategy", "two splits of one repetition", "of two repetitions")
    tell(
        "verdict", f"Correlation of differences, {study}, {data}, {len(found)} tables", markdown(heads, lines)
    )


@pytest.mark.parametrize(("data", "backbone"), [("emotions", "linear"), ("emotions", "mlp")])
def test_power(data: str, backbone: str, tell: Tell) -> None:
    found = tables("aa", data, backbone)
    effects = (0.005, 0.01, 0.02, 0.04)
    lines = []
    for splits in (3, 5, 10):
        shares = [power(found, splits, effect) for effect in effects]
        lines.append((str(splits), *(f"{100 * share:.0f} %" for share in shares)))
        assert shares == sorted(shares)
    heads = ("splits", *(f"+{effect}" for effect in effects))
    tell("verdict", f"Power for a planted gain in tuned macro-F1, {data}, {backbone}", markdown(heads, lines))
