"""The best scores that any model could reach, on generated data whose distribution is known.

    equipoise.bayes_posterior("design-emails[labels=20]").marginals  # (n, L): P(y_l = 1 | text) of its rows
    equipoise.bayes_scores("design-emails[labels=20]")["macro_f1"]   # BayesScore(best=…, error=…, here=…, rule=…)

`best` is a figure of the population: the expected score of the best decisions there are, over fresh mails of the world. The
labels are integrated out exactly and only the texts are drawn, so its standard `error` is small. `here` is the score of the
same decisions on the rows of the data, which by luck can lie above or below, and so can a model's: hold a model's score on
some rows against `here` on the same rows.

Which decisions are best depends on the metric: P > .5 for Hamming loss and the most probable labelset for subset accuracy
(Dembczyński, Waegeman, Cheng & Hüllermeier 2012, DOI 10.1007/s10994-012-5285-8); for the F1 of the population a threshold on
the marginals, one per label for macro-F1 and one for all for micro-F1 (Koyejo, Natarajan, Ravikumar & Dhillon 2015,
Consistent multilabel classification, NIPS 28), namely half the best F1 itself (Lipton, Elkan & Naryanaswamy 2014,
DOI 10.1007/978-3-662-44851-9_15); the order of the marginals for AUROC and average precision; the marginals themselves for the
Brier score. Scores are those of the marks the data come with, mistakes of the annotator included.
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

DRAWS = 20_000  # fresh texts that stand for the population
_BATCHES = 10
_DIGITS = 12  # marginals that agree so far are equal: two ways to the same number differ by rounding


class Posterior(NamedTuple):
    """What n texts tell of their L labels, exactly."""

    marginals: Floats  # (n, L): P(y_l = 1 | text)
    mode: Bools  # (n, L): the most probable labelset
    probability: Floats  # (n,): P(y = mode | text)

    def take(self, rows: ArrayLike) -> Posterior:
        """Of these rows."""
        index = np.asarray(rows)
        return Posterior(self.marginals[index], self.mode[index], self.probability[index])


@runtime_checkable
class KnownWorld(Protocol):
    """A dataset source whose distribution is known. A plugin's has these two methods and gets the rest."""

    def posterior(self, X: Any) -> Posterior:
        """Of n rows of features."""
        ...

    def population(self, draws: int) -> Posterior:
        """Of that many fresh rows."""
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
    "map": "the order of P(l)",
    "auroc": "the order of P(l)",
    "brier": "P(l) itself",
}


def posterior_of(source: DatasetSource, X: ArrayLike | None = None) -> Posterior:
    """The exact posterior of rows of features X, by default of the rows of the source's own data.

    Raises:
        EquipoiseError: the distribution behind the source is not known, or a row cannot come from it.
    """
    world = _known(source)
    return world.posterior(source.load(default_data_dir()).X if X is None else X)


def scores_of(
    source: DatasetSource, *, rows: ArrayLike | None = None, draws: int = DRAWS
) -> dict[str, BayesScore]:
    """The best possible score of each metric in `RULES`, in the population and on the rows of a generated dataset.

    Args:
        rows: which rows of the dataset `here` is of (positions or a mask), e.g. the test rows of a split; default: all.
        draws: fresh texts that stand for the population, at least 1000.

    Raises:
        EquipoiseError: the distribution behind the source is not known, or `draws` is too small.
    """
    world = _known(source)
    if draws < 1000:
        raise EquipoiseError(f"draws = {draws}; at least 1000 are needed to speak of a population")
    fresh, data = world.population(draws), source.load(default_data_dir())
    if rows is not None:
        data = data.take(rows)
    parts = np.array_split(np.arange(draws), _BATCHES)
    batches = [_expected(fresh.take(part)) for part in parts]
    best, here = _expected(fresh), _reached(data.Y, world.posterior(data.X), fresh.marginals)
    spread = {m: float(np.std([b[m] for b in batches], ddof=1)) / _BATCHES**0.5 for m in RULES}
    return {m: BayesScore(best[m], spread[m], here[m], rule) for m, rule in RULES.items()}


def best_f1(marginals: Floats) -> Floats:
    """The highest F1 that thresholds on calibrated probabilities reach, for each column of (n, L), (L,).

    F1 is 2 Σ P [predicted] / (Σ [predicted] + Σ P), the ratio of expectations. Predicting where P > F/2 is best for the
    highest F (Lipton 2014), and repeating that from F = 0 climbs to it in a few steps: Dinkelbach 1967,
    DOI 10.1287/mnsc.13.7.492.
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
            "that takes generated data of a known distribution, such as design-emails[labels=20]"
        )
    return source


def _expected(posterior: Posterior) -> dict[str, float]:
    """The expected scores of the best decisions, given the texts."""
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
    """(average precision, AUROC) of one label, each row counted as positive by its chance and as negative by the rest.

    Rows of the same chance stand in random order, as a model's scores would put them: precision grows along the group
    from (A, N) positives and rows above it, ∫ (A + v t) / (N + t) v dt over its c rows of chance v.
    """
    values, counts = np.unique(-chances, return_counts=True)  # from high to low
    values, rows = -values, np.cumsum(counts)
    positives, negatives = values * counts, (1 - values) * counts
    before = rows - counts
    longer = np.log(rows / np.maximum(before, 1), out=np.zeros(len(rows)), where=before > 0)
    gained = positives + (np.cumsum(positives) - positives - values * before) * longer
    beaten = negatives.sum() - np.cumsum(negatives) + negatives / 2
    wins = (positives * beaten).sum() / (positives.sum() * negatives.sum())
    return float((values * gained).sum() / positives.sum()), float(wins)


def _reached(Y: ArrayLike, posterior: Posterior, population: Floats) -> dict[str, float]:
    """The scores of the best decisions on these rows; thresholds come from the population."""
    P, fresh = np.round(posterior.marginals, _DIGITS), np.round(population, _DIGITS)
    one = best_f1(fresh.reshape(-1, 1))[0]
    # In random order where equal: metrics put a positive at the end of its ties, which no model's scores have.
    order = P + 10.0**-_DIGITS / 10 * np.random.default_rng(0).random(P.shape)
    return {
        "macro_f1": metrics.macro_f1(Y, best_f1(fresh) / 2 < P),
        "micro_f1": metrics.micro_f1(Y, one / 2 < P),
        "hamming_loss": metrics.hamming_loss(Y, P > 0.5),
        "subset_accuracy": metrics.subset_accuracy(Y, posterior.mode),
        "map": metrics.mean_average_precision(Y, order),
        "auroc": metrics.auroc(Y, order),
        "brier": metrics.brier(Y, P),
    }
