"""Chooses which cells run side by side, so that one population trains the lanes of several strategies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.lookup import load_plugins
from equipoise.catalog.strategies import deciding_parts, get_strategy, training_part
from equipoise.contracts.strategy import Strategy
from equipoise.experiment.cell import Cell
from equipoise.experiment.search.proposals import shared

#: A group holds enough cells to request at least this many lanes at a time, if there are enough.
LANES = 64


def groups(cells: Iterable[Cell], workers: int = 1) -> list[tuple[Cell, ...]]:
    """Divide a plan into groups of cells to run side by side: neighbours with the same data, backbone, split and settings.

    Cells that train the same networks (`none`, `platt` and `scut`; `focal` and `focal+scut`) are always in one group and count
    as one. Groups are smaller for backbones whose lanes run one after the other, which gain nothing from larger ones, and where
    otherwise some workers would have nothing to do.
    """
    by_kind = [part for _, same_kind in groupby(cells, _kind) for part in _by_plugins(same_kind)]
    most = max(1, sum(len(_families(same_kind)) for same_kind in by_kind) // workers)
    return [part for same_kind in by_kind for part in _parts(same_kind, min(most, _size(same_kind[0])))]


def _by_plugins(cells: Iterable[Cell]) -> list[tuple[Cell, ...]]:
    """The cells by the plugins they run, so that the code of a plugin is never beside cells that are none of its own."""
    parts: dict[object, list[Cell]] = {}
    for cell in cells:
        parts.setdefault(cell.plugins, []).append(cell)
    return [tuple(part) for part in parts.values()]


def training_keys(cells: Iterable[Cell]) -> set[str]:
    """The keys of the cells that train networks; of several cells that train the same networks, one key."""
    by_kind = [tuple(same_kind) for _, same_kind in groupby(cells, _kind)]
    families = (family for same_kind in by_kind for family in _families(same_kind))
    # Most families are a single cell, whose strategy need not be looked up again.
    return {(sorted(family, key=adds_decision) if len(family) > 1 else family)[0].key for family in families}


def adds_decision(cell: Cell) -> bool:
    """Whether the cell's strategy has parts that act on trained networks, which a simpler strategy trains, too."""
    strategy = _strategy(cell)
    return strategy is not None and bool(deciding_parts(strategy))


def _families(cells: Iterable[Cell]) -> list[list[Cell]]:
    """The cells by the networks they train, in the order of the first cell of each family."""
    families: dict[object, list[Cell]] = {}
    for cell in cells:
        strategy = _strategy(cell)
        # A strategy that cannot be loaded is a family by itself, so that it fails no other cell.
        trained = cell.key if strategy is None else (cell.places, training_part(strategy).spec)
        families.setdefault(trained, []).append(cell)
    return list(families.values())


def _parts(cells: Sequence[Cell], size: int) -> list[tuple[Cell, ...]]:
    """Split cells into groups of `size` families; within a group, cells keep the order of the plan."""
    order = {cell.key: i for i, cell in enumerate(cells)}
    families = _families(cells)
    chunks = [families[start : start + size] for start in range(0, len(families), size)]
    return [
        tuple(sorted((cell for family in chunk for cell in family), key=lambda cell: order[cell.key]))
        for chunk in chunks
    ]


def _strategy(cell: Cell) -> Strategy | None:
    """The strategy of a cell; None if it cannot be loaded: running the cell will report why."""
    try:
        load_plugins(cell.places)
        return get_strategy(cell.strategy)
    except Exception:
        return None


def _kind(cell: Cell) -> tuple[object, ...]:
    """What cells of one group must have in common."""
    return cell.dataset, cell.backbone, cell.split, cell.seed, cell.settings, cell.device


def _size(cell: Cell) -> int:
    """The number of families of a group that fill a population, 1 where lanes run one after the other."""
    s = cell.settings
    # The lanes of one request; no batch of trials is larger than the shared half of the search.
    lanes = min(s.trial_batch, shared(s.trials)) * s.folds
    backbone = get_backbone(cell.backbone)
    batched = backbone.batched or (backbone.batched_on_cuda and cell.device == "cuda")
    return max(1, -(-LANES // lanes)) if batched else 1
