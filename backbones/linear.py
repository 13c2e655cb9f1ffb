"""One linear layer: logistic regression of each label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.contracts.analyzer import ANALYZERS
from equipoise.contracts.backbone import Backbone, Flops, Rate, uniform
from equipoise.contracts.hyperparameters import Tunable
from equipoise.core.lazy import lazy

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from equipoise.contracts import features as extractors
    from equipoise.contracts.features import Features
    from equipoise.ops import affine as ops_affine
    from equipoise.ops.dropout import Drop
else:
    torch, ops_affine = lazy("torch"), lazy("equipoise.ops.affine")
    extractors = lazy("equipoise.contracts.features")


@dataclass(frozen=True)
class Linear(Backbone):
    """A linear layer on TF-IDF text (sparse throughout) or standardised numbers, rows of unit mean square length."""

    name: ClassVar[str] = "linear"
    batched: ClassVar[bool] = True
    chained: ClassVar[bool] = True
    # Both ranges presuppose inputs of unit mean square length, see `vectors`.
    lr: ClassVar[Tunable] = Tunable(0.2, 0.05, 1.0, log=True)
    C: ClassVar[Tunable] = Tunable(15.0, 1.0, 300.0, log=True)
    conditioning_bias: ClassVar[str] = "bias"
    # Measured, see `Rate`; used by estimates of the cost only.
    rate: ClassVar[Rate | None] = Rate(row=4.5, label=0.05, weight=0.09, character=0.28)
    output: ClassVar[str] = "bias"
    biases: ClassVar[frozenset[str]] = frozenset({"bias"})

    max_features: int = 5000
    analyzer: str = field(default="auto", metadata={"choices": ANALYZERS})

    def features(self, kind: str) -> Features:
        return vectors(kind, self.max_features, self.analyzer)

    @property
    def vocabulary(self) -> int | None:
        return self.max_features

    def init(self, width: int, outputs: int, generator: torch.Generator) -> dict[str, Tensor]:
        # A bias of shape (1, L) broadcasts over rows for one lane and for many.
        return {"weight": uniform(generator, width, outputs, fan_in=width), "bias": torch.zeros(1, outputs)}

    def forward(self, params: Mapping[str, Tensor], x: Any, drop: Drop) -> Tensor:
        return ops_affine.affine(x, params["weight"], params["bias"])

    def plain(self, width: int, outputs: int) -> torch.nn.Module | None:
        return torch.nn.Linear(width, outputs)

    def plain_state(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"weight": params["weight"].T, "bias": params["bias"].reshape(-1)}

    def flops(self, entries: int, outputs: int) -> Flops | None:
        return Flops(2.0 * entries * outputs, 0.0)


def vectors(kind: str, max_features: int, analyzer: str) -> Features:
    """A feature extractor: TF-IDF for text, standardisation for numbers.

    In both cases rows have a mean square length of 1, so that one range of C and of the learning rate suits both.
    """
    if kind == "text":
        return extractors.TfIdf(max_features, analyzer=analyzer)
    return extractors.Standardised(unit=True)
