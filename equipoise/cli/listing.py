"""`equipoise list`, `info` and `report`."""

from __future__ import annotations

import dataclasses
import inspect
import json as json_
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from equipoise.catalog.registry import Entry, registry
from equipoise.core.errors import EquipoiseError, unknown

KINDS = {"strategies": "strategy", "datasets": "dataset", "backbones": "backbone"}


def listing(what: str | None, plugins: Sequence[str], json: bool) -> None:
    """Names with one line each, of one kind or of all."""
    for plugin in plugins:
        registry("strategy").add_file(plugin)
    kinds = [what] if what is not None else [*KINDS, "suites"]
    records = {kind: _records(kind) for kind in kinds}
    if json:
        typer.echo(json_.dumps(records if what is None else records[what], indent=2))
        return
    console = Console()
    for kind, entries in records.items():
        table = Table(title=kind, title_justify="left", box=None, padding=(0, 2, 0, 0), show_header=False)
        table.add_column(no_wrap=True, style="bold")
        table.add_column()
        for entry in entries:
            broken = f"[red]broken[/red] ({entry['origin']}): " if entry["error"] else ""
            table.add_row(entry["name"], broken + _escaped(entry["error"] or entry["summary"]))
        console.print(table)


def details(name: str, json: bool) -> None:
    """Everything about one name."""
    found = _find(name)
    if json:
        typer.echo(json_.dumps(found, indent=2, default=str))
        return
    console = Console()
    table = Table(title=f"{found['kind']} {found['name']}", title_justify="left", box=None, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for key, value in found.items():
        if key in ("kind", "name") or value in (None, "", [], {}):
            continue
        table.add_row(key, _escaped(_words(value)))
    console.print(table)


def results(folder: Path, suite: str | None, json: bool, picture: Path | None = None) -> None:
    """The report over the rows of a store, and a picture of them."""
    from equipoise.report.export import render, to_json
    from equipoise.store.store import Store

    store = Store(folder)
    rows = store.rows()
    if suite is not None:
        rows = _of_suite(rows, suite)
    if not rows:
        raise EquipoiseError(
            f"no rows in {folder}{f' of suite {suite!r}' if suite else ''}: run something first, e.g. equipoise run quick"
        )
    if picture is not None:
        _draw(rows, picture)
    if json:
        typer.echo(to_json(rows))
    else:
        render(rows, Console())


def _draw(rows: Sequence[dict[str, Any]], file: Path) -> None:
    from equipoise.plots import comparison
    from equipoise.store.rows import flatten

    if file.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise EquipoiseError(f"--picture must end in .png, .svg or .pdf; got {str(file)!r}")
    if not file.parent.is_dir():
        raise EquipoiseError(f"no folder {file.parent} to draw {file.name} into")
    comparison(flatten(rows)).savefig(file, dpi=150)


def strategy_record(cls: Any) -> dict[str, Any]:
    """What `info` says of a strategy class."""
    from equipoise.contracts.hyperparameters import tunables

    strategy = cls()
    return {
        "kind": "strategy",
        "name": cls.name,
        "summary": (inspect.getdoc(cls) or "").split("\n")[0],
        "about": (inspect.getdoc(cls) or "").partition("\n")[2].strip(),
        "stages": list(strategy.stages),
        "needs": sorted(cls.requires),
        "reference": cls.reference,
        "search": {n: _range(t) for n, t in tunables(cls).items()},
        "options": {
            f.name: f.default
            for f in dataclasses.fields(cls)
            if "tunable" not in f.metadata and not f.metadata.get("internal")
        },
        "off": dict(cls.off) if cls.off else None,
    }


def _records(kind: str) -> list[dict[str, Any]]:
    if kind == "suites":
        from equipoise.sweep.suite import load_suite, suite_names

        return [
            {"name": n, "summary": load_suite(n).title, "origin": "built-in", "error": None}
            for n in suite_names()
        ]
    return [_record(e) for e in registry(KINDS[kind]).entries()]


def _record(entry: Entry) -> dict[str, Any]:
    summary = "" if entry.error else entry.summary
    return {"name": entry.name, "summary": summary, "origin": entry.origin, "error": entry.error}


def _find(name: str) -> dict[str, Any]:
    from equipoise.cli.info_data import about_data
    from equipoise.sweep.suite import load_suite, suite_names

    if name.partition("[")[0] in registry("dataset").names() and "[" in name:
        return about_data(name)
    known: list[str] = []
    for kind in KINDS.values():
        entries = {e.name: e for e in registry(kind).entries()}
        known += entries
        if name in entries:
            obj = registry(kind).get(name)
            return strategy_record(obj) if kind == "strategy" else _other(kind, entries[name])
    if name in suite_names():
        suite = load_suite(name)
        return {
            "kind": "suite",
            "name": name,
            "summary": suite.title,
            "blocks": [dataclasses.asdict(b) for b in suite.blocks],
        }
    if "/" in name or Path(name).suffix:
        return about_data(name)
    raise unknown("name", name, [*known, *suite_names()])


def _other(kind: str, entry: Entry) -> dict[str, Any]:
    record = {"kind": kind, "name": entry.name, "summary": entry.summary, "origin": entry.origin}
    if kind == "dataset":
        about = (inspect.getdoc(entry.obj) or "").partition("\n")[2].strip()
        return record | {"about": about, "options": entry.obj.options()} | _committed(entry.name)
    from equipoise.contracts.hyperparameters import tunables

    cls = entry.obj
    return record | {
        "about": (inspect.getdoc(cls) or "").partition("\n")[2].strip(),
        "accepts": sorted(cls.accepts),
        "reference": cls.reference,
        "search": {"lr": _range(cls.lr), **{n: _range(t) for n, t in tunables(cls).items()}},
        "options": {f.name: f.default for f in dataclasses.fields(cls) if "tunable" not in f.metadata},
    }


def _committed(name: str) -> dict[str, Any]:
    """Terms, citation and the statistics of a built-in dataset, of which nothing is loaded for that."""
    from equipoise.datasets.statistics import committed, official_words

    kept = committed(name)
    if kept is None:
        return {}
    first = {key: kept.pop(key) for key in ("source", "terms", "citation", "generated")}
    if parts := kept.get("official"):
        first["official split"] = official_words(parts)
    return first | {"statistics": {k: v for k, v in kept.items() if k not in ("name", "sha256")}}


def _range(spec: Any) -> dict[str, Any]:
    return {
        k: v
        for k, v in dataclasses.asdict(spec).items()
        if (v is not None and v is not False) or k == "default"
    }


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{k}: {_inline(v)}" for k, v in value.items())
    if isinstance(value, list):
        return "\n".join(_inline(v) for v in value)
    return str(value)


def _inline(value: Any) -> str:
    if not isinstance(value, dict):
        return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    if "low" in value or "choices" in value:
        span = (
            " | ".join(map(str, value["choices"]))
            if "choices" in value
            else f"{value.get('low', 0)} … {value['high']}"
        )
        return f"{value['default']}   searched {span}{' (log)' if value.get('log') else ''}"
    return "; ".join(f"{k} {_inline(v)}" for k, v in value.items())


def _of_suite(rows: Sequence[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The rows a suite asks for, its strategies and backbones spelled as rows spell them."""
    from equipoise.catalog.backbones import get_backbone
    from equipoise.catalog.strategies import get_strategy
    from equipoise.sweep.plan import expand
    from equipoise.sweep.suite import load_suite

    asked = []
    for b in load_suite(name).blocks:
        strategies = {get_strategy(s).spec for spec in b.strategies for s in expand(spec)}
        backbones = {get_backbone(spec).spec for spec in b.backbones}
        asked.append((b, backbones, strategies, dataclasses.asdict(b.settings)))
    return [
        r
        for r in rows
        if any(
            (r["dataset"] in b.datasets and r["backbone"] in backbones and r["strategy"] in strategies)
            and (r["seed"] == b.seed and r["split"] in b.outer_splits and r["settings"] == settings)
            for b, backbones, strategies, settings in asked
        )
    ]


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
