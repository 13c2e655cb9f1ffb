"""Layers of the engine against the library's: LSTM, sparse rows, affine maps."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch import Tensor

from equipoise.backbones.lstm import LSTM
from equipoise.engine.predict import predict
from equipoise.ops.affine import affine
from equipoise.ops.device import repeatable
from equipoise.ops.inputs import Dense, Sparse, TokenBatch

from .shared.lanes import CPU, a_lane, run


def some_texts(longest: int = 11) -> TokenBatch:
    rng = np.random.default_rng(1)
    lengths = np.array([longest, 1, 4, 7, 2, longest - 1])
    ids = rng.integers(1, 30, (6, longest)) * (np.arange(longest) < lengths[:, None])
    return TokenBatch(torch.from_numpy(ids), torch.from_numpy(lengths))


def as_it_is(h: Tensor) -> Tensor:
    return h


def reference(model: LSTM, params: dict[str, Tensor], x: TokenBatch) -> Tensor:
    """The same network with torch.nn.LSTM over packed sequences, for comparison."""
    ways = ("forward", "backward") if model.bidirectional else ("forward",)
    lstm = torch.nn.LSTM(model.embedding, model.hidden, batch_first=True, bidirectional=model.bidirectional)
    with torch.no_grad():
        for way, suffix in zip(ways, ("", "_reverse"), strict=False):
            getattr(lstm, f"weight_ih_l0{suffix}").copy_(params[f"{way}_ih"])
            getattr(lstm, f"weight_hh_l0{suffix}").copy_(params[f"{way}_hh"])
            getattr(lstm, f"bias_ih_l0{suffix}").copy_(params[f"{way}_b"])
            getattr(lstm, f"bias_hh_l0{suffix}").zero_()
    words = torch.nn.functional.embedding(x.ids, params["words"])
    packed = torch.nn.utils.rnn.pack_padded_sequence(words, x.lengths, batch_first=True, enforce_sorted=False)
    states, _ = torch.nn.utils.rnn.pad_packed_sequence(
        lstm(packed)[0], batch_first=True, padding_value=-torch.inf
    )
    return states.amax(1) @ params["weight"] + params["bias"]


@pytest.mark.global_rng  # torch.nn.LSTM draws its own first weights, which are then overwritten
@pytest.mark.parametrize("bidirectional", [False, True])
def test_lstm_is_the_library_s_over_packed_sequences_gradients_too(bidirectional: bool) -> None:
    model = LSTM(hidden=6, embedding=5, bidirectional=bidirectional)
    params = {n: p.requires_grad_() for n, p in model.init(30, 3, torch.Generator().manual_seed(0)).items()}
    x = some_texts()
    ours, theirs = model.forward(params, x, as_it_is), reference(model, params, x)
    assert torch.allclose(ours, theirs, atol=1e-5)
    mix = torch.linspace(-1, 1, ours.numel()).view(ours.shape)
    for name in ("words", "weight"):
        own, other = (
            torch.autograd.grad((z * mix).sum(), params[name], retain_graph=True)[0] for z in (ours, theirs)
        )
        assert own.abs().sum() > 0
        assert torch.allclose(own, other, atol=1e-5)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_longer_texts_in_a_batch_do_not_change_a_text_s_logits(bidirectional: bool) -> None:
    model = LSTM(hidden=6, embedding=5, bidirectional=bidirectional)
    params = model.init(30, 3, torch.Generator().manual_seed(0))
    x = some_texts()
    together = model.forward(params, x, as_it_is)
    for i, length in enumerate(x.lengths):
        alone = model.forward(params, TokenBatch(x.ids[i : i + 1, :length], x.lengths[i : i + 1]), as_it_is)
        assert torch.allclose(alone[0], together[i], atol=1e-5)
    rubbish = x.ids.clone()
    rubbish[torch.arange(11) >= x.lengths[:, None]] = 29
    assert torch.equal(model.forward(params, TokenBatch(rubbish, x.lengths), as_it_is), together)


def test_sparse_inputs_never_become_dense() -> None:
    """5000 × 50,000 would be 1 GB; a batch of two lanes made dense would be 13 MB a time, beside weights of 0.6 MB."""
    rows, width = 5000, 50_000
    entries = (
        np.full(20 * rows, 0.5, dtype=np.float32),
        np.random.default_rng(0).integers(0, width, 20 * rows),
    )
    x = sp.csr_matrix((*entries, np.arange(0, 20 * rows + 1, 20)), shape=(rows, width))
    x.sum_duplicates()
    inputs = Sparse.of(x)
    Y = (np.random.default_rng(1).random((rows, 3)) < 0.3).astype(np.uint8)
    largest = 0

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            nonlocal largest
            out = func(*args, **(kwargs or {}))
            sizes = [t.numel() for t in torch.utils._pytree.tree_leaves(out) if isinstance(t, Tensor)]
            largest = max(largest, *sizes, 0)
            return out

    with Watch():
        run(a_lane(rows, Y, steps=1), inputs)  # so that what is imported on the way is not counted
    largest = 0
    tracemalloc.start()
    with Watch():
        trained = run(a_lane(rows, Y), inputs)
        with repeatable(CPU):
            logits = predict([trained], inputs, [np.arange(rows)], CPU)[0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 2 * width * 3 <= largest < 32 * width
    assert peak < 8e6
    weight, bias = trained.params["weight"].numpy(), trained.params["bias"].numpy()
    assert np.allclose(logits, x @ weight + bias, atol=1e-5)


def test_sparse_and_dense_inputs_train_the_same_model() -> None:
    x = sp.random(90, 40, density=0.2, format="csr", random_state=np.random.default_rng(0), dtype=np.float32)
    Y = (np.random.default_rng(1).random((90, 3)) < 0.3).astype(np.uint8)
    wide = Dense(torch.from_numpy(x.toarray()))
    thin, full = (run(a_lane(90, Y, steps=15), inputs).params["weight"] for inputs in (Sparse.of(x), wide))
    assert torch.allclose(thin, full, atol=1e-5)


def test_columns_of_zeros_behind_the_features_change_nothing() -> None:
    x = np.random.default_rng(0).normal(size=(90, 13)).astype(np.float32)
    Y = (np.random.default_rng(1).random((90, 3)) < 0.3).astype(np.uint8)
    wide, plain = Dense.of(x), Dense(torch.from_numpy(x))
    assert (wide.width, wide.x.shape[1]) == (13, 16)
    assert np.array_equal(wide.array(), x)
    own, other = (run(a_lane(90, Y, steps=15), inputs).params["weight"] for inputs in (wide, plain))
    assert own.shape == (13, 3)
    assert torch.allclose(own, other, atol=1e-5)
    more = wide.extended([x[:2] + 1])
    assert np.array_equal(more.array()[-2:], x[:2] + 1)
    rows, generator = torch.tensor([[0, 5], [7, 1]]), torch.Generator().manual_seed(0)
    weight, bias = torch.randn(2, 13, 3, generator=generator), torch.randn(2, 1, 3, generator=generator)
    outs = [affine(inputs.gather(rows), weight, bias) for inputs in (wide, plain)]
    assert torch.allclose(*outs, atol=1e-6), "weights that are not the engine's own are widened on the way"


def test_affine_of_sparse_rows_equals_the_dense_product_with_its_gradient() -> None:
    x = sp.random(20, 15, density=0.3, format="csr", random_state=np.random.default_rng(0), dtype=np.float32)
    rows = torch.tensor([[3, 3, 0, 19], [7, 1, 3, 2]])
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(2, 15, 4, generator=generator).requires_grad_()
    bias = torch.randn(2, 1, 4, generator=generator)
    mix = torch.randn(2, 4, 4, generator=generator)
    dense = torch.from_numpy(x.toarray())[rows]
    outs = [
        affine(Sparse.of(x).gather(rows), weight, bias),
        torch.einsum("kbd,kdh->kbh", dense, weight) + bias,
    ]
    grads = [torch.autograd.grad((out * mix).sum(), weight)[0] for out in outs]
    assert torch.allclose(outs[0], outs[1], atol=1e-5)
    assert torch.allclose(grads[0], grads[1], atol=1e-5)
