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


@pytest.mark.slow
def test_twenty_thousand_rows_make_five_megabytes(
    make_row: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    names = ["none", *[name for name in registry("strategy").names() if name != "none"][: STRATEGIES - 1]]
    labels = [f"label {i}" for i in range(LABELS)]
    with (tmp_path / "rows.jsonl").open("wb") as file:
        for table in range(TABLES):
            more = {"dataset": f"data-{table // 2}", "backbone": ("linear", "lstm")[table % 2]}
            for i, name in enumerate(names):
                file.writelines(
                    encode(make_row(name, split, i / 1000, labels, **more)) for split in range(SPLITS)
                )
    store = Store(tmp_path)
    rows = store.rows(SELECTION)
    assert len(rows) == TABLES * STRATEGIES * SPLITS
    html = page_html(rows, store, None, "equipoise report --html page.html")
    assert len(html.encode()) / 1e6 <= MEGABYTES
    # Every table is there in full, with its rarest labels, and folded.
    assert html.count('<tr data-s="loss"') > TABLES
    assert len(re.findall(r'<details class=block id="table-\d+">', html)) == TABLES
    assert html.count("<th scope=row>label 52<") == TABLES
    _opens_in_a_browser(html, tmp_path / "page.html")


def _opens_in_a_browser(html: str, file: Path) -> None:
    """Where there is a browser: the page is ready, a table unfolds and sorts, each within some seconds."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="size checked; no browser to open it with")
    file.write_text(html, encoding="utf-8")
    with sync_api.sync_playwright() as driver:
        path = Path(driver.chromium.executable_path)
        chromium = driver.chromium.launch(
            executable_path=str(path if path.is_file() else "/usr/bin/chromium"), args=["--no-sandbox"]
        )
        tab = chromium.new_page()
        tab.set_default_timeout(15_000)
        tab.goto(file.as_uri())
        tab.locator("#overview-table a").nth(60).click()
        tab.locator("#table-61-strategies thead button").first.click()
        assert tab.locator("#table-61-strategies tbody tr:visible").count() == STRATEGIES
        chromium.close()
