"""The records of `equipoise info`: what is known about a strategy, dataset, backbone, suite or file, as data."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import Any

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.datasets import source_of
from equipoise.catalog.entries import Entry, unknown_name
from equipoise.catalog.lookup import find_plugin
from equipoise.catalog.parts import parts
from equipoise.catalog.registry import PACKAGES, registry
from equipoise.catalog.strategies import Composition, clash_warnings, get_strategy, space
from equipoise.cli.info.data import describe_data, without_network
from equipoise.contracts.hyperparameters import Tunable, tunables
from equipoise.contracts.options import options
from equipoise.datasets.statistics import committed, official_words
from equipoise.report.declared import equal_strategies
from equipoise.sweep.suite import load_suite, suite_names


def record_of(name: str) -> dict[str, Any]:
    """The record of a strategy, dataset, backbone, suite or file. Only a dataset with options, or a file, is read for it."""
    if name.partition("[")[0] in registry("dataset").names() and "[" in name:
        return _with_options(name.partition("[")[0], name)
    if (record := _plugin_record(name)) is not None:
        return record
    known: list[Entry] = []
    for kind in PACKAGES:
        entries = registry(kind).entries()
        known += entries
        if name in [e.name for e in entries]:
            return _single_record(kind, name)
    if name in suite_names() or name.endswith(".toml"):
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
