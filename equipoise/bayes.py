"""The best scores that any model could reach, on generated data whose distribution is known.

    equipoise.bayes_posterior("design-emails[labels=20]").marginals  # (n, L): P(y_l = 1 | text) of its rows
    equipoise.bayes_scores("design-emails[labels=20]")["macro_f1"]   # BayesScore(best=…, error=…, here=…, rule=…)

`best` is a property of the population: the expected score of the best possible decisions on new mails of the world. The
labels are integrated out exactly and only the texts are drawn, so its standard `error` is small. `here` is the score of the
same decisions on the rows of the data. By chance it can lie above or below `best`, and so can the score of a model:
compare a model's score on some rows with `here` on the same rows.

Which decisions are best depends on the metric. For Hamming loss it is P > .5, and for subset accuracy the most probable
labelset (Dembczyński, Waegeman, Cheng & Hüllermeier 2012, DOI 10.1007/s10994-012-5285-8). For the F1 of the population it is a
threshold on the marginals, one per label for macro-F1 and a single one for micro-F1 (Koyejo, Natarajan, Ravikumar & Dhillon
2015, Consistent multilabel classification, NIPS 28); this threshold is half the best F1 itself (Lipton, Elkan & Naryanaswamy
2014, DOI 10.1007/978-3-662-44851-9_15). For AUROC and average precision it is the order of the marginals, and for the Brier
score the marginals themselves. All scores refer to the labels in the data, annotation errors included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from equipoise import metrics
from equipoise.contracts.dataset import DatasetSource
from equipoise.core.arrays import Bools, Floats
from equipoise.core.errors import EquipoiseError
from equipoise.readers.downloads import default_data_dir

DRAWS = 20_000  # new texts drawn to represent the population
_BATCHES = 10  # the spread between this many parts of the draws gives the standard error
# Marginals are rounded to this, because different ways to the same number differ in the last digits.
_DIGITS = 12


class Posterior(NamedTuple):
    """The exact posterior distribution of the L labels of n texts."""

    marginals: Floats  # (n, L): P(y_l = 1 | text)
    mode: Bools  # (n, L): the most probable labelset
    probability: Floats  # (n,): P(y = mode | text)

    def take(self, rows: ArrayLike) -> Posterior:
        """The posterior of some rows (indices or a mask)."""
        index = np.asarray(rows)
        return Posterior(self.marginals[index], self.mode[index], self.probability[index])


@runtime_checkable
class KnownWorld(Protocol):
    """A data source with a known distribution. A plugin needs these two methods for the functions of this module."""

    def posterior(self, X: Any) -> Posterior:
        """The posterior given n rows of features."""
        ...

    def population(self, draws: int) -> Posterior:
        """The posterior of `draws` new rows."""
        ...


@dataclass(frozen=True)
class BayesScore:
    """The best value of one metric."""

    best: float  # expected, in the population
    error: float  # standard error of that estimate
    here: float  # the same decisions on rows of the data; NaN where undefined
    rule: str  # which decisions are best


RULES = {
    "macro_f1": "label l where P(l) > F*_l / 2",
    "micro_f1": "label l where P(l) > F* / 2",
    "hamming_loss": "label l where P(l) > 1/2",
    "subset_accuracy": "the most probable labelset",
    "map": "rows ranked by P(l)",
    "auroc": "rows ranked by P(l)",
    "brier": "P(l) itself",
}


def posterior_of(source: DatasetSource, X: ArrayLike | None = None) -> Posterior:
    """The exact posterior given rows of features X; by default the rows of the source's own data.

    Raises:
        EquipoiseError: the distribution of the source is not known, or a row cannot come from it.
    """
    world = _known(source)
    return world.posterior(source.load(default_data_dir()).X if X is None else X)


def scores_of(
    source: DatasetSource, *, rows: ArrayLike | None = None, draws: int = DRAWS
) -> dict[str, BayesScore]:
    """The best possible score of each metric in `RULES`, in the population and on the rows of a generated data set.

    Args:
        rows: the rows on which `here` is computed (positions or a mask), such as the test rows of a split; default: all.
        draws: the number of new texts that represent the population, at least 1000.

    Raises:
        EquipoiseError: the distribution of the source is not known, or `draws` is too small.
    """
    world = _known(source)
    if draws < 1000:
        raise EquipoiseError(f"draws = {draws}; at least 1000 are needed to represent the population")
    fresh, data = world.population(draws), source.load(default_data_dir())
    if rows is not None:
        data = data.take(rows)
    parts = np.array_split(np.arange(draws), _BATCHES)
    batches = [_expected(fresh.take(part)) for part in parts]
    best, here = _expected(fresh), _reached(data.Y, world.posterior(data.X), fresh.marginals)
    spread = {m: float(np.std([b[m] for b in batches], ddof=1)) / _BATCHES**0.5 for m in RULES}
    return {m: BayesScore(best[m], spread[m], here[m], rule) for m, rule in RULES.items()}


def best_f1(marginals: Floats) -> Floats:
    """The highest F1 of each column that a threshold on calibrated probabilities (n, L) can reach, (L,).

    F1 is the ratio of expectations 2 Σ P [predicted] / (Σ [predicted] + Σ P). The best decision is to predict where
    P > F/2 for the highest F itself (Lipton 2014). Repeating this step from F = 0 converges to it quickly (Dinkelbach
    1967, DOI 10.1287/mnsc.13.7.492).
    """
    best, positives = np.zeros(marginals.shape[1]), marginals.sum(axis=0)
    while True:
        on = marginals > best / 2
        reached = 2 * (marginals * on).sum(axis=0) / np.maximum(on.sum(axis=0) + positives, 1e-300)
        if (reached <= best).all():
            return best
        best = np.maximum(best, reached)


def _known(source: DatasetSource) -> KnownWorld:
    if not isinstance(source, KnownWorld):
        raise EquipoiseError(
            f"the best scores on {source.name!r} are not known: "
            "they are only for generated data with a known distribution, such as design-emails[labels=20]"
        )
    return source


def _expected(posterior: Posterior) -> dict[str, float]:
    """The expected scores of the best decisions, where the expectation is over the labels given the texts."""
    P = np.round(posterior.marginals, _DIGITS)
    ranked = np.array([_ranked(column) for column in P.T])
    return {
        "macro_f1": float(best_f1(P).mean()),
        "micro_f1": float(best_f1(P.reshape(-1, 1))[0]),
        "hamming_loss": float(np.minimum(P, 1 - P).mean()),
        "subset_accuracy": float(posterior.probability.mean()),
        "map": float(ranked[:, 0].mean()),
        "auroc": float(ranked[:, 1].mean()),
        "brier": float((P * (1 - P)).mean()),
    }


def _ranked(chances: Floats) -> tuple[float, float]:
    """The expected average precision and AUROC of one label from the probabilities of its rows.

    A row of probability v counts as v positives and 1 − v negatives. Rows of equal probability are in random order, as
    the scores of a model would put them. So with A positives and N rows above a group of c such rows, the group adds
    ∫ (A + v t) / (N + t) v dt for t from 0 to c to the sum of precisions.
    """
    values, counts = np.unique(-chances, return_counts=True)  # from high to low
    values, rows = -values, np.cumsum(counts)
    positives, negatives = values * counts, (1 - values) * counts
    before = rows - counts
    # The integral in closed form: v · (v c + (A − v N) · ln((N + c) / N)), without the logarithm for N = 0, where A = 0.
    log_growth = np.log(rows / np.maximum(before, 1), out=np.zeros(len(rows)), where=before > 0)
    precision_integral = positives + (np.cumsum(positives) - positives - values * before) * log_growth
    # AUROC: the negatives below each group, and half of those within it.
    negatives_below = negatives.sum() - np.cumsum(negatives) + negatives / 2
    wins = (positives * negatives_below).sum() / (positives.sum() * negatives.sum())
    return float((values * precision_integral).sum() / positives.sum()), float(wins)


def _reached(Y: ArrayLike, posterior: Posterior, population: Floats) -> dict[str, float]:
    """The scores of the best decisions on these rows, with thresholds from the population."""
    P, P_population = np.round(posterior.marginals, _DIGITS), np.round(population, _DIGITS)
    common = best_f1(P_population.reshape(-1, 1))[0]
    # Break ties at random, as a model's scores would: the ranking metrics are pessimistic about ties.
    order = P + 10.0**-_DIGITS / 10 * np.random.default_rng(0).random(P.shape)
    return {
        "macro_f1": metrics.macro_f1(Y, best_f1(P_population) / 2 < P),
        "micro_f1": metrics.micro_f1(Y, common / 2 < P),
        "hamming_loss": metrics.hamming_loss(Y, P > 0.5),
        "subset_accuracy": metrics.subset_accuracy(Y, posterior.mode),
        "map": metrics.mean_average_precision(Y, order),
        "auroc": metrics.auroc(Y, order),
        "brier": metrics.brier(Y, P),
    }
