"""A lane has the same parameters and predictions, bit for bit, alone, among 32 others, and in any order (CPU, one thread)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from equipoise.backbones.embedding_bag import EmbeddingBag
from equipoise.backbones.gru import GRU
from equipoise.backbones.linear import Linear
from equipoise.backbones.lstm import LSTM
from equipoise.backbones.mlp import MLP
from equipoise.backbones.sentence_embedding import SentenceEmbedding
from equipoise.backbones.textcnn import TextCNN
from equipoise.catalog.registry import registry
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.rows import Rows
from equipoise.contracts.strategy import REPRESENTATION, Context, Strategy
from equipoise.engine.lanes import Lane, Trained
from equipoise.engine.predict import predict
from equipoise.engine.scheduler import Trainer, run_one
from equipoise.engine.train import TrainingCost, train
from equipoise.experiment.cross_validation import CrossValidator, features_of
from equipoise.experiment.settings import Settings
from equipoise.ops.device import repeatable
from equipoise.ops.inputs import Dense, Inputs, Sparse, Tokens

CPU = torch.device("cpu")
ROWS, LABELS = 230, 5


def labels(n_labels: int = LABELS) -> np.ndarray:
    """(ROWS, n_labels) with frequencies from one half down to a few rows."""
    rng = np.random.default_rng(3)
    Y = (rng.random((ROWS, n_labels)) < np.geomspace(0.5, 0.04, n_labels)).astype(np.uint8)
    Y[np.arange(n_labels), np.arange(n_labels)] = 1
    return Y


def dense(width: int = 103) -> Dense:
    return Dense(torch.from_numpy(np.random.default_rng(4).normal(size=(ROWS, width)).astype(np.float32)))


def widened(width: int = 103) -> Dense:
    return Dense.of(dense(width).array())


def sparse(width: int = 611) -> Sparse:
    return Sparse.of(
        sp.random(ROWS, width, density=0.03, format="csr", random_state=np.random.default_rng(5))
    )


def tokens() -> Tokens:
    """Texts of 1 to 13 words out of 37."""
    rng = np.random.default_rng(6)
    lengths = rng.integers(1, 14, ROWS)
    ids = rng.integers(1, 37, (ROWS, 13)) * (np.arange(13) < lengths[:, None])
    return Tokens(torch.from_numpy(ids), torch.from_numpy(lengths), 37)


def a_lane(k: int, backbone: Backbone, Y: np.ndarray, watched: bool) -> Lane:
    """A lane that differs from all others in rows, resampling, weights, budget, learning rate, loss, dropout and stream."""
    rng = np.random.default_rng(100 + k)
    held = np.sort(rng.choice(ROWS, 60, replace=False))
    kept = np.setdiff1d(np.arange(ROWS), held)
    ctx = Context(Y[kept].sum(0, dtype=np.int64), len(kept), rng=rng)
    index = kept
    if k % 3 == 0:
        index = get_strategy(f"ml_ros[p={0.02 * k}]").resample(Rows(kept, Y[kept]), ctx).index
    weights = None
    if k % 2:
        weights = get_strategy(f"balanced_sampling[mix={1 / (1 + k % 4)}]").weights(Y[index], ctx)
    if hasattr(backbone, "dropout"):
        backbone = dataclasses.replace(backbone, dropout=(0.0, 0.2, 0.37, 0.5)[k % 4])
    return Lane(
        index=index,
        targets=Y[index],
        weights=weights,
        n_pos=ctx.n_pos,
        n_rows=ctx.n_rows,
        strategy=get_strategy(f"focal[gamma={0.3 * (k % 7)},alpha={0.2 + 0.02 * k}]"),
        backbone=backbone,
        lr=float(np.geomspace(3e-4, 0.3, 32)[(7 * k) % 32]),
        l2=float(np.geomspace(1e-6, 0.1, 32)[(5 * k) % 32]),
        role=("bits", k),
        steps=budget(k),
        held_out=held if watched else None,
        held_targets=Y[held] if watched else None,
    )


def budget(k: int) -> int:
    """Lane k's gradient steps."""
    return 12 + (7 * k) % 17


def run(lanes: Sequence[Lane], inputs: Inputs, batch_size: int = 32) -> list[Trained]:
    with repeatable(CPU):
        return train(lanes, inputs, batch_size=batch_size, device=CPU, cost=TrainingCost())


def logits_of(trained: Sequence[Trained], inputs: Inputs) -> list[np.ndarray]:
    """Predictions, for as many rows as the lane's number says, so that lanes share no shape."""
    rows = [np.arange(40 + k) for k in range(len(trained))]
    with repeatable(CPU):
        return predict(trained, inputs, rows, CPU)


def assert_same(a: Trained, b: Trained) -> None:
    assert (a.steps_run, a.score, a.settled) == (b.steps_run, b.score, b.settled)
    assert a.params.keys() == b.params.keys()
    for name in a.params:
        assert torch.equal(a.params[name], b.params[name]), f"{name} differs"


def check(lanes: Sequence[Lane], inputs: Inputs, batch_size: int = 32) -> list[Trained]:
    """The bits are the same together, alone (a dozen lanes), in two other populations, and in another order."""
    together = run(lanes, inputs, batch_size)
    for k in sorted({0, *range(1, len(lanes), 3), len(lanes) - 1}):
        assert_same(run([lanes[k]], inputs, batch_size)[0], together[k])
    order = np.random.default_rng(0).permutation(len(lanes))
    for some in (order, order[: len(lanes) // 2 + 1]):
        for k, trained in zip(some, run([lanes[k] for k in some], inputs, batch_size), strict=True):
            assert_same(trained, together[k])
    beside = logits_of(together, inputs)
    for k, trained in enumerate(together):
        with repeatable(CPU):
            alone = predict([trained], inputs, [np.arange(40 + k)], CPU)[0]
        assert np.isfinite(alone).all()
        assert np.array_equal(alone, beside[k])
    return together


CASES: dict[str, tuple[Backbone, Callable[[], Inputs], int]] = {
    "linear-dense": (Linear(), dense, 32),
    "linear-sparse": (Linear(), sparse, 32),
    "mlp-dense": (MLP(hidden=13), dense, 32),
    "linear-widened": (Linear(), widened, 32),
    "mlp-widened": (MLP(hidden=13), widened, 32),
    "mlp-sparse": (MLP(hidden=13), sparse, 32),
    "sentence-embedding": (SentenceEmbedding(), widened, 32),
    "sentence-embedding-hidden": (SentenceEmbedding(hidden=13), widened, 32),
    "sentence-embedding-tfidf": (SentenceEmbedding(concat="tfidf"), sparse, 32),
    "lstm": (LSTM(hidden=7, embedding=5), tokens, 4),
    "lstm-bidirectional": (LSTM(hidden=7, embedding=5, bidirectional=True), tokens, 4),
    "gru": (GRU(hidden=7, embedding=5), tokens, 4),
    "gru-bidirectional": (GRU(hidden=7, embedding=5, bidirectional=True), tokens, 4),
    "embedding-bag": (EmbeddingBag(embedding=5), tokens, 32),
    "textcnn": (TextCNN(filters=6, embedding=5), tokens, 8),
}


def test_every_backbone_has_a_case() -> None:
    elsewhere = {"transformer"}  # tests/test_transformer.py, since its packages are not always installed
    assert {backbone.name for backbone, _, _ in CASES.values()} | elsewhere == {
        e.name for e in registry("backbone").entries() if e.obj.gradient
    }


@pytest.mark.parametrize("watched", [True, False], ids=["watched", "unwatched"])
@pytest.mark.parametrize("case", CASES)
def test_a_lane_has_the_same_bits_alone_and_among_others(case: str, watched: bool) -> None:
    backbone, inputs, count = CASES[case]
    Y = labels()
    trained = check([a_lane(k, backbone, Y, watched) for k in range(count)], inputs())
    assert [t.steps_run for t in trained] == [budget(k) for k in range(count)]
    assert len({budget(k) for k in range(count)}) > 1, "lanes must leave at different steps to test anything"
    assert all((t.score > 0) == watched for t in trained)


@pytest.mark.parametrize(("n_labels", "batch_size"), [(1, 32), (14, 64), (101, 96)])
def test_bits_for_other_numbers_of_labels_and_batches(n_labels: int, batch_size: int) -> None:
    Y = labels(n_labels)
    for backbone in (Linear(), MLP(hidden=9)):
        check([a_lane(k, backbone, Y, True) for k in range(5)], dense(37), batch_size)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_lane_without_dropout_is_not_touched_by_those_with(dropout: float) -> None:
    Y = labels()
    bare = dataclasses.replace(a_lane(0, MLP(hidden=8), Y, False), backbone=MLP(hidden=8, dropout=dropout))
    others = [a_lane(k, MLP(hidden=8), Y, False) for k in range(1, 6)]
    assert_same(run([bare], dense())[0], run([*others, bare], dense())[-1])


def bench(strategy: Strategy, on_mlp: bool) -> CrossValidator:
    Y = labels()
    inputs = sparse()
    folds = np.arange(ROWS) % 2
    settings = Settings(epochs=3, batch_size=32, folds=2)
    held = features_of(inputs, True)
    return CrossValidator(
        strategy,
        MLP(hidden=7) if on_mlp else Linear(),
        held,
        None,
        Y,
        folds,
        ("bits",),
        settings,
        Trainer(inputs, settings.batch_size, CPU),
    )


@pytest.mark.parametrize("name", registry("strategy").names())
def test_every_strategy_gives_a_trial_the_same_bits_beside_other_trials(name: str) -> None:
    strategy = get_strategy(name)
    on_mlp = REPRESENTATION in strategy.needs
    own = [{"lr": lr, "C": C} for lr, C in ((1e-2, 10.0), (3e-2, 0.1), (2e-3, 1000.0))]
    with repeatable(CPU):
        together = run_one(bench(strategy, on_mlp).cross_validate(own))
        for params, outcome in zip(own, together, strict=True):
            alone = run_one(bench(strategy, on_mlp).cross_validate([params]))[0]
            assert np.array_equal(alone.logits, outcome.logits)
            assert alone.settled == outcome.settled


@pytest.mark.parametrize("name", [n for n in registry("strategy").names() if get_strategy(n).off])
def test_switched_off_a_strategy_has_the_bits_of_none(name: str) -> None:
    params = {"lr": 1e-2, "C": 10.0}
    strategy = get_strategy(name)
    off, on_mlp = dataclasses.replace(strategy, **dict(strategy.off or {})), REPRESENTATION in strategy.needs
    with repeatable(CPU):
        plain = run_one(bench(get_strategy("none"), on_mlp).cross_validate([params]))[0].logits
        assert np.array_equal(run_one(bench(off, on_mlp).cross_validate([params]))[0].logits, plain)
        # Without a file there are no external rows to add.
        if {"resample", "weights", "loss"} & set(strategy.stages) and "file" not in strategy.requires:
            assert not np.array_equal(
                run_one(bench(strategy, on_mlp).cross_validate([params]))[0].logits, plain
            )


def test_a_composition_trains_by_its_owners() -> None:
    both = get_strategy("ml_ros+focal[gamma=1.5]+scut")
    assert both.owner("loss").spec == "focal[gamma=1.5]"
    lane = bench(both, False).lanes({"lr": 1e-2, "C": 10.0, "focal.gamma": 1.0, "ml_ros.p": 0.5}, 0)[0]
    assert len(lane.index) > ROWS // 2
    assert lane.strategy.gamma == 1.0  # type: ignore[attr-defined]
