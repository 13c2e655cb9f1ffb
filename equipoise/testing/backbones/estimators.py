"""Checks of backbones that are scikit-learn estimators."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.contracts.estimator import EstimatorBackbone
from equipoise.core.errors import one_line
from equipoise.engine.estimators import rows_of
from equipoise.testing.backbones.exam import BackboneExam
from equipoise.testing.backbones.worlds import TRAIN, BackboneWorld
from equipoise.testing.exam import Stopped
from equipoise.testing.guard import frozen, same


@dataclass(eq=False)
class _Case:
    """An examination in one world, with the features of its rows."""

    exam: BackboneExam
    world: BackboneWorld
    rows: Any

    def demand(self, ok: object, check: str, problem: str) -> bool:
        return self.exam.findings.demand(ok, check, "fit", self.world.name, problem)

    def fitted(
        self, weights: np.ndarray | None = None, Y: np.ndarray | None = None, exclusive: bool = False
    ) -> Any:
        """The model fitted on the training rows."""
        backbone: Any = self.exam.backbone
        targets = (self.world.Y if Y is None else Y)[:TRAIN].copy()
        X = self.rows[:TRAIN].copy()
        before = frozen([X, targets, weights])
        model = self.exam.run("fit", self.world.name, lambda: backbone.fit(X, targets, weights, 7, exclusive))
        self.demand(same(before, frozen([X, targets, weights])), "in_place", "an argument was changed")
        return model

    def logits(self, model: Any, rows: slice = slice(None)) -> np.ndarray:
        out: np.ndarray = self.exam.run("logits", self.world.name, lambda: model.logits(self.rows[rows]))
        return out


def check_estimator(exam: BackboneExam, world: BackboneWorld) -> None:
    """Check the fitted model of an estimator in one world."""
    if not exam.findings.demand(
        isinstance(exam.backbone, EstimatorBackbone),
        "declared",
        "backbone",
        "",
        "a backbone with gradient = False must be a subclass of EstimatorBackbone",
    ):
        raise Stopped
    everything = np.arange(len(world.Y))
    case = _Case(exam, world, rows_of(exam.inputs(world), everything))
    model = case.fitted()
    logits = case.logits(model)
    wanted = (len(everything), world.n_labels)
    if not case.demand(
        np.shape(logits) == wanted, "shapes", f"logits have shape {np.shape(logits)}, not {wanted}"
    ):
        return
    case.demand(logits.dtype == np.float32, "shapes", f"logits are {logits.dtype} instead of float32")
    case.demand(np.isfinite(logits).all(), "finite", "some logits are NaN or infinite")
    exam.results[("fit", world.name)] = logits
    equal = case.logits(case.fitted()).tobytes() == logits.tobytes()
    case.demand(equal, "deterministic", "two fits with the same seed give different logits")
    few = case.logits(model, slice(TRAIN, TRAIN + 5))
    case.demand(
        np.allclose(few, logits[TRAIN : TRAIN + 5], atol=1e-5),
        "rows",
        "the logits of rows by themselves differ from those among others",
    )
    _check_learns(case, logits)
    _check_weights(case, logits)
    _check_labels(case, model, logits)


def _check_learns(case: _Case, logits: np.ndarray) -> None:
    """Check that rows with a label score higher than rows without it, on average."""
    Y = case.world.Y[:TRAIN].astype(bool)
    gaps = [
        z[y].mean() - z[~y].mean()
        for y, z in zip(Y.T, logits[:TRAIN].T, strict=True)
        if y.any() and not y.all()
    ]
    case.demand(
        np.mean(gaps) > 0,
        "trains",
        "on its training rows, the model does not score positives higher than negatives",
    )


def _check_weights(case: _Case, logits: np.ndarray) -> None:
    half = np.where(np.arange(TRAIN) % 2 == 0, 2.0, 0.0)
    weighted = case.logits(case.fitted(half))
    case.demand(not np.array_equal(weighted, logits), "weights", "the weights of the rows have no effect")


def _check_labels(case: _Case, model: Any, logits: np.ndarray) -> None:
    """Check labels with one value, exclusive classes, labels by themselves, and copies of the fitted model."""
    Y = case.world.Y.copy()
    Y[:, 0] = 0
    constant = case.logits(case.fitted(Y=Y))
    case.demand(np.isfinite(constant).all(), "finite", "logits of a label without positives are not finite")
    classes = np.eye(3, dtype=np.uint8)[np.arange(len(Y)) % 3]
    scores = case.logits(case.fitted(Y=classes, exclusive=True))
    case.demand(scores.shape == (len(Y), 3), "shapes", f"scores of 3 classes have shape {scores.shape}")
    if case.exam.backbone.separate_labels:
        alone = case.logits(case.fitted(Y=case.world.Y[:, -1:]))[:, 0]
        same_bits = alone.tobytes() == np.ascontiguousarray(logits[:, -1]).tobytes()
        case.demand(same_bits, "separate_labels", "the last label alone has other logits")
    try:
        copy = pickle.loads(pickle.dumps(model))
        case.demand(
            case.logits(copy).tobytes() == logits.tobytes(),
            "pickles",
            "a copy of the model predicts otherwise",
        )
    except Stopped:
        raise
    except Exception as error:
        case.demand(False, "pickles", f"the fitted model: {one_line(error)}")
