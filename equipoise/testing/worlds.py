"""Worlds: the small training sets on which strategies are checked, each with a feature that breaks careless code."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.sparse as sp

from equipoise.contracts.rows import Offer, Rows
from equipoise.contracts.strategy import Context, Strategy
from equipoise.core.seeds import stream

#: Number of rows of the shared features that are held out; a strategy must not look at them.
HELD = 30
#: Number of rows that are offered to a strategy that adds rows of a file.
OFFERED = 10
#: Units before the last layer.
UNITS = 6


@dataclass(frozen=True, eq=False)
class World:
    """A training set of n rows, L labels and d features.

    Attributes:
        Y: (n, L) uint8. In the usual world no two labels are equally frequent, so that no tie depends on the column order.
        shared: (n + HELD, d) features of all rows, dense or CSR; None for text.
        index: (n,) the training rows among the rows of `shared`.
        logits: (n, L) float32, such as a model might give out of fold.
        folds: (n,) the fold in which each row was held out.
        hidden: (n, UNITS) float32, the inputs of the last layer of a network, with its weight (UNITS, L) and bias (L,).
    """

    name: str
    Y: np.ndarray
    shared: Any
    index: np.ndarray
    logits: np.ndarray
    folds: np.ndarray
    hidden: np.ndarray
    weight: np.ndarray
    bias: np.ndarray

    @property
    def n_labels(self) -> int:
        return int(self.Y.shape[1])

    @property
    def offered(self) -> Offer:
        """Rows for a strategy that adds rows of a file: some that are no training rows, with the labels of training rows."""
        others = np.setdiff1d(np.arange(len(self.Y) + HELD), self.index)[:OFFERED]
        return Offer(others, self.Y[:OFFERED].copy())

    def last_layer(self, hidden: np.ndarray) -> np.ndarray:
        """The network's own logits (m, L) for representations (m, UNITS)."""
        logits: np.ndarray = hidden @ self.weight + self.bias
        return logits

    def rows(self, strategy: Strategy, shared: Any = None) -> Rows:
        """A fresh copy of the training rows, which a hook may damage; optionally with other shared features."""
        features = self.shared if shared is None else shared
        offered = self.offered if "file" in strategy.requires else None
        return Rows(
            self.index.copy(),
            self.Y.copy(),
            None if features is None else features.copy(),
            offered=offered,
        )

    def ctx(self, seed: int = 0, **more: Any) -> Context:
        """The context of a hook, with a fresh random stream."""
        counts = self.Y.sum(0, dtype=np.int64)
        return Context(counts, len(self.Y), rng=stream("conformance", self.name, seed), **more)

    def permuted(self, order: np.ndarray) -> World:
        """The same world with its labels permuted; the random streams are the same, as they depend on the name only."""
        Y, z, weight = (np.ascontiguousarray(a[:, order]) for a in (self.Y, self.logits, self.weight))
        return replace(self, Y=Y, logits=z, weight=weight, bias=self.bias[order])


@lru_cache(1)
def worlds() -> dict[str, World]:
    """All worlds by name."""
    usual = _labels(120, (0.5, 0.34, 0.2, 0.1, 0.05))
    absent, single, full, empty = (usual.copy() for _ in range(4))
    absent[:, 2] = 0  # divisions by a count of 0, infinite imbalance ratios
    single[:, 3] = np.arange(120) == 17  # no second positive to interpolate with, or to put into another fold
    full[:, 1] = 1  # no negatives: the logarithm of 1 − π is infinite
    empty[::2] = 0  # rows without labels, which sampling by label never draws
    many = _labels(120, tuple(np.geomspace(0.4, 0.01, 300)))  # more labels than rows
    repeated = np.repeat(_labels(30, (0.5, 0.3, 0.2, 0.1)), 4, axis=0)  # distances of 0, ties everywhere
    all_worlds = [
        _world("usual", usual),
        _world("absent label", absent),
        _world("single positive", single),
        _world("all-positive label", full),
        _world("one label", _labels(60, (0.25,))),
        _world("300 labels", many),
        _world("empty rows", empty),
        _world("duplicate rows", repeated, copies=4),
        _world("12 rows", _labels(12, (0.5, 0.34, 0.17))),
        _world("sparse", usual, kind="sparse"),
        _world("text", usual, kind="text"),
    ]
    return {w.name: w for w in all_worlds}


def suitable_worlds(requires: frozenset[str]) -> list[World]:
    """The worlds that meet a strategy's requirements."""
    out = list(worlds().values())
    if "numeric" in requires:
        out = [w for w in out if w.shared is not None]
    if "text" in requires:
        out = [w for w in out if w.shared is None]
    return [w for w in out if w.n_labels > 1 or "labels" not in requires]


def _labels(n: int, shares: tuple[float, ...]) -> np.ndarray:
    """Random labels (n, L), each with exactly round(share · n) positives, but at least one."""
    rng, Y = stream("labels", n, len(shares)), np.zeros((n, len(shares)), dtype=np.uint8)
    for label, share in enumerate(shares):
        Y[rng.permutation(n)[: max(1, round(share * n))], label] = 1
    return Y


def _world(name: str, Y: np.ndarray, kind: str = "dense", copies: int = 1) -> World:
    """A world with these labels and random features; rows come in blocks of `copies` equal ones."""
    rng, n = stream("world", name), len(Y)
    index = np.sort(rng.permutation(n + HELD)[:n])
    base = rng.normal(size=(n // copies, 6)) + Y[::copies, :1]  # features depend on the first label
    X = np.round(rng.normal(size=(n + HELD, 6)), 3).astype(np.float32)
    X[index] = np.repeat(base, copies, axis=0)  # held-out rows stay pure noise
    X[:, 5] = X[:, 5] > 0  # a binary column, as real data have
    shared: Any = None if kind == "text" else X
    if kind == "sparse":
        shared = sp.csr_matrix(np.where(np.abs(X) > 0.7, X, 0.0).astype(np.float32))
    logits = (3.0 * Y - 2.0 + rng.normal(size=Y.shape)).astype(np.float32)
    return World(name, Y, shared, index, logits, np.arange(n) % 3, *_last_layer(name, Y, copies))


def _last_layer(name: str, Y: np.ndarray, copies: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the last layer of a network gets, which depends on the labels, and its weight and bias."""
    # A stream of its own, so that nothing else in a world depends on it.
    rng = stream("last layer", name)
    first = Y[::copies].astype(np.float64)
    mixed = first @ rng.normal(size=(Y.shape[1], UNITS)) + rng.normal(size=(len(first), UNITS))
    hidden = np.repeat(np.maximum(mixed, 0.0), copies, axis=0)
    weight, bias = rng.normal(size=(UNITS, Y.shape[1])), rng.normal(size=(Y.shape[1],)) - 1.0
    return hidden.astype(np.float32), weight.astype(np.float32), bias.astype(np.float32)


def dense(x: Any) -> np.ndarray:
    """x as a dense array, whether it is sparse or not."""
    return np.asarray(x.toarray() if hasattr(x, "tocsr") else x)
