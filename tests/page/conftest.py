"""Rows for tests of the page, as a sweep writes them, and a parser of what the page holds."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise.page.extras import SELECTION
from equipoise.page.render import page_html
from equipoise.store.store import Store

from ..shared.made_rows import made_row

SUPPORTS = {"tuned/rcr_rows_at_3": 4.0, "tuned/rcr_rows_at_10": 20.0, "tuned/unseen_rows": 3.0}


def finished(strategy: str, split: int, gain: float, labels: Sequence[str], **more: Any) -> dict[str, Any]:
    """The row of a cell that succeeded; the numbers depend on strategy, split and data set alone."""
    rng = np.random.default_rng([split, *map(ord, strategy), *map(ord, more.get("dataset", ""))])
    noise = float(rng.normal(0, 0.004))
    score = {"fixed/macro_f1": 0.5, "tuned/macro_f1": 0.6, "own/macro_f1": 0.5, "scores/map": 0.65}
    metrics = {name: base + 0.01 * split + gain + noise for name, base in score.items()}
    rest = ("micro_f1", "head_f1", "medium_f1", "tail_f1", "rcr_at_3", "rcr_at_10", "unseen_recall")
    metrics |= {f"tuned/{name}": round(0.3 + noise, 4) for name in rest} | SUPPORTS
    counts = [max(2, 400 // (i + 1) ** 2) for i in range(len(labels))]
    f1 = [round(float(value), 3) for value in rng.uniform(0, 1, len(labels))]
    per_label = {"fixed/n_train": counts, "fixed/n_test": [n // 4 for n in counts], "fixed/f1": f1}
    per_label |= {"tuned/f1": f1, "fixed/average_precision": f1}
    seconds = 2.0 + sum(map(ord, strategy)) % 7
    cost = {"seconds_total": seconds, "seconds_search": 1.0, "seconds_refit": 0.5, "seconds_features": 0.1}
    key = hashlib.sha256(repr((strategy, split, sorted(more.items()))).encode()).hexdigest()[:16]
    row = made_row(
        key,
        strategy,
        split,
        metrics,
        code="0123456789abcdef",
        created=f"2026-11-2{split % 9}T10:00:00+00:00",
        settings={"trials": 4, "folds": 2},
        versions={"python": "3.11.7", "torch": "2.13.0"},
        labels=list(labels),
        per_label=per_label,
        cost=cost,
    )
    return row | more


def unfinished(strategy: str, split: int, status: str, why: str, **more: Any) -> dict[str, Any]:
    """The row of a cell that failed or was skipped."""
    row = finished(strategy, split, 0.0, ["a"], **more)
    reason = {"error": why} if status == "failed" else {"reason": why}
    return row | {"status": status, "metrics": {}, "per_label": {}} | reason


#: The strategies of the usual rows and what they gain.
GAINS = {"none": 0.0, "focal": 0.05, "ml_ros": -0.06, "pos_weight": 0.02}


def sweep(
    splits: int = 5, labels: Sequence[str] = ("rare", "common", "usual"), **more: Any
) -> list[dict[str, Any]]:
    """Rows of the four strategies of GAINS on some splits."""
    return [finished(name, s, gain, labels, **more) for name, gain in GAINS.items() for s in range(splits)]


class Parsed(HTMLParser):
    """The text of a page, its elements with their attributes, and the rows of its tables by id."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.words: list[str] = []
        self._table: list[list[str]] | None = None
        self._cell = self._quiet = False
        self.feed(html)
        self.close()
        self.text = " ".join(" ".join(self.words).split())
        for rows in self.tables.values():
            rows[:] = [[" ".join(cell.split()) for cell in row] for row in rows]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._quiet = tag in ("script", "style")
        if tag == "table":
            self._table = self.tables.setdefault(str(dict(attrs).get("id")), [])
        elif tag == "tr" and self._table is not None:
            self._table.append([])
        elif tag in ("td", "th") and self._table:
            self._table[-1].append("")
        self._cell = self._table is not None and bool(self._table) and bool(self._table[-1])

    def handle_endtag(self, tag: str) -> None:
        self._quiet = False
        if tag == "table":
            self._table = None

    def handle_data(self, data: str) -> None:
        if self._quiet:
            return
        self.words.append(data)
        if self._table and self._table[-1]:
            self._table[-1][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of a kind."""
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium: that of $EQUIPOISE_CHROMIUM, or the one on the path. Skips where there is none."""
    reason = "needs playwright: pip install -e '.[browser]'"
    sync_api = pytest.importorskip("playwright.sync_api", reason=reason)
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = os.environ.get("EQUIPOISE_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no Chromium: install one, or set EQUIPOISE_CHROMIUM to its path")
    with sync_api.sync_playwright() as driver:
        # As root, which a container often is, Chromium has no sandbox; the page is our own.
        chromium = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(tmp_path: Path) -> Callable[..., str]:
    """Writes rows into a store and makes the page of it, as the command does."""

    def make(rows: Sequence[dict[str, Any]], **more: Any) -> str:
        store = Store(tmp_path / f"store-{len(list(tmp_path.iterdir()))}")
        for row in rows:
            store.append(row)
        return page_html(store.rows(SELECTION), store, None, "equipoise report --html page.html", **more)

    return make


@pytest.fixture
def rows_of() -> Callable[..., list[dict[str, Any]]]:
    """`sweep`, for test modules, which cannot import this one."""
    return sweep


@pytest.fixture
def row_without_result() -> Callable[..., dict[str, Any]]:
    """`unfinished`, likewise."""
    return unfinished


@pytest.fixture(scope="session")
def make_row() -> Callable[..., dict[str, Any]]:
    """`finished`, likewise."""
    return finished


@pytest.fixture
def parsed() -> Callable[[str], Parsed]:
    """`Parsed`, likewise."""
    return Parsed
