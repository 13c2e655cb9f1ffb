"""The folder of a suite may grow: rows are added, and none that is published changes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from equipoise.publishing.growth import history
from equipoise.publishing.readme import UNWRITTEN, finding_of
from equipoise.store.rows import clean
from equipoise.store.store import Store

Say = Callable[..., Any]
Rows = list[dict[str, Any]]
BLOCKS = ('datasets = ["design-emails[rows=120]"]', 'datasets = ["design-emails[rows=120,seed=1]"]')


class Folder:
    """A folder that is published again and again from stores with these rows."""

    def __init__(self, say: Say, tmp_path: Path) -> None:
        self.say, self.tmp_path, self.path = say, tmp_path, tmp_path / "out" / "tiny-2026-11"
        self.stores = 0

    def publish(self, rows: Rows, suite: str = "mine.toml") -> Any:
        self.stores += 1
        store = Store(self.tmp_path / f"store{self.stores}")
        for row in rows:
            store.append(row)
        words = ["--results", str(store.path), "--into", "out", *(["--suite", suite] if suite else [])]
        return self.say("publish", "tiny-2026-11", *words)

    def lines(self) -> list[bytes]:
        return gzip.decompress((self.path / "rows.jsonl.gz").read_bytes()).splitlines()

    def manifest(self) -> dict[str, Any]:
        return dict(json.loads((self.path / "manifest.json").read_bytes()))


@pytest.fixture
def grown(say: Say, tmp_path: Path, suite: Callable[..., Path]) -> Folder:
    suite(*BLOCKS)
    return Folder(say, tmp_path)


def refused(said: Any, *words: str) -> None:
    assert said.code == 2, said
    assert said.err.count("\n") == 1
    for word in words:
        assert word in said.err


def test_a_folder_grows_and_keeps_its_rows_and_its_history(grown: Folder, rows: Rows) -> None:
    assert grown.publish(rows[:6]).code == 0
    first, lines = grown.manifest(), grown.lines()
    readme = grown.path / "README.md"
    text = readme.read_text(encoding="utf-8")
    assert "How it has grown" not in text
    readme.write_text(text.replace(UNWRITTEN, "One block so far."), encoding="utf-8")
    assert grown.publish(rows).code == 0
    assert len(lines) == 6
    assert len(grown.lines()) == 12
    assert set(lines) < set(grown.lines())
    states = grown.manifest()["history"]
    assert [state["rows"] for state in states] == [6, 12]
    assert states[0]["rows_sha256"] == first["rows_sha256"]
    assert states[1]["rows_sha256"] == grown.manifest()["rows_sha256"]
    text = readme.read_text(encoding="utf-8")
    assert finding_of(text) == "One block so far."
    assert f"| 6 | {first['core_hours']:.3g} | `{first['rows_sha256']}` |" in text
    assert grown.publish(rows).code == 0
    assert grown.manifest()["history"] == states, "the same rows are no new state"
    assert grown.say("verify", str(grown.path), "--sample", "1").code == 0


def test_a_row_that_has_changed_is_named(grown: Folder, rows: Rows) -> None:
    assert grown.publish(rows[:6]).code == 0
    before = grown.lines()
    changed = {**rows[0], "objective": 0.5, "metrics": {**rows[0]["metrics"], "scores/map": 0.5}}
    said = grown.publish([changed, *rows[1:]])
    refused(
        said, "may only grow", rows[0]["key"], "linear · none · split 0", "has another metrics, objective"
    )
    assert grown.lines() == before


def test_a_row_that_would_go_is_named(grown: Folder, rows: Rows) -> None:
    assert grown.publish(rows).code == 0
    refused(
        grown.publish(rows[:6]),
        "may only grow",
        "seed=1] · linear · focal · split 0",
        "--reuse",
        "and so on for 5 more",
    )


def test_a_row_that_was_computed_again_by_other_code_is_named(grown: Folder, rows: Rows) -> None:
    assert grown.publish(rows[:6]).code == 0
    again = [{**row, "key": f"new{k}", "code": f"0123/{row['code']}"} for k, row in enumerate(rows[:6])]
    refused(grown.publish([*rows[:6], *again]), "has been computed again with other code", "as new", "5 more")


def test_a_suite_that_has_changed_is_refused(grown: Folder, rows: Rows, suite: Callable[..., Path]) -> None:
    assert grown.publish(rows[:6]).code == 0
    suite(*BLOCKS, "datasets = ['emotions']")
    refused(grown.publish(rows), "the suite mine has changed")
    suite(*BLOCKS, name="other")
    refused(grown.publish(rows, "other.toml"), "holds rows of mine, not of other")
    refused(grown.publish(rows, ""), "its rows are frozen")
    refused(grown.publish(rows[:6], ""), "holds rows of a suite", "--suite mine")


def test_rows_of_no_suite_stay_frozen(grown: Folder, rows: Rows) -> None:
    assert grown.publish(rows[:6], "").code == 0
    refused(grown.publish(rows), "its rows are frozen", "--suite")


def test_a_damaged_folder_does_not_grow(grown: Folder, rows: Rows) -> None:
    assert grown.publish(rows[:6]).code == 0
    (grown.path / "rows.jsonl.gz").write_bytes(gzip.compress(b"\n".join(grown.lines()[1:]) + b"\n"))
    refused(grown.publish(rows), "does not hold the rows")


def test_rows_of_equal_numbers_in_another_spelling_do_not_replace_others(
    grown: Folder, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert grown.publish(rows[:6]).code == 0
    before = grown.lines()

    def spaced(row: dict[str, Any]) -> bytes:
        return json.dumps(clean(row), separators=(" , ", " : ")).encode() + b"\n"

    monkeypatch.setattr("equipoise.publishing.rows.encode", spaced)
    refused(grown.publish(rows), "is written in another way", "5 more")
    assert grown.lines() == before


def test_the_machine_of_the_last_state_can_be_put_right() -> None:
    now = {"rows": 6, "rows_sha256": "a", "core_hours": 1.0}
    first = history(None, now, "a laptop")
    before = {**now, "published": first[0]["date"], "machine": first[0]["machine"], "history": first}
    (right,) = history(before, now, "32 nodes")
    assert right["machine"]["description"] == "32 nodes"
    grown = history(before, {**now, "rows_sha256": "b"}, "one server")
    assert [state["machine"]["description"] for state in grown] == ["a laptop", "one server"]
    assert history({**before, "history": grown}, {**now, "rows_sha256": "b"}, "") == grown
    del before["history"]
    assert history(before, now, "") == first, "earlier versions wrote none"
