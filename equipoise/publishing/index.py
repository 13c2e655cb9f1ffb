"""The index over all published folders, as Markdown and as a page without scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from equipoise.core.errors import EquipoiseError
from equipoise.publishing.coverage import summary
from equipoise.publishing.folder import MANIFEST, README, read_folder
from equipoise.publishing.readme import withdrawn, written

INDEX, INDEX_PAGE = "index.md", "index.html"
_TITLE = "Published results"
_INTRODUCTION = (
    "Each folder holds the rows of finished sweeps with everything needed to check and to repeat them; docs/published.md says "
    "how to cite and verify them. Rows are never edited: what turned out to be wrong is withdrawn, and stays here."
)
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #ccc;"
    "vertical-align:top}a{color:#0b4f8a}"
)
_COLUMNS = ("Result", "State", "Published", "Data sets", "Rows", "Core-hours", "Finding")


@dataclass(frozen=True)
class Listed:
    """A line of the index. `link` is the file to open; numbers are text, "" where they are not known."""

    name: str
    link: str
    state: str
    published: str = ""
    data: str = ""
    rows: str = ""
    cost: str = ""
    finding: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """The line without its first column."""
        return (self.state, self.published, self.data, self.rows, self.cost, self.finding)


def write_index(parent: Path) -> list[Listed]:
    """Write index.md and index.html over the folders of `parent`; returns its lines, the newest first.

    A folder without a manifest was published by hand: it is listed with what its README says.
    """
    folders = [folder for folder in parent.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
    listed = [line for folder in folders if (line := _listed(folder)) is not None]
    # Newest first; those without a date have it in their names.
    listed.sort(key=lambda line: (line.state == _WITHDRAWN, line.name))
    listed.sort(key=lambda line: line.published or "", reverse=True)
    (parent / INDEX).write_text(_markdown(listed), encoding="utf-8")
    (parent / INDEX_PAGE).write_text(_html(listed), encoding="utf-8")
    return listed


_WITHDRAWN = "withdrawn"


def _listed(folder: Path) -> Listed | None:
    file = folder / README
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    title = text.partition("\n")[0]
    # A withdrawn folder says so in its title, by hand, since nothing else may be changed in it.
    state = _WITHDRAWN if _WITHDRAWN in title.lower() else "published"
    if not (folder / MANIFEST).is_file():
        return Listed(folder.name, f"{folder.name}/{README}", state) if text else None
    try:
        manifest = read_folder(folder).manifest
    except EquipoiseError as error:
        return Listed(folder.name, f"{folder.name}/{README}", f"damaged: {error}")
    if withdrawn(text):
        state = _WITHDRAWN
    parts = "; ".join(summary(suite) for suite in manifest.get("suites", ()))
    return Listed(
        name=folder.name,
        link=f"{folder.name}/{README}",
        state=f"{state}: {parts}" if parts and state != _WITHDRAWN else state,
        published=str(manifest["published"]),
        data=_data([str(one["name"]) for one in manifest["data"]]),
        rows=str(manifest["rows"]),
        cost=f"{manifest['core_hours']:.3g}",
        finding="written" if written(text) else "not written yet",
    )


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
    head = "".join(f'<th scope="col">{name}</th>' for name in _COLUMNS)
    body = "".join(
        f'<tr><th scope="row"><a href="{escape(_page(line))}">{escape(line.name)}</a></th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in line.cells)
        + "</tr>\n"
        for line in listed
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{_TITLE}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
        f"<body><main><h1>{_TITLE}</h1>\n<p>{escape(_INTRODUCTION)}</p>\n<table><thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}</tbody></table></main></body>\n</html>\n"
    )


def _page(line: Listed) -> str:
    """The page of a folder; one that was published by hand has its README only."""
    return f"{line.name}/index.html" if line.published else line.link
