"""Lets the folder of a suite grow: rows may be added, and those that are published stay as they are, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from equipoise.core.errors import EquipoiseError
from equipoise.publishing.coverage import Coverage
from equipoise.publishing.facts import machine
from equipoise.publishing.folder import MANIFEST, README, ROWS, PublishedFolder, read_folder, text_of
from equipoise.publishing.readme import BEGIN, END, UNWRITTEN, finding_of, has_marks
from equipoise.publishing.rows import content_hash, read_lines
from equipoise.splits.outer import split_name


def accepted(path: Path, lines: bytes, suites: Sequence[Coverage], kind: str) -> Mapping[str, Any] | None:
    """The manifest of the folder that these rows may replace; None without a folder.

    Args:
        lines: the rows, as they will be written.
        suites: what they cover.
        kind: published or submitted.

    Raises:
        EquipoiseError: the folder has other rows and is of no suite; a row of it would change or go; a suite has changed since
            or is not named; or the folder is damaged, of the other kind, or was not written by this package.
    """
    if path.is_symlink():
        raise EquipoiseError(f"{path} is a link: publish into the folder that it leads to, with --into")
    # The finding may be written first, into a README that is alone in the folder.
    if not path.exists() or (path.is_dir() and all(file.name == README for file in path.iterdir())):
        return None
    before = read_folder(path)
    if before.manifest["kind"] != kind:
        raise EquipoiseError(f"{path} is {before.manifest['kind']}, not {kind}: take another name")
    _check_suites(before, suites)
    # The same rows: the finding, the page or the tables are written anew.
    if before.manifest["rows_sha256"] == content_hash(lines):
        # Without its suites the folder could never grow again.
        if (known := before.manifest.get("suites")) and not suites:
            words = " ".join(f"--suite {suite['name']}" for suite in known)
            raise EquipoiseError(f"{path} holds rows of a suite: say so, {words}")
        return before.manifest
    if not (before.manifest.get("suites") and suites):
        raise EquipoiseError(
            f"{path} is published and its rows are frozen; these rows are others: publish them under another name "
            "(only a folder of a suite, --suite, may grow)"
        )
    _check_kept(before, lines)
    return before.manifest


def _check_suites(before: PublishedFolder, suites: Sequence[Coverage]) -> None:
    """Refuse a suite that is not the one of the folder any more. Folders of earlier versions do not name theirs."""
    known = {suite["name"]: suite["sha256"] for suite in before.manifest.get("suites") or ()}
    if not (known and suites):
        return
    named = {suite.name: suite.sha256 for suite in suites}
    if named.keys() != known.keys():
        raise EquipoiseError(
            f"{before.path} holds rows of {', '.join(known)}, not of {', '.join(named)}: publish these under another name"
        )
    if changed := [name for name, sha256 in named.items() if known[name] != sha256]:
        raise EquipoiseError(
            f"the suite {changed[0]} has changed since {before.path} was published: give the new suite another name"
        )


def _check_kept(before: PublishedFolder, lines: bytes) -> None:
    """Refuse lines that lack a row of the folder, or have it otherwise; the error names the row and what has changed."""
    published = read_lines(before.path / ROWS)
    if content_hash(published) != before.manifest["rows_sha256"]:
        raise EquipoiseError(
            f"{before.path / ROWS} does not hold the rows that {MANIFEST} names: restore it first"
        )
    # Lines are compared as bytes: what is published must not even be spelled otherwise.
    if not (gone := set(published.splitlines()) - set(lines.splitlines())):
        return
    now = {row["key"]: row for row in map(json.loads, lines.splitlines())}
    row = next(json.loads(line) for line in published.splitlines() if line in gone)
    cell = f"{row['dataset']} · {row['backbone']} · {row['strategy']} · {split_name(row['split'])} ({row['key']})"
    others = f", and so on for {len(gone) - 1} more" if len(gone) > 1 else ""
    raise EquipoiseError(f"{before.path} may only grow, and its row {cell} {_difference(row, now)}{others}")


def _difference(row: Mapping[str, Any], now: Mapping[str, Mapping[str, Any]]) -> str:
    """What has become of a published row among the rows that are here now, by key."""
    twin = now.get(row["key"]) or next((one for one in now.values() if _cell(one) == _cell(row)), None)
    if twin is None:
        return "is not in these results: run with --reuse to bring the published rows in"
    if twin["key"] != row["key"]:
        return f"has been computed again with other code, libraries or data, as {twin['key']}"
    changed = [name for name in row if twin.get(name) != row[name]] or sorted(twin.keys() - row.keys())
    # Rows are kept byte for byte: another spelling of equal numbers is another row.
    return f"has another {', '.join(changed)}" if changed else "is written in another way"


def kept_finding(path: Path) -> str:
    """The finding that somebody has written into the folder; UNWRITTEN without a README.

    Raises:
        EquipoiseError: the README has lost the marks of the finding, so that publishing would replace what is written there.
    """
    if not (file := path / README).exists():
        return UNWRITTEN
    text = text_of(file)
    if not has_marks(text):
        raise EquipoiseError(
            f"{file} would be replaced with what is written in it: put the finding between {BEGIN} and {END}"
        )
    return finding_of(text)


#: A row that was computed anew has another key, so cells are found by what names them for a reader.
def _cell(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in ("dataset", "backbone", "strategy", "split", "seed", "settings"))


def history(
    before: Mapping[str, Any] | None, manifest: Mapping[str, Any], description: str
) -> list[dict[str, Any]]:
    """The states that a folder has had, the present one last: date, rows, sha256 of the rows, core-hours, and machine.

    Args:
        before: the manifest of the folder so far.
        manifest: the one to be written, as far as it says what the rows are.
        description: of the machines that made the rows that are new; of the last state, if none is new.
    """
    fields = ("rows", "rows_sha256", "core_hours")
    states: list[dict[str, Any]] = []
    if before is not None:
        # Earlier versions wrote no history.
        first = {"date": before["published"], **{name: before[name] for name in (*fields, "machine")}}
        states = [dict(state) for state in before.get("history") or [first]]
    if not states or states[-1]["rows_sha256"] != manifest["rows_sha256"]:
        today = datetime.now(UTC).date().isoformat()
        states.append({"date": today, **{n: manifest[n] for n in fields}, "machine": machine(description)})
    elif description:
        states[-1]["machine"] = machine(description)
    return states
