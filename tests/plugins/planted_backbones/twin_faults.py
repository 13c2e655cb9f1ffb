"""Faults in the twin of a backbone: the module that people write with `torch.nn`."""

from __future__ import annotations

from functools import partial

from planted_backbones.right import Twinned, TwinnedWords, planted
from torch import nn

from equipoise.contracts.backbone import Flops

plant = partial(planted, globals())


def layers(self, width, outputs, *, activation=nn.ReLU, dropout=None, **last):
    """The twin with something else in it."""
    rate = self.dropout if dropout is None else dropout
    first, out = nn.Linear(width, self.hidden), nn.Linear(self.hidden, outputs, **last)
    return nn.Sequential(first, activation(), nn.Dropout(rate), out)


def twin(**change):
    return lambda self, width, outputs: layers(self, width, outputs, **change)


def state(change):
    """The state of the right twin, changed."""

    def changed(self, params):
        return change(Twinned.plain_state(self, params))

    return changed


def _without_bias(found):
    del found["3.bias"]
    return found


class _Pooled(nn.Module):
    """The right layers, with other pooling of the words."""

    def __init__(self, right, pool):
        super().__init__()
        self.words, self.out, self.pool = right.words, right.out, pool

    def forward(self, ids):
        return self.out(self.pool(self.words(ids), ids))


def pooled(pool):
    return lambda self, width, outputs: _Pooled(TwinnedWords.plain(self, width, outputs), pool)


def _bias_first(self, width, outputs):
    return _BiasFirst(width, self.hidden, outputs, self.dropout)


class _BiasFirst(nn.Module):
    def __init__(self, width, hidden, outputs, dropout):
        super().__init__()
        self.out = nn.Linear(hidden, outputs)
        self.hidden = nn.Linear(width, hidden)
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        return self.out(self.drop(self.hidden(x).relu()))


def _state_by_name(self, params):
    found = Twinned.plain_state(self, params)
    layers = {"0": "hidden", "3": "out"}
    return {f"{layers[name[0]]}{name[1:]}": value for name, value in found.items()}


FAULTS = [
    plant(Twinned, "twin_tanh", "twin", plain=twin(activation=nn.Tanh)),
    plant(Twinned, "twin_gelu", "twin", plain=twin(activation=nn.GELU)),
    plant(Twinned, "twin_linear", "twin", plain=twin(activation=nn.Identity)),
    plant(Twinned, "twin_without_bias", "twin", plain=twin(bias=False), plain_state=state(_without_bias)),
    plant(Twinned, "twin_state_incomplete", "twin", plain_state=state(_without_bias)),
    plant(Twinned, "twin_weights_not_turned", "twin", plain_state=lambda self, p: {"0.weight": p["w1"]}),
    plant(
        Twinned,
        "twin_without_hidden_bias",
        "twin",
        plain_state=state(lambda s: s | {"0.bias": s["0.bias"] * 0}),
    ),
    plant(Twinned, "twin_fixed_dropout", "twin", plain=twin(dropout=0.3)),
    plant(Twinned, "twin_without_dropout", "twin", plain=twin(dropout=0.0)),
    plant(Twinned, "twin_bias_not_last", "twin", plain=_bias_first, plain_state=_state_by_name),
    plant(Twinned, "twin_function", "twin", plain=lambda self, width, outputs: abs),
    plant(Twinned, "twin_one_label", "twin", plain=lambda self, width, outputs: layers(self, width, 1)),
    plant(Twinned, "twin_without_state", "twin", plain_state=Twinned.__base__.plain_state),
    plant(Twinned, "negative_flops", "twin", flops=lambda self, entries, outputs: Flops(-1.0, 2.0)),
    plant(Twinned, "flops_as_a_number", "twin", flops=lambda self, entries, outputs: 2.0 * entries),
    plant(TwinnedWords, "twin_mean_with_padding", "twin", plain=pooled(lambda h, ids: h.mean(1))),
    plant(
        TwinnedWords,
        "twin_maximum",
        "twin",
        plain=pooled(lambda h, ids: h.where(ids[..., None] > 0, -9).amax(1)),
    ),
    plant(TwinnedWords, "twin_sum", "twin", plain=pooled(lambda h, ids: h.sum(1))),
    plant(TwinnedWords, "twin_last_word", "twin", plain=pooled(lambda h, ids: h[:, -1])),
]
