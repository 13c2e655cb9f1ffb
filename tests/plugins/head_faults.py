"""Heads, and losses that see the representation, with one fault each, and correct twins; see `model_faults`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equipoise.contracts.strategy import Strategy, bce


class Planted(Strategy):
    """Common to all of this file."""

    reference = "planted for the tests, 2026"
    fault = ""


def _made(name, fault, body, more):
    named = {
        "__doc__": "A last layer with a fault planted in it.",
        "__module__": __name__,
        "name": name,
        "fault": fault,
    }
    return dataclass(frozen=True)(type(name, (Planted,), named | body | more))


def header(name, fault, fit, **more):
    """A strategy whose `head` is `fit(h, Y, weight, bias, ctx)`."""
    return _made(name, fault, {"head": lambda self, h, Y, w, b, ctx: fit(h, Y, w, b, ctx)}, more)


def seer(name, fault, loss, **more):
    """A strategy whose loss sees the representation."""
    body = {"loss": lambda self, z, y, ctx: loss(z, y, ctx), "sees_representation": True}
    return _made(name, fault, body, more)


def centred(h, Y, w, b, ctx):
    centre = h.mean(0)
    return lambda x, z: (x - centre) @ w + b


def pulled(z, y, ctx):
    own = bce(z, y)
    return (
        own if ctx.representation is None else own + 0.01 * ctx.representation.square().sum(-1, keepdim=True)
    )


RIGHT = [
    header("right_centred", "", centred),
    header("right_unchanged", "", lambda h, Y, w, b, ctx: lambda x, z: z),
    seer("right_pulled", "", pulled),
]


def _standardised(h, Y, w, b, ctx):
    return lambda x, z: (x - x.mean(0)) @ w + b


def _writes(h, Y, w, b, ctx):
    def apply(x, z):
        z -= 1.0
        return z

    return apply


def _normalises_in_place(h, Y, w, b, ctx):
    w /= np.linalg.norm(w, axis=0) + 1.0
    return lambda x, z: x @ w + b


def _by_length(h, Y, w, b, ctx):
    with np.errstate(divide="ignore"):
        scale = 1.0 / np.linalg.norm(w, axis=0)
    return lambda x, z: z * scale


def _of_one_label(h, Y, w, b, ctx):
    return lambda x, z: x @ w[:, :1] + b[:1]


def _numbered(h, Y, w, b, ctx):
    return lambda x, z: z + np.arange(z.shape[1])


def _unseeded(h, Y, w, b, ctx):
    new = np.random.default_rng().normal(size=w.shape)
    return lambda x, z: x @ new + b


def _dropped(h, Y, w, b, ctx):
    ctx.rng.shuffle(h)
    return lambda x, z: z


def _inverse(h, Y, w, b, ctx):
    with np.errstate(divide="ignore"):
        shift = np.log(1.0 / Y.mean(0))
    return lambda x, z: z - shift


FAULTS = [
    header("standardised_head", "leak", _standardised),
    header("writing_head", "in_place", _writes),
    header("head_in_place", "in_place", _normalises_in_place),
    header("shuffling_head", "in_place", _dropped),
    header("endless_head", "finite", _by_length),
    header("infinite_head", "finite", _inverse),
    header("one_label_head", "shapes", _of_one_label),
    header("layer_head", "shapes", lambda h, Y, w, b, ctx: (w, b)),
    header("numbered_head", "columns", _numbered),
    header("unseeded_head", "deterministic", _unseeded),
    header("changed_off", "off", centred, off={}),
    seer("blind_loss", "representation", lambda z, y, ctx: bce(z, y)),
    seer("needy_loss", "representation", lambda z, y, ctx: bce(z, y) + ctx.representation.mean()),
    seer("rowless_loss", "shapes", lambda z, y, ctx: pulled(z, y, ctx).mean()),
]
globals().update({cls.__name__: cls for cls in [*RIGHT, *FAULTS]})
