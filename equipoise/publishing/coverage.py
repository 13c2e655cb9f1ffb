"""Says which blocks of a suite are complete in a store, and what is missing: what a suite that takes days is published by.

A cell is done if it has a row, also a failed or skipped one. Rows whose keys are not those that the code here gives are counted
apart, since a sweep would compute them again; rows of several versions of one piece of code are not published as one block.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.strategies import get_strategy
from equipoise.experiment.versions import predictions_code
from equipoise.publishing.cells import code_changes
from equipoise.publishing.rows import seconds_of
from equipoise.publishing.suites import Place, SuiteBlock, blocks_of, progress, summary
from equipoise.store.rows import Row
from equipoise.sweep.suite import load_suite, suite_text


@dataclass(frozen=True)
class BlockState:
    """How much of a block is done.

    Attributes:
        cells: planned; states: rows by status.
        engines: hashes of the engines that made the rows.
        mixed: why rows of the block cannot be compared with each other; "" if they can.
        outdated: what has changed since → the number of rows; such rows have other keys than the code here would give them.
        core_hours: what the rows took; core_hours_left: what the others will take, if they take as long on the mean.
    """

    number: int
    datasets: tuple[str, ...]
    backbones: tuple[str, ...]
    strategies: int
    splits: int
    cells: int
    states: Mapping[str, int]
    engines: tuple[str, ...]
    mixed: str
    outdated: Mapping[str, int]
    core_hours: float
    core_hours_left: float

    @property
    def done(self) -> int:
        """The number of cells that have a row."""
        return sum(self.states.values())

    @property
    def complete(self) -> bool:
        """Whether every planned cell has a row, and all rows can be compared."""
        return self.done == self.cells and not self.mixed

    def record(self, published: bool) -> dict[str, Any]:
        """The block for a manifest. What depends on the code that is here, and not on the rows, is left out."""
        values = {**dataclasses.asdict(self), "complete": self.complete, "published": published}
        left = self.core_hours_left
        values |= {
            "core_hours": round(self.core_hours, 3),
            "core_hours_left": round(left, 3) if left == left else None,
        }
        return {name: value for name, value in values.items() if name != "outdated"}


@dataclass(frozen=True)
class Coverage:
    """What a store has of a suite.

    Attributes:
        name: of the suite, without folders; command: what names it in a command, a file of the user's without its folders.
        text: of its file; "" where it names paths, which are not published.
        sha256: of the file.
        blocks: the state of each block, in order; taken: numbers of those whose rows are in `rows`.
        rows: the rows to publish, one for each cell, in the order of the store.
    """

    name: str
    command: str
    text: str
    sha256: str
    blocks: tuple[BlockState, ...]
    taken: tuple[int, ...]
    rows: tuple[Row, ...]

    @property
    def unfinished(self) -> bool:
        """Whether rows of blocks are taken that are not complete."""
        return any(block.number in self.taken and not block.complete for block in self.blocks)

    def record(self) -> dict[str, Any]:
        """The suite for a manifest."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "file": f"{self.name}.toml" if self.text else None,
            "blocks": [block.record(block.number in self.taken) for block in self.blocks],
        }


def coverage(rows: Sequence[Row], name: str, *, unfinished: bool = False) -> Coverage:
    """What the rows of a store have of a suite, and which of them to publish.

    Args:
        rows: of several rows of one cell, the last counts.
        unfinished: take the rows of blocks that are not complete, too.
    """
    # Hashing the code of a strategy takes longer than finding its rows.
    text, code = suite_text(name), cache(_code)
    states, taken, keys = [], [], set()
    for block in blocks_of(name):
        found = {place: row for row in rows if (place := block.place(row)) is not None}
        state = _state(block, found, code)
        states.append(state)
        # Keys, since a cell may stand in two blocks, and its row is published once.
        if state.complete or (unfinished and found):
            taken.append(state.number)
            keys |= {row["key"] for row in found.values()}
    return Coverage(
        name=Path(name).name.removesuffix(".toml"),
        command=Path(name).name,
        text="" if _names_paths(name) else text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        blocks=tuple(states),
        taken=tuple(taken),
        rows=tuple(row for row in rows if row["key"] in keys),
    )


def _names_paths(suite: str) -> bool:
    """Whether a suite names files, which belong to a machine: its text is then not published."""
    specs = (s for b in load_suite(suite).blocks for s in (*b.datasets, *b.backbones, *b.strategies))
    return any("/" in spec or "\\" in spec for spec in specs)


def _state(block: SuiteBlock, found: Mapping[Place, Row], code: Callable[[str, str], str]) -> BlockState:
    seconds = [seconds_of(row) for row in found.values()]
    # Rows without a known time, such as those of skipped cells, tell nothing about the others.
    known = [value for value in seconds if math.isfinite(value)]
    left = block.cells - len(found)
    changes = (", ".join(code_changes(row, code(place[2], place[1]))) for place, row in found.items())
    each = sum(known) / len(known) if known else math.nan
    return BlockState(
        number=block.number,
        datasets=block.datasets,
        backbones=tuple(dict.fromkeys(block.backbones.values())),
        strategies=len(block.strategies),
        splits=len(block.block.outer_splits),
        cells=block.cells,
        states=dict(sorted(Counter(row["status"] for row in found.values()).items())),
        engines=tuple(sorted({_codes(row)[0] for row in found.values()})),
        mixed=_mixed(found.values()),
        outdated=dict(Counter(filter(None, changes))),
        core_hours=sum(known) / 3600,
        core_hours_left=left * each / 3600 if left else 0.0,
    )


def _codes(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """The hashes of the engine, of the backbone and of the strategy; "" for what a row does not tell."""
    engine, _, others = str(row.get("code") or "").partition("/")
    return engine, *others.partition("/")[::2]


def _mixed(rows: Iterable[Row]) -> str:
    """Why these rows cannot be compared with each other; "" if they can."""
    engines, libraries = set(), set()
    contents: dict[str, set[Any]] = {}
    codes: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        engine, backbone, strategy = _codes(row)
        engines.add(engine)
        # Half of a strategy's splits before it was edited and half after it give a mean of neither.
        codes.setdefault(("backbone", row["backbone"]), set()).add(backbone)
        codes.setdefault(("strategy", row["strategy"]), set()).add(strategy)
        found = {name: v for name, v in (row.get("versions") or {}).items() if name != "equipoise"}
        libraries.add(tuple(sorted(found.items())))
        contents.setdefault(row["dataset"], set()).add(row.get("dataset_sha256"))
    if len(engines) > 1:
        return f"its rows were made by {len(engines)} versions of the engine"
    # The engine first: where it has changed, all else may have.
    if edited := [name for name, hashes in codes.items() if len(hashes) > 1]:
        return f"its rows were made by {len(codes[edited[0]])} versions of {edited[0][1]}"
    if len(libraries) > 1:
        return f"its rows were made with {len(libraries)} sets of library versions"
    changed = [name for name, hashes in contents.items() if len(hashes) > 1]
    return f"its rows are of {len(contents[changed[0]])} contents of {changed[0]}" if changed else ""


def _code(strategy: str, backbone: str) -> str:
    return predictions_code(get_strategy(strategy), get_backbone(backbone))


def in_words(one: Coverage) -> list[str]:
    """What is there and what is missing: a line on the suite, and one for each block that is begun and not complete."""
    lines = [f"{one.name}: {summary(one.record())}"]
    for block in one.blocks:
        if block.states and not block.complete:
            what = f"  block {block.number}, {', '.join(block.backbones)} on {', '.join(block.datasets)}"
            lines.append(f"{what}: {progress(block.record(False))}")
    lines += [
        f"  block {block.number}: {count} rows were made by other code than is here ({why}): equipoise run would compute "
        "them again"
        for block in one.blocks
        for why, count in block.outdated.items()
    ]
    return lines
