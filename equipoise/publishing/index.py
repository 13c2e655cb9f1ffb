"""The index over all published folders, as Markdown and as a page without scripts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from equipoise.core.errors import EquipoiseError
from equipoise.core.files import write_whole
from equipoise.publishing.folder import MANIFEST, README, read_folder
from equipoise.publishing.readme import finding_of, has_marks, withdrawn, written
from equipoise.publishing.rows import amount
from equipoise.publishing.suites import summary

INDEX, INDEX_PAGE = "index.md", "index.html"
_TITLE = "Published results"
_WITHDRAWN = "withdrawn"
_INTRODUCTION = (
    "Each folder holds the rows of finished sweeps with everything needed to check and to repeat them; docs/published.md says "
    "how to cite and verify them. Rows are never edited: what turned out to be wrong is withdrawn, and stays here."
)
#: Colours are those of the reader's system. On a narrow screen each folder is a block of lines, with the column before each.
_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #8888;"
    "vertical-align:top}.short{white-space:nowrap}"
    "@media(max-width:48rem){thead{position:absolute;left:-99rem}tr{display:block;padding:.7rem 0;border-bottom:1px solid #8888}"
    "tbody th,td{display:block;border:0;padding:.1rem 0}td:empty{display:none}td::before{content:attr(data-column) ': '}}"
)
_COLUMNS = ("Result", "Finding", "State", "Data sets", "Rows", "Core-hours", "Published")
#: Columns that are not wrapped: dates and numbers.
_SHORT = {"Rows", "Core-hours", "Published"}


@dataclass(frozen=True)
class Listed:
    """A line of the index. `link` is the file to open; numbers are text, "" where they are not known."""

    name: str
    link: str
    finding: str
    state: str
    data: str = ""
    rows: str = ""
    cost: str = ""
    published: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """The line without its first column, in the order of the columns."""
        return (self.finding, self.state, self.data, self.rows, self.cost, self.published)


def write_index(parent: Path) -> list[Listed]:
    """Write index.md and index.html over the folders of `parent`; returns its lines, the newest first.

    A folder without a manifest was published by hand: it is listed with what its README says.
    """
    folders = [folder for folder in parent.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
    listed = [line for folder in folders if (line := _listed(folder)) is not None]
    # Newest first; those without a date have it in their names.
    listed.sort(key=lambda line: (line.state == _WITHDRAWN, line.name))
    listed.sort(key=lambda line: line.published or "", reverse=True)
    for name, text in ((INDEX, _markdown(listed)), (INDEX_PAGE, _html(listed))):
        write_whole(parent / name, text)
    return listed


def _listed(folder: Path) -> Listed | None:
    file = folder / README
    # A link may lead out of the folder.
    there = file.is_file() and not file.is_symlink()
    text = file.read_text(encoding="utf-8", errors="replace") if there else ""
    link, finding = f"{folder.name}/{README}", headline(text)
    # A folder that was published by hand has no marks for a finding: there the title says that it is withdrawn.
    state = _WITHDRAWN if _WITHDRAWN in text.partition("\n")[0].lower() else "published"
    if not (folder / MANIFEST).is_file():
        return Listed(folder.name, link, finding, state) if text else None
    try:
        manifest = read_folder(folder).manifest
    except EquipoiseError as error:
        # The index is published, and where this machine keeps its files is nobody's business.
        return Listed(folder.name, link, finding, f"damaged: {str(error).replace(str(folder), folder.name)}")
    if withdrawn(text):
        state = _WITHDRAWN
    parts = "; ".join(summary(suite) for suite in manifest.get("suites", ()))
    return Listed(
        name=folder.name,
        link=link,
        finding=finding if written(text) else "not written yet",
        state=f"{state}: {parts}" if parts and state != _WITHDRAWN else state,
        data=_data([str(one["name"]) for one in manifest["data"]]),
        rows=str(manifest["rows"]),
        cost=amount(manifest["core_hours"]),
        published=str(manifest["published"]),
    )


#: What Markdown writes around words: emphasis, code, and the target of a link.
_MARKUP = re.compile(r"\*\*|(?<!\w)\*|\*(?!\w)|`|!?\[|\]\([^)]*\)")
_SENTENCE = re.compile(r"\*\*(.+?)\*\*|(.+?[.?!])(?=\s|$)", re.DOTALL)


def headline(text: str, most: int = 240) -> str:
    """The first words of a finding as plain text: what is in bold at its start, or its first sentence; "" for an empty one.

    Args:
        text: a README; of one without marks, what follows its title.
        most: characters; a longer sentence is cut.
    """
    finding = finding_of(text) if has_marks(text) else text.partition("\n")[2]
    begin = finding.strip().partition("\n\n")[0]
    match = _SENTENCE.match(begin)
    words = " ".join(_MARKUP.sub("", match.group() if match else begin).split())
    return words if len(words) <= most else f"{words[: most - 1]}…"


def _data(names: Iterable[str]) -> str:
    """The data sets in a cell of the table; one that is there with several options, such as a generated world, is named once."""
    settings = Counter(name.partition("[")[0] for name in dict.fromkeys(names))
    return ", ".join(name if count == 1 else f"{name} ({count} settings)" for name, count in settings.items())


def _markdown(listed: Iterable[Listed]) -> str:
    head = f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}\n"
    body = "".join(
        f"| [{line.name}]({line.link}) | {' | '.join(c.replace('|', chr(92) + '|') for c in line.cells)} |\n"
        for line in listed
    )
    return f"# {_TITLE}\n\n{_INTRODUCTION}\n\n{head}{body}"


def _html(listed: Iterable[Listed]) -> str:
    # The roles are those that the elements have anyway, until the style of a narrow screen takes them away.
    head = "".join(f'<th role="columnheader" scope="col">{name}</th>' for name in _COLUMNS)
    body = "".join(
        '<tr role="row"><th role="rowheader" scope="row" class="short">'
        f'<a href="{escape(_page(line))}">{escape(line.name)}</a></th>'
        + "".join(map(_cell, _COLUMNS[1:], line.cells))
        + "</tr>\n"
        for line in listed
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{_TITLE}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
        f"<body><main><h1>{_TITLE}</h1>\n<p>{escape(_INTRODUCTION)}</p>\n"
        f'<table role="table"><thead role="rowgroup"><tr role="row">{head}</tr></thead>\n'
        f'<tbody role="rowgroup">\n{body}</tbody></table></main></body>\n</html>\n'
    )


def _cell(column: str, text: str) -> str:
    short = ' class="short"' if column in _SHORT else ""
    return f'<td role="cell" data-column="{column}"{short}>{escape(text)}</td>'


def _page(line: Listed) -> str:
    """The page of a folder; one that was published by hand has its README only."""
    return f"{line.name}/index.html" if line.published else line.link
