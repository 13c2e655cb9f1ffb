"""What backbones that read texts token by token have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.contracts.backbone import Backbone

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from equipoise.contracts.features import Features


@dataclass(frozen=True)
class TokenBackbone(Backbone):
    """A backbone that learns an embedding for each word of the training texts.

    A subclass declares the fields `embedding`, `max_tokens`, `max_words` and `analyzer`, in the order it is written with.
    """

    accepts: ClassVar[frozenset[str]] = frozenset({"text"})
    vector_features: ClassVar[bool] = False
    batched_on_cuda: ClassVar[bool] = True
    conditioning_bias: ClassVar[str] = "bias"

    if TYPE_CHECKING:
        embedding: int
        max_tokens: int
        max_words: int
        analyzer: str

    def features(self, kind: str) -> Features:
        from equipoise.contracts.features import TokenIds

        return TokenIds(self.max_tokens, self.max_words, analyzer=self.analyzer)

    def first_words(self, words: int, generator: torch.Generator, spread: float = 0.5) -> Tensor:
        """A table (words, E) of first embeddings, normally distributed; zeros for padding, which is word 0."""
        import torch

        table = torch.randn(words, self.embedding, generator=generator) * spread
        table[0] = 0.0
        return table


def head(params: Mapping[str, Tensor], hidden: Tensor) -> Tensor:
    """hidden·weight + bias → (B, L), or (K, B, L) for K lanes; a bias may have a row for each text."""
    import torch

    bias, weight = params["bias"], params["weight"]
    if hidden.dim() == 2:
        return torch.addmm(bias, hidden, weight)
    return torch.baddbmm(bias if bias.dim() == 3 else bias[:, None], hidden, weight)


def trimmed(x: Any) -> tuple[Tensor, Tensor]:
    """Ids (…, B, T) and lengths (…, B) of a batch. One lane's ids end with its longest text.

    Ids of many lanes keep their full length, as to ask for the longest would wait for the device.
    """
    if x.ids.dim() == 3:
        return x.ids, x.lengths
    return x.ids[:, : int(x.lengths.max())], x.lengths
