"""Faults in the forward pass of a backbone, and in its gradients."""

from __future__ import annotations

import itertools
from functools import partial

import torch
from planted_backbones.right import Batched, Plain, Words, planted

from equipoise.ops.affine import affine

plant = partial(planted, globals())
_count = itertools.count()


def _hidden(params, x):
    return torch.relu(x @ params["w1"] + params["b1"])


def _out(params, h):
    return h @ params["w2"] + params["b2"]


def through(change, training=False):
    """A forward pass whose hidden units are changed."""
    return lambda self, params, x, drop: _out(params, change(drop(_hidden(params, x))))


def outside(change):
    """A forward pass whose logits are changed."""
    return lambda self, params, x, drop: change(_out(params, drop(_hidden(params, x))))


class _Wrong(torch.autograd.Function):
    """The identity, whose gradient has the wrong sign."""

    @staticmethod
    def forward(ctx, h):
        return h.clone()

    @staticmethod
    def backward(ctx, grad):
        return -grad


def _first_weights(self, params, x, drop):
    one = {n: p[:1].expand_as(p) for n, p in params.items()}
    return affine(drop.relu(affine(x, one["w1"], params["b1"])), params["w2"], params["b2"])


def _mean_weights(self, params, x, drop):
    w2 = params["w2"] - 0.1 * params["w2"].mean(0, keepdim=True)
    return affine(drop.relu(affine(x, params["w1"], params["b1"])), w2, params["b2"])


def _tanh(self, params, x, drop):
    return affine(drop(torch.tanh(affine(x, params["w1"], params["b1"]))), params["w2"], params["b2"])


def _in_place(self, params, x, drop):
    with torch.no_grad():
        params["w1"].mul_(0.99)
    return _out(params, drop(_hidden(params, x)))


def _centred(self, params, x, drop):
    if isinstance(x, torch.Tensor):
        x.sub_(0.5)
    return _out(params, drop(_hidden(params, x)))


def _padded_mean(self, params, x, drop):
    return params["words"][x.ids].mean(1) @ params["weight"] + params["bias"]


def _last_word(self, params, x, drop):
    return params["words"][x.ids[:, -1]] @ params["weight"] + params["bias"]


def _longest(self, params, x, drop):
    seen = (torch.arange(x.ids.shape[-1]) < x.lengths[:, None])[..., None]
    total = (params["words"][x.ids] * seen).sum(1) / x.lengths.max()
    return total @ params["weight"] + params["bias"]


def _one_bias(self, params, x, drop):
    h = torch.relu(x @ params["w1"] + params["b1"][:1])
    return _out(params, drop(h))


def _noisy_training(self, params, x, drop):
    h = _hidden(params, x)
    return _out(params, drop(h) * (1.0 if type(drop).__name__ == "Drop" else 0.9))


def _batch_norm(h):
    return torch.nn.functional.batch_norm(h, None, None, training=True)


def _unstacked(self, params, x, drop):
    return drop(torch.relu(x @ params["w1"] + params["b1"])) @ params["w2"] + params["b2"]


FAULTS = [
    plant(Plain, "dropout_when_predicting", "global_state", forward=through(torch.nn.functional.dropout)),
    plant(Plain, "noise", "global_state", forward=through(lambda h: h + torch.randn_like(h))),
    plant(Plain, "seeds", "global_state", forward=through(lambda h: (torch.manual_seed(0), h)[1])),
    plant(Plain, "centred_batch", "rows", forward=through(lambda h: h - h.mean(0))),
    plant(Plain, "batch_norm", "rows", forward=through(_batch_norm)),
    plant(Plain, "attends_to_rows", "rows", forward=through(lambda h: torch.softmax(h @ h.T, -1) @ h)),
    plant(Plain, "centred_logits", "rows", forward=outside(lambda z: z - z.mean(0))),
    plant(Plain, "flipped_rows", "rows", forward=through(lambda h: h + 0.1 * h.flip(0))),
    plant(Plain, "one_logit", "shapes", forward=outside(lambda z: z.mean(-1))),
    plant(Plain, "transposed", "shapes", forward=outside(lambda z: z.T)),
    plant(Plain, "doubles", "shapes", forward=outside(lambda z: z.double())),
    plant(Plain, "infinite", "finite", forward=outside(lambda z: z / torch.zeros(()))),
    plant(Plain, "changes_weights", "in_place", forward=_in_place),
    plant(Plain, "changes_rows", "in_place", forward=_centred),
    plant(Plain, "counts_calls", "deterministic", forward=outside(lambda z: z + 0.01 * next(_count))),
    plant(Plain, "detached", "gradient", forward=through(lambda h: h.detach())),
    plant(Plain, "wrong_gradient", "gradient", forward=through(_Wrong.apply)),
    plant(
        Plain,
        "straight_through",
        "gradient",
        forward=through(lambda h: h + (h.detach() > 0).float() * h.detach()),
    ),
    plant(Plain, "no_dropout", "dropout", forward=lambda self, p, x, drop: _out(p, _hidden(p, x))),
    plant(Plain, "noisy_training", "dropout", forward=_noisy_training),
    plant(Plain, "probabilities", "names", forward=outside(torch.sigmoid)),
    plant(Plain, "same_bias_for_all", "label_inputs", forward=_one_bias),
    plant(Plain, "unused_weights", "lane", forward=outside(lambda z: z * 0.0)),
    plant(Batched, "weights_of_the_first", "lane", head=None, chained=False, forward=_first_weights),
    plant(Batched, "mixed_lanes", "lane", head=None, chained=False, forward=_mean_weights),
    plant(Batched, "not_a_chain", "chained", head=None, forward=_tanh),
    plant(Batched, "padded_rows", "raises", head=None, chained=False, forward=_unstacked),
    plant(Words, "padding_averaged", "padding", forward=_padded_mean),
    plant(Words, "last_column", "padding", forward=_last_word),
    plant(Words, "longest_text", "rows", forward=_longest),
]
