"""Packs results that somebody has made with a plugin of their own, and checks the code in such a folder."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from equipoise.catalog import plugins
from equipoise.catalog.parts import parts
from equipoise.catalog.registry import registry
from equipoise.catalog.strategies import fingerprint, get_strategy
from equipoise.core.errors import EquipoiseError, shown
from equipoise.publishing.folder import CONFORMANCE, PLUGIN, PublishedFolder
from equipoise.publishing.writing import Extra, publish
from equipoise.report.units import BASELINE
from equipoise.store.rows import Row
from equipoise.testing import check

Conformance = dict[str, list[dict[str, str]]]


def submit(
    rows: Sequence[Row],
    path: Path,
    *,
    files: Sequence[Path],
    distributions: Sequence[str],
    description: str = "",
) -> PublishedFolder:
    """Write a folder with rows, the code that made them, and what the conformance kit says of it.

    Args:
        files: plugin files; the modules beside them that they import are packed, too.
        distributions: names of installed distributions that bring strategies.

    Raises:
        EquipoiseError: a strategy breaks a rule, has no rows, or was edited after its rows were made; or `none` is missing.
    """
    if not files and not distributions:
        raise EquipoiseError("nothing to submit: name the plugin, --plugin ./mine.py or --distribution NAME")
    records = [_file_record(file) for file in files] + [_distribution_record(name) for name in distributions]
    names = [name for record in records for name in record["strategies"]]
    _check_rows(rows, names)
    found = conformance(names)
    if broken := [f"{name} ({len(findings)})" for name, findings in found.items() if findings]:
        raise EquipoiseError(
            f"not submitted, since rules are broken by {', '.join(broken)}: equipoise check names them"
        )
    # The modules that were loaded, as they lie in memory: these made the rows that follow, whatever is on the disk by now.
    packed = {CONFORMANCE: (json.dumps(found, indent=1, sort_keys=True) + "\n").encode()}
    for file in files:
        for name, source in plugins.sources_of(file.resolve()).items():
            if packed.setdefault(f"{PLUGIN}/{name}", source) != source:
                raise EquipoiseError(f"two plugins bring different modules named {name}: rename one")
    return publish(rows, path, description=description, extra=Extra(records, packed, "submit"))


def _file_record(file: Path) -> dict[str, Any]:
    names = sorted(registry("strategy").add_file(file))
    return {"file": f"{PLUGIN}/{file.name}", "strategies": names}


def _distribution_record(name: str) -> dict[str, Any]:
    try:
        installed = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        raise EquipoiseError(f"no distribution {name!r:.80} is installed") from None
    known = registry("strategy")
    known_origins = {entry.name: known.origin(entry.name) for entry in known.entries()}
    names = sorted(n for n, origin in known_origins.items() if origin and _same(origin.distribution, name))
    if not names:
        raise EquipoiseError(f"the distribution {name} brings no strategy of equipoise")
    # By its own name, however it was spelled.
    return {"distribution": installed.name, "version": installed.version, "strategies": names}


def _same(one: str | None, other: str) -> bool:
    """Whether two spellings name one distribution, as for pip."""
    return one is not None and one.lower().replace("_", "-") == other.lower().replace("_", "-")


def _check_rows(rows: Sequence[Row], names: Sequence[str]) -> None:
    finished = [row for row in rows if row["status"] == "ok"]
    own = [row for row in finished if {part.name for part in parts(row["strategy"])} & set(names)]
    if not own:
        raise EquipoiseError(f"these results have no finished row of {', '.join(names)}: run it first")
    # Without a baseline beside it, a strategy can be compared with nothing.
    based = {(row["dataset"], row["backbone"]) for row in finished if row["strategy"] == BASELINE}
    for row in own:
        if (row["dataset"], row["backbone"]) not in based:
            raise EquipoiseError(
                f"{row['strategy']} ran on {row['dataset']} with {row['backbone']} without {BASELINE}, which it is compared with"
            )
    for spec in dict.fromkeys(row["strategy"] for row in own):
        code = fingerprint(get_strategy(spec))
        # The last part of a row's code is the strategy's.
        if any(str(row.get("code")).split("/")[-1] != code for row in own if row["strategy"] == spec):
            raise EquipoiseError(f"{spec} was edited after its rows were made: run it again")


def conformance(names: Sequence[str]) -> Conformance:
    """What the kit finds of each strategy; an empty list for one that conforms."""
    return {
        name: [dataclasses.asdict(finding) | {"remedy": finding.remedy} for finding in check(name)]
        for name in names
    }


def check_statement(folder: PublishedFolder) -> None:
    """Check that the folder holds what the conformance kit said of exactly its strategies. This runs none of its code.

    Raises:
        EquipoiseError: the statement is missing, damaged, or about other strategies.
    """
    file = folder.path / CONFORMANCE
    if CONFORMANCE not in folder.manifest["files"]:
        raise EquipoiseError(f"{file} is missing: the folder is incomplete")
    try:
        stated = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        raise EquipoiseError(f"{file} is damaged: it is not JSON") from None
    names = [str(name) for record in folder.manifest["plugins"] for name in record["strategies"]]
    if not isinstance(stated, dict) or sorted(stated) != sorted(names):
        raise EquipoiseError(f"{file} is not about the strategies of the manifest")


def load(folder: PublishedFolder) -> tuple[dict[str, Path], list[str]]:
    """Load the plugins of a submission: strategy → file, for those in files, and the names of all strategies.

    Raises:
        EquipoiseError: a plugin cannot be loaded, does not define what the manifest says, or its distribution is not installed.
    """
    files: dict[str, Path] = {}
    names: list[str] = []
    for record in folder.manifest["plugins"]:
        expected = [str(name) for name in record.get("strategies", ())]
        if record.get("file"):
            # Only files whose hashes were checked are run.
            if str(record["file"]) not in folder.manifest["files"]:
                raise EquipoiseError(f"{folder.path} does not hold its plugin {shown(record['file'])}")
            file = folder.path / str(record["file"])
            found: Sequence[str] = registry("strategy").add_file(file)
            files |= dict.fromkeys(expected, file)
        else:
            found = _of_distribution(record)
        if missing := [name for name in expected if name not in found]:
            raise EquipoiseError(f"the plugin of {folder.path} does not define {', '.join(missing)}")
        names += expected
    return files, names


def _of_distribution(record: Mapping[str, Any]) -> Sequence[str]:
    here = _distribution_record(str(record.get("distribution")))
    if here["version"] != record.get("version"):
        raise EquipoiseError(
            f"{record['distribution']} {here['version']} is installed; the rows were made with {record.get('version')}"
        )
    found: list[str] = here["strategies"]
    return found
