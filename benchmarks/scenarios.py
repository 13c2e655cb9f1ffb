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
from plain_training import BATCH, PENALTY, learning_rate

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

ALL_LANES = (1, 2, 8, 32, 64, 128)
#: Data → what titles call it, rows, epochs, plain trainings in a round, and numbers of lanes.
SIZES: dict[str, tuple[str, int, int, int, tuple[int, ...]]] = {
    "numbers": ("numbers", 1920, 2, 4, ALL_LANES),
    "tfidf": ("sparse text", 1344, 3, 2, (1, 8, 32)),
    "vectors": ("vectors of emails", 320, 3, 2, (1, 8, 32)),
    "words": ("emails", 320, 1, 2, (1, 8)),
}


@dataclass(frozen=True)
class Scenario:
    """One table of the comparison.

    Attributes:
        data: "numbers", "tfidf", "words" or "vectors" (of an encoder).
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
    def flops(self) -> float | None:
        """Floating-point operations of one training, as the backbone declares them; None if it does not.

        Only the entries of sparse rows and the words of texts count, even if a contestant multiplies zeros or padding.
        """
        inputs, labels = self.content.inputs, self.content.Y.shape[1]
        backbone, of_epoch = get_backbone(self.backbone), 0.0
        # Rows with equally many entries cost the same.
        for entries, rows in zip(*np.unique(entries_of(inputs), return_counts=True), strict=True):
            if (flops := backbone.flops(int(entries), labels)) is None:
                return None
            of_epoch += int(rows) * flops.training
        return self.epochs * of_epoch


def scenarios_of(backbone: str) -> list[Scenario]:
    """The scenarios of a backbone, one for each kind of data that it reads."""
    model = get_backbone(backbone)
    of_vectors = "tfidf" if "numeric" in model.accepts else "vectors"
    forms = {"numeric": "numbers", "text": of_vectors if model.vector_features else "words"}
    data = [form for kind, form in forms.items() if kind in model.accepts]
    return [Scenario(f"{backbone} on {SIZES[d][0]}", backbone, d, *SIZES[d][1:]) for d in data]


def entries_of(inputs: Inputs) -> np.ndarray:
    """The number of entries of each row (n,): stored numbers or words."""
    if isinstance(inputs, Tokens):
        return inputs.lengths.numpy()
    if isinstance(inputs, Sparse):
        return np.diff(inputs.matrix.indptr)
    return np.full(len(inputs), inputs.width)


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
    elif isinstance(inputs, Dense):
        what = f"vectors of {inputs.width} numbers"
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
