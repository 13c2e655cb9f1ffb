"""Groups rows into comparisons: which rows are comparable, which strategies are complete, how each differs from `none`.

A comparison holds rows with the same data and backbone (by content) and settings. Its units are pairs (seed, split). Only
strategies with a finished row on every unit are ranked; the others are listed with what is missing and why. The official
split is a comparison of its own, because it is one draw of the rows; its seeds say nothing about other draws.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from equipoise.experiment.budget import warning
from equipoise.report import equalities
from equipoise.report.ranking import rank
from equipoise.report.results import INCOMPLETE, RANKED, SUPPORT, StrategyResult, number_of, result_of
from equipoise.report.units import BASELINE, SplitId, common_units, excess, tried_units, unit_of
from equipoise.report.words.feature_notes import features_sentence
from equipoise.splits.outer import OFFICIAL, split_name
from equipoise.store.rows import Row

__all__ = ["BASELINE", "INCOMPLETE", "RANKED", "Comparison", "StrategyResult", "compare"]


@dataclass
class Comparison:
    """All strategies on one data set × backbone × settings. In `results` the ranked ones come first, by rank."""

    dataset: str
    backbone: str
    generated: bool
    settings: dict[str, Any]
    units: list[SplitId]
    left_out: list[SplitId]  # units that are not used because too few strategies have them
    results: list[StrategyResult]
    support: float  # test rows whose combination occurs 1..10 times in training, summed over the splits
    devices: list[str]
    superseded: int  # unused rows of the same cells from earlier code or versions
    official: bool  # whether this comparison is on the split that comes with the data
    features: str = ""  # a sentence about what is unusual about the fitted features
    bound: str = ""  # a sentence where the budget or a range may have decided the comparison
    noise: dict[str, float] = field(default_factory=dict)  # see `equalities.noise`
    data_sha256: str = ""  # hash of the data's content
    variant: str = ""  # how this differs from other comparisons of the same data set and backbone
    rows: list[Row] = field(default_factory=list, repr=False)  # the newest row of every cell

    @property
    def ranked(self) -> list[StrategyResult]:
        """The complete strategies, best first."""
        return [result for result in self.results if result.state == RANKED]

    @property
    def baseline(self) -> StrategyResult | None:
        """The baseline `none`, if it is ranked."""
        return next((result for result in self.ranked if result.strategy == BASELINE), None)

    @property
    def title(self) -> str:
        """Data set, backbone and variant; generated data are marked as such."""
        name = f"{self.dataset}{' (generated)' if self.generated else ''} · {self.backbone}"
        return f"{name} · {self.variant}" if self.variant else name

    def only(self, strategies: Collection[str], seeds: Collection[int] | None = None) -> Comparison:
        """The comparison of some strategies by themselves, on the splits that they have (of these seeds; None: of all)."""
        rows = [row for row in self.rows if row["strategy"] in strategies]
        return _comparison([row for row in rows if seeds is None or unit_of(row)[0] in seeds])


def compare(rows: Iterable[Mapping[str, Any]]) -> list[Comparison]:
    """Group the rows into comparisons, in order of first appearance, and rank the strategies inside each."""
    groups: dict[tuple[str, str, str, str, bool], list[Row]] = {}
    for row in rows:
        settings = json.dumps(row.get("settings") or {}, sort_keys=True, default=str)
        # A file of word vectors may have been moved between two rows.
        backbone = str(row.get("backbone_identity") or row["backbone"])
        data = (str(row["dataset"]), backbone, str(row.get("dataset_sha256", "")))
        name = (*data, settings, row["split"] == OFFICIAL)
        groups.setdefault(name, []).append(dict(row))
    comparisons = [_comparison(group) for group in groups.values()]
    _name_variants(comparisons, [name[2] for name in groups])
    return comparisons


def _comparison(rows: list[Row]) -> Comparison:
    cells = {
        (row["strategy"], unit_of(row)): row for row in rows
    }  # a later row of a cell replaces an earlier one
    current = list(cells.values())
    finished = {unit_of(row) for row in current if row["status"] == "ok"}
    units = common_units(tried_units(current, finished))
    results = [result_of(name, current, units) for name in dict.fromkeys(row["strategy"] for row in current)]
    rank(results, one_split=rows[0]["split"] == OFFICIAL, excess=excess(units))
    # Of the splits that are used, since the means are over these.
    supports = {
        unit_of(row): number_of(row, SUPPORT)
        for row in current
        if row["status"] == "ok" and unit_of(row) in units
    }
    return Comparison(
        dataset=str(rows[0]["dataset"]),
        backbone=str(rows[0]["backbone"]),
        generated=bool(rows[0].get("generated")),
        settings=dict(rows[0].get("settings") or {}),
        units=units,
        left_out=sorted(finished - set(units)),
        results=results,
        support=sum(value for value in supports.values() if math.isfinite(value)),
        devices=sorted({str(row["device"]) for row in current if row.get("device")}),
        superseded=len(rows) - len(current),
        official=rows[0]["split"] == OFFICIAL,
        features=features_sentence(row for row in current if row["status"] == "ok"),
        bound=warning(row for row in current if row["status"] == "ok"),
        data_sha256=str(rows[0].get("dataset_sha256", "")),
        rows=current,
        noise=equalities.noise([result for result in results if result.state == RANKED], BASELINE),
    )


def _name_variants(comparisons: list[Comparison], hashes: list[str]) -> None:
    """If there are several comparisons of one data set × backbone, name what differs between them in `variant`."""
    same_name: dict[tuple[str, str], list[tuple[Comparison, str]]] = {}
    for comparison, sha in zip(comparisons, hashes, strict=True):
        same_name.setdefault((comparison.dataset, comparison.backbone), []).append((comparison, sha))
    for index, comparison in enumerate(comparisons):
        twins = same_name[comparison.dataset, comparison.backbone]
        names = dict.fromkeys(name for other, _ in twins for name in other.settings)
        differences = [
            f"{name}={comparison.settings.get(name, '–')}"
            for name in names
            if len({str(other.settings.get(name)) for other, _ in twins}) > 1
        ]
        if len({sha for _, sha in twins}) > 1:
            differences.append(f"data {hashes[index][:8]}")
        if comparison.official:
            differences.append(split_name(OFFICIAL))
        comparison.variant = ", ".join(differences)
