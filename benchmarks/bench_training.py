"""Training: steps of each backbone, and lanes side by side against plain PyTorch loops one after the other.

The plain loop is what one writes without equipoise: `torch.nn` modules, `torch.optim.AdamW`, one model after the other, the
same number of rows a batch, every batch the next piece of a shuffled pass. It sees the same data, resident in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch

from equipoise import get_strategy, load_dataset
from equipoise.cell import get_backbone
from equipoise.engine.device import repeatable
from equipoise.engine.inputs import Dense, Inputs
from equipoise.engine.lanes import Lane
from equipoise.engine.population import Population
from equipoise.engine.train import Work, train

BATCH, STEPS = 64, 60
ROWS, FEATURES, LABELS = 2417, 103, 14  # the shape of yeast


@lru_cache
def data(kind: str) -> tuple[Any, np.ndarray]:
    """Inputs as a user has them, and labels: yeast's shape drawn at random, or generated emails."""
    if kind == "text":
        emails = load_dataset("design-emails", rows=800)
        return emails.X, emails.Y
    rng = np.random.default_rng(0)
    Y = (rng.random((ROWS, LABELS)) < np.geomspace(0.75, 0.015, LABELS)).astype(np.uint8)
    return rng.normal(size=(ROWS, FEATURES)).astype(np.float32), Y


def lanes_of(backbone: str, strategy: str, Y: np.ndarray, count: int, steps: int) -> list[Lane]:
    """Lanes that differ in learning rate, weight decay and streams."""
    model, n = get_backbone(backbone), len(Y)
    return [
        Lane(
            index=np.arange(n),
            targets=Y,
            n_pos=Y.sum(0, dtype=np.int64),
            n_rows=n,
            strategy=get_strategy(strategy),
            backbone=model,
            lr=1e-3 * (1 + k % 5),
            weight_decay=1e-2,
            role=("benchmark", k),
            steps=steps,
        )
        for k in range(count)
    ]


@pytest.mark.parametrize("lanes", [1, 32])
@pytest.mark.parametrize(
    ("backbone", "kind"),
    [("linear", "text"), ("linear", "numeric"), ("mlp", "text"), ("mlp", "numeric"), ("lstm", "text")],
)
def test_step(timed: Callable[..., float], device: Any, backbone: str, kind: str, lanes: int) -> None:
    """One gradient step of a population, averaged over ten."""
    X, Y = data(kind)
    steps = 2 if (backbone, lanes) == ("lstm", 32) else 10
    inputs = get_backbone(backbone).features(kind).fit(X).transform(X).to(device)
    with repeatable(device):
        population = Population(lanes_of(backbone, "none", Y, lanes, 10_000), inputs, BATCH, device)
        timed(lambda: population.advance(steps), rows=lanes * steps * BATCH, device=device, rounds=4)


def plain_loops(X: torch.Tensor, Y: torch.Tensor, models: int, steps: int) -> None:
    """`models` multilayer perceptrons, one after the other."""
    for k in range(models):
        generator = torch.Generator(device="cpu").manual_seed(k)
        model = torch.nn.Sequential(
            torch.nn.Linear(X.shape[1], 64),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.2),
            torch.nn.Linear(64, Y.shape[1]),
        ).to(X.device)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3 * (1 + k % 5), weight_decay=1e-2)
        criterion = torch.nn.BCEWithLogitsLoss()
        left: torch.Tensor = torch.empty(0, dtype=torch.long)
        for _ in range(steps):
            while len(left) < BATCH:
                left = torch.cat([left, torch.randperm(len(X), generator=generator)])
            batch, left = left[:BATCH].to(X.device), left[BATCH:]
            optimizer.zero_grad()
            criterion(model(X[batch]), Y[batch]).backward()
            optimizer.step()


def engine(inputs: Inputs, Y: np.ndarray, lanes: int, steps: int, device: torch.device) -> None:
    """The same number of models as lanes, from first weights to last step."""
    train(
        lanes_of("mlp", "none", Y, lanes, steps),
        inputs,
        batch_size=BATCH,
        every=steps,
        patience=1,
        device=device,
        work=Work(),
    )


@pytest.mark.parametrize("who", ["lanes", "loops"])
@pytest.mark.parametrize("lanes", [1, 8, 32])
def test_mlp_on_yeast(
    timed: Callable[..., float], lanes_table: dict[Any, float], device: Any, lanes: int, who: str
) -> None:
    """Whole trainings of 60 steps: side by side, and one by one."""
    X, Y = data("numeric")
    inputs = Dense(torch.from_numpy(X).to(device))
    plain = inputs.x, torch.from_numpy(Y.astype(np.float32)).to(device)

    def work() -> None:
        if who == "lanes":
            engine(inputs, Y, lanes, STEPS, device)
        else:
            plain_loops(*plain, lanes, STEPS)

    with repeatable(device):
        lanes_table[f"mlp on yeast, {device.type}", lanes, who] = timed(
            work, rows=lanes * STEPS * BATCH, device=device, rounds=3
        )


def test_both_sides_of_the_comparison_learn_the_same() -> None:
    """The engine's AdamW, batches and loss bring a model as far down as the plain loop's."""
    X, Y = data("numeric")
    with repeatable(torch.device("cpu")):
        lane = lanes_of("linear", "none", Y, 1, 400)[0]
        inputs = Dense(torch.from_numpy(X))
        trained = train(
            [lane], inputs, batch_size=BATCH, every=400, patience=1, device=torch.device("cpu"), work=Work()
        )[0]
        target = torch.from_numpy(Y.astype(np.float32))
        ours = inputs.x @ trained.params["weight"] + trained.params["bias"]
        with torch.random.fork_rng():
            model = torch.nn.Linear(FEATURES, LABELS)
            optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)
            for step in range(400):
                batch = torch.randperm(len(X), generator=torch.Generator().manual_seed(step))[:BATCH]
                optimizer.zero_grad()
                torch.nn.functional.binary_cross_entropy_with_logits(
                    model(inputs.x[batch]), target[batch]
                ).backward()
                optimizer.step()
        losses = [
            torch.nn.functional.binary_cross_entropy_with_logits(z, target).item()
            for z in (ours, model(inputs.x))
        ]
    assert losses[0] == pytest.approx(losses[1], rel=0.03)
