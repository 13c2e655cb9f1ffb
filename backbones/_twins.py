"""The networks of the backbones as people write them with `torch.nn`, and how parameters of lanes become their states.

They are written for clarity and independently of `equipoise.ops`, to check the backbones and to be timed beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def perceptron(width: int, hidden: int, outputs: int, dropout: float) -> nn.Module:
    """A linear layer, ReLU, dropout, and a linear layer: (B, width) → (B, L)."""
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, outputs))


class Averaging(nn.Module):
    """The average of word embeddings, dropout, and a linear layer: ids (B, T), 0 for padding, → (B, L)."""

    def __init__(self, words: int, embedding: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.words = nn.EmbeddingBag(words, embedding, mode="mean", padding_idx=0)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(embedding, outputs)

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.out(self.drop(self.words(ids)))
        return logits


class Recurrent(nn.Module):
    """Word embeddings, an `nn.LSTM` or `nn.GRU`, the maximum over the words, and a linear layer: ids (B, T) → (B, L).

    Args:
        cell: the class of the recurrent layer.
    """

    def __init__(
        self,
        cell: type[nn.LSTM] | type[nn.GRU],
        words: int,
        embedding: int,
        hidden: int,
        outputs: int,
        dropout: float,
        bidirectional: bool,
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(words, embedding, padding_idx=0)
        self.rnn = cell(embedding, hidden, batch_first=True, bidirectional=bidirectional)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(hidden * (1 + bidirectional), outputs)

    def forward(self, ids: Tensor) -> Tensor:
        lengths = (ids > 0).sum(1)
        ids = ids[:, : int(lengths.max())]
        states = self._states(self.drop(self.words(ids)), lengths)
        # States lie in −1..1, so −2 never is the maximum.
        best = states.masked_fill(ids[:, :, None] == 0, -2.0).amax(1)
        logits: Tensor = self.out(self.drop(best))
        return logits

    def _states(self, words: Tensor, lengths: Tensor) -> Tensor:
        """The states (B, T, H), or (B, T, 2 H) of both directions."""
        if not self.rnn.bidirectional:
            states: Tensor = self.rnn(words)[0]
            return states
        # Without packing, the backward direction would start in the padding.
        packed = pack_padded_sequence(words, lengths.cpu(), batch_first=True, enforce_sorted=False)
        unpacked: Tensor = pad_packed_sequence(self.rnn(packed)[0], batch_first=True)[0]
        return unpacked


class Convolutional(nn.Module):
    """Word embeddings, filters of several widths, the maximum over the text, ReLU, dropout, a linear layer: (B, T) → (B, L)."""

    def __init__(
        self, widths: Sequence[int], words: int, embedding: int, filters: int, outputs: int, dropout: float
    ) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.words = nn.Embedding(words, embedding, padding_idx=0)
        self.convolutions = nn.ModuleList(nn.Conv1d(embedding, filters, width) for width in widths)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(filters * len(widths), outputs)

    def forward(self, ids: Tensor) -> Tensor:
        lengths = (ids > 0).sum(1)
        words = self.words(nn.functional.pad(ids, (0, max(self.widths)))).transpose(1, 2)
        layers = zip(self.widths, self.convolutions, strict=True)
        best = [_largest(layer(words), lengths - width) for width, layer in layers]
        logits: Tensor = self.out(self.drop(torch.relu(torch.cat(best, 1))))
        return logits


def _largest(values: Tensor, last: Tensor) -> Tensor:
    """The maximum (B, F) of values (B, F, T) of windows that start at 0 or at most at `last` (B,): those inside the text."""
    outside = torch.arange(values.shape[2], device=values.device) > last.clamp(min=0)[:, None]
    return values.masked_fill(outside[:, None], -torch.inf).amax(2)


def state_of_linear(params: Mapping[str, Tensor], layers: Mapping[str, tuple[str, str]]) -> dict[str, Tensor]:
    """The state of linear layers: name of the layer in the module → names of its weight (H, L) and its bias in `params`."""
    state: dict[str, Tensor] = {}
    for layer, (weight, bias) in layers.items():
        # `nn.Linear` stores the weight as (L, H).
        state |= {f"{layer}.weight": params[weight].T, f"{layer}.bias": params[bias].reshape(-1)}
    return state


def state_of_words(params: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of the embeddings and of the last layer of a network that reads words."""
    words = params["words"].clone()
    # The backbones mask padding, whatever its embedding is.
    words[0] = 0.0
    return {"words.weight": words} | state_of_linear(params, {"out": ("weight", "bias")})
