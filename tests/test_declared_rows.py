"""What rows declare in `same_as`: damaged declarations are damaged rows, and a faulty one fails in its cell."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from equipoise.contracts.equality import COLUMNS, Equality, same
from equipoise.core.errors import EquipoiseError
from equipoise.report.export import PARTS, render, to_json
from equipoise.store.rows import flatten
from equipoise.store.store import Store

CELL = {"dataset": "letters", "backbone": "linear", "split": 0, "seed": 0, "settings": {}}


def row(strategy: str, score: float | None = 0.5, **more: Any) -> dict[str, Any]:
    metrics = {"fixed/macro_f1": score, "tuned/macro_f1": score, "tuned/map": score}
    return {"key": strategy, "status": "ok", "strategy": strategy, **CELL, "metrics": metrics, **more}


def store_of(folder: Path, *rows: dict[str, Any]) -> Store:
    store = Store(folder)
    store.rows_file.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return store


def report(store: Store) -> str:
    out = io.StringIO()
    render(store.rows(PARTS), Console(file=out, width=200))
    to_json(store.rows(PARTS))
    flatten(store.rows())
    return out.getvalue()


@pytest.mark.parametrize(
    "damaged",
    [
        5,
        True,
        "none",
        {"strategy": "none"},
        [1],
        [None],
        [{}],
        [{"columns": {"fixed": "fixed"}}],
        [{"strategy": "none"}],
        [{"strategy": ["none"], "columns": {"fixed": "fixed"}}],
        [{"strategy": "none", "columns": {"fixed": ["fixed"]}}],
        [{"strategy": "none", "columns": ["fixed"]}],
    ],
    ids=str,
)
def test_a_damaged_declaration_is_reported_and_the_other_rows_are_used(damaged: Any, tmp_path: Path) -> None:
    store = store_of(tmp_path, row("none"), row("platt", same_as=damaged), row("focal"))
    assert "focal" in report(store)
    assert "line 2: not a row of this store, same_as must be a list" in (store.damage or "")


@pytest.mark.parametrize("sound", [None, [], [{"strategy": "none", "columns": {"map": "map"}, "why": "w"}]])
def test_sound_declarations_and_rows_of_earlier_versions_are_used(sound: Any, tmp_path: Path) -> None:
    store = store_of(tmp_path, row("none"), row("platt", same_as=sound), row("focal"))
    assert "platt" in report(store)
    assert store.damage is None


def test_a_declaration_that_no_row_could_hold_is_refused_where_it_is_made() -> None:
    with pytest.raises(EquipoiseError, match="same_as has no column 'mapp'"):
        same("none", "because", ["mapp"])
    with pytest.raises(EquipoiseError, match="same_as has no column 'half'"):
        same("none", "because", ["map"], own="half")
    with pytest.raises(EquipoiseError, match="names a strategy by its spec, not by 5"):
        Equality(5, {}, "because")  # type: ignore[arg-type]
    assert same("none", "because")[0].columns == {column: column for column in COLUMNS}


@pytest.mark.parametrize("split", [0, "official"])
def test_nothing_is_said_of_an_undefined_score(split: int | str, tmp_path: Path) -> None:
    rows = [row("none", None), row("focal", None)]
    store = store_of(tmp_path, *({**r, "split": split} for r in rows))
    text = report(store)
    assert "focal" in text
    assert "inf" not in text
    one = [row("none"), row("focal", None), row("scut", 0.6)]
    text = report(store_of(tmp_path, *({**r, "split": split} for r in one)))
    assert "scut differs from the baseline by +.100" in text
