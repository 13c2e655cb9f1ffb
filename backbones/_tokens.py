"""What backbones that read texts token by token have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.contracts.backbone import Backbone
from equipoise.core.errors import EquipoiseError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from equipoise.contracts.features import Features
    from equipoise.readers.word_vectors import WordVectors


@dataclass(frozen=True)
class TokenBackbone(Backbone):
    """A backbone with an embedding for each word of the training texts, learned from scratch or from pretrained vectors on.

    Pretrained vectors come with the inputs, once for all lanes. What a lane learns, and what its penalty acts on, is how
    far its embeddings move from them. `embedding` then is the dimension of the vectors.

    A subclass declares the fields `embedding`, `max_tokens`, `max_words`, `analyzer` and `vectors`, each at its place.
    """

    accepts: ClassVar[frozenset[str]] = frozenset({"text"})
    vector_features: ClassVar[bool] = False
    batched_on_cuda: ClassVar[bool] = True
    conditioning_bias: ClassVar[str] = "bias"
    output: ClassVar[str] = "bias"
    biases: ClassVar[frozenset[str]] = frozenset({"bias"})

    if TYPE_CHECKING:
        embedding: int
        max_tokens: int
        max_words: int
        analyzer: str
        vectors: str | None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.vectors, str | None):
            raise EquipoiseError(f"{self.name}: vectors must be a path, glove or none, got {self.vectors!r}")

    @property
    def vocabulary(self) -> int | None:
        return self.max_words

    def tokens_read(self, length: int) -> int:
        return min(length, self.max_tokens)

    def features(self, kind: str) -> Features:
        from equipoise.contracts.features import TokenIds

        return TokenIds(self.max_tokens, self.max_words, analyzer=self.analyzer, vectors=self._pretrained())

    @property
    def dimension(self) -> int:
        """E, the numbers of an embedding.

        Raises:
            EquipoiseError: an `embedding` was asked for that is not the dimension of the vectors.
        """
        if (pretrained := self._pretrained()) is None:
            return self.embedding
        if "embedding" in self.pinned and self.embedding != pretrained.dimension:
            raise EquipoiseError(
                f"{self.name}: vectors={self.vectors} have dimension {pretrained.dimension}, not embedding={self.embedding}"
            )
        return pretrained.dimension

    @property
    def content(self) -> str:
        pretrained = self._pretrained()
        return "" if pretrained is None or not self.dimension else pretrained.sha256

    def first_words(self, words: int, generator: torch.Generator, spread: float = 0.5) -> Tensor:
        """A table (words, E) of first embeddings, normally distributed, of padding (word 0) zeros.

        Where there are pretrained vectors: of how far the embeddings are from them, zeros.
        """
        import torch

        if self.vectors is not None:
            return torch.zeros(words, self.dimension)
        table = torch.randn(words, self.embedding, generator=generator) * spread
        table[0] = 0.0
        return table

    def words(self, params: Mapping[str, Tensor], x: Any) -> Tensor:
        """The table of embeddings (V, E), or (K, V, E) for K lanes."""
        learned: Tensor = params["words"]
        return learned if x.vectors is None else learned + x.vectors

    def _pretrained(self) -> WordVectors | None:
        from equipoise.readers.word_vectors import word_vectors

        return None if self.vectors is None else word_vectors(self.vectors)


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
