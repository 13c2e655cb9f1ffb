"""Faults in what a backbone declares, in its features and initial parameters, and in estimators."""

from __future__ import annotations

import random
from functools import partial

import numpy as np
import torch
from planted_backbones.right import Batched, Logistic, Plain, Words, planted
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB

from equipoise.contracts.backbone import Backbone
from equipoise.contracts.features import Standardised, TfIdf
from equipoise.contracts.hyperparameters import Tunable, tunable
from equipoise.ops.inputs import Dense

plant = partial(planted, globals())
_KEPT: dict[tuple[int, int], torch.Tensor] = {}


def init(change):
    """Initial parameters that are changed."""

    def made(self, width, outputs, generator):
        params = Plain.init(self, width, outputs, generator)
        return change(params, width, outputs) or params

    return made


def kept(params, width, outputs):
    params["w1"] = _KEPT.setdefault(tuple(params["w1"].shape), params["w1"])


class Extractor:
    """Standardised numbers, with a fault given as functions."""

    def __init__(self, after=lambda x: x, during=lambda: None, refits=False):
        self.after, self.during, self.refits = after, during, refits
        self.inner = Standardised()

    def fit(self, X, nominal=None):
        self.during()
        self.inner.fit(X, nominal)
        return self

    def transform(self, X):
        if self.refits:
            self.inner.fit(X)
        return Dense.of(np.asarray(self.after(self.inner.transform(X).array()), dtype=np.float32))


def reads(make, **more):
    """The members of a backbone whose features of numbers are others."""
    numeric = {"accepts": frozenset({"numeric"})}
    return numeric | {"features": lambda self, kind: Dense_only(make)} | more


def Dense_only(make):
    inner = make()

    class Both:
        """Sparse tables are made dense first."""

        def fit(self, X, nominal=None):
            inner.fit(_dense(X), nominal)
            return self

        def transform(self, X):
            return inner.transform(_dense(X))

    return Both()


def _dense(X):
    return X.toarray() if hasattr(X, "toarray") else X


class Forgets(Extractor):
    def fit(self, X, nominal=None):
        super().fit(X, nominal)


class Arrays(Extractor):
    def transform(self, X):
        return super().transform(X).array()


_SHARED = TfIdf(300)
_clock = random.Random()


def _writes():
    with open("features.tmp", "w", encoding="utf-8") as file:
        file.write("x")


def _jitter(x):
    return x + _clock.random()


class NoWeights(LogisticRegression):
    """Takes weights and forgets them."""

    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y)


class Upside(LogisticRegression):
    """Scores the other way round."""

    def decision_function(self, X):
        return -super().decision_function(X)


class Clocked(LogisticRegression):
    """Scores that are shifted by chance."""

    def decision_function(self, X):
        return super().decision_function(X) + _clock.random()


class AmongRows(LogisticRegression):
    """Scores relative to the other rows."""

    def decision_function(self, X):
        z = super().decision_function(X)
        return z - z.mean(0)


def estimated(make):
    return {"estimator": lambda self, seed: make(seed % 2**31)}


def _seeded_by_label(self, X, targets, weights, seed, exclusive):
    model = Logistic.fit(self, X, targets, weights, seed, exclusive)
    if not exclusive:
        for position, classifier in enumerate(model._classifiers):
            if hasattr(classifier.estimator, "intercept_"):
                classifier.estimator.intercept_ = classifier.estimator.intercept_ + 0.1 * position
    return model


class Bare(Plain):
    """A model whose class has no decorator."""

    name = "bare"
    fault = "declared"


class _Formless(Backbone):
    name = "formless"


FAULTS = [
    Bare,
    plant(Plain, "Capitals", "declared"),
    plant(Plain, "odd_accepts", "declared", accepts=frozenset({"texts"})),
    plant(Plain, "rate_out_of_range", "declared", lr=Tunable(1.0, 1e-3, 1e-1, log=True)),
    plant(Plain, "plain_rate", "declared", lr=0.01),
    plant(Plain, "no_forward", "declared", forward=Backbone.forward),
    plant(Plain, "undocumented", "documented", __doc__=None),
    plant(Plain, "holds_a_function", "pickles", __annotations__={"act": "object"}, act=lambda h: h),
    plant(
        Plain,
        "draws_from_the_global",
        "global_state",
        init=init(lambda p, w, o: {**p, "w1": torch.randn(w, 8)}),
    ),
    plant(Plain, "sets_threads", "global_state", init=init(lambda p, w, o: torch.set_num_threads(2))),
    plant(
        Plain,
        "hashed",
        "deterministic",
        init=init(lambda p, w, o: {**p, "b1": p["b1"] + hash("b1") % 100_003 / 1000}),
    ),
    plant(
        Plain,
        "own_chance",
        "deterministic",
        init=init(lambda p, w, o: {**p, "b1": p["b1"] + _clock.random()}),
    ),
    plant(Plain, "double_weights", "parameters", init=init(lambda p, w, o: {**p, "w1": p["w1"].double()})),
    plant(
        Plain, "needs_gradients", "parameters", init=init(lambda p, w, o: p["w1"].requires_grad_() is None)
    ),
    plant(Plain, "shared_memory", "parameters", init=init(kept)),
    plant(Plain, "a_list", "parameters", init=init(lambda p, w, o: list(p.values()))),
    plant(Plain, "fixed_labels", "parameters", init=lambda self, w, o, g: Plain.init(self, w, 3, g)),
    plant(Plain, "fixed_width", "raises", init=lambda self, w, o, g: Plain.init(self, 6, o, g)),
    plant(Plain, "endless_weights", "finite", init=init(lambda p, w, o: {**p, "w1": p["w1"] / 0.0})),
    plant(Plain, "dead_start", "gradient", init=init(lambda p, w, o: {n: 0.0 * v for n, v in p.items()})),
    plant(Plain, "never_used", "gradient", init=init(lambda p, w, o: {**p, "spare": torch.ones(3)})),
    plant(Plain, "misspelt_bias", "names", biases=frozenset({"bias1", "b2"})),
    plant(Plain, "wrong_output", "names", output="b1"),
    plant(Plain, "misspelt_condition", "names", conditioning_bias="bias"),
    plant(Plain, "head_alone", "head", head=("w2", "b2")),
    plant(Batched, "wrong_head", "head", head=("w1", "b2")),
    plant(Plain, "too_fast", "trains", lr=Tunable(1e4, 1e-3, 1e5, log=True), dropout=0.0),
    plant(Plain, "empty_layer", "space", __annotations__={"units": "int"}, units=tunable(4, low=0, high=9)),
    plant(Words, "wrong_vocabulary", "features", vocabulary=property(lambda self: 5)),
    plant(
        Plain, "one_extractor", "features", accepts=frozenset({"text"}), features=lambda self, kind: _SHARED
    ),
    plant(Plain, "refits", "features", **reads(lambda: Extractor(refits=True))),
    plant(Plain, "ranks_rows", "features", **reads(lambda: Extractor(lambda x: x - x.max(0)))),
    plant(
        Plain,
        "forgets_itself",
        "raises",
        accepts=frozenset({"numeric"}),
        features=lambda self, kind: Forgets(),
    ),
    plant(Plain, "singular", "attributes", outputs="b2"),
    plant(Plain, "plain_arrays", "raises", **reads(Arrays)),
    plant(Plain, "nan_features", "finite", **reads(lambda: Extractor(lambda x: x / 0.0))),
    plant(Plain, "jitters", "deterministic", **reads(lambda: Extractor(_jitter))),
    plant(Plain, "draws_features", "global_state", **reads(lambda: Extractor(during=random.random))),
    plant(Plain, "writes_a_file", "global_state", **reads(lambda: Extractor(during=_writes))),
    plant(Logistic, "forgets_weights", "weights", **estimated(lambda seed: NoWeights())),
    plant(Logistic, "upside_down", "trains", **estimated(lambda seed: Upside())),
    plant(Logistic, "clocked", "deterministic", **estimated(lambda seed: Clocked())),
    plant(Logistic, "among_rows", "rows", **estimated(lambda seed: AmongRows())),
    plant(Logistic, "by_position", "separate_labels", fit=_seeded_by_label),
    plant(Logistic, "naive_numbers", "raises", estimator=lambda self, seed: BernoulliNB(alpha=-1.0)),
]
