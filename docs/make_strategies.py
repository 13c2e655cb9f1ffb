"""Write docs/strategies.md from the registry: `python docs/make_strategies.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from equipoise.catalog.registry import registry
from equipoise.cli.info.records import strategy_record
from equipoise.contracts.strategy import Context, Strategy

LABELS = 10
HEAD = f"""# Strategies

All strategies that come with equipoise. `equipoise info NAME` says more about each: its formula, the variant of the paper that
was taken, and what it needs.

*Stage*: where the strategy acts; strategies of different stages are composed with `+`, and `equipoise info A+B` says whether the
parts of a composition work against each other. *Needs*: what data or backbone must offer. *Searched*: each hyperparameter with
its published default, which half of the trials keep, and its range; those of heads, score maps and decisions are tuned after
the network, which is chosen without them. *Networks*: how many are trained side by side for one model on {LABELS} labels, as a
measure of cost; `none` trains one. *Off*: the settings at which the strategy equals `none` bit for bit.
*Reference*: [references.md](references.md) lists each publication and how it was confirmed.

| name | stage | what it does | searched | needs | networks | off | reference |
|---|---|---|---|---|---|---|---|
"""


def table() -> str:
    """The page as Markdown."""
    entries = [e for e in registry("strategy").entries() if e.origin == "built-in"]
    return HEAD + "".join(_line(registry("strategy").get(e.name)) for e in entries)


def _line(cls: Any) -> str:
    record = strategy_record(cls)
    off = ", ".join(f"{k}={v}" for k, v in (record["off"] or {}).items())
    cells = [
        f"`{record['name']}`",
        ", ".join(record["stages"]) or "none",
        record["summary"],
        "<br>".join(f"{name}: {_range(spec)}" for name, spec in record["search"].items()),
        ", ".join(record["needs"]),
        str(networks(cls())),
        off,
        record["reference"],
    ]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"


def _range(spec: dict[str, Any]) -> str:
    if "choices" in spec:
        return f"{spec['default']} of {', '.join(map(str, spec['choices']))}"
    return f"{spec['default']} in {spec['low']} to {spec['high']}{' (log)' if spec.get('log') else ''}"


def networks(strategy: Strategy) -> int:
    """Networks of one model on some balanced labels."""
    rng = np.random.default_rng(0)
    Y = (rng.random((400, LABELS)) < 0.3).astype(np.uint8)
    ctx = Context(Y.sum(0, dtype=np.int64), len(Y), rng=rng)
    return len(strategy.owner("tasks").tasks(Y, ctx))


if __name__ == "__main__":
    Path(__file__).with_name("strategies.md").write_text(table(), encoding="utf-8")
