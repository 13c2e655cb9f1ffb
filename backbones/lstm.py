"""Long short-term memory over words (Hochreiter & Schmidhuber 1997, DOI 10.1162/neco.1997.9.8.1735)."""

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
    from equipoise.ops import recurrent
    from equipoise.ops.dropout import Drop
else:
    torch, embeddings = lazy("torch"), lazy("equipoise.ops.embedding")
    recurrent, twins = lazy("equipoise.ops.recurrent"), lazy("equipoise.backbones._twins")


@dataclass(frozen=True)
class LSTM(TokenBackbone):
    """Word embeddings, an LSTM (two in opposite directions if `bidirectional`), the maximum over the words, and a linear layer.

    Padding has no influence: it follows the words, the recurrence is causal, and the maximum is taken over words only. The
    backward direction reads each text reversed within its own length.
    """

    name: ClassVar[str] = "lstm"
    reference: ClassVar[str] = (
        "Hochreiter & Schmidhuber 1997, Long short-term memory, Neural Computation, DOI 10.1162/neco.1997.9.8.1735"
    )
    lr: ClassVar[Tunable] = Tunable(6e-2, 1e-2, 1.5e-1, log=True)
    C: ClassVar[Tunable] = Tunable(3.0, 0.5, 50.0, log=True)
    rate: ClassVar[Rate | None] = Rate(row=140, token=2.4, character=0.15)
    biases: ClassVar[frozenset[str]] = frozenset({"bias", "forward_b", "backward_b"})
    gates: ClassVar[int] = 4

    hidden: int = 32
    embedding: int = 32
    bidirectional: bool = tunable(False, choices=(False, True))
    dropout: float = tunable(0.2, low=0.0, high=0.5, at_least=0, below=1)
    max_tokens: int = 96
    max_words: int = 5000
    analyzer: str = field(default="auto", metadata={"choices": ANALYZERS})
    vectors: str | None = None

    def tokens_read(self, length: int) -> int:
        return super().tokens_read(length) * len(self._directions())

    def init(self, width: int, outputs: int, generator: torch.Generator) -> dict[str, Tensor]:
        # Larger embeddings would saturate the gates.
        words = self.first_words(width, generator, spread=0.1)
        params, rows = {"words": words}, self.gates * self.hidden
        for direction in self._directions():
            params |= {
                f"{direction}_ih": uniform(generator, rows, self.dimension, fan_in=self.hidden),
                f"{direction}_hh": uniform(generator, rows, self.hidden, fan_in=self.hidden),
                f"{direction}_b": uniform(generator, rows, fan_in=self.hidden),
            }
            # An open gate lets gradients pass through many words from the first step on (Gers et al. 2000).
            params[f"{direction}_b"][self._keep_gate()] += 1.0
        joined = self.hidden * len(self._directions())
        params |= {"weight": uniform(generator, joined, outputs, fan_in=joined), "bias": torch.zeros(outputs)}
        return params

    def represent(self, params: Mapping[str, Tensor], x: Any, drop: Drop) -> Tensor:
        ids, lengths = trimmed(x)
        is_padding = embeddings.padding(ids, lengths)
        position = torch.arange(ids.shape[-1], device=ids.device)
        largest = []
        for direction in self._directions():
            # Reversed within the text: padding stays at the end.
            if direction == "backward":
                # Word t of the reversed text is word length − 1 − t; padding stays behind the words.
                ids = ids.gather(-1, torch.where(is_padding, position, lengths[..., None] - 1 - position))
            words = drop(embeddings.look_up(self.words(params, x), ids))
            weights = (params[f"{direction}_ih"], params[f"{direction}_hh"], params[f"{direction}_b"])
            states = (
                self._states_of_lane(words, *weights)
                if words.dim() == 3
                else self._states_of_lanes(words, *weights)
            )
            # States lie in −1..1, so −2 never is the maximum.
            largest.append(states.masked_fill(is_padding[..., None], -2.0).amax(-2))
        return drop(torch.cat(largest, -1))

    def plain(self, width: int, outputs: int) -> torch.nn.Module | None:
        # Pretrained vectors are inputs, which a module that takes ids alone lacks.
        if self.vectors:
            return None
        sizes = (width, self.embedding, self.hidden, outputs)
        return twins.Recurrent(self._plain_cell(), *sizes, self.dropout, self.bidirectional)

    def _plain_cell(self) -> type[torch.nn.LSTM] | type[torch.nn.GRU]:
        return torch.nn.LSTM

    def plain_state(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        state = super().plain_state(params)
        for direction, suffix in zip(self._directions(), ("l0", "l0_reverse"), strict=False):
            bias = params[f"{direction}_b"]
            state |= {
                f"rnn.weight_ih_{suffix}": params[f"{direction}_ih"],
                f"rnn.weight_hh_{suffix}": params[f"{direction}_hh"],
                f"rnn.bias_ih_{suffix}": bias,
                # PyTorch's layer has a second bias.
                f"rnn.bias_hh_{suffix}": torch.zeros_like(bias),
            }
        return state

    def flops(self, entries: int, outputs: int) -> Flops | None:
        joined = self.hidden * len(self._directions())
        gates = 2.0 * entries * self.gates * joined * (self.dimension + self.hidden)
        return Flops(0.0, gates + 2.0 * joined * outputs)

    def _keep_gate(self) -> slice:
        """Where the biases of the gate that keeps the state are: the LSTM's forget gate, the GRU's update gate."""
        # PyTorch orders the gates input, forget, cell, output and reset, update, new: it is the second in both.
        return slice(self.hidden, 2 * self.hidden)

    def _directions(self) -> tuple[str, ...]:
        return ("forward", "backward") if self.bidirectional else ("forward",)

    def _states_of_lane(self, x: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor) -> Tensor:
        """The states (B, T, H) for inputs (B, T, E), starting from zeros, computed by PyTorch's kernel."""
        zeros = x.new_zeros(1, len(x), self.hidden)
        # PyTorch's kernel wants a second bias, which adds nothing here.
        weights = [w_ih, w_hh, bias, torch.zeros_like(bias)]
        # Not every CPU has a kernel in half precision.
        with torch.autocast(x.device.type, enabled=False):
            states: Tensor = torch.lstm(
                x, (zeros, zeros), weights, True, 1, 0.0, needs_backward(x), False, True
            )[0]
        return states

    def _states_of_lanes(self, x: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor) -> Tensor:
        """The same for K lanes: (K, B, T, E) → (K, B, T, H)."""
        # Our kernel takes the words first: (K, T, B, E).
        return recurrent.lstm(x.transpose(1, 2), w_ih, w_hh, bias).transpose(1, 2)


def needs_backward(x: Tensor) -> bool:
    """Whether a backward pass will follow, for which the kernel must store intermediate results."""
    return torch.is_grad_enabled() and x.requires_grad
