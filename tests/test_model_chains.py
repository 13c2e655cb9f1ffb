"""Classifier chains and other tasks in training and prediction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.tasks import LabelInputs, Task, merge_columns
from equipoise.engine.population import Population
from equipoise.engine.scheduler import Trainer, run_one
from equipoise.experiment.cross_validation import CrossValidator, features_of
from equipoise.experiment.settings import Settings
from equipoise.ops.device import repeatable
from equipoise.splits.outer import stratified_folds
from equipoise.sweep.plan import misfit

from .shared.chains import L, N, labels

CPU = torch.device("cpu")


def bench(strategy: str, backbone: str, Y: np.ndarray | None = None, **settings: Any) -> CrossValidator:
    """A cross-validator on made-up rows whose second label is the inverse of the first."""
    rng = np.random.default_rng(1)
    Y = labels() if Y is None else Y
    X: Any = (Y + rng.normal(size=Y.shape)).astype(np.float32)
    if backbone == "lstm":
        X = np.array([" ".join(f"w{int(v)}" for v in rng.integers(0, 20, 9)) for _ in Y], dtype=object)
    model = get_backbone(backbone)
    inputs = model.features("text" if backbone == "lstm" else "numeric").fit(X, None).transform(X)
    averaged = features_of(inputs, model.vector_features)
    folds = stratified_folds(Y, 2, 0)
    budget = Settings(**{"epochs": 3, "folds": 2, **settings})
    return CrossValidator(
        get_strategy(strategy),
        model,
        averaged,
        None,
        Y,
        folds,
        ("t",),
        budget,
        Trainer(inputs, budget.batch_size, CPU),
    )


def params(work: CrossValidator) -> dict[str, Any]:
    return {"lr": work.backbone.lr.default, "C": 10.0}


def test_further_inputs_have_one_width() -> None:
    Y = labels(4)
    got = LabelInputs(Y, (1, 3)).matrix()
    np.testing.assert_array_equal(got, Y * np.array([0, 1, 0, 1, 0]))
    assert LabelInputs(Y, ()).matrix().shape == Y.shape


# Through the engine
@pytest.mark.parametrize("backbone", ["linear", "mlp", "lstm"])
def test_the_first_label_of_a_chain_is_binary_relevance_bit_for_bit(backbone: str) -> None:
    out = []
    with repeatable(CPU):
        for name in ("binary_relevance", "classifier_chain"):
            work = bench(name, backbone)
            out.append(run_one(work.cross_validate([params(work)]))[0].logits)
    np.testing.assert_array_equal(out[0][:, 0], out[1][:, 0])
    assert (out[0][:, 1:] != out[1][:, 1:]).any(0).all()


@pytest.mark.parametrize("backbone", ["linear", "mlp", "lstm"])
def test_a_chain_lane_has_the_same_bits_alone(backbone: str) -> None:
    with repeatable(CPU):
        work = bench("classifier_chain", backbone)
        lanes = work.lanes(params(work), 0)
        assert len({lane.signature for lane in lanes}) == 1
        together = Population(lanes, work.trainer.inputs, 64, CPU).train()
        for lane, other in list(zip(lanes, together, strict=True))[1:3]:
            (alone,) = Population([lane], work.trainer.inputs, 64, CPU).train()
            assert alone.score == other.score
            assert all(torch.equal(alone.params[n], other.params[n]) for n in alone.params)


def test_prediction_goes_from_decision_to_decision() -> None:
    """By hand: bias + x·W + decisions·V, one label after the other."""
    with repeatable(CPU):
        work = bench("classifier_chain", "linear", epochs=20)
        model = run_one(work.refit(params(work)))
        got = work.predict([model], work.trainer.inputs, [np.arange(N)])[0]
        x = torch.from_numpy(work.trainer.inputs.array())
        seen = torch.zeros(N, L)
        for label, network in enumerate(model.networks):
            p = network.params
            z = x @ p["weight"] + seen @ p["label_weight"] + p["bias"]
            np.testing.assert_allclose(got[:, label], z[:, 0].numpy(), atol=1e-5)
            seen[:, label] = torch.from_numpy(got[:, label] > 0).float()
            assert not p["label_weight"][label:].any()


def test_a_chain_learns_what_inputs_do_not_tell() -> None:
    """The second label is determined by the first, and the inputs say little about either."""
    rng = np.random.default_rng(2)
    first = (rng.random(400) < 0.5).astype(np.uint8)
    Y = np.stack([first, 1 - first], 1)
    work = bench("classifier_chain", "linear", Y, epochs=40)
    with repeatable(CPU):
        model = run_one(work.refit({"lr": 0.3, "C": 1000.0}))
        z = work.predict([model], work.trainer.inputs, [np.arange(400)])[0]
    assert ((z[:, 0] > 0) != (z[:, 1] > 0)).mean() > 0.99


def test_lanes_learn_from_true_labels_and_are_watched_with_them() -> None:
    work = bench("ml_ros+classifier_chain", "linear")
    lanes = work.lanes(params(work), 0)
    for label, lane in enumerate(lanes):
        assert lane.label_inputs is not None
        assert lane.val_label_inputs is not None
        seen = np.arange(L) < label
        np.testing.assert_array_equal(lane.label_inputs.matrix(), work.Y[lane.index] * seen)
        np.testing.assert_array_equal(lane.val_label_inputs.matrix(), work.Y[work.folds == 0] * seen)


@pytest.mark.parametrize(
    "name", ["classifier_chain", "ensemble_chains[m=2]", "rakel_d", "rakel_o", "balanced_bagging"]
)
@pytest.mark.parametrize("backbone", ["linear", "lstm"])
def test_models_do_not_depend_on_who_trains_beside_them(name: str, backbone: str) -> None:
    with repeatable(CPU):
        work = bench(name, backbone, epochs=1)
        first, second = params(work), params(work) | {"lr": 0.03}
        both = run_one(work.cross_validate([second, first]))[1]
        alone = run_one(work.cross_validate([first]))[0]
    np.testing.assert_array_equal(both.logits, alone.logits)
    assert np.isfinite(alone.logits).all()


def test_a_backbone_without_an_entry_is_skipped_with_the_reason() -> None:
    from equipoise.contracts.dataset import Dataset

    @dataclass(frozen=True)
    class Closed(Backbone):
        name = "closed"

    Y = labels(50)
    data = Dataset("d", np.ones((50, 2), dtype=np.float32), Y, tuple("abcde"))
    reason = misfit(data, Closed(), get_strategy("classifier_chain"), 2)
    assert reason == "classifier_chain feeds labels into the model; closed takes no labels as inputs"
    assert misfit(data, replace(get_backbone("mlp")), get_strategy("classifier_chain"), 2) is None


def test_merged_columns_are_means_of_log_odds() -> None:
    tasks = [Task((1,)), Task((0,)), Task((1,))]
    z = [np.array([[1.0]]), np.array([[5.0]]), np.array([[4.0]])]
    np.testing.assert_allclose(merge_columns(tasks, z, 2), [[5.0, 2.5]])


@pytest.mark.parametrize("name", ["none", "classifier_chain", "rakel_d", "ml_ros"])
def test_a_refit_takes_as_many_passes_over_all_rows_as_a_fold_over_its_own(name: str) -> None:
    work = bench(name, "linear", epochs=7, batch_size=32)
    for fold, rows in ((0, np.sum(work.folds != 0)), (None, N)):
        assert {lane.steps for lane in work.lanes(params(work), fold)} == {7 * round(rows / 32)}
