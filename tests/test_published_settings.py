"""Settings that papers and their programs used lie inside the search ranges, so that a search can find them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from equipoise.catalog.registry import registry
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.hyperparameters import tunables
from equipoise.contracts.strategy import Context

WU = [{"a": 0.1, "b": 10.0, "mu": mu} for mu in (0.9, 0.2, 0.3)]  # text; COCO, VOC
TOLERANT = [{"kappa": 0.05, "lam": lam, "gamma": 2.0, "alpha": 0.5} for lam in (2.0, 5.0)]
CUI = [{"one_minus_beta": rest, "gamma": g} for rest in (0.1, 0.01, 0.001, 0.0001) for g in (0.5, 1.0, 2.0)]

#: Strategy → settings, from the sources in its `reference`.
PUBLISHED: dict[str, list[dict[str, Any]]] = {
    "focal": [{"gamma": g, "alpha": a} for g, a in ((0.5, 0.5), (1.0, 0.25), (2.0, 0.25), (5.0, 0.25))],
    "class_balanced": CUI,
    "rebalanced_focal": WU,
    "ntr_focal": TOLERANT,
    "distribution_balanced": [w | t for w in WU for t in TOLERANT],
    "cb_ntr": [{"one_minus_beta": 0.1} | t for t in TOLERANT],
    "asl": [{"gamma_neg": 4.0, "gamma_pos": pos, "margin": 0.05} for pos in (0.0, 1.0)],
    "apl": [{"gamma_neg": 4.0, "gamma_pos": 0.0, "margin": 0.05, "eps1": 1.0, "eps2": -2.5, "eta": 0.0}],
    "hill": [{"lam": 1.5, "margin": 1.0, "gamma": 2.0}],
    "splc": [{"tau": 0.6, "margin": 1.0, "gamma": 2.0, "begin": 1 / 80}],
    "propensity": [{"a": a, "b": b} for a, b in ((0.55, 1.5), (0.5, 0.4), (0.6, 2.6))],
    "pairwise_auc": [{"margin": 1.0}],
    "two_way": [{"t_pos": 4.0, "t_neg": 1.0}],
    "sigmoid_f1": [{"beta": 1.0, "eta": 0.0}],
    "ldam": [{"max_margin": 0.5, "scale": 30.0, "defer": 0.8, "one_minus_beta": 0.0001}],
    "logit_adjusted_loss": [{"tau": 1.0}],
    "logit_adjustment": [{"tau": 1.0}],
    "tau_norm": [{"tau": tau} for tau in (0.0, 1.0)],
    "mulsupcon": [{"temperature": 0.1}],
    "ml_ros": [{"p": p} for p in (0.1, 0.2, 0.25)],
    "lp_ros": [{"p": p} for p in (0.1, 0.2, 0.25)],
    "mlsmote": [{"k": 5}],
    "mlsol": [{"p": p, "k": 5} for p in (0.1, 0.3, 0.9)],
    "mlenn": [{"threshold": 0.75, "k": 3}],
    "rakel_d": [{"k": 3}],
    "rakel_o": [{"k": 3, "multiple": 2.0}],
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_settings_can_be_searched(name: str) -> None:
    ranges = tunables(registry("strategy").get(name))
    for settings in PUBLISHED[name]:
        for field, value in settings.items():
            spec = ranges[field]
            assert spec.low is not None
            assert spec.high is not None
            assert spec.low <= value <= spec.high, f"{name}[{field}={value}]"


def test_most_of_the_range_of_beta_is_near_one() -> None:
    """β acts through 1 − β: on a linear scale only .9 % of the draws would have exceeded .999."""
    for name in ("class_balanced", "cb_ntr", "ldam"):
        spec = tunables(registry("strategy").get(name))["one_minus_beta"]
        assert spec.log
        assert np.log(0.001 / spec.low) / np.log(spec.high / spec.low) > 0.3


def test_platt_without_shrinkage_fits_each_label_alone() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(300, 3))
    Y = (rng.random((300, 3)) < 1 / (1 + np.exp(2 - z * [1, 2, 4]))).astype(np.uint8)
    line = get_strategy("platt[shrinkage=0]").adjust(z, Y, Context(Y.sum(0), 300))
    alone = [
        get_strategy("platt[per_label=false]").adjust(z[:, [j]], Y[:, [j]], Context(Y[:, j].sum(), 300))
        for j in range(3)
    ]
    assert line(z) == pytest.approx(np.hstack([own(z[:, [j]]) for j, own in enumerate(alone)]), abs=1e-3)
    flat = get_strategy("platt[shrinkage=0]").adjust(0 * z, Y, Context(Y.sum(0), 300))
    assert np.isfinite(flat(0 * z)).all()
