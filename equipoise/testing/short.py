"""The short form of the conformance kit, which runs before a sweep with a plugin: so a fault costs no cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.datasets import source_of
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.dataset import Dataset
from equipoise.core.errors import EquipoiseError
from equipoise.experiment.cell import Cell
from equipoise.readers.downloads import default_data_dir
from equipoise.testing import twin
from equipoise.testing.backbones.check import check_briefly
from equipoise.testing.datasets.check import contents
from equipoise.testing.datasets.exam import DatasetExam
from equipoise.testing.exam import Stopped
from equipoise.testing.findings import Finding
from equipoise.testing.guard import one_thread, unchanged

#: Larger data sets are not loaded a second time, in numbers or characters.
_LARGEST = 10**7
#: Rules whose breaking does not change what a sweep finds.
_HARMLESS = frozenset({"slow", "network", "files"})


def check_plugins(cells: Iterable[Cell], data: Mapping[str, Dataset], data_dir: Path | None) -> None:
    """Check the backbones and data sets of these cells that come from plugins.

    Raises:
        EquipoiseError: one of them breaks its contract; the message names the rule.
    """
    backbones: dict[tuple[str, str], Backbone] = {}
    datasets: set[str] = set()
    for cell in cells:
        kinds = {origin.kind for origin in cell.plugins}
        if "backbone" in kinds:
            backbones[cell.backbone, data[cell.dataset].kind] = get_backbone(cell.backbone)
        if "dataset" in kinds:
            datasets.add(cell.dataset)
    with one_thread(), unchanged(lambda what: None):
        for (spec, kind), backbone in backbones.items():
            _refuse("backbone", spec, check_briefly(backbone, kind))
        for name in sorted(datasets):
            _refuse("dataset", name, _loaded_again(name, data[name], data_dir))


def _loaded_again(name: str, data: Dataset, data_dir: Path | None) -> list[Finding]:
    """The findings of a second load of a data set that is not too large."""
    if data.X.size > _LARGEST or (data.kind == "text" and sum(map(len, data.X)) > _LARGEST):
        return []
    exam = DatasetExam(source_of(name, {}), data_dir or default_data_dir())
    try:
        again = exam.load()
        equal = twin.digest(contents(again)) == twin.digest(contents(data))
        exam.demand(equal, "deterministic", "two loads give different data")
    except Stopped:
        pass
    return [f for f in exam.findings.all() if f.check not in _HARMLESS]


def _refuse(kind: str, name: str, findings: list[Finding]) -> None:
    if findings:
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        raise EquipoiseError(
            f"{kind} {name} breaks its contract: {findings[0]}{more}; all of it: equipoise check"
        )
