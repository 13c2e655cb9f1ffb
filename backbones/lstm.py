"""Long short-term memory over words (Hochreiter & Schmidhuber 1997, DOI 10.1162/neco.1997.9.8.1735)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.contracts.analyzer import ANALYZERS
from equipoise.contracts.backbone import Backbone, uniform
from equipoise.contracts.hyperparameters import Tunable, tunable

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from equipoise.contracts.features import Features
    from equipoise.ops.dropout import Drop


@dataclass(frozen=True)
class LSTM(Backbone):
    """Word embeddings, an LSTM (two in opposite directions if `bidirectional`), the maximum over the words, a linear layer.

    Padding never counts: the words come first, the recurrence is causal, and the maximum runs over words only. The
    backward direction reads each text reversed within its own length.
    """

    name: ClassVar[str] = "lstm"
    reference: ClassVar[str] = "Hochreiter & Schmidhuber 1997, DOI 10.1162/neco.1997.9.8.1735"
    accepts: ClassVar[frozenset[str]] = frozenset({"text"})
    vector_features: ClassVar[bool] = False
    batched_on_cuda: ClassVar[bool] = True
    lr: ClassVar[Tunable] = Tunable(1e-2, 1e-3, 5e-2, log=True)
    conditioning_bias: ClassVar[str] = "bias"

    hidden: int = 32
    embedding: int = 32
    bidirectional: bool = tunable(False, choices=(False, True))
    dropout: float = tunable(0.2, low=0.0, high=0.5)
    max_tokens: int = 96
    max_words: int = 5000
    analyzer: str = field(default="auto", metadata={"choices": ANALYZERS})

    def features(self, kind: str) -> Features:
        from equipoise.contracts.features import TokenIds

        return TokenIds(self.max_tokens, self.max_words, analyzer=self.analyzer)

    def init(self, width: int, outputs: int, generator: torch.Generator) -> dict[str, Tensor]:
        import torch

        words = torch.randn(width, self.embedding, generator=generator) * 0.5
        words[0] = 0.0
        params = {"words": words}
        for way in self._ways():
            params |= {
                f"{way}_ih": uniform(generator, 4 * self.hidden, self.embedding, fan_in=self.hidden),
                f"{way}_hh": uniform(generator, 4 * self.hidden, self.hidden, fan_in=self.hidden),
                f"{way}_b": uniform(generator, 4 * self.hidden, fan_in=self.hidden),
            }
        joined = self.hidden * len(self._ways())
        params |= {"weight": uniform(generator, joined, outputs, fan_in=joined), "bias": torch.zeros(outputs)}
        return params

    def forward(self, params: Mapping[str, Tensor], x: Any, drop: Drop) -> Tensor:
        import torch
        import torch.nn.functional as F

        if params["words"].dim() == 3:
            return self._all(params, x, drop)
        longest = int(x.lengths.max())
        ids = x.ids[:, :longest]
        place = torch.arange(longest, device=ids.device)
        padding = place >= x.lengths[:, None]
        read = []
        for way in self._ways():
            if way == "backward":
                ids = ids.gather(1, torch.where(padding, place, x.lengths[:, None] - 1 - place))
            states = self._recur(params, way, drop(F.embedding(ids, params["words"])))
            read.append(states.masked_fill(padding[:, :, None], -2.0).amax(1))
        return torch.addmm(params["bias"], drop(torch.cat(read, 1)), params["weight"])

    def _all(self, params: Mapping[str, Tensor], x: Any, drop: Drop) -> Tensor:
        """The same for K lanes: ids (K, B, T) → (K, B, L)."""
        import torch

        from equipoise.ops.lstm import lstm

        lanes, _, longest = x.ids.shape
        words, place = params["words"], torch.arange(longest, device=x.ids.device)
        padding = place >= x.lengths[..., None]
        shift = torch.arange(lanes, device=x.ids.device)[:, None, None] * words.shape[1]
        table, ids, read = words.reshape(-1, self.embedding), x.ids, []
        for way in self._ways():
            if way == "backward":
                ids = ids.gather(2, torch.where(padding, place, x.lengths[..., None] - 1 - place))
            seen = drop(torch.nn.functional.embedding(ids + shift, table)).transpose(1, 2)
            states = lstm(seen, params[f"{way}_ih"], params[f"{way}_hh"], params[f"{way}_b"])
            read.append(states.masked_fill(padding.transpose(1, 2)[..., None], -2.0).amax(1))
        bias = params["bias"] if params["bias"].dim() == 3 else params["bias"][:, None]
        return torch.baddbmm(bias, drop(torch.cat(read, 2)), params["weight"])

    def _ways(self) -> tuple[str, ...]:
        return ("forward", "backward") if self.bidirectional else ("forward",)

    def _recur(self, params: Mapping[str, Tensor], way: str, x: Tensor) -> Tensor:
        """States (B, T, H) of inputs (B, T, E), from zero states, by the library's kernel."""
        import torch

        zeros = x.new_zeros(1, len(x), self.hidden)
        flat = [
            params[f"{way}_ih"],
            params[f"{way}_hh"],
            params[f"{way}_b"],
            torch.zeros_like(params[f"{way}_b"]),
        ]
        with torch.autocast(x.device.type, enabled=False):  # not every CPU has a kernel in half precision
            states: Tensor = torch.lstm(x, (zeros, zeros), flat, True, 1, 0.0, self_training(x), False, True)[
                0
            ]
        return states


def self_training(x: Tensor) -> bool:
    """Whether the kernel must keep what a backward pass needs."""
    import torch

    return torch.is_grad_enabled() and x.requires_grad
