"""`equipoise list` and `info`."""

from __future__ import annotations

import dataclasses
import json as json_
from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from equipoise.catalog.entries import Entry
from equipoise.catalog.registry import registry
from equipoise.cli.info.records import record_of
from equipoise.core.console import terminal
from equipoise.core.errors import EquipoiseError
from equipoise.core.output import echo_json
from equipoise.core.plugin_output import plugins_apart
from equipoise.experiment.settings import Settings
from equipoise.report.declared import in_words
from equipoise.sweep.suite import load_suite, suite_names

#: What users call the kinds of names → what the registries call them.
KINDS = {"strategies": "strategy", "datasets": "dataset", "backbones": "backbone"}
#: Entries that programs read, and entries that say nothing to people where they have this value.
_INTERNAL, _USUAL = ("off",), {"origin": "built-in", "generated": False}


@plugins_apart()
def listing(what: str | None, plugins: Sequence[str], json: bool) -> None:
    """Print the names of one kind or of all kinds, each with a line about it.

    Args:
        what: a key of `KINDS`, or "suites"; None: all of them.
        plugins: strategy files that are loaded first.
    """
    for plugin in plugins:
        _load_file(plugin)
    kinds = [what] if what is not None else [*KINDS, "suites"]
    records = {kind: _records(kind) for kind in kinds}
    if json:
        echo_json(json_.dumps(records if what is None else records[what], indent=2))
        return
    console = terminal()
    for kind, entries in records.items():
        table = Table(title=kind, title_justify="left", box=None, padding=(0, 2, 0, 0), show_header=False)
        table.add_column(no_wrap=True, style="bold")
        table.add_column()
        for entry in entries:
            broken = f"[red]broken[/red] ({escape(entry['origin'])}): " if entry["error"] else ""
            table.add_row(entry["name"], broken + escape(entry["error"] or entry["summary"]))
        console.print(table)


@plugins_apart()
def details(name: str, json: bool) -> None:
    """Print everything that is known about one name.

    Raises:
        EquipoiseError: nothing has this name.
    """
    record = record_of(name)
    if json:
        # Options of plugins may have defaults that JSON does not know.
        echo_json(json_.dumps(record, indent=2, default=str))
        return
    console = terminal()
    table = Table(
        title=escape(f"{record['kind']} {record['name']}"), title_justify="left", box=None, show_header=False
    )
    table.add_column(style="bold", no_wrap=True)
    # Folded, because the spec of a strategy is one long word.
    table.add_column(overflow="fold")
    for key, value in record.items():
        # Empty entries say nothing. An entry of 0 or false does, and equals none of these.
        if key in ("kind", "name", *_INTERNAL) or value in (None, "", [], {}):
            continue
        if key in _USUAL and value == _USUAL[key]:
            continue
        if key == "blocks":
            value = [_block(block) for block in value]
        if key == "same_as":
            key, value = "cannot differ", [in_words(equal) for equal in value]
        table.add_row(key, escape(_words(value)))
    console.print(table)


def _load_file(plugin: str) -> None:
    """Load a plugin file, so that what it defines is listed, also as broken.

    Raises:
        EquipoiseError: it cannot be loaded, or defines nothing.
    """
    # All of them are loaded, whatever the first defines.
    found = [registry(kind).load_file(plugin) for kind in KINDS.values()]
    if not any(found):
        raise EquipoiseError(
            f"{plugin} defines no {', '.join(KINDS.values())}: it needs a subclass with a `name`"
        )


def _records(kind: str) -> list[dict[str, Any]]:
    if kind == "suites":
        return [
            {"name": n, "summary": load_suite(n).title, "origin": "built-in", "error": None}
            for n in suite_names()
        ]
    return [_record(e) for e in registry(KINDS[kind]).entries()]


def _record(entry: Entry) -> dict[str, Any]:
    # For a broken plugin `Entry.summary` is its error, which has a field of its own.
    summary = "" if entry.error else entry.summary
    return {"name": entry.name, "summary": summary, "origin": entry.origin, "error": entry.error}


def _block(block: dict[str, Any]) -> dict[str, Any]:
    """A block of a suite without the settings that are as everywhere."""
    usual = dataclasses.asdict(Settings())
    settings = {name: value for name, value in block["settings"].items() if value != usual.get(name)}
    return {
        name: value for name, value in (block | {"settings": settings}).items() if value not in (None, {})
    }


def _words(value: Any) -> str:
    """A value of a record as text for people, with one line per entry of a list or dictionary."""
    if isinstance(value, dict):
        return "\n".join(f"{k}: {_inline(v)}" for k, v in value.items())
    if isinstance(value, list):
        return "\n".join(_inline(v) for v in value)
    return str(value)


def _inline(value: Any) -> str:
    if not isinstance(value, dict):
        return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    # A search range, as in `records`.
    if "low" in value or "choices" in value:
        span = (
            " | ".join(map(str, value["choices"]))
            if "choices" in value
            else f"{value.get('low', 0)} … {value['high']}"
        )
        return f"{value['default']}   searched {span}{' (log)' if value.get('log') else ''}"
    return "; ".join(f"{k} {_inline(v)}" for k, v in value.items())
