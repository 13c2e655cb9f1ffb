"""The page in a real browser without a network: no error, no request, tables that sort, filter and save; accessibility."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Rows = Callable[..., list[dict[str, Any]]]
Make = Callable[..., str]


def _axe() -> str:
    """The source of axe-core: the file $EQUIPOISE_AXE."""
    file = os.environ.get("EQUIPOISE_AXE", "")
    if not Path(file).is_file():
        pytest.skip("set EQUIPOISE_AXE to axe.min.js (npm install axe-core)")
    return Path(file).read_text(encoding="utf-8")


class Opened:
    """A page in a tab without a network, what it asked for beyond itself, and what it complained about."""

    def __init__(self, browser: Any, file: Path, **options: Any) -> None:
        self.context = browser.new_context(offline=True, accept_downloads=True, **options)
        self.tab = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.on("console", lambda message: self.complaints.append(message.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.goto(file.as_uri())
        self.own = file.as_uri()

    def column(self, table: str, index: int = 0) -> list[str]:
        """The visible texts of a column."""
        rows = self.tab.locator(f"#{table} tbody tr:visible")
        return [
            " ".join(text.split())
            for text in rows.locator(f":scope > :nth-child({index + 1})").all_inner_texts()
        ]

    def quiet(self) -> None:
        """Assert that nothing was asked for and nothing went wrong."""
        assert self.complaints == []
        assert [url for url in self.requests if url != self.own and not url.startswith("blob:")] == []


@pytest.fixture
def opened(browser: Any, page: Make, rows_of: Rows, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Opens the page of two data sets, or of the rows given."""
    tabs: list[Opened] = []

    def open_page(rows: list[dict[str, Any]] | None = None, **options: Any) -> Opened:
        file = tmp_path / "page.html"
        usual = [*rows_of(dataset="yeast"), *rows_of(dataset="words", splits=3)]
        file.write_text(page(usual if rows is None else rows), encoding="utf-8")
        tabs.append(Opened(browser, file, **options))
        return tabs[-1]

    yield open_page
    for tab in tabs:
        tab.context.close()


def test_a_heading_sorts_and_sorts_back(opened: Callable[..., Opened]) -> None:
    page = opened()
    heads = page.tab.locator("#table-1-strategies thead button")
    names = heads.all_inner_texts()
    tuned = names.index("F1 tuned")
    heads.nth(tuned).click()
    down = page.column("table-1-strategies", tuned)
    assert down == sorted(down, reverse=True)
    assert page.column("table-1-strategies")[0] == "focal"
    heads.nth(tuned).click()
    assert page.column("table-1-strategies", tuned) == sorted(down)
    state = page.tab.locator("#table-1-strategies thead th").nth(tuned).get_attribute("aria-sort")
    assert state == "ascending"
    # Signs and brackets are no part of the order: the smallest difference is the most negative one.
    difference = names.index("Δ tuned")
    heads.nth(difference).click()
    heads.nth(difference).click()
    assert page.column("table-1-strategies")[0] == "ml_ros"
    heads.nth(0).click()
    assert page.column("table-1-strategies") == ["focal", "ml_ros", "none", "pos_weight"]
    page.quiet()


def test_filters_and_columns(opened: Callable[..., Opened]) -> None:
    page = opened()
    tools = page.tab.locator(
        ".tools", has=page.tab.get_by_label("Save as CSV: Strategies, best first: yeast")
    )
    tools.locator("select").select_option("resample")
    assert page.column("table-1-strategies") == ["ml_ros"]
    assert tools.get_by_role("status").inner_text() == "1 of 4 rows"
    tools.locator("select").select_option("")
    tools.get_by_label("Filter").fill("WEIGHT")
    assert page.column("table-1-strategies") == ["pos_weight"]
    tools.get_by_label("Filter").fill("")
    tools.get_by_text("Columns", exact=True).click()
    tools.get_by_label("rcr@10").uncheck()
    heads = page.tab.locator("#table-1-strategies thead th:visible").all_inner_texts()
    assert "rcr@10" not in heads
    assert "mAP" in heads
    page.quiet()


def test_what_is_shown_can_be_saved(opened: Callable[..., Opened]) -> None:
    page = opened()
    tools = page.tab.locator(
        ".tools", has=page.tab.get_by_label("Save as CSV: Strategies, best first: yeast")
    )
    tools.get_by_label("Filter").fill("focal")
    with page.tab.expect_download() as saved:
        tools.get_by_role("button", name="Save as CSV").click()
    rows = list(csv.reader(io.StringIO(Path(saved.value.path()).read_text(encoding="utf-8"))))
    assert saved.value.suggested_filename == "table-1-strategies.csv"
    assert [row[0] for row in rows] == ["strategy", "focal"]
    page.quiet()


def test_all_numbers_can_be_saved_in_both_forms(opened: Callable[..., Opened]) -> None:
    page = opened()
    found = {}
    for kind in ("CSV", "JSON"):
        with page.tab.expect_download() as saved:
            page.tab.get_by_role("button", name=f"All strategies as {kind}").click()
        found[kind] = Path(saved.value.path()).read_text(encoding="utf-8")
    records = json.loads(found["JSON"])
    lines = list(csv.DictReader(io.StringIO(found["CSV"])))
    assert len(records) == len(lines) == 8
    assert list(records[0]) == list(lines[0])
    for record, line in zip(records, lines, strict=True):
        assert record["strategy"] == line["strategy"]
        assert record["tuned_macro_f1"] == pytest.approx(float(line["tuned_macro_f1"]))
    page.quiet()


def test_a_name_from_the_data_is_no_code_and_no_formula(opened: Callable[..., Opened], rows_of: Rows) -> None:
    evil, formula = "</script><img src=x onerror=\"console.log('run')\">", "=1+1"
    page = opened(rows_of(labels=[evil, formula, "c", "d"], dataset=evil))
    assert page.tab.locator("img").count() == 0
    page.tab.get_by_text("Every label, the rarest first").click()
    assert evil in page.column("table-1-labels")
    with page.tab.expect_download() as saved:
        page.tab.get_by_label("Save as CSV: Labels").click()
    rows = list(csv.reader(io.StringIO(Path(saved.value.path()).read_text(encoding="utf-8"))))
    assert {evil, "'=1+1"} <= {row[0] for row in rows}
    page.quiet()


def test_a_large_page_starts_folded_and_a_link_unfolds(opened: Callable[..., Opened], rows_of: Rows) -> None:
    page = opened([row for name in "abcd" for row in rows_of(dataset=name, splits=2)])
    assert not page.tab.locator("#table-3-strategies").is_visible()
    page.tab.locator("#overview-table a").nth(2).click()
    page.tab.wait_for_selector("#table-3-strategies", state="visible")
    # Tools come with the table.
    assert page.tab.get_by_label("Save as CSV: Strategies, best first: c · linear").is_visible()
    page.quiet()


@pytest.mark.parametrize("width", [390, 900, 1400])
def test_nothing_is_wider_than_the_screen(width: int, opened: Callable[..., Opened]) -> None:
    page = opened(viewport={"width": width, "height": 900})
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= width
    page.quiet()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(scheme: str, opened: Callable[..., Opened]) -> None:
    # The policy of the page would keep the checker out.
    page = opened(color_scheme=scheme, bypass_csp=True)
    page.tab.evaluate(_axe())
    page.tab.evaluate("for (const part of document.querySelectorAll('main details')) part.open = true")
    found = page.tab.evaluate("axe.run().then((result) => result.violations)")
    serious = [f"{v['id']}: {v['nodes'][0]['html']}" for v in found if v["impact"] in ("serious", "critical")]
    assert serious == []
