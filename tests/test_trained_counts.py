"""Label counts of the rows that a network learns from: losses that balance labels do not repeat what resampling has done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from equipoise import load_dataset
from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.registry import registry
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.strategy import Context
from equipoise.engine.lanes import Lane
from equipoise.engine.loss import PopulationLoss
from equipoise.engine.scheduler import Trainer, run_one
from equipoise.engine.starts.loss_labels import prior
from equipoise.engine.starts.output_bias import best_constant_logits
from equipoise.experiment.cross_validation import CrossValidator, features_of
from equipoise.experiment.jobs import drawn_positives
from equipoise.experiment.settings import Settings
from equipoise.ops.device import repeatable
from equipoise.splits.outer import stratified_folds

CPU = torch.device("cpu")
N, L = 300, 4
PARAMS = {"lr": 0.05, "C": 10.0}


def labels() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.random((N, L)) < (0.5, 0.3, 0.1, 0.03)).astype(np.uint8)


def bench(strategy: str, Y: np.ndarray) -> CrossValidator:
    X = (Y + np.random.default_rng(1).normal(size=Y.shape)).astype(np.float32)
    backbone = get_backbone("linear")
    inputs = backbone.features("numeric").fit(X, None).transform(X)
    settings = Settings(epochs=3, folds=2)
    return CrossValidator(
        get_strategy(strategy),
        backbone,
        features_of(inputs, backbone.vector_features),
        None,
        Y,
        stratified_folds(Y, 2, 0),
        ("t",),
        settings,
        Trainer(inputs, settings.batch_size, CPU),
    )


def lanes_of(strategy: str) -> list[Lane]:
    return bench(strategy, labels()).lanes(PARAMS, None)


# What the context holds


def test_without_resampling_both_counts_are_of_the_same_rows() -> None:
    (lane,) = lanes_of("pos_weight")
    np.testing.assert_array_equal(lane.trained_pos, lane.n_pos)
    assert lane.trained_rows == lane.n_rows == N
    ctx = Context(np.ones(3), 10)
    assert ctx.trained_pos is ctx.n_pos
    assert ctx.trained_rows == 10


@pytest.mark.parametrize("name", ["ml_ros", "lp_rus", "mlsmote", "remedial"])
def test_after_resampling_the_counts_are_of_the_rows_that_are_left(name: str) -> None:
    (lane,) = lanes_of(f"{name}+pos_weight")
    np.testing.assert_array_equal(lane.n_pos, labels().sum(0))
    np.testing.assert_array_equal(lane.trained_pos, lane.targets.sum(0))
    assert (lane.n_rows, lane.trained_rows) == (N, len(lane.targets))
    assert len(lane.targets) != N


def test_sampling_weights_count_as_often_as_they_draw_a_row() -> None:
    (lane,) = lanes_of("balanced_sampling+logit_adjusted_loss")
    np.testing.assert_allclose(lane.trained_pos / lane.trained_rows, prior(lane))
    # Every label is drawn equally often; with the others that a row has, each is in more than a quarter of the draws.
    assert (lane.trained_pos / lane.trained_rows > 1 / L).all()
    assert lane.trained_pos[3] > 8 * lane.n_pos[3]


def test_weights_that_change_are_averaged_over_the_training() -> None:
    targets = np.array([[1, 0], [0, 1], [0, 0]], dtype=np.uint8)
    first, second, last = [2.0, 1.0, 1.0], [0.0, 4.0, 0.0], [1.0, 0.0, 0.0]
    np.testing.assert_allclose(drawn_positives(targets, np.array(first)), [1.5, 0.75])
    # Linear from each frame to the next: the second counts twice, and each frame is normalised by itself.
    got = drawn_positives(targets, np.array([first, second, last]))
    np.testing.assert_allclose(got, [3 * (0.5 + 0 + 1) / 4, 3 * (0.25 + 2 + 0) / 4])
    assert (drawn_positives(np.ones((7, 1), np.uint8), np.full(7, 0.1)) <= 7).all()


def test_networks_on_part_of_the_rows_count_these() -> None:
    for lane in lanes_of("balanced_bagging+pos_weight"):
        assert lane.trained_rows == len(lane.targets) < N
        np.testing.assert_array_equal(2 * lane.trained_pos, [lane.trained_rows])
        assert lane.n_rows == N


def test_tasks_see_the_counts_of_the_resampled_rows() -> None:
    seen: list[Context] = []
    work = bench("ml_ros+binary_relevance", labels())
    part = work.strategy.owner("tasks")
    original = type(part).tasks
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(part), "tasks", lambda self, Y, ctx: seen.append(ctx) or original(self, Y, ctx))
        lanes = work.lanes(PARAMS, None)
    np.testing.assert_array_equal(seen[0].n_pos, labels().sum(0))
    np.testing.assert_array_equal(seen[0].trained_pos, [lane.targets.sum() for lane in lanes])


# What losses make of it


def losses(lane: Lane) -> np.ndarray:
    """The losses of positives at a logit of 0, over that of cross-entropy, (L,)."""
    strategy = lane.strategy
    ctx = Context(
        torch.tensor(lane.n_pos).float(),
        torch.tensor(float(lane.n_rows)),
        progress=torch.tensor(1.0),
        trained_pos=torch.tensor(lane.trained_pos).float(),
        trained_rows=torch.tensor(float(lane.trained_rows or 0)),
    )
    return np.asarray(
        strategy.loss(torch.zeros(1, len(lane.n_pos)), torch.ones(1, len(lane.n_pos)), ctx)[0]
    ) / np.log(2)


def test_pos_weight_makes_up_for_what_a_resampler_leaves() -> None:
    (lane,) = lanes_of("ml_ros[p=1.0]+pos_weight")
    n, rows = lane.targets.sum(0), len(lane.targets)
    np.testing.assert_allclose(losses(lane), (rows - n) / n, rtol=1e-5)
    (alone,) = lanes_of("pos_weight")
    assert losses(alone)[3] > 2 * losses(lane)[3]


@pytest.mark.parametrize("sampler", ["balanced_sampling", "sqrt_sampling", "labelset_sampling", "ml_ros"])
@pytest.mark.parametrize("name", ["pos_weight", "cost_sensitive"])
def test_balanced_rows_start_at_one_half_whatever_drew_them(sampler: str, name: str) -> None:
    """The best constant prediction of a loss that balances both classes is 1/2: corrected once, neither more nor less."""
    (bias,) = best_constant_logits(lanes_of(f"{sampler}+{name}"), 32)
    np.testing.assert_allclose(bias, 0.0, atol=0.02)


def test_the_logit_adjusted_loss_takes_out_the_prior_it_is_drawn_with() -> None:
    for spec in (
        "logit_adjusted_loss",
        "balanced_sampling+logit_adjusted_loss",
        "ml_ros+logit_adjusted_loss",
    ):
        (bias,) = best_constant_logits(lanes_of(spec), 32)
        np.testing.assert_allclose(bias, 0.0, atol=0.02)


#: Losses with label counts → whether they take those of the rows trained on, those before resampling, or both.
COUNTS = {
    "pos_weight": {"trained"},
    "inverse_frequency": {"trained"},
    "inverse_frequency_softmax": {"trained"},
    "cost_sensitive": {"trained"},
    "class_balanced": {"trained"},
    "logit_adjusted_loss": {"trained"},
    "ntr_focal": {"trained"},
    "cb_ntr": {"trained"},
    "ldam": {"trained", "n"},
    "distribution_balanced": {"trained", "n"},
    "rebalanced_focal": {"n"},
    "propensity": {"n"},
}


def test_every_loss_takes_the_counts_that_it_says() -> None:
    rng = np.random.default_rng(3)
    z, y = torch.from_numpy(rng.normal(size=(32, L))).float(), torch.from_numpy(labels()[:32]).float()
    counts = torch.tensor([150.0, 90.0, 30.0, 9.0])
    ctx = Context(counts, torch.tensor(300.0), progress=torch.tensor(1.0))
    changed = {
        "n": replace(ctx, n_pos=counts.flip(0), n_rows=torch.tensor(700.0)),
        "trained": replace(ctx, trained_pos=counts.flip(0), trained_rows=torch.tensor(700.0)),
    }
    found = {}
    for name in registry("strategy").names():
        strategy = registry("strategy").get(name)()
        # Other tests may have added plugins of their own.
        if not type(strategy).__module__.startswith("equipoise.strategies."):
            continue
        if "loss" in strategy.stages and "tasks" not in strategy.stages:
            plain = strategy.loss(z, y, ctx)
            found[name] = {k for k, c in changed.items() if not torch.equal(strategy.loss(z, y, c), plain)}
    assert {name: kinds for name, kinds in found.items() if kinds} == COUNTS


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_a_strategy_alone_trains_as_from_the_counts_before_resampling(name: str) -> None:
    """Bit for bit: where nothing resamples, lanes that say what they train on equal lanes that do not."""
    with repeatable(CPU):
        work = bench(name, labels())
        lanes = work.lanes(PARAMS, 0)
        silent = [replace(lane, trained_pos=None, trained_rows=None) for lane in lanes]
        trained, as_before = (run_one(work.trainer.train(some)) for some in (lanes, silent))
    for one, other in zip(trained, as_before, strict=True):
        assert all(torch.equal(one.params[n], other.params[n]) for n in one.params)


def test_lanes_of_one_population_have_their_own_counts() -> None:
    lanes = [
        lanes_of(spec)[0] for spec in ("pos_weight", "ml_ros+pos_weight", "balanced_sampling+pos_weight")
    ]
    z, y = torch.zeros(3, 32, L), torch.ones(3, 32, L)
    together = PopulationLoss(lanes, CPU)(z, y, np.zeros(3)).numpy()
    np.testing.assert_allclose(together / np.log(2), [losses(lane).mean() for lane in lanes], rtol=1e-5)


def test_yeast_ml_ros_and_pos_weight_no_longer_correct_twice(data_dir: Path) -> None:
    """Label 13 of yeast, the rarest, weighed 70.1 with and without ML-ROS."""
    Y = load_dataset("yeast", data_dir=data_dir).Y
    (alone,), (after,) = (bench(spec, Y).lanes(PARAMS, None) for spec in ("pos_weight", "ml_ros+pos_weight"))
    assert losses(alone)[13] == pytest.approx(70.1, abs=0.05)
    assert losses(after)[13] == pytest.approx(8.7, abs=0.05)
