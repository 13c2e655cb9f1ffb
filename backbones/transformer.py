"""A pretrained transformer, fine-tuned (experimental)."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.backbones._tokens import linear, trimmed
from equipoise.contracts.backbone import Backbone, Rate, uniform
from equipoise.contracts.hyperparameters import Tunable, tunable
from equipoise.contracts.options import option

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor

    from equipoise.contracts.features import Features
    from equipoise.ops.dropout import Drop
    from equipoise.ops.inputs import Inputs
    from equipoise.readers.encoders import TransformerEncoder

#: What the output weights are multiplied by: they begin untrained, and so move this much faster than the pretrained layers
#: at the same learning rate (as in Howard & Ruder 2018, DOI 10.18653/v1/P18-1031).
HEAD_SPEED = 50.0
#: The number of a layer in the name of a parameter: "encoder.layer.3.output…", "layers.3…", "h.3…".
_LAYER = re.compile(r"(?:^|\.)(?:layers?|blocks?|h)\.(\d+)\.")
#: Parameters that the vector of a text does not depend on.
_UNUSED = "pooler."
#: Tokens that tokenizers make of a word, about.
_PIECES = 1.3


@dataclass(frozen=True)
class Transformer(Backbone):
    """Experimental: the layers of a pretrained transformer, the average of its token vectors, a linear layer; all are trained.

    `model` is `minilm` (all-MiniLM-L6-v2, from the extra `embeddings`) or the folder of a model of Hugging Face `transformers`;
    nothing is downloaded. What is learned, and what the penalty acts on, is how far the parameters move from the pretrained ones
    (L2-SP: Li, Grandvalet & Davoine 2018, arXiv 1802.01483). `frozen=N` leaves the embeddings and the lowest N layers as they
    are. `dropout` acts wherever the model has dropout, except on attention, from the lane's own random stream.

    Lanes are trained one after the other, on CUDA in bfloat16. Losses, sampling, resampling of rows, tasks, score maps and
    decisions work as on other networks; chains, which feed labels into the model, are skipped. With `pruning`, each paused trial
    holds its parameters three times. A pass over the data takes minutes on a CPU: set `epochs` and `trials` to 3 or 4.
    """

    name: ClassVar[str] = "transformer"
    reference: ClassVar[str] = (
        "Devlin, Chang, Lee & Toutanova 2019, BERT: pre-training of deep bidirectional transformers for language "
        "understanding, NAACL, DOI 10.18653/v1/N19-1423"
    )
    accepts: ClassVar[frozenset[str]] = frozenset({"text"})
    vector_features: ClassVar[bool] = False
    lanes_at_once: ClassVar[int | None] = 1
    lr: ClassVar[Tunable] = Tunable(5e-5, 1e-5, 1e-4, log=True)
    output: ClassVar[str] = "bias"
    biases: ClassVar[frozenset[str]] = frozenset({"bias"})
    paths: ClassVar[frozenset[str]] = frozenset({"model"})
    head: ClassVar[tuple[str, str] | None] = ("weight", "bias")
    rate: ClassVar[Rate | None] = Rate(row=2000, token=900.0, character=0.3)

    model: str = "minilm"
    max_tokens: int = 128
    frozen: int = option(0, at_least=0)
    dropout: float = tunable(0.1, low=0.0, high=0.3, at_least=0, below=1)

    def tokens_read(self, length: int) -> int:
        return min(round(_PIECES * length) + 2, self.max_tokens)

    @property
    def content(self) -> str:
        return self._encoder().sha256

    def features(self, kind: str) -> Features:
        return TokenisedTexts(self._encoder())

    def init(self, width: int, outputs: int, generator: torch.Generator) -> dict[str, Tensor]:
        import torch

        module, zero = self._encoder().module, torch.zeros(())
        size = int(module.config.hidden_size)
        # Zeros take no memory before they are copied to a lane's place.
        moves = {n: zero.expand(p.shape) for n, p in module.named_parameters() if self._is_trained(n)}
        return moves | {
            "weight": uniform(generator, size, outputs, fan_in=size) / HEAD_SPEED,
            "bias": torch.zeros(outputs),
        }

    def represent(self, params: Mapping[str, Tensor], x: Any, drop: Drop) -> Tensor:
        import torch

        from equipoise.ops.embedding import padding

        encoder, (ids, lengths) = self._encoder(), trimmed(x)
        module, dropouts = _on_device(encoder, str(ids.device))
        for layer in dropouts:
            layer.drop = drop
        seen = ~padding(ids, lengths)
        own = {n: p + params[n] for n, p in module.named_parameters() if n in params}
        fast = torch.autocast("cuda", dtype=torch.bfloat16) if ids.is_cuda else nullcontext()
        with fast:
            inputs = {"input_ids": ids, "attention_mask": seen.long()}
            states = torch.func.functional_call(module, own, (), inputs).last_hidden_state
        states = states.float()
        mean = (states * seen[..., None]).sum(1) / lengths[:, None]
        vector = states[:, 0] if encoder.by_first_token else mean
        return drop(vector)

    def classify(self, params: Mapping[str, Tensor], representation: Tensor) -> Tensor:
        return linear({"weight": params["weight"] * HEAD_SPEED, "bias": params["bias"]}, representation)

    def head_of(self, params: Mapping[str, Tensor]) -> tuple[np.ndarray, np.ndarray]:
        weight, bias = super().head_of(params)
        return weight * HEAD_SPEED, bias

    def _is_trained(self, name: str) -> bool:
        """Whether a parameter of the model is trained; embeddings count as lower than layer 0."""
        layer = _LAYER.search(name)
        low = int(layer.group(1)) < self.frozen if layer else "embed" in name and self.frozen > 0
        return not low and not name.startswith(_UNUSED)

    def _encoder(self) -> TransformerEncoder:
        from equipoise.readers.encoders import transformer

        return transformer(self.model, self.max_tokens)


@dataclass
class TokenisedTexts:
    """Token ids by the model's own tokenizer, which is not fitted."""

    encoder: TransformerEncoder

    def fit(self, X: Any, nominal: np.ndarray | None = None) -> TokenisedTexts:
        return self

    def transform(self, X: Any) -> Inputs:
        import torch

        from equipoise.ops.inputs import Tokens

        texts = [torch.tensor(self.encoder.tokens(str(text)) or [0]) for text in X]
        ids = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True)
        lengths = torch.tensor([len(text) for text in texts])
        return Tokens(ids, lengths, int(self.encoder.module.config.vocab_size))


def _on_device(encoder: TransformerEncoder, device: str) -> tuple[Any, list[Any]]:
    """The pretrained model on a device, and its layers of dropout, which draw from the lane's stream."""
    return _prepared(encoder.folder, encoder.sha256, device, encoder.module)


@lru_cache(maxsize=2)
def _prepared(folder: Path, sha256: str, device: str, module: Any) -> tuple[Any, list[Any]]:
    import torch

    from equipoise.ops.dropout import Drop

    class EngineDropout(torch.nn.Module):
        """In the place of the library's, which would draw from PyTorch's global generator."""

        p = 0.0

        def __init__(self) -> None:
            super().__init__()
            self.drop = Drop()

        def forward(self, h: Tensor) -> Tensor:
            return self.drop(h)

    own = copy.deepcopy(module).to(device)
    dropouts: list[Any] = []
    for parent in list(own.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, torch.nn.Dropout):
                dropouts.append(EngineDropout())
                setattr(parent, name, dropouts[-1])
    return own, dropouts
