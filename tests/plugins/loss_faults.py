"""Losses with one fault each, and correct twins. `fault` names the check that must find it; "" is none."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from types import MappingProxyType

import torch
import torch.nn.functional as F

from equipoise.contracts.hyperparameters import Tunable, tunable
from equipoise.contracts.strategy import Strategy, bce


class Planted(Strategy):
    """Common to all of this file."""

    reference = "planted for the tests, 2026"
    fault = ""


@dataclass(frozen=True)
class RightPower(Planted):
    """Weigh positives up by a power of their rarity."""

    name = "right_power"
    off = MappingProxyType({"power": 0.0})
    power: float = tunable(0.5, low=0.0, high=1.5)

    def loss(self, logits, targets, ctx):
        n = ctx.n_pos.clamp(min=1.0)
        return (1.0 + (((ctx.n_rows - n) / n) ** self.power - 1.0) * targets) * bce(logits, targets)


@dataclass(frozen=True)
class RightRow(Planted):
    """One value a row: the mean of its cells, and a temperature."""

    name = "right_row"
    warm: float = tunable(1.0, low=0.5, high=2.0, log=True)

    def loss(self, logits, targets, ctx):
        return bce(logits / self.warm, targets).mean(-1)


@dataclass(frozen=True)
class RightDeferred(Planted):
    """Positives count more and more as the training goes on."""

    name = "right_deferred"
    smooth: bool = True

    def loss(self, logits, targets, ctx):
        share = ctx.progress if self.smooth else (ctx.progress > 0.5).float()
        return (1.0 + share * targets) * bce(logits, targets)


def loser(name, fault, function, **more):
    """A strategy whose loss hook is `function(self, logits, targets, ctx)`."""
    body = {
        "__doc__": "A loss with a fault planted in it.",
        "__module__": __name__,
        "name": name,
        "fault": fault,
        "loss": function,
        **more,
    }
    body.setdefault(
        "__annotations__", {n: "float" for n, v in more.items() if isinstance(v, dataclasses.Field)}
    )
    return dataclass(frozen=True)(type(name, (Planted,), body))


def _in_place(self, logits, targets, ctx):
    logits.mul_(2.0)
    return bce(logits, targets)


def _targets_in_place(self, logits, targets, ctx):
    targets.clamp_(0.05, 0.95)
    return bce(logits, targets)


def _naive(self, logits, targets, ctx):
    p = logits.sigmoid()
    return -targets * p.log() - (1 - targets) * (1 - p).log()


def _power(self, logits, targets, ctx):
    """Finite, but 0^½ has no finite gradient."""
    return (1 - logits.sigmoid()).pow(0.5) * targets + bce(logits, targets)


def _branch(self, logits, targets, ctx):
    return bce(logits, targets) * (2.0 if self.gamma > 1 else 1.0)


def _number(self, logits, targets, ctx):
    return bce(logits, targets) * float(self.gamma)


def _default_dtype(self, logits, targets, ctx):
    torch.set_default_dtype(torch.float64)
    return bce(logits, targets)


def _seeded(self, logits, targets, ctx):
    torch.manual_seed(0)
    return bce(logits, targets) * (torch.rand(logits.shape) > 0.1)


def _private(self, logits, targets, ctx):
    return (
        bce(logits, targets) * torch.rand(logits.shape, generator=torch.Generator().manual_seed(_seed())) * 2
    )


def _seed():
    import os

    return int.from_bytes(os.urandom(4), "big")


def _columns(self, logits, targets, ctx):
    return bce(logits, targets) * torch.arange(1, logits.shape[-1] + 1)


def _edge(self, logits, targets, ctx):
    return bce(logits, targets) / (1.0 - self.gamma)


GAMMA = {"gamma": tunable(2.0, low=0.0, high=5.0)}
OUTSIDE = dataclasses.field(default=9.0, metadata={"tunable": Tunable(9.0, 0.0, 5.0)})
OTHER = dataclasses.field(default=3.0, metadata={"tunable": Tunable(2.0, 0.0, 5.0)})


def plain(self, logits, targets, ctx):
    return bce(logits, targets)


FAULTY = [
    loser("log_of_sigmoid", "finite", _naive),
    loser("one_over_count", "finite", lambda self, z, y, ctx: bce(z, y) * (ctx.n_rows / ctx.n_pos)),
    loser(
        "log_of_negatives",
        "finite",
        lambda self, z, y, ctx: bce(z - (ctx.n_rows / ctx.n_pos.clamp(min=1) - 1).log(), y),
    ),
    loser("exponential", "finite", lambda self, z, y, ctx: (z * (1 - 2 * y)).exp()),
    loser("root_of_zero", "finite", _power),
    loser("no_gradient", "finite", lambda self, z, y, ctx: ((z > 0).to(z.dtype) - y).abs()),
    loser("in_place_logits", "in_place", _in_place),
    loser("in_place_targets", "in_place", _targets_in_place),
    loser("batch_sum", "scale", lambda self, z, y, ctx: bce(z, y).sum(-2, keepdim=True).expand_as(z)),
    loser("reduced", "shapes", lambda self, z, y, ctx: bce(z, y).mean()),
    loser("per_label", "shapes", lambda self, z, y, ctx: bce(z, y).mean(0)),
    loser("branch_on_tunable", "vmap", _branch, **GAMMA),
    loser("float_of_tunable", "vmap", _number, **GAMMA),
    loser(
        "item_of_context", "vmap", lambda self, z, y, ctx: bce(z, y) * (1.0 + ctx.n_pos.max().item() / 100)
    ),
    loser("selects_positives", "vmap", lambda self, z, y, ctx: bce(z, y) + z[y > 0].abs().sum() / y.numel()),
    loser("default_dtype", "global_state", _default_dtype),
    loser("torch_generator", "global_state", _seeded),
    loser("threads", "global_state", lambda self, z, y, ctx: (torch.set_num_threads(2), bce(z, y))[1]),
    loser("private_generator", "deterministic", _private),
    loser("label_numbers", "columns", _columns),
    loser(
        "off_is_on",
        "off",
        lambda self, z, y, ctx: bce(z, y) * (1.001 + 0 * self.gamma),
        off={"gamma": 0.0},
        **GAMMA,
    ),
    loser("off_is_unknown", "off", plain, off={"delta": 0.0}, **GAMMA),
    loser("edge_of_space", "space", _edge, gamma=tunable(0.5, low=0.0, high=1.0)),
    loser("default_outside", "declared", plain, gamma=OUTSIDE),
    loser("default_is_other", "declared", plain, gamma=OTHER),
    loser("undocumented", "documented", plain, __doc__=None),
    loser("no_reference", "documented", plain, reference=""),
    loser(
        "largest_of_all_lanes",
        "lanes",
        lambda self, z, y, ctx: bce(z, y) * (1.0 + ctx.n_pos.max() / ctx.n_rows),
        vectorized=True,
    ),
    loser("lane_bits", "lane", lambda self, z, y, ctx: bce(z, y) * ctx.n_pos.clamp(min=1.0) ** -0.25),
    loser(
        "only_float32",
        "raises",
        lambda self, z, y, ctx: F.binary_cross_entropy_with_logits(
            z, y.float() @ torch.eye(z.shape[1], dtype=z.dtype), reduction="none"
        ),
    ),
]
globals().update({cls.__name__: cls for cls in FAULTY})


class undecorated(Planted):
    """The decorator was forgotten, so gamma is no field."""

    name = "undecorated"
    fault = "declared"
    gamma: float = tunable(2.0, low=0.0, high=5.0)

    def loss(self, logits, targets, ctx):
        return bce(logits, targets)


@dataclass(frozen=True)
class lambda_field(Planted):
    """A field that no other process can be sent."""

    name = "lambda_field"
    fault = "pickles"
    curve: object = dataclasses.field(default_factory=lambda: lambda p: p**2)

    def loss(self, logits, targets, ctx):
        return self.curve(1.0) * bce(logits, targets)


FAULTY += [undecorated, lambda_field]
