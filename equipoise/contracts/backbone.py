"""The backbone contract: a feature extractor, initial parameters and a forward pass. The engine does the rest.

A backbone is a frozen dataclass. Its tunable fields are searched. A field called `dropout` may differ between the lanes of one
population; every other field decides the shape of the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from equipoise.contracts.hyperparameters import Configurable, Tunable
from equipoise.contracts.options import options
from equipoise.core.errors import EquipoiseError
from equipoise.core.lazy import lazy

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor

    from equipoise.contracts.features import Features
    from equipoise.ops.dropout import Drop
else:
    torch = lazy("torch")


@dataclass(frozen=True)
class Rate:
    """The measured cost of one row in one epoch, in CPU microseconds: a constant and a term for each property of the problem.

    Attributes:
        row: constant. width: per feature. label: per label. weight: per thousand of width × labels.
        token: per token that `Backbone.tokens_read` counts.
        character: per character of text, once per cell, since each cell fits its features anew.
    """

    row: float
    width: float = 0.0
    label: float = 0.0
    weight: float = 0.0
    token: float = 0.0
    character: float = 0.0


class Flops(NamedTuple):
    """Floating-point operations of one row in a forward pass: 2 for each multiplication in a product of matrices.

    `first` counts products with the inputs, which need no gradient; `later` counts all others.
    """

    first: float
    later: float

    @property
    def training(self) -> float:
        """The operations of a step: forward, for the weights' gradient and, in later layers, for that of the inputs."""
        return 2 * self.first + 3 * self.later


@dataclass(frozen=True)
class Backbone(Configurable):
    """A model family.

    Attributes:
        name: its name in suites and on the command line.
        accepts: the kinds of input it reads, from "text" and "numeric".
        vector_features: True if its features are vectors, which a resampler may interpolate.
        batched: True if `forward` takes the parameters of K lanes at once, each with a leading K, and inputs (K, B, …);
            False if it takes one lane's, so that the engine loops over lanes.
        batched_on_cuda: the same on CUDA, where batching may pay although it does not on CPU.
        chained: True if `forward` of all lanes consists of `affine` and `drop.relu` only, each on the result of the one
            before. It is then trained without autograd, in less time and with the same bits.
        lanes_at_once: the most lanes that are held in memory side by side; None for as many as pay.
        lr: the default and the range of the peak learning rate.
        C: the default and the range of the inverse strength of the L2 penalty, as in scikit-learn: the objective is
            C Σ loss + ½ ‖w‖², over all rows and labels.
        conditioning_bias: the name of a bias (…, h) to which label inputs (earlier labels of a chain) are added as an affine
            term, (B, h); "" if the backbone takes no labels as inputs.
        output: the name of the bias (…, L) of the logits, so that a training can start from the best constant logits
            (`equipoise.engine.starts.output_bias`); "" if there is none.
        biases: the names of the parameters without a penalty.
        paths: the names of the fields that hold a path; `content` is the hash of what lies there.
        head: the names of the weight (H, L) and the bias of the last layer, which is linear in the learned representation (H,);
            None if there is no learned representation. Such a backbone defines `represent` and `classify` instead of `forward`.
        separate_labels: True if each label is fitted by itself and without random numbers, so that one network per label gives
            the same as one for all labels.
        gradient: False for an estimator that fits itself (`equipoise.contracts.estimator`) and takes no loss.
        rate: the measured cost of a row, for `--dry-run`; None if it is unknown, which the estimate mentions.
    """

    reference: ClassVar[str] = ""
    accepts: ClassVar[frozenset[str]] = frozenset({"text", "numeric"})
    vector_features: ClassVar[bool] = True
    batched: ClassVar[bool] = False
    batched_on_cuda: ClassVar[bool] = False
    chained: ClassVar[bool] = False
    lanes_at_once: ClassVar[int | None] = None
    lr: ClassVar[Tunable] = Tunable(1e-2, 1e-3, 1e-1, log=True)
    C: ClassVar[Tunable] = Tunable(3.0, 0.1, 300.0, log=True)
    conditioning_bias: ClassVar[str] = ""
    output: ClassVar[str] = ""
    biases: ClassVar[frozenset[str]] = frozenset()
    paths: ClassVar[frozenset[str]] = frozenset()
    head: ClassVar[tuple[str, str] | None] = None
    separate_labels: ClassVar[bool] = False
    gradient: ClassVar[bool] = True
    rate: ClassVar[Rate | None] = None

    def __post_init__(self) -> None:
        # Wrong settings should fail here, with one line, and not in the middle of a sweep.
        super().__post_init__()
        if not 0 <= self.dropout_rate < 1:
            raise EquipoiseError(f"{self.name}: dropout must lie in 0 ≤ dropout < 1, got {self.dropout_rate}")
        for f in options(self):
            value, declared = getattr(self, f.name), "domain" in f.metadata
            # A logarithmic range says that the value is a positive magnitude; scikit-learn would fail in the cell.
            if not declared and "tunable" in f.metadata and f.metadata["tunable"].log and not value > 0:
                raise EquipoiseError(f"{self.name}: {f.name} must be more than 0, got {value}")
            # A whole number is a size or a count, unless its domain says otherwise.
            if not declared and isinstance(value, int) and not isinstance(value, bool) and value < 1:
                raise EquipoiseError(f"{self.name}: {f.name} must be 1 or more, got {value}")
            if value not in (choices := f.metadata.get("choices", (value,))):
                raise EquipoiseError(
                    f"{self.name}: {f.name} must be one of {', '.join(choices)}, got {value!r}"
                )

    def features(self, kind: str) -> Features:
        """An unfitted feature extractor for a kind of input, "text" or "numeric"."""
        raise NotImplementedError(f"backbone {self.name!r} must define features()")

    def init(self, width: int, outputs: int, generator: torch.Generator) -> dict[str, Tensor]:
        """The initial parameters of one lane, name → float32 tensor on the CPU.

        Args:
            width: the number of features, or of words in the vocabulary. outputs: L, the number of logits.
            generator: the only source of random numbers.
        """
        raise NotImplementedError(f"backbone {self.name!r} must define init()")

    def forward(self, params: Mapping[str, Tensor], x: Any, drop: Drop) -> Tensor:
        """Logits (B, L) of one lane, or (K, B, L) of K lanes with `batched = True` (on CUDA also `batched_on_cuda`).

        `params` holds what `init` made, and `x` the features of a batch; `drop` applies dropout (none in prediction).
        A row's logits must not depend on the other rows of the batch.
        """
        if self.head is None:
            raise NotImplementedError(f"backbone {self.name!r} must define forward()")
        return self.classify(params, self.represent(params, x, drop))

    def represent(self, params: Mapping[str, Tensor], x: Any, drop: Drop) -> Tensor:
        """The learned representation that the last layer gets, (K, B, H) or (B, H); arguments as for `forward`."""
        raise NotImplementedError(f"backbone {self.name!r} must define represent()")

    def classify(self, params: Mapping[str, Tensor], representation: Tensor) -> Tensor:
        """The last layer: logits (K, B, L) or (B, L) of a representation."""
        raise NotImplementedError(f"backbone {self.name!r} must define classify()")

    def plain(self, width: int, outputs: int) -> torch.nn.Module | None:
        """The twin, the same network as people write it with `torch.nn`, newly initialised; None if none is declared.

        `width` and `outputs` are those of `init`. The module takes dense rows (B, width), or token ids (B, T) with 0 for
        padding. With the state of `plain_state`, in evaluation mode, it gives the logits of `forward`, (B, L). Its last
        parameter is the bias of the logits, and `dropout` sets its dropout. Benchmarks train it in a plain loop.
        """
        return None

    def plain_state(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The `state_dict` of the twin with the parameters of one lane."""
        raise NotImplementedError(
            f"backbone {self.name!r} must define plain_state(), since it defines plain()"
        )

    def flops(self, entries: int, outputs: int) -> Flops | None:
        """The arithmetic of a row with L = `outputs`; None if it is not declared.

        `entries` is how many numbers a dense row has, how many a sparse row stores, or how many tokens a text has.
        """
        return None

    def head_of(self, params: Mapping[str, Tensor]) -> tuple[np.ndarray, np.ndarray]:
        """The weight (H, L) and the bias (L,) of the last layer of one network, such that z = h·weight + bias."""
        if self.head is None:
            raise ValueError(f"{self.name} learns no representation")
        weight, bias = (params[name].detach().cpu().numpy() for name in self.head)
        return weight, bias.reshape(-1)

    @property
    def represents(self) -> bool:
        """Whether it learns a representation, with these settings."""
        return self.head is not None and type(self).represent is not Backbone.represent

    def interpolates(self, kind: str) -> bool:
        """Whether resamplers may take distances between its features of inputs of this kind, and average them."""
        return kind == "numeric" and self.vector_features

    @property
    def absorbs_shifts(self) -> bool:
        """Whether a constant added to the logits of a label in training only changes the bias of the output.

        That bias has no penalty and starts at the best constant logit, which the constant moves as well. So the training is the
        same, and the logits differ by the constant.
        """
        return self.gradient and self.output in self.biases

    def stacks(self, device: torch.device) -> bool:
        """Whether `forward` gets all lanes at once on this device."""
        return self.batched or (self.batched_on_cuda and device.type == "cuda")

    def tokens_read(self, length: int) -> int:
        """How many tokens of a text of `length` words the network steps through, counted once for each direction."""
        return 0

    @property
    def vocabulary(self) -> int | None:
        """The largest number of words that can become features (the `width` of `init`); None if no limit is known."""
        return None

    @property
    def content(self) -> str:
        """A hash of the files that its settings name, which becomes part of a row's key; "" if they name none.

        Raises:
            EquipoiseError: such a file is missing.
        """
        return ""

    @property
    def identity(self) -> str:
        """The name in keys of rows and of random streams: the spec, with the content of its files in the place of their paths.

        Raises:
            EquipoiseError: a file is missing.
        """
        return f"{self._spec(without=self.paths)}@{content}" if (content := self.content) else self.spec

    @property
    def structure(self) -> tuple[object, ...]:
        """The settings that the lanes of one population must have in common: all but dropout, which changes no shape."""
        shaping = [(f.name, getattr(self, f.name)) for f in options(self) if f.name != "dropout"]
        return (self.name, *shaping)

    @property
    def dropout_rate(self) -> float:
        """The dropout probability, 0 for a backbone without dropout."""
        return float(getattr(self, "dropout", 0.0))


def uniform(generator: torch.Generator, *shape: int, fan_in: int) -> Tensor:
    """A tensor drawn from U(−1/√fan_in, 1/√fan_in), PyTorch's default for its linear and recurrent layers."""
    bound = fan_in**-0.5
    return torch.rand(*shape, generator=generator).mul_(2).sub_(1).mul_(bound)
