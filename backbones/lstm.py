"""Long short-term memory over words (Hochreiter & Schmidhuber 1997, DOI 10.1162/neco.1997.9.8.1735)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.backbones._tokens import TokenBackbone, head, trimmed
from equipoise.contracts.analyzer import ANALYZERS
from equipoise.contracts.backbone import Rate, uniform
from equipoise.contracts.hyperparameters import Tunable, tunable

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from equipoise.ops.dropout import Drop


@dataclass(frozen=True)
class LSTM(TokenBackbone):
    """Word embeddings, an LSTM (two in opposite directions if `bidirectional`), the maximum over the words, a linear layer.

    Padding never counts: the words come first, the recurrence is causal, and the maximum runs over words only. The
    backward direction reads each text reversed within its own length.
    """

    name: ClassVar[str] = "lstm"
    reference: ClassVar[str] = "Hochreiter & Schmidhuber 1997, DOI 10.1162/neco.1997.9.8.1735"
    lr: ClassVar[Tunable] = Tunable(6e-2, 1e-2, 1.5e-1, log=True)
    C: ClassVar[Tunable] = Tunable(3.0, 0.5, 50.0, log=True)
    rate: ClassVar[Rate | None] = Rate(row=140, token=2.4, character=0.15)
    biases: ClassVar[frozenset[str]] = frozenset({"bias", "forward_b", "backward_b"})
    gates: ClassVar[int] = 4

    hidden: int = 32
    embedding: int = 32
    bidirectional: bool = tunable(False, choices=(False, True))
    dropout: float = tunable(0.2, low=0.0, high=0.5)
    max_tokens: int = 96
    max_words: int = 5000
    analyzer: str = field(default="auto", metadata={"choices": ANALYZERS})
    vectors: str | None = None

    def tokens_read(self, length: int) -> int:
        return super().tokens_read(length) * len(self._ways())

    def init(self, width: int, outputs: int, generator: torch.Generator) -> dict[str, Tensor]:
        import torch

        words = self.first_words(width, generator, spread=0.1)  # larger ones saturate the gates
        params, rows = {"words": words}, self.gates * self.hidden
        for way in self._ways():
            params |= {
                f"{way}_ih": uniform(generator, rows, self.dimension, fan_in=self.hidden),
                f"{way}_hh": uniform(generator, rows, self.hidden, fan_in=self.hidden),
                f"{way}_b": uniform(generator, rows, fan_in=self.hidden),
            }
            params[f"{way}_b"][self._remembering()] += 1.0
        joined = self.hidden * len(self._ways())
        params |= {"weight": uniform(generator, joined, outputs, fan_in=joined), "bias": torch.zeros(outputs)}
        return params

    def forward(self, params: Mapping[str, Tensor], x: Any, drop: Drop) -> Tensor:
        import torch

        from equipoise.ops.embedding import look_up, padding

        ids, lengths = trimmed(x)
        empty, place = padding(ids, lengths), torch.arange(ids.shape[-1], device=ids.device)
        largest = []
        for way in self._ways():
            if way == "backward":
                ids = ids.gather(-1, torch.where(empty, place, lengths[..., None] - 1 - place))
            seen = drop(look_up(self.words(params, x), ids))
            weights = (params[f"{way}_ih"], params[f"{way}_hh"], params[f"{way}_b"])
            states = self._of_lane(seen, *weights) if seen.dim() == 3 else self._of_lanes(seen, *weights)
            largest.append(states.masked_fill(empty[..., None], -2.0).amax(-2))  # states lie in −1..1
        return head(params, drop(torch.cat(largest, -1)))

    def _remembering(self) -> slice:
        """The biases of the gates that keep the state (the LSTM's forget gate, the GRU's update gate): they begin open."""
        return slice(self.hidden, 2 * self.hidden)

    def _ways(self) -> tuple[str, ...]:
        return ("forward", "backward") if self.bidirectional else ("forward",)

    def _of_lane(self, x: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor) -> Tensor:
        """States (B, T, H) of inputs (B, T, E), from zero states, by the library's kernel."""
        import torch

        zeros = x.new_zeros(1, len(x), self.hidden)
        flat = [w_ih, w_hh, bias, torch.zeros_like(bias)]
        with torch.autocast(x.device.type, enabled=False):  # not every CPU has a kernel in half precision
            states: Tensor = torch.lstm(
                x, (zeros, zeros), flat, True, 1, 0.0, needs_backward(x), False, True
            )[0]
        return states

    def _of_lanes(self, x: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor) -> Tensor:
        """The same for K lanes: (K, B, T, E) → (K, B, T, H)."""
        from equipoise.ops.lstm import lstm

        return lstm(x.transpose(1, 2), w_ih, w_hh, bias).transpose(1, 2)


def needs_backward(x: Tensor) -> bool:
    """Whether the kernel must keep what a backward pass needs."""
    import torch

    return torch.is_grad_enabled() and x.requires_grad
