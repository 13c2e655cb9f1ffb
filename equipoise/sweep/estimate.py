"""Estimate how long a plan takes, in core-hours, from the rates that backbones declare.

The estimate is accurate enough to tell minutes from days. The rates were measured in CPU time on one core of a server (2026,
PyTorch 2, whole cells of 600 to 3000 rows). For those cells the estimate is right within a factor of two; on another machine or
for unusual data it may be further off.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.dataset import TEST, Dataset
from equipoise.experiment.cell import Cell
from equipoise.experiment.settings import Settings
from equipoise.splits.outer import OFFICIAL, OUTER_FOLDS, Split
from equipoise.sweep.grouping import training_keys

_WORD = re.compile(r"\w\w+")
#: Number of characters of text that are read to count words.
_SAMPLE = 2_000_000
#: Overhead in microseconds per text, regardless of length, once per cell.
TEXT = 9.0
#: Cost of one of L networks (one per label) relative to a network by itself. It is below 1 since they are trained side by side.
PER_LABEL_NETWORK = 0.35
#: Fixed overhead of a cell, in seconds.
CELL = 0.1


@dataclass(frozen=True)
class Size:
    """The properties of a data set on which the cost of a cell depends.

    Attributes:
        width: features, or for text the words of the vocabulary.
        tokens: words of a long text (the 0.9 quantile), 0 for numbers.
        characters: of all texts together.
        official: training rows of the official split, 0 if there is none.
    """

    rows: int
    labels: int
    width: int
    tokens: int
    characters: int = 0
    official: int = 0

    @classmethod
    def of(cls, data: Dataset) -> Size:
        """The size of a data set. In texts, words are counted within the first two million characters only."""
        official = official_rows(data)
        if data.kind == "numeric":
            return cls(data.n_rows, data.n_labels, int(data.X.shape[1]), 0, 0, official)
        counts: Counter[str] = Counter()
        lengths, n_read = [], 0
        texts: Any = data.X
        for text in texts:
            words = _WORD.findall(text.lower())
            counts.update(words)
            lengths.append(len(words))
            n_read += len(text)
            if n_read > _SAMPLE:
                break
        # The defaults of the feature extractors: words that occur twice, at most 5000 of them.
        width = min(5000, sum(count > 1 for count in counts.values()))
        tokens = int(np.quantile(lengths, 0.9))
        return cls(data.n_rows, data.n_labels, width, tokens, sum(map(len, texts)), official)


def official_rows(data: Dataset) -> int:
    """Number of training rows in the official split of a data set, 0 if there is none."""
    return 0 if data.official is None else int((data.official != TEST).sum())


def training_rows(rows: int, split: Split = 0, official: int = 0) -> float:
    """Number of training rows of a data set of `rows` rows in an outer split, with `official` of them in the official one."""
    return official if split == OFFICIAL else rows * (1 - 1 / OUTER_FOLDS)


def passes(settings: Settings, rows: float) -> float:
    """Upper bound on the rows seen over all epochs, given `rows` training rows.

    It counts every trial on every inner fold, plus the final fits on all rows.
    """
    # k folds train on (k − 1)/k of the rows each, together on k − 1 times all rows; a single holdout trains on three quarters.
    inner = (settings.folds - 1) if settings.folds > 1 else 0.75
    return rows * settings.epochs * (settings.trials * inner + settings.repeats)


def core_seconds(cell: Cell, size: Size) -> float | None:
    """Upper bound on the CPU seconds of a cell; None if its backbone declares no rate."""
    backbone = get_backbone(cell.backbone)
    if (rate := backbone.rate) is None:
        return None
    rows = training_rows(size.rows, cell.split, size.official)
    micros = rate.row + rate.width * size.width + rate.label * size.labels
    micros += rate.weight * size.width * size.labels / 1000 + rate.token * backbone.tokens_read(size.tokens)
    features = (rate.character * size.characters + TEXT * size.rows) if size.characters else 0.0
    training = passes(cell.settings, rows) * micros * _networks(cell.strategy, size.labels)
    return CELL + (features + training) * 1e-6


def core_hours(cells: Iterable[Cell], data: Mapping[str, Dataset]) -> tuple[float, int]:
    """The hours on one core, and the number of cells left out because their backbone declares no rate.

    A cell that reuses the networks of another (`equipoise.engine.reuse`) takes next to nothing.
    """
    cells = list(cells)
    trained = training_keys(cells)
    sizes: dict[str, Size] = {}
    total, unknown = 0.0, 0
    for cell in cells:
        if cell.dataset not in sizes:
            sizes[cell.dataset] = Size.of(data[cell.dataset])
        seconds = core_seconds(cell, sizes[cell.dataset]) if cell.key in trained else CELL
        total, unknown = total + (seconds or 0.0), unknown + (seconds is None)
    return total / 3600, unknown


def in_words(hours: float, unknown: int = 0, unit: str = "core") -> str:
    """The cost in words, such as "about 3 core-hours", to two digits, in a suitable unit."""
    value, measure = (hours, "hours") if hours >= 1 else (hours * 60, "minutes")
    shown = (
        f"about {float(f'{value:.2g}'):,g} {unit}-{measure}" if value >= 1 else f"less than one {unit}-minute"
    )
    cells = "one cell of a backbone" if unknown == 1 else f"{unknown} cells of backbones"
    return shown + (f", not counting {cells} whose speed is not known" if unknown else "")


def duration(seconds: float) -> str:
    """A time on the clock in words, such as "about 42 min", to two digits, in a suitable unit."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (unit == "min" and seconds >= size):
            return f"about {float(f'{seconds / size:.2g}'):g} {unit}"
    return f"about {max(1, round(seconds))} s"


def _networks(spec: str, labels: int) -> float:
    """The cost of a strategy's networks as a multiple of a single one's; more than 1 if it splits the problem into tasks."""
    strategy: Any = get_strategy(spec)
    # How many tasks there are is known only with the training rows; most such strategies make about one per label.
    return max(1.0, PER_LABEL_NETWORK * labels) if "tasks" in strategy.stages else 1.0
