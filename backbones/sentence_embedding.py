"""A pretrained sentence encoder that stays as it is, and a trained layer or two on its vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from equipoise.contracts.analyzer import ANALYZERS
from equipoise.contracts.backbone import Backbone, Flops, Rate, uniform
from equipoise.contracts.hyperparameters import Tunable
from equipoise.contracts.options import option

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from equipoise.contracts.features import Features, TfIdf
    from equipoise.ops.dropout import Drop
    from equipoise.ops.inputs import Inputs
    from equipoise.readers.static_encoder import Encoder

#: The widest vectors of common encoders, for estimates of memory that must not load a model.
WIDEST = 1024


@dataclass(frozen=True)
class SentenceEmbedding(Backbone):
    """The vector of a text from a frozen encoder, at unit length, then a linear layer; with `hidden`, a layer of ReLU before it.

    `model` is `minilm` (all-MiniLM-L6-v2) or `wordllama`, from the extra `embeddings`, or the folder of a model of Hugging Face
    `transformers` or of a static model (model2vec). Nothing is downloaded. Each text is encoded once, on the CPU, and its vector
    kept in the data folder: the times of `--dry-run` do not hold that. `max_tokens` limits the tokens read of a text; by default
    the model decides. `concat=tfidf` puts TF-IDF beside the vector, both of the same length. Resamplers that interpolate inputs
    work on these vectors.
    """

    name: ClassVar[str] = "sentence_embedding"
    reference: ClassVar[str] = (
        "Reimers & Gurevych 2019, Sentence-BERT: sentence embeddings using Siamese BERT-networks, EMNLP-IJCNLP, DOI "
        "10.18653/v1/D19-1410"
    )
    accepts: ClassVar[frozenset[str]] = frozenset({"text"})
    batched: ClassVar[bool] = True
    chained: ClassVar[bool] = True
    lr: ClassVar[Tunable] = Tunable(0.1, 0.01, 1.0, log=True)
    C: ClassVar[Tunable] = Tunable(10.0, 0.5, 300.0, log=True)  # low ends suit a hidden layer
    rate: ClassVar[Rate | None] = Rate(row=8.5, label=0.4)
    # Labels given as inputs act on the outputs, with a hidden layer, too.
    conditioning_bias: ClassVar[str] = "bias"
    output: ClassVar[str] = "bias"
    biases: ClassVar[frozenset[str]] = frozenset({"bias", "bias1"})
    paths: ClassVar[frozenset[str]] = frozenset({"model"})
    head: ClassVar[tuple[str, str] | None] = ("weight", "bias")

    model: str = "minilm"
    hidden: int = option(0, at_least=0)
    dropout: float = option(0.2, at_least=0, below=1)
    max_tokens: int | None = None
    concat: str = field(default="none", metadata={"choices": ("none", "tfidf")})
    max_features: int = 5000
    analyzer: str = field(default="auto", metadata={"choices": ANALYZERS})

    @property
    def vocabulary(self) -> int | None:
        return WIDEST + (self.max_features if self.concat == "tfidf" else 0)

    @property
    def content(self) -> str:
        return self._encoder().sha256

    def interpolates(self, kind: str) -> bool:
        return kind in self.accepts

    def features(self, kind: str) -> Features:
        from equipoise.contracts.features import TfIdf

        words = TfIdf(self.max_features, analyzer=self.analyzer) if self.concat == "tfidf" else None
        return EmbeddedTexts(self._encoder(), words)

    def init(self, width: int, outputs: int, generator: torch.Generator) -> dict[str, Tensor]:
        import torch

        last = self.hidden or width
        params = {
            "weight": uniform(generator, last, outputs, fan_in=last),
            "bias": torch.zeros(1, outputs),
        }
        if self.hidden:
            params |= {
                "weight1": uniform(generator, width, self.hidden, fan_in=width),
                "bias1": torch.zeros(1, self.hidden),
            }
        return params

    @property
    def represents(self) -> bool:
        # Without a hidden layer, the last layer gets the vectors of the frozen encoder, from which nothing was learned.
        return self.hidden > 0

    def represent(self, params: Mapping[str, Tensor], x: Any, drop: Drop) -> Tensor:
        from equipoise.ops.affine import affine

        return drop.relu(affine(x, params["weight1"], params["bias1"])) if self.hidden else x

    def classify(self, params: Mapping[str, Tensor], representation: Tensor) -> Tensor:
        from equipoise.ops.affine import affine

        return affine(representation, params["weight"], params["bias"])

    def plain(self, width: int, outputs: int) -> torch.nn.Module | None:
        from torch import nn

        from equipoise.backbones._twins import perceptron

        if self.hidden:
            return perceptron(width, self.hidden, outputs, self.dropout)
        return nn.Linear(width, outputs)

    def plain_state(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        from equipoise.backbones._twins import state_of_linear

        if self.hidden:
            return state_of_linear(params, {"0": ("weight1", "bias1"), "3": ("weight", "bias")})
        return {"weight": params["weight"].T, "bias": params["bias"].reshape(-1)}

    def flops(self, entries: int, outputs: int) -> Flops | None:
        if self.hidden:
            return Flops(2.0 * entries * self.hidden, 2.0 * self.hidden * outputs)
        return Flops(2.0 * entries * outputs, 0.0)

    def _encoder(self) -> Encoder:
        from equipoise.readers.encoders import encoder

        return encoder(self.model, self.max_tokens)


@dataclass
class EmbeddedTexts:
    """Vectors of a frozen encoder at unit length, and perhaps TF-IDF beside them, scaled to a joint length of 1."""

    encoder: Encoder
    words: TfIdf | None = None

    @property
    def note(self) -> str:
        """What is unusual about the fitted features, in words."""
        return self.words.note if self.words is not None else ""

    def encode(self, X: Any) -> np.ndarray:
        """Vectors (n, d) of length 1; of texts without a token, zeros. They are computed where they are not stored."""
        from equipoise.readers.vector_cache import vectors_of

        vectors = vectors_of(self.encoder, X)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        out: np.ndarray = vectors / np.where(lengths > 0, lengths, 1.0)
        return out

    def fit(self, X: Any, nominal: np.ndarray | None = None) -> EmbeddedTexts:
        if self.words is not None:
            self.words.fit(X)
        return self

    def transform(self, X: Any) -> Inputs:
        from equipoise.ops.inputs import Dense, Sparse

        vectors = self.encode(X)
        if self.words is None:
            return Dense.of(vectors)
        import scipy.sparse as sp

        words: Any = self.words.transform(X)
        # Half of the squared length each; the dense block costs a product as many entries as the encoder has dimensions.
        joined: Any = sp.hstack([sp.csr_matrix(vectors), words.matrix]) * 0.5**0.5
        return Sparse.of(joined.tocsr())
