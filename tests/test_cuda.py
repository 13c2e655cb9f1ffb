"""What only a CUDA device can show: its trainings, their bits and memory, and that a step does not wait for the host.

`python benchmarks/gpu.py` runs this file. Tests that need no CUDA call of their own run on the CPU as well, where they compare a
training with itself, so that the code of the test is known to work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch

import equipoise
from equipoise.backbones.embedding_bag import EmbeddingBag
from equipoise.backbones.gru import GRU
from equipoise.backbones.linear import Linear
from equipoise.backbones.lstm import LSTM
from equipoise.backbones.mlp import MLP
from equipoise.backbones.sentence_embedding import SentenceEmbedding
from equipoise.backbones.textcnn import TextCNN
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.backbone import Backbone
from equipoise.engine.lanes import Lane
from equipoise.engine.population import Population
from equipoise.engine.predict import predict
from equipoise.ops.device import repeatable
from equipoise.ops.inputs import Dense, Inputs, Sparse, Tokens

ROWS, LABELS, BATCH = 192, 4, 32
CPU, CUDA = torch.device("cpu"), torch.device("cuda")
EACH_DEVICE = pytest.mark.parametrize(
    "device", [CPU, pytest.param(CUDA, marks=pytest.mark.gpu)], ids=["cpu", "cuda"]
)


def dense() -> Dense:
    return Dense.of(np.random.default_rng(1).normal(size=(ROWS, 21)).astype(np.float32))


def sparse() -> Sparse:
    return Sparse.of(sp.random(ROWS, 150, density=0.05, format="csr", random_state=np.random.default_rng(3)))


def tokens() -> Tokens:
    """Texts of one length: on the CPU each batch is trimmed, and masks would have other shapes than on CUDA."""
    ids = np.random.default_rng(2).integers(1, 40, (ROWS, 9))
    return Tokens(torch.from_numpy(ids), torch.full((ROWS,), 9), 40)


CASES: dict[str, tuple[Backbone, Callable[[], Inputs]]] = {
    "linear": (Linear(), dense),
    "linear-sparse": (Linear(), sparse),
    "mlp": (MLP(hidden=16), dense),
    "mlp-sparse": (MLP(hidden=16), sparse),
    "sentence-embedding": (SentenceEmbedding(hidden=16), dense),
    "lstm": (LSTM(hidden=8, embedding=8), tokens),
    "gru-bidirectional": (GRU(hidden=8, embedding=8, bidirectional=True), tokens),
    "embedding-bag": (EmbeddingBag(embedding=8), tokens),
    "textcnn": (TextCNN(filters=8, embedding=8), tokens),
}


def lanes(backbone: Backbone, strategies: tuple[str, ...] = ("none", "focal", "two_way")) -> list[Lane]:
    Y = (np.random.default_rng(0).random((ROWS, LABELS)) < (0.5, 0.3, 0.2, 0.1)).astype(np.uint8)
    return [
        Lane(
            index=np.arange(ROWS),
            targets=Y,
            n_pos=Y.sum(0, dtype=np.int64),
            n_rows=ROWS,
            strategy=get_strategy(name),
            backbone=backbone,
            lr=0.005 * (k + 1),
            l2=0.001,
            role=("cuda", k),
            steps=24,
            held_out=np.arange(60),
            held_targets=Y[:60],
        )
        for k, name in enumerate(strategies)
    ]


def logits(backbone: Backbone, inputs: Inputs, device: torch.device) -> np.ndarray:
    """The logits of trained lanes for all rows, (K, ROWS, L)."""
    on_device = inputs.to(device)
    with repeatable(device):
        trained = Population(lanes(backbone), on_device, BATCH, device).train()
        return np.stack(predict(trained, on_device, [np.arange(ROWS)] * len(trained), device))


@EACH_DEVICE
@pytest.mark.parametrize("case", CASES)
def test_the_same_training_as_on_cpu_and_twice_the_same_bits(case: str, device: torch.device) -> None:
    backbone, inputs = CASES[case]
    first = logits(backbone, inputs(), device)
    assert np.isfinite(first).all()
    assert np.array_equal(first, logits(backbone, inputs(), device))
    assert np.allclose(first, logits(backbone, inputs(), CPU), atol=0.02)


@pytest.mark.parametrize(
    "device",
    [pytest.param(CPU, marks=pytest.mark.slow), pytest.param(CUDA, marks=pytest.mark.gpu)],
    ids=["cpu", "cuda"],
)
def test_a_cell_runs_and_says_where(device: torch.device, tmp_path: Path) -> None:
    row = equipoise.run(
        dataset="design-emails[rows=150]",
        backbone="mlp[max_features=200]",
        strategy="focal",
        splits=1,
        trials=2,
        folds=2,
        epochs=2,
        workers=1,
        device=device.type,
        results=tmp_path,
    ).iloc[0]
    assert row["status"] == "ok", row["error"]
    assert row["scores/map"] > 0


@contextmanager
def waiting_is_an_error() -> Iterator[None]:
    """Within the block, PyTorch raises where the host would wait for the device."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def watched(population: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a step fail where it waits for the device; drawing and copying what it takes comes before it."""
    learn = population._learn

    def strict(*batch: Any) -> None:
        with waiting_is_an_error():
            learn(*batch)

    monkeypatch.setattr(population, "_learn", strict)


@pytest.mark.gpu
@pytest.mark.parametrize("strategies", [("none",) * 3, ("none", "focal", "two_way"), ("mulsupcon",) * 3])
@pytest.mark.parametrize("case", CASES)
def test_a_step_waits_for_nothing_and_needs_no_new_memory(
    case: str, strategies: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone, inputs = CASES[case]
    if "mulsupcon" in strategies and not backbone.represents:
        pytest.skip("needs a learned representation")
    with repeatable(CUDA):
        population = Population(lanes(backbone, strategies), inputs().to(CUDA), BATCH, CUDA)
        population.advance(70)  # more than one chunk of drawn batches
        watched(population, monkeypatch)
        in_use = []
        for _ in range(8):
            population.advance(1)
            in_use.append(torch.cuda.memory_allocated())
    assert len(set(in_use)) == 1
