"""A page of 20,000 rows: at most 5 MB, and ready in a browser within seconds."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from equipoise.catalog.registry import registry
from equipoise.page.extras import SELECTION
from equipoise.page.render import page_html
from equipoise.store.rows import encode
from equipoise.store.store import Store

TABLES, STRATEGIES, SPLITS, LABELS = 100, 40, 5, 53
MEGABYTES = 5.0


@pytest.fixture(scope="module")
def large(make_row: Callable[..., dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a hundred tables: 50 data sets, two backbones."""
    folder = tmp_path_factory.mktemp("large")
    names = ["none", *[name for name in registry("strategy").names() if name != "none"][: STRATEGIES - 1]]
    labels = [f"label {i}" for i in range(LABELS)]
    # Written at once: an append for each row would wait for the disk 20,000 times.
    with (folder / "rows.jsonl").open("wb") as file:
        for table in range(TABLES):
            more = {"dataset": f"data-{table // 2}", "backbone": ("linear", "lstm")[table % 2]}
            for i, name in enumerate(names):
                file.writelines(encode(make_row(name, s, i / 1000, labels, **more)) for s in range(SPLITS))
    store = Store(folder)
    rows = store.rows(SELECTION)
    assert len(rows) == TABLES * STRATEGIES * SPLITS
    html = page_html(rows, store, None, "equipoise report --html page.html")
    (folder / "page.html").write_text(html, encoding="utf-8")
    return folder / "page.html"


@pytest.mark.slow
def test_twenty_thousand_rows_make_five_megabytes(large: Path) -> None:
    assert large.stat().st_size / 1e6 <= MEGABYTES
    html = large.read_text(encoding="utf-8")
    # Every table is there in full, with its rarest labels, and folded.
    assert html.count("<th scope=row>none<td>–") >= TABLES
    assert len(re.findall(r'<details class=block id="table-\d+">', html)) == TABLES
    assert html.count("<th scope=row>label 20<") == TABLES
    assert "<th scope=row>label 0<" not in html
    assert len(re.findall(r"The \d+ most frequent labels are left out here", html)) == TABLES


@pytest.mark.slow
def test_a_large_page_can_be_used(large: Path, browser: Any) -> None:
    tab = browser.new_page()
    tab.set_default_timeout(20_000)  # of milliseconds, for each step
    tab.goto(large.as_uri())
    tab.locator("#overview-table a").nth(60).click()
    tab.locator("#table-61-strategies thead button").first.click()
    assert tab.locator("#table-61-strategies tbody tr:visible").count() == STRATEGIES
    tab.locator("#table-61 .tools input[type=search]").first.fill("focal")
    assert 0 < tab.locator("#table-61-strategies tbody tr:visible").count() < STRATEGIES
    tab.close()
