"""Plans a sweep: the cells in their order, and the combinations that cannot run, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.catalog.backbones import backbone_places, get_backbone
from equipoise.catalog.datasets import load_dataset, named_dataset
from equipoise.catalog.hooks import require_hooks
from equipoise.catalog.parts import Place
from equipoise.catalog.plugins import Origin
from equipoise.catalog.registry import registry
from equipoise.catalog.strategies import clash_warnings, expand, get_strategy, places
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.dataset import Dataset
from equipoise.contracts.strategy import REPRESENTATION, Strategy
from equipoise.core.errors import EquipoiseError
from equipoise.core.lazy import lazy
from equipoise.datasets.statistics import official_sizes
from equipoise.experiment.cell import Cell
from equipoise.experiment.versions import predictions_code
from equipoise.splits.outer import OFFICIAL, OUTER_FOLDS, Split, official_split
from equipoise.sweep.external_files import ExternalFiles
from equipoise.sweep.grouping import training_keys
from equipoise.sweep.suite import Block, Suite

if TYPE_CHECKING:
    from equipoise.ops import device as devices
else:
    # It imports PyTorch, which a report does not need.
    devices = lazy("equipoise.ops.device")


@dataclass(frozen=True, eq=False)
class Plan:
    """The cells to run, the cells that are skipped with their reasons, and the data sets of both by the names in the suite.

    `data_dir` is where vectors of texts are kept; None for the default folder. `notes` are sentences for the user about files of
    external rows.
    """

    cells: tuple[Cell, ...]
    skipped: tuple[tuple[Cell, str], ...]
    data: Mapping[str, Dataset]
    data_dir: Path | None = None
    notes: tuple[str, ...] = ()


def make_plan(
    suite: Suite,
    *,
    device: str = "auto",
    data_dir: Path | None = None,
    data: Mapping[str, Dataset] | None = None,
) -> Plan:
    """Plan every cell of a suite. Loads its datasets, so that a wrong name or file is found before anything runs.

    Args:
        data: datasets in memory, by the names in the suite; the others are loaded.

    Raises:
        EquipoiseError: a dataset, backbone or strategy is unknown or given twice, or a dataset has no official split and
            the suite asks for it.
    """
    where = devices.resolve(device).type
    loaded = dict(data or {})
    cells: list[Cell] = []
    skipped: list[tuple[Cell, str]] = []
    files = ExternalFiles()
    for block in suite.blocks:
        strategies = [_strategy(s) for spec in block.strategies for s in expand(spec)]
        backbones = [(get_backbone(b), backbone_places(b)) for b in block.backbones]
        datasets = [named_dataset(name) for name in block.datasets]
        _distinct("strategy", [s.spec for s, _ in strategies])
        _distinct("backbone", [b.spec for b, _ in backbones])
        _distinct("dataset", datasets)
        for name in datasets:
            if name not in loaded:
                loaded[name] = load_dataset(name, data_dir=data_dir)
            if block.splits == OFFICIAL:
                _check_official(loaded[name])
            for backbone, backbone_place in backbones:
                # Not once for each split: hashing code takes most of the time of a large plan.
                codes = [predictions_code(strategy, backbone) for strategy, _ in strategies]
                cell_of = partial(_cell, name, loaded[name], backbone, block=block, device=where)
                for split in block.outer_splits:
                    # Innermost, because neighbours in the plan that share all but the strategy train side by side.
                    for (strategy, found), code in zip(strategies, codes, strict=True):
                        cell = cell_of(strategy, (*backbone_place, *found), code, split)
                        reason = misfit(loaded[name], backbone, strategy, block.settings.folds, split)
                        if reason is None:
                            cells.append(files.read_for(cell, strategy, loaded[name]))
                        else:
                            skipped.append((cell, reason))
    # Blocks may overlap, so a cell may come twice; the last one stays, in its first place.
    once = {cell.key: cell for cell in cells}
    left_out = {cell.key: (cell, reason) for cell, reason in skipped}
    return Plan(tuple(once.values()), tuple(left_out.values()), loaded, data_dir, tuple(files.notes))


def misfit(data: Dataset, backbone: Backbone, strategy: Strategy, folds: int, split: Split = 0) -> str | None:
    """The reason why a strategy cannot run on this data set with this backbone; None if it can."""
    if data.kind not in backbone.accepts:
        return f"{backbone.name} reads {' or '.join(sorted(backbone.accepts))}; {data.name} has {data.kind} inputs"
    for part in strategy.parts:
        if "numeric" in part.requires and not backbone.interpolates(data.kind):
            return f"{part.name} interpolates numeric inputs; {data.name} with {backbone.name} has none to interpolate"
        if "file" in part.requires and not getattr(part, "file", ""):
            return f"{part.name} needs a file of rows to add: {part.name}[file=./more.csv]"
        if "text" in part.requires and data.kind != "text":
            return f"{part.name} needs text; {data.name} has {data.kind} inputs"
        if "given" in part.requires and not backbone.conditioning_bias:
            return f"{part.name} feeds labels into the model; {backbone.name} takes no labels as inputs"
        if "loss" in part.stages and not part.exclusive and not backbone.gradient:
            return (
                f"{part.name} brings a loss; {backbone.name} is a scikit-learn estimator with one of its own"
            )
        if REPRESENTATION in part.needs and not backbone.represents:
            return f"{part.name} acts on a learned representation; {backbone.spec} has none"
        if "labels" in part.requires and data.n_labels < 2:
            return f"{part.name} needs two labels or more; {data.name} has one"
    return _too_few(data, folds, split)


def _too_few(data: Dataset, folds: int, split: Split) -> str | None:
    """The reason why there are too few rows for the inner folds; None if there are enough."""
    # Each inner fold needs a row. In a numbered split, training gets all outer folds but one.
    rows, needed, words = data.n_rows, OUTER_FOLDS * max(folds, 2), "rows; an outer split"
    if split == OFFICIAL:
        rows, needed = len(official_split(data.official)[0]), needed - max(folds, 2)
        words = "rows to train on; the official split"
    return (
        f"{data.name} has {rows} {words} with {folds} inner folds needs {needed}" if rows < needed else None
    )


def _check_official(data: Dataset) -> None:
    """Refuse a data set without a usable official split; the error names the built-in ones that have one."""
    try:
        official_split(data.official)
    except EquipoiseError as error:
        with_split = ", ".join(official_sizes())
        raise EquipoiseError(
            f"{data.name} cannot run with splits {OFFICIAL}: {error}; built-in data sets with one: {with_split}"
        ) from None


def _strategy(spec: str) -> tuple[Strategy, list[Place]]:
    strategy, found = get_strategy(spec), places(spec)
    require_hooks(strategy)
    return strategy, found


def _cell(
    name: str,
    data: Dataset,
    backbone: Backbone,
    strategy: Strategy,
    found: tuple[Place, ...],
    code: str,
    split: Split,
    *,
    block: Block,
    device: str,
) -> Cell:
    return Cell(
        dataset=name,
        dataset_sha256=data.sha256,
        backbone=backbone.spec,
        strategy=strategy.spec,
        split=split,
        seed=block.seed,
        settings=block.settings,
        device=device,
        code=code,
        identity=backbone.identity,
        places=found,
        plugins=_plugins(name, backbone, strategy),
        strategy_identity="" if strategy.identity == strategy.spec else strategy.identity,
        timeout=block.cell_timeout,
    )


def _plugins(dataset: str, backbone: Backbone, strategy: Strategy) -> tuple[Origin, ...]:
    """Return the origins of the data set, backbone and strategies of a cell that come from plugins."""
    names = [("dataset", dataset.partition("[")[0].strip()), ("backbone", backbone.name)]
    # A named composition is a plugin, too.
    names += [("strategy", part.name) for part in dict.fromkeys((strategy, *strategy.parts))]
    return tuple(o for kind, name in names if (o := registry(kind).origin(name)) is not None)


def _distinct(kind: str, names: Iterable[str]) -> None:
    # Two equal names would give two cells with one key.
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise EquipoiseError(f"{kind} {name!r} is given twice")
        seen.add(name)


def warnings_of(plan: Plan) -> list[str]:
    """A line for each composition of a plan whose parts work against each other, and for data sets that are one and the same."""
    specs = dict.fromkeys(cell.strategy for cell in plan.cells)
    return [*_twice(plan), *(line for spec in specs for line in clash_warnings(get_strategy(spec)))]


def _twice(plan: Plan) -> list[str]:
    """A line for each content that several data sets of the plan have, such as one file under two spellings of its path."""
    names: dict[str, list[str]] = {}
    for name, data in plan.data.items():
        names.setdefault(data.sha256, []).append(name)
    # The key of a cell covers the content of the data and no name.
    return [
        f"{' and '.join(map(repr, same))} are the same data: they are run once, under the last of these names"
        for same in names.values()
        if len(same) > 1
    ]


def describe(plan: Plan) -> dict[str, Any]:
    """The numbers of cells, skipped cells and trainings of a plan; a training that cells share counts once."""
    trained = training_keys(plan.cells)
    # Trials × inner folds, and the refits.
    trainings = sum(
        c.settings.trials * c.settings.folds + c.settings.repeats for c in plan.cells if c.key in trained
    )
    return {"cells": len(plan.cells), "skipped": len(plan.skipped), "trainings": trainings}
