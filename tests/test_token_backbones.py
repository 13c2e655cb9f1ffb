"""`embedding_bag`, `textcnn` and `gru` are the networks their papers describe, and padding never counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from equipoise.backbones.embedding_bag import EmbeddingBag
from equipoise.backbones.gru import GRU
from equipoise.backbones.textcnn import WIDTHS, TextCNN
from equipoise.ops.dropout import Drop
from equipoise.ops.inputs import TokenBatch

WORDS, LABELS = 30, 3
MODELS = {
    "embedding-bag": EmbeddingBag(embedding=5),
    "textcnn": TextCNN(filters=4, embedding=5),
    "gru": GRU(hidden=6, embedding=5),
    "gru-bidirectional": GRU(hidden=6, embedding=5, bidirectional=True),
}


def some_texts(longest: int = 11) -> TokenBatch:
    """Of 1 to 11 words, shorter than a window of the filters among them."""
    rng = np.random.default_rng(1)
    lengths = np.array([longest, 1, 4, 7, 2, 3, longest - 1])
    ids = rng.integers(1, WORDS, (7, longest)) * (np.arange(longest) < lengths[:, None])
    return TokenBatch(torch.from_numpy(ids), torch.from_numpy(lengths))


def texts_of(x: TokenBatch) -> list[Tensor]:
    return [ids[:length] for ids, length in zip(x.ids, x.lengths.tolist(), strict=True)]


def by_hand(model: Any, params: dict[str, Tensor], ids: Tensor) -> Tensor:
    """The logits (L,) of one text, from the library's modules and plain sums."""
    words = params["words"][ids]
    if isinstance(model, EmbeddingBag):
        hidden = words.mean(0)
    elif isinstance(model, TextCNN):
        hidden = torch.cat([strongest(params, words, size) for size in WIDTHS]).relu()
    else:
        hidden = torch.cat([states(model, params, words, way).amax(0) for way in model._directions()])
    return hidden @ params["weight"] + params["bias"]


def strongest(params: dict[str, Tensor], words: Tensor, size: int) -> Tensor:
    padded = torch.cat([words, torch.zeros(max(size - len(words), 0), words.shape[1])])
    filters = params[f"filters{size}"]
    windows = [padded[t : t + size].T for t in range(len(padded) - size + 1)]
    values = torch.stack([(filters * window).sum((1, 2)) for window in windows])
    return values.amax(0) + params[f"shift{size}"][0]


def states(model: GRU, params: dict[str, Tensor], words: Tensor, way: str) -> Tensor:
    gru = torch.nn.GRU(model.embedding, model.hidden)
    own = {
        f"{part}_l0": params[f"{way}_{short}"] for part, short in (("weight_ih", "ih"), ("weight_hh", "hh"))
    }
    biases = {"bias_ih_l0": params[f"{way}_b"], "bias_hh_l0": torch.zeros(3 * model.hidden)}
    read = words if way == "forward" else words.flip(0)
    out: Tensor = torch.func.functional_call(gru, {**own, **biases}, (read,))[0]
    return out


@pytest.mark.global_rng  # torch.nn.GRU draws weights of its own, which are not used
@pytest.mark.parametrize("case", MODELS)
def test_logits_and_gradients_are_those_written_by_hand(case: str) -> None:
    model, x = MODELS[case], some_texts()
    params = model.init(WORDS, LABELS, torch.Generator().manual_seed(0))
    params = {n: (p + 0.1 if n.startswith("shift") else p).requires_grad_() for n, p in params.items()}
    ours = model.forward(params, x, Drop())
    theirs = torch.stack([by_hand(model, params, ids) for ids in texts_of(x)])
    assert torch.allclose(ours, theirs, atol=1e-5)
    mix = torch.linspace(-1, 1, ours.numel()).view(ours.shape)
    for name, parameter in params.items():
        own, other = (
            torch.autograd.grad((logits * mix).sum(), parameter, retain_graph=True)[0]
            for logits in (ours, theirs)
        )
        assert own.abs().sum() > 0
        assert torch.allclose(own, other, atol=1e-5), name


@pytest.mark.parametrize("case", MODELS)
def test_padding_and_longer_texts_in_a_batch_change_nothing(case: str) -> None:
    model, x = MODELS[case], some_texts()
    params = model.init(WORDS, LABELS, torch.Generator().manual_seed(0))
    together = model.forward(params, x, Drop())
    for i, ids in enumerate(texts_of(x)):
        alone = model.forward(params, TokenBatch(ids[None], x.lengths[i : i + 1]), Drop())
        assert torch.allclose(alone[0], together[i], atol=1e-5)
    rubbish = x.ids.clone()
    rubbish[torch.arange(11) >= x.lengths[:, None]] = WORDS - 1
    assert torch.equal(model.forward(params, TokenBatch(rubbish, x.lengths), Drop()), together)


def test_padding_never_wins_even_where_every_window_is_negative() -> None:
    model = TextCNN(filters=4, embedding=5)
    params = model.init(WORDS, LABELS, torch.Generator().manual_seed(0))
    params["words"] = params["words"].abs() + 0.1
    for size in WIDTHS:
        params[f"filters{size}"] = -params[f"filters{size}"].abs()
        params[f"shift{size}"] += 9.0  # else ReLU hides what wins
    x = some_texts()
    theirs = torch.stack([by_hand(model, params, ids) for ids in texts_of(x)])
    assert torch.allclose(model.forward(params, x, Drop()), theirs, atol=1e-4)
