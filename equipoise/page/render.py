"""Fills the template: one HTML file with its style, script and data inside, and a policy that forbids every request."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from equipoise.core.errors import EquipoiseError
from equipoise.core.paths import user_path
from equipoise.page.build import Page, build
from equipoise.page.cost import cost_quality, frontier
from equipoise.page.data import embedded
from equipoise.page.model import MEASURES, Delta
from equipoise.page.pictures import forest
from equipoise.page.ranking import MOST, cost_over_data, critical_difference, effects, kind_of, times
from equipoise.rankings.model import Effect, FamilyResult
from equipoise.report.words.numbers import duration, interval, number, percent
from equipoise.store.rows import Row
from equipoise.store.store import Store

HERE = Path(__file__).parent


def page_html(
    rows: Sequence[Row], store: Store, suite: str | None, command: str, results: str = "", note: str = ""
) -> str:
    """The HTML of the page; arguments as in `build`."""
    return html_of(build(rows, store, suite, command, results, note))


def html_of(page: Page) -> str:
    """The HTML of a view-model. Every value from the rows is escaped."""
    style, script = (_read(name) for name in ("style.css", "script.js"))
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        # A misspelt name in a template is an error, and not an empty place on the page.
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=number, signed=_signed, percent=_percent, duration=duration, count=_count, embedded=embedded
    )
    environment.globals.update(
        MEASURES=MEASURES,
        MOST=MOST,
        forest=forest,
        cost_quality=cost_quality,
        frontier=frontier,
        span=_span,
        critical_difference=critical_difference,
        effects=effects,
        cost_over_data=cost_over_data,
        kind_of=kind_of,
        times=times,
    )
    # Style and script are files of ours, which escaping would break.
    html = environment.get_template("page.html").render(
        page=page, style=Markup(style), script=Markup(script), policy=_policy(style, script)
    )
    # Indentation of the template, which would be a tenth of a large page.
    return "\n".join(line for line in map(str.strip, html.split("\n")) if line) + "\n"


def check_writable(path: Path) -> Path:
    """The path of a page that can probably be written, with ~ replaced.

    Raises:
        EquipoiseError: its folder does not exist, or it is a folder.
    """
    file = user_path(path)
    if file.is_dir():
        raise EquipoiseError(
            f"cannot write {path}: it is a folder; name a file, such as {path / 'report.html'}"
        )
    # Checked before the page is made, which may take a minute.
    if not file.resolve().parent.is_dir():
        raise EquipoiseError(f"cannot write {path}: {file.parent} is not a folder")
    return file


def _read(name: str) -> str:
    # Stripped like the page itself: the policy holds the hash of the exact text.
    lines = (HERE / name).read_text(encoding="utf-8").split("\n")
    return "\n" + "\n".join(line for line in map(str.strip, lines) if line) + "\n"


def _policy(style: str, script: str) -> str:
    """A Content-Security-Policy that allows exactly this style sheet and this script, and nothing to be loaded."""
    # Of the exact text between the tags, as browsers hash it.
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; base-uri 'none'; "
        "form-action 'none'"
    )


def _signed(value: float) -> str:
    return number(value, True)


def _percent(share: float) -> str:
    return "–" if math.isnan(share) else percent(share)


def _count(value: float) -> str:
    """A mean number of rows: whole, or with one decimal place."""
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value - round(value)) < 0.05 else f"{value:,.1f}"


def _span(delta: Delta | Effect | FamilyResult) -> str:
    """The interval of a difference, or ""."""
    return interval(delta)
