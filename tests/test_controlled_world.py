"""The generator design-emails: each option changes one property, and its posterior equals the one found by enumeration."""

from __future__ import annotations

import itertools
import math
from functools import cache
from typing import Any

import numpy as np
import pytest

from equipoise.catalog.datasets import load_dataset
from equipoise.core.arrays import Bools, Floats
from equipoise.datasets._controlled import Hidden
from equipoise.datasets.design_emails import DesignEmails

from .shared.controlled import PLAIN, world

ROWS = 3000


@cache
def drawn(**knobs: Any) -> Hidden:
    return world(**knobs).hidden(0, ROWS)


def marks(**knobs: Any) -> Bools:
    return drawn(**knobs).marked


def homogeneity(Y: Bools, parent: int, child: int) -> float:
    """Loevinger's H of two labels, the child the rarer: 0 independent, 1 never without the parent."""
    above, below = Y[:, parent].mean(), Y[:, child].mean()
    return float(((Y[:, parent] & Y[:, child]).mean() - above * below) / (below * (1 - above)))


# --- the posterior
def joint(knobs: dict[str, Any]) -> dict[tuple[int, ...], Floats]:
    """P(y, m) over all labelsets y and mentions m, written down from the formulas, one probability at a time."""
    L, d, noise, overlap = (knobs[k] for k in ("labels", "dependence", "noise", "overlap"))
    pi = [knobs["top"] / knobs["imbalance"] ** (l / (L - 1)) for l in range(L)]  # noqa: E741
    table = {}
    for y in itertools.product((0, 1), repeat=L):
        prior = pi[0] if y[0] else 1 - pi[0]
        for child in range(1, L):
            up = (child + 1) // 2 - 1
            on = (1 - d) * pi[child] + d * y[up] * pi[child] / pi[up]
            prior *= on if y[child] else 1 - on
        text = np.array(prior)
        for label in range(L):
            told = np.zeros(4)
            for t in (0, 1):
                fresh = pi[label] if t else 1 - pi[label]
                p = t * (1 - overlap) + 0.1 * overlap
                binomial = [math.comb(3, m) * p**m * (1 - p) ** (3 - m) for m in range(4)]
                told += ((1 - noise) * (t == y[label]) + noise * fresh) * np.array(binomial)
            text = text[..., None] * told
        table[y] = text
    return table


@pytest.mark.parametrize(
    "knobs",
    [
        {"labels": 2},
        {"labels": 3, "dependence": 0.0, "noise": 0.0},
        {"labels": 4},
        {"labels": 5, "imbalance": 40.0, "dependence": 0.9},
        {"labels": 5, "dependence": 1.0, "noise": 0.0},
        {"labels": 4, "overlap": 0.0},
        {"labels": 4, "overlap": 1.0},
        {"labels": 3, "noise": 1.0},
        {"labels": 3, "imbalance": 1.0, "dependence": 1.0},
    ],
)
def test_the_posterior_is_what_enumeration_gives(knobs: dict[str, Any]) -> None:
    """Every text there can be, against the sum over every labelset."""
    full = {**PLAIN, **knobs}
    table = joint(full)
    sets = np.array(list(table))
    P = np.array([table[y].ravel() for y in table])  # (labelsets, mentions)
    assert P.sum() == pytest.approx(1, abs=1e-12)
    possible = P.sum(axis=0) > 0
    mentions = np.array(list(itertools.product(range(4), repeat=full["labels"])))
    found = world(**knobs).given(mentions)
    assert np.isnan(found.probability[~possible]).all()
    exact = P[:, possible] / P[:, possible].sum(axis=0)
    np.testing.assert_allclose(found.marginals[possible], exact.T @ sets, atol=1e-10)
    np.testing.assert_allclose(found.probability[possible], exact.max(axis=0), atol=1e-10)
    chosen = (found.mode[possible][:, None, :] == sets).all(axis=2)  # (texts, labelsets): one True a row
    np.testing.assert_allclose(exact.T[chosen], exact.max(axis=0), atol=1e-10)


@pytest.mark.parametrize("knobs", [{"dependence": 0.8}, {"noise": 0.0, "overlap": 0.5}, {"labels": 40}])
def test_the_posterior_is_calibrated(knobs: dict[str, Any]) -> None:
    """Among cells with a posterior of about p, a share of about p is positive: no |z| above 4."""
    source = DesignEmails("d", rows=2000, **{**PLAIN, **knobs})
    data = source.load()
    P, Y = source.posterior(data.X).marginals, data.Y
    for low in np.arange(0, 1, 0.1):
        cells = (low <= P) & (low + 0.1 >= P)
        if (P[cells] * (1 - P[cells])).sum() > 5:
            gap = (Y[cells] - P[cells]).sum() / np.sqrt((P[cells] * (1 - P[cells])).sum())
            # Labels of a row are correlated, hence not the 3 of independent cells.
            assert abs(gap) < 4, (low, gap)


def test_the_mode_is_right_as_often_as_it_says() -> None:
    source = DesignEmails("d", rows=2000, **PLAIN)
    data = source.load()
    found = source.posterior(data.X)
    right = (found.mode == data.Y).all(axis=1)
    error = np.sqrt((found.probability * (1 - found.probability)).sum())
    assert abs(right.sum() - found.probability.sum()) < 3.5 * error
    assert right.mean() > ((found.marginals > 0.5) == data.Y).all(axis=1).mean() - 0.01


def test_two_hundred_labels() -> None:
    large = world(labels=200, imbalance=100.0, top=0.1, dependence=1.0)
    found = large.population(300)
    assert found.marginals.shape == (300, 200)
    assert found.marginals.mean(axis=0) == pytest.approx(large.prevalences, abs=5 * np.sqrt(0.1 / 300))
    assert ((found.probability > 0) & (found.probability <= 1 + 1e-12)).all()


# --- the knobs
@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"dependence": 0.0},
        {"dependence": 1.0},
        {"noise": 0.0},
        {"noise": 0.9},
        {"overlap": 1.0},
        {"labels": 30},
    ],
)
def test_prevalences_are_those_of_imbalance_and_top_alone(knobs: dict[str, Any]) -> None:
    """Checked for the marked labels and for the true topics, whatever the other options are."""
    here = world(**knobs)
    hidden, pi = drawn(**knobs), here.prevalences
    for Y in hidden.marked, hidden.about:
        z = (Y.mean(axis=0) - pi) / np.sqrt(pi * (1 - pi) / ROWS)
        assert np.abs(z).max() < 4
    assert (pi[0], pi[0] / pi[-1]) == pytest.approx((0.4, 8))
    assert pi[1:] / pi[:-1] == pytest.approx(np.full(len(pi) - 1, pi[1] / pi[0]))


@pytest.mark.parametrize("dependence", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("others", [{}, {"imbalance": 1.0}, {"imbalance": 20.0, "top": 0.6}, {"labels": 20}])
def test_dependence_is_how_far_a_label_stays_with_its_parent(
    dependence: float, others: dict[str, Any]
) -> None:
    Y = marks(dependence=dependence, **others)
    for child in range(1, 6):
        wide = 4 / np.sqrt(ROWS * Y[:, child].mean())
        assert homogeneity(Y, (child + 1) // 2 - 1, child) == pytest.approx(dependence, abs=wide)
    assert homogeneity(Y, 0, 3) == pytest.approx(dependence**2, abs=4 / np.sqrt(ROWS * Y[:, 3].mean()))


@pytest.mark.parametrize("knobs", [{}, {"dependence": 0.9, "imbalance": 3.0}, {"dependence": 0.0}])
def test_phi_is_known(knobs: dict[str, Any]) -> None:
    observed = np.corrcoef(marks(**knobs).T.astype(float))
    assert np.abs(observed - world(**knobs).phi).max() < 0.08
    assert np.allclose(np.diag(world(**knobs).phi), 1)


@pytest.mark.parametrize("moved", [{"noise": 0.0}, {"noise": 0.7}, {"overlap": 0.0}, {"overlap": 0.9}])
def test_noise_and_overlap_leave_the_marks_alone(moved: dict[str, Any]) -> None:
    """Not only their distribution stays the same, but every single marked label."""
    assert np.array_equal(marks(**moved), marks())


def test_overlap_leaves_what_the_mails_are_about_alone() -> None:
    assert np.array_equal(world(overlap=0.9).hidden(0, 300).about, world().hidden(0, 300).about)


@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("imbalance", [1.0, 20.0])
def test_noise_is_the_share_of_marks_that_have_nothing_to_do_with_the_mail(
    noise: float, imbalance: float
) -> None:
    """Hence the share noise · (1 − π) of the marked cells of any label, rare or frequent, is wrong."""
    here = world(noise=noise, imbalance=imbalance)
    hidden, pi = drawn(noise=noise, imbalance=imbalance), here.prevalences
    for label in range(6):
        on = hidden.about[hidden.marked[:, label], label]
        assert 1 - on.mean() == pytest.approx(noise * (1 - pi[label]), abs=2 / np.sqrt(len(on)))
        off = hidden.about[~hidden.marked[:, label], label]
        assert off.mean() == pytest.approx(noise * pi[label], abs=2 / np.sqrt(len(off)))


@pytest.mark.parametrize("overlap", [0.0, 0.3, 1.0])
def test_overlap_is_how_little_a_text_tells(overlap: float) -> None:
    hidden = drawn(overlap=overlap)
    for about, chance in (True, 1 - overlap + 0.1 * overlap), (False, 0.1 * overlap):
        counts = np.bincount(hidden.mentions[hidden.about == about], minlength=4)
        wanted = [math.comb(3, m) * chance**m * (1 - chance) ** (3 - m) for m in range(4)]
        assert counts / counts.sum() == pytest.approx(wanted, abs=0.02)


def test_fewer_rows_are_the_first_of_many_and_seeds_are_fresh_mails_of_one_world() -> None:
    spec = "design-emails[labels=7,rows={},seed={}]"
    many, few, other = (load_dataset(spec.format(*x)) for x in ((300, 3), (50, 3), (50, 4)))
    assert few.X.tolist() == many.X[:50].tolist()
    assert np.array_equal(few.Y, many.Y[:50])
    assert not set(other.X) & set(few.X)
    assert few.sha256 == load_dataset(spec.format(50, 3)).sha256
