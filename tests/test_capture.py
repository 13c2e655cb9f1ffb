"""A training step on a device is one that a CUDA graph could hold, checked without CUDA.

PyTorch's `meta` device has shapes and no values. On it, the engine takes the path of CUDA, and a step fails that needs the value
of a tensor, or an operation whose result has a size that depends on values. A dispatch mode sees every operation of the step: it
refuses those that touch a tensor on the host, and records the others. A graph replays the same operations with the same numbers,
so all steps must have the same record.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from equipoise.backbones._tokens import TokenBackbone
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
from equipoise.contracts.strategy import REPRESENTATION, Context, Strategy
from equipoise.contracts.tasks import LabelInputs
from equipoise.engine.lanes import Lane
from equipoise.engine.population import Population
from equipoise.ops.inputs import Dense, Inputs, Sparse, Tokens

META = torch.device("meta")
ROWS, LABELS, LANES, BATCH = 96, 4, 3, 32


class NotCapturableError(AssertionError):
    """A step does what a CUDA graph cannot hold. Not a RuntimeError, which the engine takes for a missing rule of vmap."""


class Capture(TorchDispatchMode):
    """Records the operations of a step, with shapes and numbers, and refuses what a graph cannot hold."""

    def __init__(self) -> None:
        super().__init__()
        self.record: list[str] = []
        self._storages: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        inputs = tree_leaves((args, kwargs or {}))
        out = func(*args, **(kwargs or {}))
        tensors = [t for t in (*inputs, *tree_leaves(out)) if isinstance(t, Tensor)]
        if elsewhere := {str(t.device) for t in tensors} - {str(META)}:
            raise NotCapturableError(f"{func} takes or makes a tensor on {', '.join(elsewhere)}")
        shown = [(tuple(i.shape), i.stride(), i.dtype) if isinstance(i, Tensor) else i for i in inputs]
        self.record.append(f"{func}{shown}")
        for tensor in tensors:
            storage = tensor.untyped_storage()
            self._storages[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        return out

    def bytes_in_use(self) -> int:
        """The memory of all tensors that operations have read or made, as far as it is not free again."""
        return sum(size for reference, size in self._storages.values() if not reference.expired())


def labels() -> np.ndarray:
    Y = (np.random.default_rng(0).random((ROWS, LABELS)) < (0.5, 0.3, 0.2, 0.1)).astype(np.uint8)
    Y[np.arange(LABELS), np.arange(LABELS)] = 1
    return Y


def dense() -> Dense:
    return Dense.of(np.random.default_rng(1).normal(size=(ROWS, 13)).astype(np.float32))


def sparse() -> Sparse:
    return Sparse.of(sp.random(ROWS, 30, density=0.2, format="csr", random_state=np.random.default_rng(3)))


def tokens() -> Tokens:
    rng = np.random.default_rng(2)
    lengths = rng.integers(1, 8, ROWS)
    ids = rng.integers(1, 20, (ROWS, 7)) * (np.arange(7) < lengths[:, None])
    return Tokens(torch.from_numpy(ids), torch.from_numpy(lengths), 20)


def with_vectors() -> Tokens:
    return dataclasses.replace(tokens(), vectors=torch.ones(20, 5))


def lanes(backbone: Backbone, strategies: list[Strategy], fed_labels: bool = False) -> list[Lane]:
    """Lanes that differ in everything that changes from step to step: learning rate, length, dropout, stream."""
    Y = labels()
    return [
        Lane(
            index=np.arange(ROWS),
            targets=Y,
            n_pos=Y.sum(0, dtype=np.int64),
            n_rows=ROWS,
            strategy=strategies[k % len(strategies)],
            backbone=backbone,
            lr=0.01 * (k + 1),
            l2=0.001 * k,
            role=("capture", k % 2),
            steps=9 + k,
            label_inputs=LabelInputs(Y[:, :2], (0, 1)) if fed_labels else None,
        )
        for k in range(LANES)
    ]


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Lane], Inputs], None]:
    """Takes steps on the `meta` device, which must all have the same record and leave the same memory in use."""
    monkeypatch.setattr(TokenBackbone, "batched", True)  # as on CUDA
    # The `meta` device has no mixed precision, and refuses to be asked about it.
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    # It is read once for many steps, when their batches are drawn.
    monkeypatch.setattr(Sparse, "most_entries", lambda *_: LANES * BATCH * 10)
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda *_: False)

    def check(some: list[Lane], inputs: Inputs, steps: int = 3) -> None:
        population = Population(some, inputs.to(META), BATCH, META)
        learn, seen = population._learn, []

        def learn_watched(*batch: Any) -> None:
            with mode:
                learn(*batch)

        # The first step finds out how many numbers the masks need, and is the only one that draws them itself.
        population.advance(2)
        monkeypatch.setattr(population, "_learn", learn_watched)
        mode = Capture()
        for _ in range(steps):
            mode.record.clear()
            population.advance(1)
            seen.append((list(mode.record), mode.bytes_in_use()))
        assert len(seen[0][0]) > 10
        for record, in_use in seen[1:]:
            assert record == seen[0][0], "a step has another record than the one before"
            assert in_use == seen[0][1] > 0, "a step leaves more memory in use than the one before"

    return check


CASES: dict[str, tuple[Backbone, Callable[[], Inputs]]] = {
    "linear": (Linear(), dense),
    "mlp": (MLP(hidden=6), dense),
    "linear-sparse": (Linear(), sparse),
    "mlp-sparse": (MLP(hidden=6), sparse),
    "sentence-embedding": (SentenceEmbedding(), dense),
    "sentence-embedding-hidden": (SentenceEmbedding(hidden=6), dense),
    "lstm": (LSTM(hidden=4, embedding=5), tokens),
    "lstm-bidirectional": (LSTM(hidden=4, embedding=5, bidirectional=True), tokens),
    "lstm-vectors": (LSTM(hidden=4, embedding=5), with_vectors),
    "gru": (GRU(hidden=4, embedding=5), tokens),
    "gru-bidirectional": (GRU(hidden=4, embedding=5, bidirectional=True), tokens),
    "embedding-bag": (EmbeddingBag(embedding=5), tokens),
    "textcnn": (TextCNN(filters=4, embedding=5), tokens),
}
#: Plain, computed directly for all lanes, by vmap, and with the representation.
LOSSES = ("none", "focal", "two_way", "mulsupcon")
WITH_LOSS = [
    name for name in registry("strategy").names() if type(get_strategy(name)).loss is not Strategy.loss
]


def test_every_backbone_has_a_case() -> None:
    # A transformer trains one lane at a time, each batch trimmed to its longest text, whose length it reads.
    assert {backbone.name for backbone, _ in CASES.values()} | {"transformer"} == {
        e.name for e in registry("backbone").entries() if e.obj.gradient
    }


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("case", CASES)
def test_steps_of_every_backbone(case: str, loss: str, capture: Callable[[list[Lane], Inputs], None]) -> None:
    (backbone, inputs), strategy = CASES[case], get_strategy(loss)
    if REPRESENTATION in strategy.needs and not backbone.represents:
        pytest.skip(f"{loss} needs a learned representation")
    capture(lanes(backbone, [strategy]), inputs())


@pytest.mark.parametrize("loss", WITH_LOSS)
def test_steps_of_every_loss(loss: str, capture: Callable[[list[Lane], Inputs], None]) -> None:
    capture(lanes(MLP(hidden=6), [get_strategy(loss)]), dense())


def test_steps_of_several_losses_and_of_label_inputs(capture: Callable[[list[Lane], Inputs], None]) -> None:
    several = [get_strategy(name) for name in ("none", "focal[gamma=1]", "ldam")]
    capture(lanes(MLP(hidden=6), several), dense())
    capture(lanes(MLP(hidden=6), several[:1], fed_labels=True), dense())
    capture(lanes(LSTM(hidden=4, embedding=5), several[:2], fed_labels=True), tokens())


@dataclasses.dataclass(frozen=True)
class Faulty(Strategy):
    """A loss that does what a graph cannot hold."""

    fault: str = ""

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        plain = torch.nn.functional.softplus(logits) - logits * targets
        if self.fault == "branch":
            return plain if logits.sum() > 0 else 2 * plain
        if self.fault == "number":
            return plain * float(ctx.n_rows)
        if self.fault == "mask":
            return plain[targets > 0].sum() + 0 * plain
        if self.fault == "copy":
            return plain * torch.ones(LABELS).to(logits.device)
        if self.fault == "changes":
            _CALLS.append(1)
            return plain * len(_CALLS)
        _CALLS.append(plain.detach() * 1)
        return plain


_CALLS: list[object] = []


FAULTS = {
    "branch": "Tensor.item() cannot be called on meta tensors",
    "number": "Tensor.item() cannot be called on meta tensors",
    "mask": "nonzero",
    "copy": "aten.ones.default takes or makes a tensor on cpu",
    "changes": "another record",
    "keeps": "more memory",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_loss_that_cannot_be_captured_is_found(
    fault: str, capture: Callable[[list[Lane], Inputs], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The engine tries vmap first, and would remember the class.
    monkeypatch.setattr("equipoise.engine.loss._ONE_BY_ONE", {Faulty})
    with pytest.raises((AssertionError, NotImplementedError, RuntimeError), match=re.escape(FAULTS[fault])):
        capture(lanes(MLP(hidden=6), [Faulty(fault=fault)]), dense())
