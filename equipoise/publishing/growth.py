"""Lets the folder of a suite grow: rows may be added, and those that are published stay as they are, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from equipoise.core.errors import EquipoiseError
from equipoise.publishing.coverage import Coverage
from equipoise.publishing.folder import MANIFEST, README, ROWS, PublishedFolder, read_folder
from equipoise.publishing.rows import content_hash, read_lines
from equipoise.splits.outer import split_name


def accepted(path: Path, lines: bytes, suites: Sequence[Coverage]) -> Mapping[str, Any] | None:
    """The manifest of the folder that these rows may replace; None without a folder.

    Args:
        lines: the rows, as they will be written.
        suites: what they cover.

    Raises:
        EquipoiseError: the folder has other rows and is of no suite; a row of it would change or go; a suite has changed since;
            or the folder is damaged or was not written by this package.
    """
    # The finding may be written first, into a README that is alone in the folder.
    if not path.exists() or (path.is_dir() and all(file.name == README for file in path.iterdir())):
        return None
    before = read_folder(path)
    _check_suites(before, suites)
    if before.manifest["rows_sha256"] == content_hash(lines):
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
    if not (gone := set(published.splitlines()) - set(lines.splitlines())):
        return
    now = {row["key"]: row for row in map(json.loads, lines.splitlines())}
    old = [row for row in map(json.loads, published.splitlines()) if now.get(row["key"]) != row]
    row, count = old[0], len(gone)
    cell = f"{row['dataset']} · {row['backbone']} · {row['strategy']} · {split_name(row['split'])} ({row['key']})"
    twin = next((one for one in now.values() if _cell(one) == _cell(row)), None)
    if twin is None:
        why = "is not in these results: run with --reuse to bring the published rows in"
    elif twin["key"] != row["key"]:
        why = f"has been computed again with other code, libraries or data, as {twin['key']}"
    else:
        changed = [name for name in row if now[row["key"]].get(name) != row[name]]
        why = f"has another {', '.join(changed or sorted(now[row['key']].keys() - row.keys()))}"
    others = f", and so on for {count - 1} more" if count > 1 else ""
    raise EquipoiseError(f"{before.path} may only grow, and its row {cell} {why}{others}")


def _cell(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in ("dataset", "backbone", "strategy", "split", "seed", "settings"))


def history(before: Mapping[str, Any] | None, state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The states that a folder has had, the present one last: date, rows, sha256 of the rows, core-hours, and machine.

    Args:
        before: the manifest of the folder so far. state: the present state, without its date.
    """
    fields = ("rows", "rows_sha256", "core_hours", "machine")
    states: list[dict[str, Any]] = []
    if before is not None:
        first = {"date": before["published"], **{name: before[name] for name in fields}}
        states = list(before.get("history") or [first])
    if not states or states[-1]["rows_sha256"] != state["rows_sha256"]:
        today = datetime.now(UTC).date().isoformat()
        states.append({"date": today, **{name: state[name] for name in fields}})
    return states
