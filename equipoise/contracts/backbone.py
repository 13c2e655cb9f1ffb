"""The backbone contract: features, initial parameters, and a forward pass; the engine does the rest.

A backbone is a frozen dataclass. Its tunable fields are searched; the field called `dropout`, if there is one, differs per
lane without splitting the population; every other field decides the shape of the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.contracts.hyperparameters import Configurable, Tunable
from equipoise.contracts.options import options
from equipoise.core.errors import EquipoiseError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from equipoise.contracts.features import Features
    from equipoise.ops.dropout import Drop


@dataclass(frozen=True)
class Rate:
    """CPU microseconds for one row of one epoch, measured: a constant, and what each property of the problem adds.

    Attributes:
        row: constant. width: per feature. label: per label. weight: per thousand of width × labels.
        token: per token that `Backbone.tokens_read` counts.
        character: per character of text, once a cell, since features are fitted on the training rows of each.
    """

    row: float
    width: float = 0.0
    label: float = 0.0
    weight: float = 0.0
    token: float = 0.0
    character: float = 0.0


@dataclass(frozen=True)
class Backbone(Configurable):
    """A model family.

    Attributes:
        name: how it is called in a suite and on the command line.
        accepts: the kinds of input it reads, of "text" and "numeric".
        vector_features: True where its features are vectors, so that a resampler may interpolate them.
        batched: True where `forward` takes the parameters of K lanes at once, each with a leading K, and inputs (K, B, …);
            False: one lane's, and the engine loops.
        batched_on_cuda: the same for CUDA, where it may pay although it does not on CPU.
        lanes_at_once: the most lanes that are held in memory side by side; None: as many as pay.
        lr: the default and the range of the learning rate, at its highest.
        C: those of the inverse strength of the L2 penalty, as in scikit-learn: C Σ loss + ½ ‖w‖² is minimised, over all rows
            and labels.
        conditioning_bias: the parameter (…, h), a bias, to which further inputs (earlier labels of a chain) are added as an
            affine term, (B, h); "": it takes none.
        output: the parameter (…, L), a bias, that is added to the logits, so that a training may begin at the best constant
            ones (`equipoise.engine.starts`); "": there is none.
        biases: the names of parameters that go without the penalty.
        gradient: False for an estimator that is fitted as it is (`equipoise.contracts.estimator`): it takes no loss.
        rate: what a row costs, for `--dry-run`; None: not known, and the estimate says so.
    """

    reference: ClassVar[str] = ""
    accepts: ClassVar[frozenset[str]] = frozenset({"text", "numeric"})
    vector_features: ClassVar[bool] = True
    batched: ClassVar[bool] = False
    batched_on_cuda: ClassVar[bool] = False
    lanes_at_once: ClassVar[int | None] = None
    lr: ClassVar[Tunable] = Tunable(1e-2, 1e-3, 1e-1, log=True)
    C: ClassVar[Tunable] = Tunable(3.0, 0.1, 300.0, log=True)
    conditioning_bias: ClassVar[str] = ""
    output: ClassVar[str] = ""
    biases: ClassVar[frozenset[str]] = frozenset()
    gradient: ClassVar[bool] = True
    rate: ClassVar[Rate | None] = None

    def __post_init__(self) -> None:
        if not 0 <= self.dropout_rate < 1:
            raise EquipoiseError(f"{self.name}: dropout must lie in 0 ≤ dropout < 1, got {self.dropout_rate}")
        for f in options(self):
            value = getattr(self, f.name)
            low = f.metadata.get("low", 1)
            if isinstance(value, int) and not isinstance(value, bool) and value < low:
                raise EquipoiseError(f"{self.name}: {f.name} must be {low} or more, got {value}")
            if value not in (choices := f.metadata.get("choices", (value,))):
                raise EquipoiseError(
                    f"{self.name}: {f.name} must be one of {', '.join(choices)}, got {value!r}"
                )

    def features(self, kind: str) -> Features:
        """The feature extractor for a kind of input, not yet fitted."""
        raise NotImplementedError(f"backbone {self.name!r} must define features()")

    def init(self, width: int, outputs: int, generator: torch.Generator) -> dict[str, Tensor]:
        """One lane's initial parameters, float32 on CPU, for inputs of `width` (features, or words in the vocabulary)."""
        raise NotImplementedError(f"backbone {self.name!r} must define init()")

    def forward(self, params: Mapping[str, Tensor], x: Any, drop: Drop) -> Tensor:
        """Logits (K, B, L) if `stacked`, else (B, L). `drop` applies this lane's dropout (nothing when predicting)."""
        raise NotImplementedError(f"backbone {self.name!r} must define forward()")

    def interpolates(self, kind: str) -> bool:
        """Whether resamplers may take distances between its features of inputs of this kind, and average them."""
        return kind == "numeric" and self.vector_features

    def stacks(self, device: torch.device) -> bool:
        """Whether `forward` is given all lanes at once there."""
        return self.batched or (self.batched_on_cuda and device.type == "cuda")

    def tokens_read(self, length: int) -> int:
        """How many tokens of a text of so many words the network steps through, counted once for each direction."""
        return 0

    @property
    def vocabulary(self) -> int | None:
        """The most words of texts that can become features (the `width` of `init`); None: no limit is known."""
        return None

    @property
    def content(self) -> str:
        """A hash over the files that its settings name, which a row's key then depends on; "" where they name none.

        Raises:
            EquipoiseError: there is no such file.
        """
        return ""

    @property
    def structure(self) -> tuple[object, ...]:
        """What lanes must have in common to train in one population."""
        shown = [(f.name, getattr(self, f.name)) for f in options(self) if f.name != "dropout"]
        return (self.name, *shown)

    @property
    def dropout_rate(self) -> float:
        """The dropout probability, 0 for a backbone without one."""
        return float(getattr(self, "dropout", 0.0))


def uniform(generator: torch.Generator, *shape: int, fan_in: int) -> Tensor:
    """U(−1/√fan_in, 1/√fan_in), PyTorch's default for its linear and recurrent layers."""
    import torch

    bound = fan_in**-0.5
    return torch.rand(*shape, generator=generator).mul_(2).sub_(1).mul_(bound)
