"""`equipoise time`: training throughput on this machine, on a user's own data."""

from __future__ import annotations

import json as json_
import time as clock
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from equipoise.errors import EquipoiseError


def time(
    dataset: str,
    backbones: Sequence[str],
    strategies: Sequence[str],
    lanes: str,
    device: str,
    data_dir: Path | None,
    json: bool,
    splits: int = 3,
    budget: Mapping[str, Any] | None = None,
    price: float | None = None,
) -> None:
    """Time a few steps of each combination; print rows per second, and what a sweep of them would take."""
    from equipoise.cli.forecast import forecast, in_words
    from equipoise.data import load_dataset
    from equipoise.settings import Settings

    if price is not None and not 0 <= price < float("inf"):
        raise EquipoiseError(f"--price must be a number from 0, per core-hour; got {price}")
    settings = Settings.of({k: v for k, v in (budget or {}).items() if v is not None})
    data = load_dataset(dataset, data_dir=data_dir)
    console = Console(stderr=True)
    with console.status("timing") as status:
        records = measure(data, backbones, strategies, _counts(lanes), device, status.update)
    told = forecast(data, records, settings, splits, price)
    if json:
        typer.echo(json_.dumps({"speeds": records, "sweep": told}, indent=2))
        return
    _print(data, records, _counts(lanes))
    Console().print(in_words(told), markup=False, highlight=False)


def measure(
    data: Any,
    backbones: Sequence[str],
    strategies: Sequence[str],
    lanes: Sequence[int],
    device: str,
    say: Any = None,
) -> list[dict[str, Any]]:
    """Rows per second of each backbone, strategy and number of lanes; the median of three runs of 20 steps."""
    from equipoise.cell import get_backbone
    from equipoise.composition import get_strategy
    from equipoise.engine.device import resolve
    from equipoise.plan import misfit
    from equipoise.registry import catalogue

    names = backbones or [b for b in catalogue("backbone").names() if data.kind in get_backbone(b).accepts]
    specs = strategies or catalogue("strategy").names()
    out = []
    for name in names:
        for spec in specs:
            backbone, strategy = get_backbone(name), get_strategy(spec)
            reason = misfit(data, backbone, strategy, 2)
            record: dict[str, Any] = {
                "backbone": name,
                "strategy": spec,
                "device": resolve(device).type,
                "skipped": reason,
            }
            if reason is None:
                if say is not None:
                    say(f"{name} · {spec}")
                timed = [_speed(data, backbone, strategy, k, device) for k in lanes]
                record["rows_per_s"] = {str(k): speed for k, (speed, _) in zip(lanes, timed, strict=True)}
                record["networks"] = timed[0][1]
            out.append(record)
    return out


def _speed(data: Any, backbone: Any, strategy: Any, lanes: int, device: str) -> tuple[float, int]:
    """Rows a second of that many lanes, and the networks of one model."""
    import torch

    from equipoise.engine.device import repeatable, resolve
    from equipoise.engine.population import Population
    from equipoise.settings import Settings
    from equipoise.workbench import Workbench, features_of

    where = resolve(device)
    with repeatable(where):
        fitted = backbone.features(data.kind).fit(data.X, data.nominal)
        inputs = fitted.transform(data.X)
        folds = np.arange(data.n_rows) % 2
        held = features_of(inputs, backbone.averages)
        settings = Settings(epochs=1)
        bench = Workbench(
            strategy,
            backbone,
            inputs.to(where),
            held,
            getattr(fitted, "nominal", None),
            data.Y,
            folds,
            ("time",),
            settings,
            where,
        )
        params = {"lr": backbone.lr.default, "weight_decay": 1e-2}
        model = bench.lanes(params, 0)
        one = [model[k % len(model)] for k in range(lanes)]
        seconds = []
        for _ in range(3):
            population = Population(one, bench.inputs, settings.batch_size, where)
            began = clock.perf_counter()
            population.advance(20)
            if where.type == "cuda":
                torch.cuda.synchronize()
            seconds.append(clock.perf_counter() - began)
    return lanes * 20 * settings.batch_size / float(np.median(seconds)), len(model)


def _counts(text: str) -> list[int]:
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        counts = []
    if not counts or min(counts) < 1:
        raise EquipoiseError(f"--lanes must be numbers from 1, e.g. 1,8,32; got {text!r}")
    return counts


def _print(data: Any, records: Sequence[dict[str, Any]], lanes: Sequence[int]) -> None:
    title = f"training rows per second on {data.name} ({records[0]['device']}, one thread)"
    table = Table(title=title, title_justify="left")
    table.add_column("backbone")
    table.add_column("strategy")
    for k in lanes:
        table.add_column(f"{k} lane{'s' if k > 1 else ''}", justify="right")
    for record in records:
        if record["skipped"]:
            table.add_row(
                record["backbone"], record["strategy"], f"skipped: {record['skipped']}", style="dim"
            )
        else:
            speeds = [f"{record['rows_per_s'][str(k)]:,.0f}" for k in lanes]
            table.add_row(record["backbone"], record["strategy"], *speeds)
    Console().print(table)
