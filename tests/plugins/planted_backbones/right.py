"""Backbones without a fault, from which the planted ones are made: dense and sparse, batched, tokens, an estimator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from equipoise.contracts.backbone import Backbone, Flops, uniform
from equipoise.contracts.estimator import EstimatorBackbone
from equipoise.contracts.features import Standardised, TfIdf, TokenIds
from equipoise.contracts.hyperparameters import Tunable, tunable
from equipoise.ops.affine import affine


@dataclass(frozen=True)
class Plain(Backbone):
    """A perceptron with a hidden layer, as people write it."""

    name = "plain"
    fault: ClassVar[str] = ""
    lr = Tunable(3e-2, 1e-3, 1e-1, log=True)
    output = "b2"
    conditioning_bias = "b1"
    biases = frozenset({"b1", "b2"})

    hidden: int = 8
    dropout: float = tunable(0.1, low=0.0, high=0.5, at_least=0, below=1)

    def features(self, kind):
        return TfIdf(300) if kind == "text" else Standardised(unit=True)

    def init(self, width, outputs, generator):
        return {
            "w1": uniform(generator, width, self.hidden, fan_in=width),
            "b1": torch.zeros(1, self.hidden),
            "w2": uniform(generator, self.hidden, outputs, fan_in=self.hidden),
            "b2": torch.zeros(1, outputs),
        }

    def forward(self, params, x, drop):
        h = drop(torch.relu(x @ params["w1"] + params["b1"]))
        return h @ params["w2"] + params["b2"]


@dataclass(frozen=True)
class Batched(Plain):
    """The same for all lanes at once."""

    name = "batched"
    batched = True
    chained = True
    head = ("w2", "b2")

    def represent(self, params, x, drop):
        return drop.relu(affine(x, params["w1"], params["b1"]))

    def classify(self, params, representation):
        return affine(representation, params["w2"], params["b2"])

    forward = Backbone.forward


@dataclass(frozen=True)
class Words(Backbone):
    """The average of the embeddings of the words."""

    name = "words"
    fault: ClassVar[str] = ""
    accepts = frozenset({"text"})
    vector_features = False
    lr = Tunable(3e-2, 1e-3, 1e-1, log=True)
    output = "bias"
    biases = frozenset({"bias"})

    def features(self, kind):
        return TokenIds(max_tokens=30)

    def init(self, width, outputs, generator):
        words = torch.randn(width, 8, generator=generator)
        return {
            "words": words,
            "weight": uniform(generator, 8, outputs, fan_in=8),
            "bias": torch.zeros(outputs),
        }

    def forward(self, params, x, drop):
        vectors = params["words"][x.ids]
        seen = (torch.arange(x.ids.shape[-1]) < x.lengths[:, None])[..., None]
        return (vectors * seen).sum(1) / x.lengths[:, None] @ params["weight"] + params["bias"]


@dataclass(frozen=True)
class Twinned(Plain):
    """The perceptron with its twin."""

    name = "twinned"

    def plain(self, width, outputs):
        first, out = nn.Linear(width, self.hidden), nn.Linear(self.hidden, outputs)
        return nn.Sequential(first, nn.ReLU(), nn.Dropout(self.dropout), out)

    def plain_state(self, params):
        first = {"0.weight": params["w1"].T, "0.bias": params["b1"].reshape(-1)}
        return first | {"3.weight": params["w2"].T, "3.bias": params["b2"].reshape(-1)}

    def flops(self, entries, outputs):
        return Flops(2.0 * entries * self.hidden, 2.0 * self.hidden * outputs)


class MeanOfWords(nn.Module):
    """The twin of `TwinnedWords`."""

    def __init__(self, words, outputs):
        super().__init__()
        self.words, self.out = nn.Embedding(words, 8, padding_idx=0), nn.Linear(8, outputs)

    def forward(self, ids):
        return self.out(self.words(ids).sum(1) / (ids > 0).sum(1, keepdim=True))


@dataclass(frozen=True)
class TwinnedWords(Words):
    """The average of embeddings with its twin."""

    name = "twinned_words"

    def plain(self, width, outputs):
        return MeanOfWords(width, outputs)

    def plain_state(self, params):
        words = params["words"].clone()
        words[0] = 0.0
        return {"words.weight": words, "out.weight": params["weight"].T, "out.bias": params["bias"]}


@dataclass(frozen=True)
class Logistic(EstimatorBackbone):
    """Logistic regression of each label by scikit-learn."""

    name = "logistic"
    fault: ClassVar[str] = ""
    separate_labels = True

    def estimator(self, seed: int) -> Any:
        return LogisticRegression(C=3.0, random_state=seed % 2**31)


def planted(here: dict[str, Any], base: type, name: str, fault: str, **members: Any) -> type:
    """A subclass with other members, in the names of a module, where a second process finds it."""
    cls_name = "Fault" + "".join(part.title() for part in name.split("_"))
    body = {"__doc__": "A model with a fault planted in it.", "__module__": here["__name__"]}
    cls = type(cls_name, (base,), body | {"name": name, "fault": fault} | members)
    here[cls_name] = dataclass(frozen=True)(cls)
    return here[cls_name]


#: The base classes themselves.
RIGHT = (Plain, Batched, Words, Twinned, TwinnedWords, Logistic)
