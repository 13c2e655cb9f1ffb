"""The store keeps every acknowledged row through any kill, holds none twice, and reports damage."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.store.rows import clean, decode, encode, fingerprint, flatten
from equipoise.store.store import Store

from .shared.stored import row


def test_absent_store_is_empty_and_is_not_made_by_reading(tmp_path: Path) -> None:
    store = Store(tmp_path / "none")
    assert store.rows() == []
    assert store.statuses() == {}
    assert len(flatten(store.rows())) == 0
    assert not store.path.exists()


def test_last_row_of_a_key_wins(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append(row("a", status="failed", error="out of memory"))
    store.append(row("b"))
    store.append(row("a"))
    assert [found["key"] for found in store.rows()] == ["b", "a"]
    assert store.statuses() == {"a": "ok", "b": "ok"}
    assert len(store.rows_file.read_bytes().splitlines()) == 3


def test_undefined_numbers_come_back_as_nan_and_nothing_else_does(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append(
        row(
            metrics={"rcr_at_3": math.nan, "coverage": np.float32(2.5)},
            per_label={"fixed/f1": np.array([0.5, np.nan])},
            trials=[{"params": {"depth": None}, "value": math.inf}],
            params={"depth": None},
            reason=None,
        )
    )
    (found,) = store.rows()
    assert math.isnan(found["metrics"]["rcr_at_3"])
    assert found["metrics"]["coverage"] == 2.5
    assert found["per_label"]["fixed/f1"][0] == 0.5
    assert math.isnan(found["per_label"]["fixed/f1"][1])
    assert math.isnan(found["trials"][0]["value"])
    assert found["trials"][0]["params"] == {"depth": None}
    assert found["params"] == {"depth": None}
    assert found["reason"] is None
    assert b"NaN" not in store.rows_file.read_bytes()
    assert b"Infinity" not in store.rows_file.read_bytes()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)

rows = st.fixed_dictionaries(
    {"key": st.just("k"), "status": st.just("ok")},
    optional={
        "metrics": st.dictionaries(st.text(), st.floats()),
        "settings": json_values,
        "dataset": st.text(),
    },
)


@settings(max_examples=150, deadline=None)
@given(rows)
def test_any_row_is_one_line_and_reads_back_equal(made: dict[str, Any]) -> None:
    line = encode(made)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    back = decode(line)
    assert clean(back) == clean(made)
    assert fingerprint(back) == fingerprint(made)
    for name, value in made.get("metrics", {}).items():
        got = back["metrics"][name]
        assert got == value if math.isfinite(value) else math.isnan(got)


def test_fingerprint_ignores_cost_and_time_and_sees_the_rest() -> None:
    base = row(cost={"seconds_total": 1.0}, created="2026-01-01", traceback=None, params={"lr": 0.1})
    same = base | {"cost": {"seconds_total": 9.0}, "created": "2027-01-01", "traceback": "Traceback …"}
    assert fingerprint(base) == fingerprint(same) == fingerprint(dict(reversed(base.items())))
    assert fingerprint(base) != fingerprint(base | {"params": {"lr": 0.1 + 1e-17 * 8}})


def test_frame_flattens_metrics_params_and_cost(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append(
        row("a", params={"lr": 0.1}, cost={"seconds_total": 2.0}, labels=["x"], settings={"trials": 4})
    )
    store.append(row("b", status="failed", metrics={}))
    frame = flatten(store.rows()).set_index("key")
    assert frame.loc["a", "fixed/macro_f1"] == 0.5
    assert frame.loc["a", "param/lr"] == 0.1
    assert frame.loc["a", "cost/seconds_total"] == 2.0
    assert frame.loc["a", "setting/trials"] == 4
    assert math.isnan(frame.loc["b", "fixed/macro_f1"])
    assert "labels" not in frame.columns
