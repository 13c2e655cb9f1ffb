"""The base of backbones that read texts token by token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.contracts.backbone import Backbone
from equipoise.core.errors import EquipoiseError
from equipoise.core.lazy import lazy

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from equipoise.backbones import _twins as twins
    from equipoise.contracts import features as extractors
    from equipoise.contracts.features import Features
    from equipoise.readers import word_vectors
    from equipoise.readers.word_vectors import WordVectors
else:
    torch, extractors = lazy("torch"), lazy("equipoise.contracts.features")
    word_vectors, twins = lazy("equipoise.readers.word_vectors"), lazy("equipoise.backbones._twins")


@dataclass(frozen=True)
class TokenBackbone(Backbone):
    """A backbone that learns an embedding for each word of the training texts, from random or from pretrained vectors.

    Pretrained vectors are part of the inputs, which all lanes share. A lane learns how far its embeddings move away from them,
    and only that movement is penalised. `embedding` is then the dimension of the vectors.

    A subclass declares the fields `embedding`, `max_tokens`, `max_words`, `analyzer` and `vectors`, in the order it likes.
    """

    accepts: ClassVar[frozenset[str]] = frozenset({"text"})
    # Token ids are no vectors, so no resampler can interpolate them.
    vector_features: ClassVar[bool] = False
    # On CPU lanes are computed one after the other, each batch trimmed to its longest text.
    batched_on_cuda: ClassVar[bool] = True
    # One bias, that of the output layer, serves both purposes.
    conditioning_bias: ClassVar[str] = "bias"
    output: ClassVar[str] = "bias"
    biases: ClassVar[frozenset[str]] = frozenset({"bias"})
    paths: ClassVar[frozenset[str]] = frozenset({"vectors"})
    head: ClassVar[tuple[str, str] | None] = ("weight", "bias")

    # Real fields would precede those of every subclass and fix their order.
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
        # The vocabulary is taken from the training texts; pretrained vectors only fill its table.
        return extractors.TokenIds(
            self.max_tokens, self.max_words, analyzer=self.analyzer, vectors=self._pretrained()
        )

    @property
    def dimension(self) -> int:
        """E, the dimension of an embedding.

        Raises:
            EquipoiseError: the user wrote an `embedding` that is not the dimension of the vectors.
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
        # Reading `dimension` reports an `embedding` that does not fit while the sweep is planned.
        return "" if pretrained is None or not self.dimension else pretrained.sha256

    def first_words(self, words: int, generator: torch.Generator, spread: float = 0.5) -> Tensor:
        """The initial table (words, E) of embeddings: normally distributed, with zeros for padding (word 0).

        With pretrained vectors it holds the distances from them, which are zeros at first.
        """
        if self.vectors is not None:
            return torch.zeros(words, self.dimension)
        table = torch.randn(words, self.embedding, generator=generator) * spread
        table[0] = 0.0
        return table

    def classify(self, params: Mapping[str, Tensor], representation: Tensor) -> Tensor:
        return linear(params, representation)

    def plain_state(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return twins.state_of_words(params)

    def words(self, params: Mapping[str, Tensor], x: Any) -> Tensor:
        """The table of embeddings, (V, E) of one lane or (K, V, E) of K lanes."""
        learned: Tensor = params["words"]
        return learned if x.vectors is None else learned + x.vectors

    def _pretrained(self) -> WordVectors | None:
        return None if self.vectors is None else word_vectors.word_vectors(self.vectors)


def linear(params: Mapping[str, Tensor], hidden: Tensor) -> Tensor:
    """hidden·weight + bias → (B, L) of one lane or (K, B, L) of K lanes; the bias may have a row for each text."""
    # A bias is (L,) of one lane or (K, L) of K lanes. Label inputs make it (B, L) or (K, B, L).
    bias, weight = params["bias"], params["weight"]
    # One kernel for product and sum.
    if hidden.dim() == 2:
        return torch.addmm(bias, hidden, weight)
    return torch.baddbmm(bias if bias.dim() == 3 else bias[:, None], hidden, weight)


def trimmed(x: Any) -> tuple[Tensor, Tensor]:
    """Ids (…, B, T) and lengths (…, B) of a batch, without columns that only hold padding if the batch is of one lane."""
    # K lanes are batched on CUDA, where reading the largest length would wait for the device.
    if x.ids.dim() == 3:
        return x.ids, x.lengths
    return x.ids[:, : int(x.lengths.max())], x.lengths
