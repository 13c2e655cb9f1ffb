"""Which cells run side by side, so that one population trains the lanes of several strategies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.registry import registry
from equipoise.catalog.strategies import deciding_parts, get_strategy, training_part
from equipoise.contracts.strategy import Strategy
from equipoise.experiment.cell import Cell
from equipoise.experiment.proposals import shared

#: Lanes that a group asks for at a time, at least, where there are cells enough.
LANES = 64


def groups(cells: Iterable[Cell], workers: int = 1) -> list[tuple[Cell, ...]]:
    """Neighbours in the plan with the same data, backbone, split and settings, a few at a time.

    Cells that train the same networks (`none`, `platt` and `scut`; `focal` and `focal+scut`) are always in one group, and
    count as one. Backbones whose lanes run one after the other gain nothing from more, and no worker is to wait while
    another has several: then groups are smaller.
    """
    alike = [tuple(own) for _, own in groupby(cells, _kind)]
    most = max(1, sum(len(_families(own)) for own in alike) // workers)
    return [part for own in alike for part in _parts(own, min(most, _size(own[0])))]


def paying(cells: Iterable[Cell]) -> set[str]:
    """The keys of those cells whose networks no other of them trains, too; of several that train the same, the first's."""
    alike = [tuple(own) for _, own in groupby(cells, _kind)]
    return {sorted(family, key=follows)[0].key for own in alike for family in _families(own)}


def follows(cell: Cell) -> bool:
    """Whether its networks are those of another strategy, with something added afterwards."""
    strategy = _strategy(cell)
    return strategy is not None and bool(deciding_parts(strategy))


def _families(cells: Iterable[Cell]) -> list[list[Cell]]:
    """Cells that train the same networks, in the order of the first of each."""
    families: dict[object, list[Cell]] = {}
    for cell in cells:
        strategy = _strategy(cell)
        trained = cell.key if strategy is None else (cell.plugin, training_part(strategy).spec)
        families.setdefault(trained, []).append(cell)
    return list(families.values())


def _parts(cells: Sequence[Cell], size: int) -> list[tuple[Cell, ...]]:
    """So many families at a time, their cells in the order of the plan."""
    order = {cell.key: place for place, cell in enumerate(cells)}
    families = _families(cells)
    chunks = [families[at : at + size] for at in range(0, len(families), size)]
    return [
        tuple(sorted((cell for family in chunk for cell in family), key=lambda cell: order[cell.key]))
        for chunk in chunks
    ]


def _strategy(cell: Cell) -> Strategy | None:
    """None where it cannot be had: the cell will say why."""
    try:
        if cell.plugin is not None:
            registry("strategy").add_file(cell.plugin)
        return get_strategy(cell.strategy)
    except Exception:
        return None


def _kind(cell: Cell) -> tuple[object, ...]:
    return cell.dataset, cell.backbone, cell.split, cell.seed, cell.settings, cell.device


def _size(cell: Cell) -> int:
    s = cell.settings
    asked = min(s.trial_batch, shared(s.trials)) * s.folds
    backbone = get_backbone(cell.backbone)
    stacks = backbone.batched or (backbone.batched_on_cuda and cell.device == "cuda")
    return max(1, -(-LANES // asked)) if stacks else 1
