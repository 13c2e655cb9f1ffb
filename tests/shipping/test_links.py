"""Every relative link and anchor of the pages leads somewhere; addresses and identifiers are well formed.

`mkdocs build --strict` checks docs/ alone, and only when the extra docs is installed. Nothing here needs a network.
"""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
MADE = {"datasets.md", "backbones.md"}  # written by docs/hooks.py when the site is built
PUBLISHED = [ROOT / "results" / "published", ROOT / "results" / "submitted"]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        ROOT / "results" / "README.md",
        *(page for folder in PUBLISHED for page in folder.rglob("*.md")),
    ]
)
HTML = sorted((ROOT / "results" / "published").rglob("*.html"))
FENCE = re.compile(r"^(```+|~~~+).*?^\1\s*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"\]\(\s*<?([^\s()<>]+(?:\([^\s()]*\)[^\s()<>]*)*)>?(?:\s+\"[^\"]*\")?\s*\)")
DEFINITION = re.compile(r"^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)


@cache
def links(page: Path) -> list[str]:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    text = CODE.sub("code", text)
    return LINK.findall(text) + DEFINITION.findall(text)


@cache
def anchors(page: Path) -> set[str]:
    """The names of the headings of a page, as GitHub and as MkDocs make them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    names = set(re.findall(r"(?:id|name)=\"([^\"]+)\"|\{ *#([\w-]+)", text))
    found = {one for pair in names for one in pair if one}
    for title in re.findall(r"^#{1,6}\s+(.+?)\s*#*$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).replace("`", "").lower()
        kept = re.sub(r"[^\w\- ]", "", plain)
        found |= {
            kept.replace(" ", "-"),
            re.sub(r"[-\s]+", "-", kept.encode("ascii", "ignore").decode()).strip("-"),
        }
    return found


def broken(page: Path, target: str) -> str | None:
    """Say what is wrong with a link, or None."""
    parts = urlsplit(target)
    if parts.scheme in ("http", "https"):
        wellformed = re.fullmatch(r"[\w-]+(\.[\w-]+)+", parts.hostname or "")
        return None if wellformed else "is no address"
    if parts.scheme or parts.netloc or target.startswith("/"):
        return "is neither relative nor an address"
    file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if file.parent == ROOT / "docs" and file.name in MADE:
        return None
    if not file.is_relative_to(ROOT) or not file.exists():
        return "does not exist"
    if parts.fragment and file.suffix == ".md" and parts.fragment not in anchors(file):
        return "has no such heading"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    faults = [f"{target} {fault}" for target in links(page) if (fault := broken(page, target))]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("page", HTML, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_published_page_lead_somewhere(page: Path) -> None:
    found: list[str] = []
    names: set[str] = set()

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            values = dict(attrs)
            names.update(value for key in ("id", "name") if (value := values.get(key)))
            if tag == "a" and (href := values.get("href")):
                found.append(href)

    Reader().feed(page.read_text(encoding="utf-8"))
    own = [target for target in found if target.startswith("#")]
    assert [target for target in own if unquote(target[1:]) not in names] == []
    others = [target for target in found if not target.startswith(("#", "data:", "blob:"))]
    assert [target for target in others if broken(page, target)] == []


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ("data.md", None),
        ("missing.md", "does not exist"),
        ("data.md#measure-your-augmented-rows", None),
        ("data.md#no-such-heading", "has no such heading"),
        ("../../elsewhere/README.md", "does not exist"),
        ("/docs/data.md", "is neither relative nor an address"),
        ("https://", "is no address"),
    ],
)
def test_the_check_finds_broken_links(target: str, fault: str | None) -> None:
    assert broken(ROOT / "docs" / "index.md", target) == fault


def test_links_are_found_beside_code_but_not_inside(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "[`name`](a.md) `[x](no.md)` then `b` [c](d.md#e)\n\n```\n[f](no.md)\n```\n\n[g]: h.md\n",
        encoding="utf-8",
    )
    assert links(page) == ["a.md", "d.md#e", "h.md"]


def test_identifiers_of_publications_are_well_formed() -> None:
    rows = re.findall(
        r"^\|(?:[^|]+\|){3}([^|]+)\|[^|]+\|$", (ROOT / "docs" / "references.md").read_text("utf-8"), re.M
    )
    cells = [row.strip() for row in rows if not re.fullmatch(r"\s*(-+|identifier)\s*", row)]
    assert len(cells) > 50
    # DOI: the handbook's prefix and suffix, without punctuation that belongs to the sentence; arXiv: as numbered since 2007.
    known = r"ISBN [\d-]{17}|DOI 10\.\d{4,9}/[^\s,|]*[\w)]|arXiv:\d{4}\.\d{4,5}|(\w+\.)+org/[\w/-]+|[^\d]*"
    odd = [cell for cell in cells if not all(re.fullmatch(known, part) for part in re.split(r"[,;] ", cell))]
    assert not odd, odd
