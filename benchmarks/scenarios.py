"""What is trained in the comparison of training speeds: data, shapes, arithmetic; and our side of it."""

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

FEATURES, LABELS = 103, 14  # of yeast


@dataclass(frozen=True)
class Scenario:
    """One table. Rows are a multiple of the batch size, so that everybody takes the same steps in an epoch.

    Attributes:
        data: "numbers", "tfidf" or "words"; rows: how many.
        epochs: of one training; models: plain trainings a round (their rate does not depend on it); lanes: side by side.
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

    @property
    def steps(self) -> int:
        """Gradient steps of one training."""
        return self.epochs * self.rows // BATCH

    @property
    def flops(self) -> float:
        """Of one training: 2 · rows · weights a product; forward, to the weights, and (but for the first layer) to the input.

        Of sparse rows only the entries count, of texts only the words, whoever multiplies zeros or padding too.
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
    """Features on the CPU, (n, L) labels, and what is to be said about them."""

    inputs: Inputs
    Y: np.ndarray
    note: str

    @property
    def plain(self) -> Any:
        """The features as a user holds them: a tensor, or a CSR matrix."""
        if isinstance(self.inputs, Sparse):
            return self.inputs.matrix
        if isinstance(self.inputs, Tokens):
            return self.inputs.ids
        return torch.from_numpy(np.ascontiguousarray(self.inputs.array()))  # without the engine's padding

    @property
    def dense(self) -> torch.Tensor:
        """All of them as one tensor."""
        plain = self.plain
        return plain if isinstance(plain, torch.Tensor) else torch.from_numpy(plain.toarray())


@lru_cache
def content(backbone: str, data: str, rows: int) -> Content:
    """The first rows, and their features by the backbone's own extractor."""
    if data == "numbers":
        X, Y = numbers(rows)
        return Content(Dense.of(X), Y, f"{rows} rows × {FEATURES} numbers, {LABELS} labels, as yeast.")
    found, why = emails() if data == "tfidf" else (None, "")
    mails = found or load_dataset("design-emails", rows=rows)
    texts, Y = mails.X[:rows], np.ascontiguousarray(mails.Y[:rows])
    inputs = get_backbone(backbone).features("text").fit(texts).transform(texts)
    if isinstance(inputs, Sparse):
        what = f"{inputs.width} TF-IDF columns, {len(inputs.values) / rows:.0f} entries a row"
    else:
        what = f"{inputs.width} words in the vocabulary, {inputs.lengths.float().mean():.0f} a row"
    return Content(inputs, Y, f"{mails.name}: {rows} rows, {what}, {Y.shape[1]} labels.{why}")


def numbers(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Standard normal features and labels from 75 % to 1.5 % that depend on them, in yeast's shape."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, FEATURES)).astype(np.float32)
    score = X @ np.random.default_rng(1).normal(size=(FEATURES, LABELS)) / 10 + rng.normal(
        size=(rows, LABELS)
    )
    cut = [np.quantile(score[:, j], 1 - share) for j, share in enumerate(np.geomspace(0.75, 0.015, LABELS))]
    return X, (score > cut).astype(np.uint8)


def emails() -> tuple[Any, str]:
    """enron-email, or None and why it is not at hand; nothing is downloaded."""
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
    """Lanes that differ in learning rate and streams."""
    model, index, n_pos = get_backbone(backbone), np.arange(len(Y)), Y.sum(0, dtype=np.int64)
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


def side_by_side(own: list[Lane], inputs: Inputs, device: torch.device) -> None:
    """A place for every lane."""
    with repeatable(device):
        Population(own, inputs, BATCH, device).train()


def as_the_engine_does(own: list[Lane], inputs: Inputs, device: torch.device) -> list[Any]:
    """As many places as `train` finds best."""
    with repeatable(device):
        return train(own, inputs, batch_size=BATCH, device=device, cost=TrainingCost())


def in_a_worker(backbone: str, data: str, rows: int, steps: int, first: int, count: int) -> float:
    """Some lanes, in a worker process; the processor seconds they took."""
    what, began = content(backbone, data, rows), time.process_time()
    as_the_engine_does(lanes(backbone, what.Y, count, steps, first), what.inputs, torch.device("cpu"))
    return time.process_time() - began
