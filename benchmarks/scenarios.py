"""The trainings of the comparison of speeds: data, shapes and arithmetic, and how equipoise does them."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from plain_training import BATCH, EMBEDDING, HIDDEN, PENALTY, STATES, learning_rate

from equipoise import get_strategy, load_dataset
from equipoise.catalog.backbones import get_backbone
from equipoise.core.errors import EquipoiseError
from equipoise.engine.lanes import Lane
from equipoise.engine.population import Population
from equipoise.engine.train import TrainingCost, train
from equipoise.ops.device import repeatable
from equipoise.ops.inputs import Dense, Inputs, Sparse, Tokens

# Those of yeast.
FEATURES, LABELS = 103, 14


@dataclass(frozen=True)
class Scenario:
    """One table of the comparison.

    Attributes:
        data: "numbers", "tfidf" or "words".
        rows: a multiple of the batch size, so that all contestants take the same steps in an epoch.
        epochs: of one training.
        models: plain trainings in a round; their speed does not depend on it.
        lanes: the numbers of lanes to train side by side.
    """

    title: str
    backbone: str
    data: str
    rows: int
    epochs: int
    models: int
    lanes: tuple[int, ...]

    @cached_property
    def content(self) -> Content:
        """Features and labels."""
        return content(self.backbone, self.data, self.rows)

    def titled(self, device: str) -> str:
        """The title of its table, which names the data that were used."""
        return f"{self.title} ({self.content.name}, {self.rows:,} rows), {device}"

    @property
    def steps(self) -> int:
        """Gradient steps of one training."""
        return self.epochs * self.rows // BATCH

    @property
    def flops(self) -> float:
        """Floating-point operations of one training: 2 · rows · weights for each matrix product.

        There is a product forward, one for the gradient of the weights and, except in the first layer, one for that of the
        inputs. Only the entries of sparse rows and the words of texts count, even if a contestant multiplies zeros or padding.
        """
        inputs, labels = self.content.inputs, self.content.Y.shape[1]
        if isinstance(inputs, Tokens):
            recurrent = 3 * int(inputs.lengths.sum()) * 4 * STATES * (EMBEDDING + STATES)
            return 2.0 * self.epochs * (recurrent + 3 * self.rows * STATES * labels)
        entries = len(inputs.values) if isinstance(inputs, Sparse) else self.rows * inputs.width
        if self.backbone == "linear":
            return 2.0 * self.epochs * 2 * entries * labels
        return 2.0 * self.epochs * (2 * entries * HIDDEN + 3 * self.rows * HIDDEN * labels)


@dataclass(frozen=True, eq=False)
class Content:
    """Features on the CPU, labels (n, L), a description for the table, and the name of the data for its title."""

    inputs: Inputs
    Y: np.ndarray
    note: str
    name: str

    @property
    def plain(self) -> Any:
        """The features as a user holds them: a tensor, or a CSR matrix."""
        if isinstance(self.inputs, Sparse):
            return self.inputs.matrix
        if isinstance(self.inputs, Tokens):
            return self.inputs.ids
        # Without the engine's padding.
        return torch.from_numpy(np.ascontiguousarray(self.inputs.array()))

    @property
    def dense(self) -> torch.Tensor:
        """The features as one dense tensor."""
        plain = self.plain
        return plain if isinstance(plain, torch.Tensor) else torch.from_numpy(plain.toarray())


@lru_cache
def content(backbone: str, data: str, rows: int) -> Content:
    """The first rows of the data, with features by the backbone's own extractor."""
    if data == "numbers":
        X, Y = numbers(rows)
        note = f"{rows} rows × {FEATURES} numbers, {LABELS} labels, as yeast."
        return Content(Dense.of(X), Y, note, "generated numbers")
    enron, why = emails() if data == "tfidf" else (None, "")
    mails = enron or load_dataset("design-emails", rows=rows)
    texts, Y = mails.X[:rows], np.ascontiguousarray(mails.Y[:rows])
    inputs = get_backbone(backbone).features("text").fit(texts).transform(texts)
    if isinstance(inputs, Sparse):
        what = f"{inputs.width} TF-IDF columns, {len(inputs.values) / rows:.0f} entries a row"
    else:
        what = f"{inputs.width} words in the vocabulary, {inputs.lengths.float().mean():.0f} a row"
    return Content(inputs, Y, f"{mails.name}: {rows} rows, {what}, {Y.shape[1]} labels.{why}", mails.name)


def numbers(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Standard normal features, and labels with 75 % to 1.5 % positives that depend on them, in yeast's shape."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, FEATURES)).astype(np.float32)
    score = X @ np.random.default_rng(1).normal(size=(FEATURES, LABELS)) / 10 + rng.normal(
        size=(rows, LABELS)
    )
    cut = [np.quantile(score[:, j], 1 - share) for j, share in enumerate(np.geomspace(0.75, 0.015, LABELS))]
    return X, (score > cut).astype(np.uint8)


def emails() -> tuple[Any, str]:
    """enron-email and "", or None and the reason why it is missing; nothing is downloaded."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("EQUIPOISE_DATA") or beside)
    try:
        if (folder / "enron-email").is_dir():
            return load_dataset("enron-email", data_dir=folder), ""
        why = "set EQUIPOISE_DATA to a folder that holds it"
    except EquipoiseError as error:
        why = str(error)
    return None, f" Generated, in place of enron-email ({why})."


def lanes(backbone: str, Y: np.ndarray, count: int, steps: int, first: int = 0) -> list[Lane]:
    """Lanes that differ in learning rates and random streams."""
    # With the width of the plain loop's network, whatever the default is.
    spec = f"mlp[hidden={HIDDEN}]" if backbone == "mlp" else backbone
    model, index, n_pos = get_backbone(spec), np.arange(len(Y)), Y.sum(0, dtype=np.int64)
    return [
        Lane(
            index=index,
            targets=Y,
            n_pos=n_pos,
            n_rows=len(Y),
            strategy=get_strategy("none"),
            backbone=model,
            lr=learning_rate(k),
            l2=PENALTY,
            role=("benchmark", k),
            steps=steps,
        )
        for k in range(first, first + count)
    ]


def side_by_side(of_contestant: list[Lane], inputs: Inputs, device: torch.device) -> None:
    """Train with a slot for every lane."""
    with repeatable(device):
        Population(of_contestant, inputs, BATCH, device).train()


def as_the_engine_does(of_contestant: list[Lane], inputs: Inputs, device: torch.device) -> list[Any]:
    """Train with as many slots as the engine chooses."""
    with repeatable(device):
        return train(of_contestant, inputs, batch_size=BATCH, device=device, cost=TrainingCost())


def in_a_worker(backbone: str, data: str, rows: int, steps: int, first: int, count: int) -> float:
    """Train some lanes in a worker process; returns the processor seconds."""
    what, began = content(backbone, data, rows), time.process_time()
    as_the_engine_does(lanes(backbone, what.Y, count, steps, first), what.inputs, torch.device("cpu"))
    return time.process_time() - began
