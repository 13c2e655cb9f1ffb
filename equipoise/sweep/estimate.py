"""About how long a plan takes: core-hours from a small measured table, to tell minutes from days before starting.

The table was measured in CPU time on one core of a server (2026, PyTorch 2, whole cells of 600 to 3000 rows): those cells
came out within a factor of two. Another machine, early stopping (the estimate has none) and unusual data move it further.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.contracts.dataset import TEST, Dataset
from equipoise.experiment.cell import Cell
from equipoise.experiment.settings import Settings
from equipoise.splits.outer import OFFICIAL, OUTER_FOLDS

_WORD = re.compile(r"\w\w+")
_SAMPLE = 2_000_000  # characters of text that are looked at


@dataclass(frozen=True)
class Rate:
    """CPU microseconds for one row of one epoch: a constant, and what width, labels, weights and tokens add."""

    row: float
    width: float = 0.0
    label: float = 0.0
    weight: float = 0.0  # per thousand of width × labels
    token: float = 0.0  # per token and direction
    character: float = 0.0  # of text, once a cell: features are fitted on the training rows of each


RATES = {
    "linear": Rate(row=4.5, label=0.05, weight=0.09, character=0.28),
    "mlp": Rate(row=8.5, width=0.0041, label=0.097, character=0.28),
    "lstm": Rate(row=140, token=2.4, character=0.15),
    # Steps of these were timed beside the LSTM's, elsewhere; the rates are the LSTM's times the ratio.
    "gru": Rate(row=140, token=12.0, character=0.15),
    "textcnn": Rate(row=140, token=3.7, character=0.15),
    "embedding_bag": Rate(row=40, token=0.35, character=0.15),
}
TEXT = 9.0  # microseconds for a text of whatever length, once a cell
#: A network per label costs less than as many single ones: they train side by side.
PER_LABEL_NETWORK = 0.35
CELL = 0.1  # seconds whatever the size


@dataclass(frozen=True)
class Size:
    """What a rate depends on. For text, width is the size of the vocabulary."""

    rows: int
    labels: int
    width: int
    tokens: int
    characters: int = 0  # of all texts
    official: int = 0  # rows the official split trains on

    @classmethod
    def of(cls, data: Dataset) -> Size:
        """Of a dataset; a text's vocabulary is counted in its first two million characters."""
        official = 0 if data.official is None else int((data.official != TEST).sum())
        if data.kind == "numeric":
            return cls(data.n_rows, data.n_labels, int(data.X.shape[1]), 0, 0, official)
        counts: Counter[str] = Counter()
        lengths, seen = [], 0
        texts: Any = data.X
        for text in texts:
            words = _WORD.findall(text.lower())
            counts.update(words)
            lengths.append(len(words))
            seen += len(text)
            if seen > _SAMPLE:
                break
        width = min(5000, sum(count > 1 for count in counts.values()))
        tokens = int(np.quantile(lengths, 0.9))
        return cls(data.n_rows, data.n_labels, width, tokens, sum(map(len, texts)), official)


def training_rows(rows: int) -> float:
    """Of a dataset, in a numbered split."""
    return rows * (1 - 1 / OUTER_FOLDS)


def passes(settings: Settings, rows: float) -> float:
    """Rows that models see in all epochs at most, of so many training rows: trials × inner folds, and the last one on all."""
    inner = (settings.folds - 1) if settings.folds > 1 else 0.75
    return rows * settings.epochs * (settings.trials * inner + 1)


def core_seconds(cell: Cell, size: Size) -> float | None:
    """CPU seconds of a cell at most; None for a backbone that is not in the table (a plugin's)."""
    from equipoise.catalog.backbones import get_backbone

    backbone = get_backbone(cell.backbone)
    rate = RATES.get(backbone.name)
    if rate is None:
        return None
    rows = size.official if cell.split == OFFICIAL else training_rows(size.rows)
    tokens = min(size.tokens, getattr(backbone, "max_tokens", size.tokens))
    directions = 2 if getattr(backbone, "bidirectional", False) else 1
    micros = rate.row + rate.width * size.width + rate.label * size.labels
    micros += rate.weight * size.width * size.labels / 1000 + rate.token * tokens * directions
    features = (rate.character * size.characters + TEXT * size.rows) if size.characters else 0.0
    training = passes(cell.settings, rows) * micros * _networks(cell.strategy, size.labels)
    return CELL + (features + training) * 1e-6


def core_hours(cells: Iterable[Cell], data: Mapping[str, Dataset]) -> tuple[float, int]:
    """(hours on one core, number of cells that are not in it because their backbone is not in the table)."""
    sizes: dict[str, Size] = {}
    total, unknown = 0.0, 0
    for cell in cells:
        if cell.dataset not in sizes:
            sizes[cell.dataset] = Size.of(data[cell.dataset])
        seconds = core_seconds(cell, sizes[cell.dataset])
        total, unknown = total + (seconds or 0.0), unknown + (seconds is None)
    return total / 3600, unknown


def in_words(hours: float, unknown: int = 0, unit: str = "core") -> str:
    """ "about 3 core-hours", to one or two digits, in the unit that fits."""
    value, measure = (hours, "hours") if hours >= 1 else (hours * 60, "minutes")
    shown = (
        f"about {float(f'{value:.2g}'):,g} {unit}-{measure}" if value >= 1 else f"less than one {unit}-minute"
    )
    return shown + (f", and {unknown} cells of backbones whose speed is not known" if unknown else "")


def duration(seconds: float) -> str:
    """ "about 42 min": a time on the clock, to two digits, in the unit that fits."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (unit == "min" and seconds >= size):
            return f"about {float(f'{seconds / size:.2g}'):g} {unit}"
    return f"about {max(1, round(seconds))} s"


def _networks(spec: str, labels: int) -> float:
    """How many times a single network's cost: strategies that split the problem train one a label or so."""
    from equipoise.catalog.strategies import get_strategy

    strategy: Any = get_strategy(spec)
    return max(1.0, PER_LABEL_NETWORK * labels) if "tasks" in strategy.stages else 1.0
