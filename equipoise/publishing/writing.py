"""Writes published folders: rows, page, tables, README and manifest, all from the stripped rows alone."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock

from equipoise.core.errors import EquipoiseError, shown
from equipoise.page.extras import SELECTION, grouped
from equipoise.page.provenance import Provenance, provenance
from equipoise.page.render import page_html
from equipoise.publishing.cells import placed
from equipoise.publishing.coverage import Coverage
from equipoise.publishing.facts import facts
from equipoise.publishing.folder import (
    KINDS,
    MANIFEST,
    PAGE,
    README,
    ROWS,
    PublishedFolder,
    as_bytes,
    beside,
    hash_of,
    manifest_bytes,
    read_folder,
)
from equipoise.publishing.growth import accepted, history, kept_finding
from equipoise.publishing.readme import readme, without_finding
from equipoise.publishing.rows import compressed, content_hash, lines_of, public
from equipoise.publishing.suites import summary
from equipoise.publishing.tables import EFFECTS, tables
from equipoise.store.checks import STATUSES
from equipoise.store.durable import sync_folder
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
        EquipoiseError: the name cannot be one, there are no rows, the folder exists with rows that would change, or it has
            something that would be lost.
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
    # Before anything looks at the folder: that of a killed publication may have to be brought back.
    heal(path)
    before = accepted(path, lines, suites, KINDS[extra is not None])
    kept_finding(path)  # so that a README without its marks is refused before the page is made
    added = extra or Extra()
    made, files, missing = _contents(lines, suites, ["equipoise", added.command, path.name], added)
    if missing and before is not None and EFFECTS in before["files"]:
        raise EquipoiseError(f"{path} has effects over data sets, which cannot be made here: {missing}")
    manifest = facts(listed, made, path.name) | {
        "published": before["published"] if before else datetime.now(UTC).date().isoformat(),
        "rows_sha256": content_hash(lines),
        "kind": KINDS[extra is not None],
        "plugins": added.plugins,
        "suites": [suite.record() for suite in suites],
        # The effects come before the ranks, as in the alphabet; what costs have to say is in a file of its own.
        "pictures": sorted(n for n in files if n.endswith(".svg") and not n.startswith("cost")),
        "missing": missing,
    }
    manifest["history"] = history(before, manifest, description)
    # Where the folder began; the history has the machines of rows that were added.
    manifest["machine"] = manifest["history"][0]["machine"]
    # Read only now: making the page takes a minute, in which somebody may have gone on writing.
    finding = kept_finding(path)
    replace(path, _completed(manifest, {**files, **added.files}, finding, listed))
    return read_folder(path)


def _contents(
    lines: bytes, suites: Sequence[Coverage], words: Sequence[str], extra: Extra
) -> tuple[Provenance, dict[str, bytes], str]:
    """Where the rows come from, the files that are made of them, and why there are none over data sets ("": there are)."""
    with tempfile.TemporaryDirectory() as temporary:
        (Path(temporary) / "rows.jsonl").write_bytes(lines)
        store = Store(temporary)
        # As the report reads them: from their lines.
        read = store.rows(SELECTION)
        made = _provenance(read, suites, words, extra)
        suite = suites[0].command if len(suites) == 1 else None
        html = page_html(read, store, suite, made.report, note=_note(suites))
        listed, missing = tables(store.rows())
    texts = {f"{suite.name}.toml": suite.text.encode() for suite in suites if suite.text}
    return made, {**texts, ROWS: compressed(lines), PAGE: as_bytes(html), **listed}, missing


def _note(suites: Sequence[Coverage]) -> str:
    """What a reader of the page alone does not see: the finding, and what the suite has besides."""
    parts = [f"{suite.name}: {summary(suite.record())}" for suite in suites]
    here = f"Here are, of the suite {'; of the suite '.join(parts)}. " if parts else ""
    return f"{here}The README of this folder has the finding, and says what is here."


def _provenance(
    rows: Sequence[Row], suites: Sequence[Coverage], words: Sequence[str], extra: Extra
) -> Provenance:
    suite_words = [word for suite in suites for word in ("--suite", suite.command)]
    suite_words += ["--unfinished"] if any(suite.unfinished for suite in suites) else []
    plugin_words = [w for file in dict.fromkeys(extra.places.values()) for w in ("--plugin", str(file))]
    installed = [record["distribution"] for record in extra.plugins if "distribution" in record]
    plugin_words += [word for name in installed for word in ("--distribution", str(name))]
    # So that the commands also work for somebody who has the folder alone.
    found = [{**row, "strategy": placed(row["strategy"], extra.places)} for row in rows]
    made = provenance(grouped(found), None, shlex.join([*words, *suite_words, *plugin_words]))
    # The suite's own command plans the same cells, and the blocks that are still missing.
    if suites:
        made.commands[:] = [f"equipoise run {shlex.quote(suite.command)}" for suite in suites]
    return made


def _completed(
    manifest: dict[str, Any], files: Mapping[str, bytes], finding: str, rows: Sequence[Row]
) -> dict[str, bytes]:
    """All files of the folder: these, the README, and last the manifest, which holds the hashes of the others."""
    manifest["files"] = {name: hash_of(content) for name, content in sorted(files.items())}
    states = Counter(row["status"] for row in rows)
    text = readme(manifest, finding, {state: states.get(state, 0) for state in STATUSES})
    manifest["readme_sha256"] = hash_of(as_bytes(without_finding(text)))
    return {**files, README: as_bytes(text), MANIFEST: manifest_bytes(manifest)}


def heal(path: Path) -> None:
    """Undo what a publication of this folder has left half done that was killed: the old or the new folder is whole.

    Only one process may publish at a time (`only_writer`).
    """
    new, old = beside(path)
    if old.exists() and not path.exists():
        # Killed between the two renames of `replace`.
        old.rename(path)
    for left in (new, old):
        if left.exists():
            shutil.rmtree(left)


def replace(path: Path, files: Mapping[str, bytes]) -> None:
    """Put a folder with these files in the place of the one that is there.

    At every moment the old or the new folder is whole on the disk, so that a kill or a power failure loses neither. No file
    system exchanges two folders in one step everywhere, so for a moment there is none at `path`; `heal` brings the old one back.
    """
    new, old = beside(path)
    try:
        for name, content in files.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            _write(new / name, content)
        for folder in {(new / name).parent for name in files}:
            sync_folder(folder)
        if path.exists():
            path.rename(old)
        new.rename(path)
        sync_folder(path.parent)
    finally:
        # After the renames this removes the old folder, and after an error the new one.
        heal(path)


def _write(file: Path, content: bytes) -> None:
    with file.open("wb") as handle:
        handle.write(content)
        handle.flush()
        # Before the old folder is removed, the new one must be on the disk.
        os.fsync(handle.fileno())


@contextlib.contextmanager
def only_writer(parent: Path) -> Iterator[None]:
    """Hold the lock of a folder of published folders, which is made if it does not exist.

    Raises:
        EquipoiseError: another process holds it.
    """
    parent.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(str(parent / ".lock"), timeout=0):
            yield
    except filelock.Timeout:
        raise EquipoiseError(
            f"another command is publishing into {parent}: try again when it has ended"
        ) from None
