"""`equipoise list` and `info`."""

from __future__ import annotations

import dataclasses
import inspect
import json as json_
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.datasets import source_of
from equipoise.catalog.entries import Entry, unknown_name
from equipoise.catalog.lookup import find_plugin
from equipoise.catalog.parts import parts
from equipoise.catalog.registry import registry
from equipoise.catalog.strategies import Composition, clash_warnings, get_strategy, space
from equipoise.cli.info_data import describe_data, without_network
from equipoise.contracts.hyperparameters import Tunable, tunables
from equipoise.contracts.options import options
from equipoise.core.console import terminal
from equipoise.core.errors import EquipoiseError
from equipoise.core.output import echo_json
from equipoise.core.plugin_output import plugins_apart
from equipoise.datasets.statistics import committed, official_words
from equipoise.experiment.settings import Settings
from equipoise.report.declared import equal_strategies, in_words
from equipoise.sweep.suite import load_suite, suite_names

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
    record = _find(name)
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


def strategy_record(cls: Any) -> dict[str, Any]:
    """The record of a strategy class, for `info` and for the table of strategies."""
    strategy = cls()
    return {
        "kind": "strategy",
        "name": cls.name,
        "summary": (inspect.getdoc(cls) or "").split("\n")[0],
        "about": (inspect.getdoc(cls) or "").partition("\n")[2].strip(),
        "stages": list(strategy.stages),
        "needs": sorted(strategy.needs),
        "reference": cls.reference,
        "search": {n: _range(t) for n, t in tunables(cls).items()},
        "options": {f.name: f.default for f in options(cls) if "tunable" not in f.metadata},
        "off": dict(cls.off) if cls.off else None,
    }


def _composition_record(spec: str) -> dict[str, Any]:
    """The record of strategies joined by plus signs, or of a composition with a name.

    Raises:
        EquipoiseError: an unknown part, or parts that exclude each other.
    """
    strategy = get_strategy(spec)
    return {
        "kind": "strategy",
        "name": strategy.spec,
        "parts": {p.spec: list(p.stages) for p in strategy.parts},
        "stages": list(strategy.stages),
        "needs": sorted(frozenset().union(*(p.needs for p in strategy.parts))),
        "search": {n: _range(t) for n, t in space(strategy).items()},
        "fixed": {f"{p.name}.{n}": getattr(p, n) for p in strategy.parts for n in sorted(p.fixed)},
        "warnings": clash_warnings(strategy),
    }


def _single_record(kind: str, name: str) -> dict[str, Any]:
    """The record of a name in the registry of a kind, and which plugin it comes from."""
    obj = registry(kind).get(name)
    entry = next(e for e in registry(kind).entries() if e.name == name)
    if kind != "strategy":
        record = _other(kind, entry)
    elif issubclass(obj, Composition):
        record = _composition_record(name)
    else:
        record = strategy_record(obj) | {"same_as": equal_strategies(obj())}
    if (plugin := entry.plugin) is None:
        return record
    return record | {
        "origin": entry.origin,
        "distribution": plugin.distribution,
        "version": plugin.version,
    }


def _plugin_record(text: str) -> dict[str, Any] | None:
    """The record of what is written as a plugin file or as `package.module:Class`; None for names and data files.

    Raises:
        EquipoiseError: it cannot be loaded, or it holds several plugins and the text does not say which.
    """
    first, *others = parts(text)
    if others or first.place("") is None:
        return _composition_record(text) if any(part.place("") for part in (first, *others)) else None
    kind, name = find_plugin(first)
    if not first.settings:
        return _single_record(kind, name)
    if kind == "dataset":
        return _with_options(name, text)
    obj: Any = get_strategy(text) if kind == "strategy" else get_backbone(text)
    record = _single_record(kind, name)
    fixed = {n: getattr(obj, n) for n in sorted(obj.fixed)}
    searched = {n: span for n, span in record["search"].items() if n not in fixed}
    return record | {"name": obj.spec, "search": searched, "fixed": fixed}


def _with_options(name: str, text: str) -> dict[str, Any]:
    """The record of a data set that is loaded with the options in a text, and what its class declares."""
    data, declared = describe_data(text), _single_record("dataset", name)
    # Statistics that were committed are those of the data without options; `info NAME` explains the options at length.
    kept = {k: v for k, v in declared.items() if k not in ("statistics", "official split", "about")}
    return kept | {"options": source_of(text, {}).options()} | data


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


def _find(name: str) -> dict[str, Any]:
    """The record of a strategy, dataset, backbone, suite or file. Only a dataset with options, or a file, is read for it."""
    if name.partition("[")[0] in registry("dataset").names() and "[" in name:
        return _with_options(name.partition("[")[0], name)
    if (record := _plugin_record(name)) is not None:
        return record
    known: list[Entry] = []
    for kind in KINDS.values():
        entries = registry(kind).entries()
        known += entries
        if name in [e.name for e in entries]:
            return _single_record(kind, name)
    if name in suite_names():
        suite = load_suite(name)
        return {
            "kind": "suite",
            "name": name,
            "summary": suite.title,
            "blocks": [dataclasses.asdict(b) for b in suite.blocks],
        }
    if "+" in name and not Path(name).exists():
        return _composition_record(name)
    # Only now, so that a name with a dot is never taken for a file.
    if "/" in name or Path(name).suffix:
        return describe_data(name)
    raise unknown_name("name", name, known, suite_names())


def _other(kind: str, entry: Entry) -> dict[str, Any]:
    record = {"kind": kind, "name": entry.name, "summary": entry.summary, "origin": entry.origin}
    if kind == "dataset":
        about = (inspect.getdoc(entry.obj) or "").partition("\n")[2].strip()
        record |= {"about": about, "options": entry.obj.options()}
        if entry.plugin is None:
            return record | _committed(entry.name)
        return record | {k: v for k, v in without_network(entry.name).items() if k not in record}
    cls = entry.obj
    return record | {
        "about": (inspect.getdoc(cls) or "").partition("\n")[2].strip(),
        "accepts": sorted(cls.accepts),
        "reference": cls.reference,
        "search": {"lr": _range(cls.lr), **{n: _range(t) for n, t in tunables(cls).items()}},
        "options": {f.name: f.default for f in options(cls) if "tunable" not in f.metadata},
    }


def _committed(name: str) -> dict[str, Any]:
    """Terms, citation and statistics of a built-in dataset, from a committed file. Nothing is downloaded."""
    kept = committed(name)
    if kept is None:
        return {}
    first = {key: kept.pop(key) for key in ("source", "terms", "citation", "generated")}
    if parts := kept.get("official"):
        first["official split"] = official_words(parts)
    return first | {"statistics": {k: v for k, v in kept.items() if k not in ("name", "sha256")}}


def _range(spec: Tunable) -> dict[str, Any]:
    """The fields of a search range that are set, and always the default, even if it is 0 or false."""
    return {
        k: v
        for k, v in dataclasses.asdict(spec).items()
        if (v is not None and v is not False) or k == "default"
    }


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
    # A search range of `_range`.
    if "low" in value or "choices" in value:
        span = (
            " | ".join(map(str, value["choices"]))
            if "choices" in value
            else f"{value.get('low', 0)} … {value['high']}"
        )
        return f"{value['default']}   searched {span}{' (log)' if value.get('log') else ''}"
    return "; ".join(f"{k} {_inline(v)}" for k, v in value.items())
