"""Finds the rows of a suite in a store, and says what is there of it.

Cells are matched by what names them: data set, backbone, strategy, split, seed and settings. So no data set is loaded, and rows
that other code has made are found, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.datasets import named_dataset
from equipoise.catalog.strategies import expand, get_strategy
from equipoise.contracts.backbone import Backbone
from equipoise.core.errors import EquipoiseError
from equipoise.experiment.settings import Settings
from equipoise.publishing.rows import amount
from equipoise.report.equalities import enumerated
from equipoise.splits.outer import Split
from equipoise.store.rows import Row
from equipoise.sweep.suite import Block, load_suite

#: A cell inside a block: data set, backbone, strategy and split, spelled as the suite does.
Place = tuple[str, str, str, Split]


@dataclass(frozen=True)
class SuiteBlock:
    """A block of a suite with the names that rows may have for its parts.

    Attributes:
        number: from 1, in the order of the file.
        backbones: the spec of each backbone, and its identity where its files are there → the spec.
    """

    number: int
    block: Block
    datasets: tuple[str, ...]
    backbones: Mapping[str, str]
    strategies: tuple[str, ...]

    @property
    def cells(self) -> int:
        """The number of planned cells, those included that will be skipped, which have a row, too."""
        models = len(set(self.backbones.values()))
        return len(self.datasets) * models * len(self.strategies) * len(self.block.outer_splits)

    def place(self, row: Mapping[str, Any]) -> Place | None:
        """The cell of this block that a row belongs to; None if it belongs to none."""
        # A backbone with files of the user's is known by its content, since published rows lack the folders.
        backbone = self.backbones.get(row["backbone"]) or self.backbones.get(row.get("backbone_identity", ""))
        if backbone is None or row["dataset"] not in self.datasets or row["strategy"] not in self.strategies:
            return None
        if row["seed"] != self.block.seed or row["split"] not in self.block.outer_splits:
            return None
        if not _same_settings(row["settings"], self.block.settings):
            return None
        return (row["dataset"], backbone, row["strategy"], row["split"])


def _same_settings(stored: Mapping[str, Any], settings: Settings) -> bool:
    """Whether a row has these settings. A setting that is younger than the row counts as its default."""
    wanted, defaults = vars(settings), vars(Settings())
    # A setting that is not known here may have changed the numbers, so such a row does not count.
    return stored.keys() <= wanted.keys() and all(
        stored.get(name, defaults[name]) == value for name, value in wanted.items()
    )


def blocks_of(name: str) -> list[SuiteBlock]:
    """The blocks of a suite, with names as rows spell them: a spec may be written in several ways."""
    return [
        SuiteBlock(
            number=number,
            block=block,
            datasets=tuple(named_dataset(dataset) for dataset in block.datasets),
            backbones={
                known: b.spec for spec in block.backbones for b in [get_backbone(spec)] for known in _names(b)
            },
            strategies=tuple(
                dict.fromkeys(get_strategy(s).spec for spec in block.strategies for s in expand(spec))
            ),
        )
        for number, block in enumerate(load_suite(name).blocks, start=1)
    ]


def _names(backbone: Backbone) -> set[str]:
    """The names under which rows may know a backbone: its spec and, where its files are still there, its identity."""
    try:
        return {backbone.spec, backbone.identity}
    except EquipoiseError:
        return {backbone.spec}


def of_suite(rows: Sequence[Row], name: str) -> list[Row]:
    """The rows of the cells that a suite plans, whichever command ran them."""
    blocks = blocks_of(name)
    return [row for row in rows if any(block.place(row) is not None for block in blocks)]


def summary(suite: Mapping[str, Any]) -> str:
    """ "blocks 1, 2 and 6 of 22; 9 of 14 data sets", from the record of a suite in a manifest."""
    blocks = suite["blocks"]
    taken = [block for block in blocks if block["published"]]
    numbers = _runs([block["number"] for block in taken])
    datasets = {name for block in blocks for name in block["datasets"]}
    have = {name for block in taken for name in block["datasets"]}
    # The one block of a simple suite needs no number.
    if len(taken) == len(blocks) == 1:
        return f"{len(have)} of {len(datasets)} data sets"
    which = "no block" if not taken else f"block{'s' * (len(taken) > 1)} {enumerated(numbers)}"
    which = f"all {len(blocks)} blocks" if len(taken) == len(blocks) else f"{which} of {len(blocks)}"
    return f"{which}; {len(have)} of {len(datasets)} data sets"


def _runs(numbers: Sequence[int]) -> list[str]:
    """Ascending numbers as words, three or more in a row as "1 to 5"."""
    # Inside a row, a number and its place grow together.
    rows = [[n for _, n in row] for _, row in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    return [word for row in rows for word in ([f"{row[0]} to {row[-1]}"] if len(row) > 2 else map(str, row))]


def progress(block: Mapping[str, Any]) -> str:
    """The state of a block in words, from its record in a manifest."""
    done, cells, left = sum(block["states"].values()), block["cells"], block["core_hours_left"]
    failed = f", {block['states']['failed']} of them failed" if block["states"].get("failed") else ""
    if not done:
        return "not begun"
    if done == cells:
        return f"complete, {cells} cells{failed}" if not block["mixed"] else f"complete, but {block['mixed']}"
    price = "" if left is None else f", about {amount(left, 2)} core-hours left"
    price = price if left is None or left >= 0.01 else ", less than .01 core-hours left"
    mixed = f"; {block['mixed']}" if block["mixed"] else ""
    return f"{done} of {cells} cells{failed}{price}{mixed}"
