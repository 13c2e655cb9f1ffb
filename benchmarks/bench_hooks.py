"""Times the hooks of every strategy in the registry, in milliseconds a call; a new strategy needs no line here."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch

from equipoise import Context, Rows, Strategy, get_strategy
from equipoise.catalog.registry import registry

N, LABELS, FEATURES, BATCH = 2000, 14, 40, 64


def hooks() -> list[tuple[str, str]]:
    """(strategy, stage) for every hook of every strategy."""
    names = registry("strategy").names()
    return [(name, stage) for name in names for stage in get_strategy(name).stages]


@lru_cache
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features, labels with 75 % to 1.5 % positives, out-of-fold logits, and folds."""
    rng = np.random.default_rng(0)
    Y = (rng.random((N, LABELS)) < np.geomspace(0.75, 0.015, LABELS)).astype(np.uint8)
    X = (rng.normal(size=(N, FEATURES)) + Y @ rng.normal(size=(LABELS, FEATURES))).astype(np.float32)
    logits = (rng.normal(size=(N, LABELS)) + 2.0 * Y - 1.0).astype(np.float32)
    return X, Y, logits, np.arange(N) % 3


def call(strategy: Strategy, stage: str) -> Callable[[], Any]:
    """A hook called as the engine calls it; what a hook fits is applied to as many rows, and a loss is differentiated."""
    X, Y, logits, folds = data()
    counts = Y.sum(0, dtype=np.int64)

    def ctx() -> Context:
        return Context(counts, N, rng=np.random.default_rng(1), folds=folds)

    if stage == "resample":
        rows = Rows(np.arange(N), Y, X, nominal=np.zeros(FEATURES, dtype=bool))
        return lambda: strategy.resample(rows, ctx())
    if stage in ("weights", "tasks"):
        return lambda: getattr(strategy, stage)(Y, ctx())
    if stage in ("adjust", "decide"):
        return lambda: getattr(strategy, stage)(logits, Y, ctx())(logits)
    if stage == "head":
        # The features are the representation, and the last layer is a fixed one.
        layer = np.random.default_rng(2).normal(size=(FEATURES, LABELS)).astype(np.float32) / FEATURES
        bias = np.zeros(LABELS, dtype=np.float32)
        return lambda: strategy.head(X, Y, layer, bias, ctx())(X, logits)
    return loss(strategy, X[:BATCH], logits[:BATCH], Y[:BATCH], counts)


def loss(
    strategy: Strategy, H: np.ndarray, logits: np.ndarray, Y: np.ndarray, counts: np.ndarray
) -> Callable[[], Any]:
    """A batch's loss, forward and backward."""
    z, y = torch.from_numpy(logits).requires_grad_(), torch.from_numpy(Y).float()
    n_pos, n_rows = torch.from_numpy(counts).float(), torch.tensor(float(N))
    seen = torch.from_numpy(H) if strategy.sees_representation else None
    ctx = Context(n_pos, n_rows, progress=torch.tensor(0.5), representation=seen)

    def work() -> None:
        z.grad = None
        strategy.loss(z, y, ctx).mean().backward()

    return work


@pytest.mark.parametrize(("name", "stage"), hooks())
def test_hook(timed: Callable[..., None], name: str, stage: str) -> None:
    """One call of a hook: 2000 rows, or a batch of 64 for a loss; 14 labels."""
    rows = BATCH if stage == "loss" else N
    # A list of tasks is made from the labels as a whole: rows a second would say nothing about it.
    counted = None if stage == "tasks" else rows
    unit = f"a call with {rows} rows and {LABELS} labels"
    timed(call(get_strategy(name), stage), group=f"hooks: {stage}", rows=counted, labels=LABELS, unit=unit)
