"""A multilayer perceptron with one hidden layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.backbones.linear import vectors
from equipoise.contracts.analyzer import ANALYZERS
from equipoise.contracts.backbone import Backbone, Flops, Rate, uniform
from equipoise.contracts.hyperparameters import Tunable, tunable
from equipoise.core.lazy import lazy

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from equipoise.backbones import _twins as twins
    from equipoise.contracts.features import Features
    from equipoise.ops import affine as ops_affine
    from equipoise.ops.dropout import Drop
else:
    torch, ops_affine = lazy("torch"), lazy("equipoise.ops.affine")
    twins = lazy("equipoise.backbones._twins")


@dataclass(frozen=True)
class MLP(Backbone):
    """A linear layer, ReLU, dropout, and a second linear layer, on the same inputs as `linear`."""

    name: ClassVar[str] = "mlp"
    batched: ClassVar[bool] = True
    chained: ClassVar[bool] = True
    lr: ClassVar[Tunable] = Tunable(6e-2, 1e-2, 3e-1, log=True)
    C: ClassVar[Tunable] = Tunable(2.0, 0.3, 100.0, log=True)
    # Label inputs enter before the hidden layer, where they can interact with the features.
    conditioning_bias: ClassVar[str] = "bias1"
    rate: ClassVar[Rate | None] = Rate(row=8.5, width=0.0041, label=0.097, character=0.28)
    output: ClassVar[str] = "bias2"
    biases: ClassVar[frozenset[str]] = frozenset({"bias1", "bias2"})
    head: ClassVar[tuple[str, str] | None] = ("weight2", "bias2")

    hidden: int = 64
    dropout: float = tunable(0.2, low=0.0, high=0.5, at_least=0, below=1)
    max_features: int = 5000
    analyzer: str = field(default="auto", metadata={"choices": ANALYZERS})

    def features(self, kind: str) -> Features:
        return vectors(kind, self.max_features, self.analyzer)

    @property
    def vocabulary(self) -> int | None:
        return self.max_features

    def init(self, width: int, outputs: int, generator: torch.Generator) -> dict[str, Tensor]:
        return {
            "weight1": uniform(generator, width, self.hidden, fan_in=width),
            "bias1": torch.zeros(1, self.hidden),
            "weight2": uniform(generator, self.hidden, outputs, fan_in=self.hidden),
            "bias2": torch.zeros(1, outputs),
        }

    def represent(self, params: Mapping[str, Tensor], x: Any, drop: Drop) -> Tensor:
        # ReLU and dropout in one operation, which keeps fewer arrays for the backward pass.
        return drop.relu(ops_affine.affine(x, params["weight1"], params["bias1"]))

    def classify(self, params: Mapping[str, Tensor], representation: Tensor) -> Tensor:
        return ops_affine.affine(representation, params["weight2"], params["bias2"])

    def plain(self, width: int, outputs: int) -> torch.nn.Module | None:
        return twins.perceptron(width, self.hidden, outputs, self.dropout)

    def plain_state(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return twins.state_of_linear(params, {"0": ("weight1", "bias1"), "3": ("weight2", "bias2")})

    def flops(self, entries: int, outputs: int) -> Flops | None:
        return Flops(2.0 * entries * self.hidden, 2.0 * self.hidden * outputs)
