"""Where the rows of a page come from: commands, versions, hashes of the data and terms of use."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from equipoise.datasets.statistics import committed
from equipoise.experiment.settings import Settings
from equipoise.splits.outer import OFFICIAL
from equipoise.store.rows import Row

#: Terms of data that no committed file describes, such as a user's own table.
UNKNOWN_TERMS = "not recorded here; the owner of the data sets them"


@dataclass(frozen=True)
class DataFacts:
    """A data set: its hash, whether it is generated, where it comes from and under which terms."""

    name: str
    sha256: str
    generated: bool
    source: str
    terms: str


@dataclass(frozen=True)
class Provenance:
    """What is needed to get the same rows again. `versions` are pairs of a name and what the rows say of it."""

    commands: list[str]
    report: str
    versions: list[tuple[str, str]]
    data: list[DataFacts]
    first: str  # when the first and the last of the rows were created, ISO 8601 in UTC
    last: str


def provenance(
    groups: Sequence[Sequence[Row]], suite: str | None, report: str, results: str = ""
) -> Provenance:
    """Collect it from the rows of each table.

    `report` is the command that wrote the page, and `results` the store's folder, "" for the default one.
    """
    rows = [row for group in groups for row in group]
    commands = [f"equipoise run {shlex.quote(suite)}"] if suite else _commands(groups)
    folder = f" --results {shlex.quote(results)}" if results else ""
    created = sorted(str(row["created"]) for row in rows if row.get("created"))
    return Provenance(
        commands=[command + folder for command in commands],
        report=report,
        versions=_versions(rows),
        data=_data(rows),
        first=created[0] if created else "",
        last=created[-1] if created else "",
    )


def _commands(groups: Sequence[Sequence[Row]]) -> list[str]:
    """One command for all tables with equal settings, splits and strategies, and each seed; it plans the same cells."""
    merged: dict[tuple[str, str], list[str]] = {}
    for rows in groups:
        for seed in sorted({int(row.get("seed") or 0) for row in rows}):
            # The options of `equipoise run` hold for all its cells, so each seed needs a command of its own.
            own = [row for row in rows if int(row.get("seed") or 0) == seed]
            names = dict.fromkeys(str(row["strategy"]) for row in own)
            number = OFFICIAL if own[0]["split"] == OFFICIAL else max(int(row["split"]) for row in own) + 1
            # Splits are counted from 0, so the largest number is one less than how many there are.
            parts = [f"--strategy {shlex.quote(name)}" for name in names]
            parts += [*_options(rows[0].get("settings") or {}), f"--splits {number} --seed {seed}"]
            # Only data sets with the same backbone can share a command, which runs every combination.
            merged.setdefault((str(rows[0]["backbone"]), " ".join(parts)), []).append(str(rows[0]["dataset"]))
    return [
        " ".join(
            [
                "equipoise run",
                *(f"--dataset {shlex.quote(name)}" for name in dict.fromkeys(datasets)),
                f"--backbone {shlex.quote(backbone)}",
                end,
            ]
        )
        for (backbone, end), datasets in merged.items()
    ]


def _options(settings: dict[str, Any]) -> list[str]:
    """The settings as options of `equipoise run`; settings of earlier versions have no option and are left out."""
    options = []
    for field in dataclasses.fields(Settings):
        if field.name in settings:
            name, value = field.name.replace("_", "-"), settings[field.name]
            switch = f"--{name}" if value else f"--no-{name}"
            options.append(switch if isinstance(value, bool) else f"--{name} {shlex.quote(str(value))}")
    return options


def _versions(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Every version that some row was computed with; several where the rows differ."""
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        versions = row.get("versions")
        for name, value in (versions if isinstance(versions, dict) else {}).items():
            found.setdefault(str(name), {})[str(value)] = None
        for field, name in (("code", "engine hash"), ("metrics_code", "metrics hash"), ("cpu", "CPU")):
            if row.get(field):
                # Of the code its first part, the engine: the others differ between backbones and strategies anyway.
                found.setdefault(name, {})[str(row[field]).partition("/")[0]] = None
    return [(name, _several(values)) for name, values in found.items()]


def _several(values: Iterable[str], shown: int = 3) -> str:
    listed = sorted(values)
    more = f" and {len(listed) - shown} more" if len(listed) > shown else ""
    return ", ".join(listed[:shown]) + more


def _data(rows: Sequence[Row]) -> list[DataFacts]:
    # Two contents of one name are two data sets.
    seen: dict[tuple[str, str], bool] = {}
    for row in rows:
        seen.setdefault(
            (str(row["dataset"]), str(row.get("dataset_sha256") or "")), bool(row.get("generated"))
        )
    return [_facts(name, sha, generated) for (name, sha), generated in seen.items()]


def _facts(name: str, sha: str, generated: bool) -> DataFacts:
    # A name may have options in brackets; a path is no name, and might reach any file.
    base = name.partition("[")[0]
    known = (committed(base) if base.replace("-", "").replace("_", "").isalnum() else None) or {}
    terms = str(known.get("terms") or UNKNOWN_TERMS)
    return DataFacts(name, sha, generated, str(known.get("source") or ""), terms)
