"""Writes published folders: rows, page, tables, README and manifest, all from the stripped rows alone."""

from __future__ import annotations

import re
import shlex
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from equipoise.core.errors import EquipoiseError, shown
from equipoise.page.extras import SELECTION, grouped
from equipoise.page.provenance import Provenance, provenance
from equipoise.page.render import page_html
from equipoise.publishing.cells import placed
from equipoise.publishing.coverage import Coverage
from equipoise.publishing.folder import (
    KINDS,
    MANIFEST,
    PAGE,
    README,
    ROWS,
    SCHEMA,
    PublishedFolder,
    hash_of,
    manifest_bytes,
    read_folder,
)
from equipoise.publishing.growth import accepted, history
from equipoise.publishing.machine import machine
from equipoise.publishing.readme import UNWRITTEN, finding_of, readme, without_finding
from equipoise.publishing.rows import compressed, content_hash, lines_of, public
from equipoise.publishing.tables import core_hours, tables
from equipoise.store.checks import STATUSES
from equipoise.store.rows import Row
from equipoise.store.store import Store

#: A name is part of a path and of a citation: lower-case words, such as leaderboard-2026-11.
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}[a-z0-9]")


@dataclass(frozen=True)
class Extra:
    """What a submission has besides rows.

    Attributes:
        plugins: a record of each plugin file or distribution.
        files: content by path in the folder.
        command: the command that writes the folder.
    """

    plugins: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    command: str = "publish"

    @property
    def places(self) -> dict[str, Path]:
        """Strategy → the file in the folder that defines it."""
        return {n: Path(r["file"]) for r in self.plugins if "file" in r for n in r["strategies"]}


def publish(
    rows: Sequence[Row],
    path: Path,
    *,
    suites: Sequence[Coverage] = (),
    description: str = "",
    extra: Extra | None = None,
) -> PublishedFolder:
    """Write a folder, or write one anew that has the same rows or, of a suite, some of them; the written finding is kept.

    Args:
        rows: of a store; of several rows of one cell, the last counts.
        path: its last part is the name.
        suites: what the rows cover of the suites that they are of; none: all rows of a store.
        description: the machine in words, where the rows were made on others; "" for this machine.
        extra: for a submission.

    Raises:
        EquipoiseError: the name cannot be one, there are no rows, or the folder exists with rows that would change.
    """
    if not _NAME.fullmatch(path.name):
        raise EquipoiseError(
            "a published folder is named by lower-case letters, digits and -, such as leaderboard-2026-11; "
            f"got {shown(path.name)}"
        )
    listed = public(rows)
    if not any(row["status"] == "ok" for row in listed):
        raise EquipoiseError("nothing to publish: no cell of these rows has finished")
    lines = lines_of(listed)
    before = accepted(path, lines, suites)
    with tempfile.TemporaryDirectory() as temporary:
        (Path(temporary) / "rows.jsonl").write_bytes(lines)
        store = Store(temporary)
        # As the report reads them: from their lines.
        read = store.rows(SELECTION)
        added = extra or Extra()
        made = _provenance(read, suites, ["equipoise", added.command, path.name], added)
        html = page_html(read, store, suites[0].command if len(suites) == 1 else None, made.report)
        files = {
            **{f"{suite.name}.toml": suite.text.encode() for suite in suites if suite.text},
            ROWS: compressed(lines),
            PAGE: html.encode("utf-8", "replace"),
            **tables(store.rows()),
        }
    manifest = _facts(listed, made, path.name, description, before)
    manifest |= {"rows_sha256": content_hash(lines), "kind": KINDS[extra is not None]}
    manifest |= {"plugins": added.plugins, "suites": [suite.record() for suite in suites]}
    # The effects come before the ranks, as in the alphabet; what costs have to say is in a file of its own.
    manifest["pictures"] = sorted(
        name for name in files if name.endswith(".svg") and not name.startswith("cost")
    )
    manifest["history"] = history(before, {**manifest, "machine": _here(description)})
    _write(path, manifest, {**files, **added.files}, Counter(row["status"] for row in listed))
    return read_folder(path)


def _provenance(
    rows: Sequence[Row], suites: Sequence[Coverage], words: list[str], extra: Extra
) -> Provenance:
    words += [word for suite in suites for word in ("--suite", suite.command)]
    words += ["--unfinished"] if any(suite.unfinished for suite in suites) else []
    words += [word for file in dict.fromkeys(extra.places.values()) for word in ("--plugin", str(file))]
    installed = [record["distribution"] for record in extra.plugins if "distribution" in record]
    words += [word for name in installed for word in ("--distribution", str(name))]
    # So that the commands also work for somebody who has the folder alone.
    found = [{**row, "strategy": placed(row["strategy"], extra.places)} for row in rows]
    made = provenance(grouped(found), None, shlex.join(words))
    if suites:
        made.commands[:] = [f"equipoise run {shlex.quote(suite.command)}" for suite in suites]
    return made


def _facts(
    rows: Sequence[Row], made: Provenance, name: str, description: str, before: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The manifest without hashes. What says where and when the rows were made is kept from an earlier publication."""
    keep = before is not None and not description
    return {
        "schema": SCHEMA,
        "name": name,
        "published": before["published"] if before else datetime.now(UTC).date().isoformat(),
        "commands": [*made.commands, made.report],
        "machine": before["machine"] if before is not None and keep else _here(description),
        "versions": _versions(rows),
        "code": sorted({str(row["code"]).partition("/")[0] for row in rows if row.get("code")}),
        "metrics_code": sorted({str(row["metrics_code"]) for row in rows if row.get("metrics_code")}),
        "cpu": sorted({str(row["cpu"]) for row in rows if row.get("cpu")}),
        "devices": sorted({str(row["device"]) for row in rows if row.get("device")}),
        "seeds": sorted({int(row.get("seed") or 0) for row in rows}),
        "data": sorted((asdict(one) for one in made.data), key=lambda one: (one["name"], one["sha256"])),
        "created": [made.first, made.last],
        "rows": len(rows),
        "core_hours": round(core_hours(rows), 4),
    }


def _here(description: str) -> dict[str, Any]:
    return {**machine(), **({"description": description} if description else {})}


def _versions(rows: Sequence[Row]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for row in rows:
        for name, version in (row.get("versions") or {}).items():
            found.setdefault(str(name), set()).add(str(version))
    return {name: sorted(values) for name, values in sorted(found.items())}


def _write(
    path: Path, manifest: dict[str, Any], files: Mapping[str, bytes], states: Mapping[str, int]
) -> None:
    """Write a whole new folder beside the old one, and then exchange them, so that no reader finds half of one."""
    old = path / README
    finding = finding_of(old.read_text(encoding="utf-8")) if old.is_file() else UNWRITTEN
    text = readme(manifest, finding, {state: states.get(state, 0) for state in STATUSES})
    manifest |= {
        "readme_sha256": hash_of(without_finding(text).encode()),
        "files": {name: hash_of(content) for name, content in sorted(files.items())},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}-"))
    try:
        for name, content in {**files, README: text.encode(), MANIFEST: manifest_bytes(manifest)}.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_bytes(content)
        # Temporary folders are private to their user.
        new.chmod(0o755)
        if path.exists():
            shutil.rmtree(path)
        new.rename(path)
    finally:
        shutil.rmtree(new, ignore_errors=True)
