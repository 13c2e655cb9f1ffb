"""Convolutions over words (Kim 2014, DOI 10.3115/v1/D14-1181)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.backbones._tokens import TokenBackbone, trimmed
from equipoise.contracts.analyzer import ANALYZERS
from equipoise.contracts.backbone import Flops, Rate, uniform
from equipoise.contracts.hyperparameters import Tunable, tunable
from equipoise.core.lazy import lazy

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from equipoise.backbones import _twins as twins
    from equipoise.ops import convolution
    from equipoise.ops import embedding as embeddings
    from equipoise.ops.dropout import Drop
else:
    torch, embeddings = lazy("torch"), lazy("equipoise.ops.embedding")
    convolution, twins = lazy("equipoise.ops.convolution"), lazy("equipoise.backbones._twins")

#: Widths of the filters, in words.
WIDTHS = (3, 4, 5)


@dataclass(frozen=True)
class TextCNN(TokenBackbone):
    """Word embeddings, filters over 3, 4 and 5 words, the maximum over the text, ReLU, dropout, and a linear layer.

    `filters` is the number of filters of each width. Padding has no influence, since windows lie inside their text.
    """

    name: ClassVar[str] = "textcnn"
    reference: ClassVar[str] = (
        "Kim 2014, Convolutional neural networks for sentence classification, EMNLP, DOI 10.3115/v1/D14-1181"
    )
    lr: ClassVar[Tunable] = Tunable(1e-2, 1e-3, 1e-1, log=True)
    rate: ClassVar[Rate | None] = Rate(row=140, token=3.7, character=0.15)
    biases: ClassVar[frozenset[str]] = frozenset({"bias", *(f"shift{size}" for size in WIDTHS)})

    filters: int = 32
    embedding: int = 32
    dropout: float = tunable(0.5, low=0.0, high=0.7, at_least=0, below=1)
    max_tokens: int = 96
    max_words: int = 5000
    analyzer: str = field(default="auto", metadata={"choices": ANALYZERS})
    vectors: str | None = None

    def init(self, width: int, outputs: int, generator: torch.Generator) -> dict[str, Tensor]:
        params = {"words": self.first_words(width, generator)}
        for size in WIDTHS:
            shape = (self.filters, self.dimension, size)
            params[f"filters{size}"] = uniform(generator, *shape, fan_in=size * self.dimension)
            params[f"shift{size}"] = torch.zeros(1, self.filters)
        joined = len(WIDTHS) * self.filters
        params |= {"weight": uniform(generator, joined, outputs, fan_in=joined), "bias": torch.zeros(outputs)}
        return params

    def represent(self, params: Mapping[str, Tensor], x: Any, drop: Drop) -> Tensor:
        ids, lengths = trimmed(x)
        # A learned embedding of padding would make a text depend on the longest one beside it.
        is_padding = embeddings.padding(ids, lengths)[..., None]
        # A text shorter than a filter is continued by these zeros.
        words = embeddings.look_up(self.words(params, x), ids).masked_fill(is_padding, 0.0)
        # The shift is added after the maximum, which it does not change: on fewer numbers.
        strongest = [
            convolution.max_over_time(words, params[f"filters{size}"], lengths) + params[f"shift{size}"]
            for size in WIDTHS
        ]
        return drop.relu(torch.cat(strongest, -1))

    def plain(self, width: int, outputs: int) -> torch.nn.Module | None:
        # Pretrained vectors are inputs, which a module that takes ids alone lacks.
        if self.vectors:
            return None
        return twins.Convolutional(WIDTHS, width, self.embedding, self.filters, outputs, self.dropout)

    def plain_state(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        state = super().plain_state(params)
        for i, size in enumerate(WIDTHS):
            state[f"convolutions.{i}.weight"] = params[f"filters{size}"]
            state[f"convolutions.{i}.bias"] = params[f"shift{size}"].reshape(-1)
        return state

    def flops(self, entries: int, outputs: int) -> Flops | None:
        # A text shorter than a filter has one window.
        windows = sum(size * max(entries - size + 1, 1) for size in WIDTHS)
        filters = 2.0 * windows * self.dimension * self.filters
        return Flops(0.0, filters + 2.0 * len(WIDTHS) * self.filters * outputs)
