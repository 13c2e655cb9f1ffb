"""Advice across backbones, below five splits, and on thresholds."""

from __future__ import annotations

import numpy as np
import pytest

from equipoise.report.advice import UNKNOWN, WON

from .shared.planted import advice, noise, only, rows_of, words

MATTERS = "matters more than any strategy"


def test_a_backbone_matters_more_only_beyond_every_strategys_interval() -> None:
    ahead = 0.6 + noise(3, 5, seed=7)
    clear = rows_of(noise(2, 3, 5), base=ahead) + rows_of(noise(2, 3, 5, seed=1), backbone="mlp")
    assert f"{MATTERS} that was tried: in mAP, linear has +.100" in advice(clear).text
    # The strategy of the other backbone may gain as much as the backbone does.
    gains = noise(2, 3, 5, sd=0.03, seed=1)
    gains[0] += 0.09
    assert MATTERS not in advice(rows_of(noise(2, 3, 5), base=ahead) + rows_of(gains, backbone="mlp")).text


def test_every_pair_of_backbones_is_a_comparison() -> None:
    def rows(backbones: int) -> list[dict[str, object]]:
        """`linear` is ahead of mlp with p = .03 to .05, and of the others by much more noise."""
        ahead = 0.52 + noise(3, 5, sd=0.011, seed=5)
        found = rows_of(noise(1, 3, 5) / 100, base=ahead)
        for i in range(backbones - 1):
            found += rows_of(noise(1, 3, 5) / 100, backbone=f"b{i}")
        return found

    (two,) = advice(rows(2)).backbones.values()
    assert 0.05 / 10 < two.p < 0.05
    assert MATTERS in advice(rows(2)).text
    assert MATTERS not in advice(rows(5)).text


@pytest.mark.parametrize("order", [1, -1])
def test_backbones_with_other_settings_are_not_compared(order: int) -> None:
    tables = [
        rows_of(noise(2, 3, 5), base=0.6, epochs=50),
        rows_of(noise(2, 3, 5, seed=1), base=0.5, backbone="mlp", epochs=1),
        rows_of(noise(2, 3, 5, seed=2), base=0.598, backbone="mlp", epochs=50),
    ]
    found = advice([row for table in tables[::order] for row in table])
    assert found.backbones["mlp"].mean == pytest.approx(0.002)


def test_few_splits_of_one_backbone_do_not_hide_another() -> None:
    gains = noise(3, 3, 5)
    gains[0] += 0.05
    lucky = rows_of(noise(3, 3, 2)[:, :, :1], base=0.6, backbone="lstm", splits=[4])
    found = advice(rows_of(gains) + lucky)
    assert (found.verdict, found.backbone, found.strategy) == (WON, "linear", "s0")


def test_below_five_splits_all_strategies_are_run_again() -> None:
    deltas = -np.abs(np.random.default_rng(0).normal(0, 0.01, (3, 3, 3)))
    found = advice(rows_of(deltas))
    named = {
        after for before, after in zip(words(found), words(found)[1:], strict=False) if before == "--strategy"
    }
    assert (found.verdict, found.more_splits, named) == (UNKNOWN, 5, {"none", "s0", "s1", "s2"})
    # Two more splits of four strategies, 10 s each.
    assert found.seconds == pytest.approx(80)
    # More splits of the luckiest alone change nothing.
    more = only(rows_of(deltas[:, :, :2] + 0.02, splits=[3, 4]), "s0")
    assert advice(rows_of(deltas) + more).verdict == UNKNOWN


def test_thresholds_are_tuned_unless_one_half_is_clearly_better() -> None:
    level = np.full((3, 5), 0.5) + noise(3, 5)
    for ahead, decision in ((0.0002, "tuned"), (0.009, "tuned"), (0.05, "fixed")):
        base = level.copy()
        base[2] += ahead
        assert advice(rows_of(noise(2, 3, 5), base=base)).decision == decision
    base = level.copy()
    base[2] += 0.02 + noise(5, sd=0.06, seed=1)
    assert advice(rows_of(noise(2, 3, 5), base=base)).decision == "tuned"
