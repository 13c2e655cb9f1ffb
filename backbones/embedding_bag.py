"""The average of word embeddings and a linear layer (Joulin et al. 2017, DOI 10.18653/v1/E17-2068)."""

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
    from equipoise.ops import embedding as embeddings
    from equipoise.ops.dropout import Drop
else:
    torch, embeddings = lazy("torch"), lazy("equipoise.ops.embedding")
    twins = lazy("equipoise.backbones._twins")


@dataclass(frozen=True)
class EmbeddingBag(TokenBackbone):
    """The average of the embeddings of a text's words, dropout, and a linear layer.

    The order of the words and the padding have no influence.
    """

    name: ClassVar[str] = "embedding_bag"
    reference: ClassVar[str] = (
        "Joulin, Grave, Bojanowski & Mikolov 2017, Bag of tricks for efficient text classification, EACL, DOI "
        "10.18653/v1/E17-2068"
    )
    lr: ClassVar[Tunable] = Tunable(3e-2, 3e-3, 3e-1, log=True)
    rate: ClassVar[Rate | None] = Rate(row=40, token=0.35, character=0.15)

    embedding: int = 64
    dropout: float = tunable(0.2, low=0.0, high=0.5, at_least=0, below=1)
    # More than the other text models read: averaging a word costs little.
    max_tokens: int = 200
    max_words: int = 5000
    analyzer: str = field(default="auto", metadata={"choices": ANALYZERS})
    vectors: str | None = None

    def init(self, width: int, outputs: int, generator: torch.Generator) -> dict[str, Tensor]:
        size = self.dimension
        return {
            "words": self.first_words(width, generator),
            "weight": uniform(generator, size, outputs, fan_in=size),
            # Replaced by the best constant logits before training, see `engine.starts.output_bias`.
            "bias": torch.zeros(outputs),
        }

    def represent(self, params: Mapping[str, Tensor], x: Any, drop: Drop) -> Tensor:
        return drop(embeddings.average(self.words(params, x), *trimmed(x)))

    def plain(self, width: int, outputs: int) -> torch.nn.Module | None:
        # Pretrained vectors are inputs, which a module that takes ids alone lacks.
        return None if self.vectors else twins.Averaging(width, self.embedding, outputs, self.dropout)

    def flops(self, entries: int, outputs: int) -> Flops | None:
        # The average is a product of the words' shares, which need no gradient, with their embeddings.
        return Flops(2.0 * entries * self.dimension, 2.0 * self.dimension * outputs)
