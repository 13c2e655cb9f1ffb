"""A backbone (a model) for equipoise: a network with one hidden layer; put your own in its place.

    equipoise check ./my_backbone.py                # does it obey the rules of the contract?
    equipoise run --dataset design-emails --backbone linear --backbone ./my_backbone.py --strategy none --strategy focal

docs/plugins.md has more: models of token sequences, and models that compute many trainings at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from equipoise import Backbone, Drop, Standardised, TfIdf, Tunable, tunable, uniform


@dataclass(frozen=True)
class MyBackbone(Backbone):
    """One hidden layer with ReLU and dropout, on TF-IDF texts or standardised numbers."""  # `equipoise list` shows this

    # The name on the command line, in suites and in results.
    name: ClassVar[str] = "my_backbone"
    # Author, year and DOI of the model, which reports print; "" for a common one.
    reference: ClassVar[str] = ""
    # The kinds of data it reads.
    accepts: ClassVar[frozenset[str]] = frozenset({"text", "numeric"})
    # Default and search range of the peak learning rate, and of C: the loss over all rows and labels is multiplied by C, and
    # ½ ‖w‖² is added, as in scikit-learn.
    lr: ClassVar[Tunable] = Tunable(0.03, 0.003, 0.3, log=True)
    C: ClassVar[Tunable] = Tunable(2.0, 0.3, 100.0, log=True)
    # The parameters without a penalty; the one that is added to the logits, through which training starts at the best
    # constant logits; and the one to which earlier labels are added in classifier chains.
    biases: ClassVar[frozenset[str]] = frozenset({"b1", "b2"})
    output: ClassVar[str] = "b2"
    conditioning_bias: ClassVar[str] = "b1"

    # A setting, my_backbone[hidden=128], and one that is searched, too. Only `dropout` may differ among trainings that run
    # side by side; it is what `drop` below applies.
    hidden: int = 32
    dropout: float = tunable(0.2, low=0.0, high=0.5, at_least=0, below=1)

    def features(self, kind: str) -> Any:
        """The features of a kind of input: an object with fit(X, nominal) and transform(X)."""
        return TfIdf(5000) if kind == "text" else Standardised(unit=True)

    def init(self, width: int, outputs: int, generator: torch.Generator) -> dict[str, Tensor]:
        """The initial parameters for so many features and labels; `generator` is the only source of random numbers."""
        return {
            "w1": uniform(generator, width, self.hidden, fan_in=width),
            "b1": torch.zeros(1, self.hidden),
            "w2": uniform(generator, self.hidden, outputs, fan_in=self.hidden),
            "b2": torch.zeros(1, outputs),
        }

    def forward(self, params: Mapping[str, Tensor], x: Any, drop: Drop) -> Tensor:
        """Logits (B, L) of a batch: `x` is (B, features), a tensor or sparse rows.

        No global random numbers, and no statistics over the batch: the logits of a row depend on that row alone.
        """
        hidden = drop(torch.relu(x @ params["w1"] + params["b1"]))
        return hidden @ params["w2"] + params["b2"]
