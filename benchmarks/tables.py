"""Markdown files of tables, such as results/benchmarks/training.md: a run replaces the tables that it measured, and no others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MEASURED = "Measured on "
_SECTION = re.compile(r"^### (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Table:
    """A table with the text below it, and the line that says where and when it was measured."""

    text: str
    measured: str


def merged(old: str, new: Mapping[str, str], measured: str) -> str:
    """The file with the tables of this run in it; tables keep their places, and new ones follow."""
    tables = parse(old) | {title: Table(text.strip(), measured) for title, text in new.items()}
    lines = {table.measured for table in tables.values()}
    parts = [f"{MEASURED}{lines.pop()}"] if len(lines) == 1 else []
    # Tables of several runs: each says for itself where it was measured.
    own = {title: [] if parts else [f"{MEASURED}{table.measured}"] for title, table in tables.items()}
    for title, table in tables.items():
        parts += [f"### {title}", *own[title], table.text]
    return "\n\n".join(parts) + "\n"


def parse(text: str) -> dict[str, Table]:
    """The tables of a file by their titles."""
    head, *sections = _SECTION.split(text)
    shared = _measured(head)[0]
    out = {}
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        own, rest = _measured(body)
        out[title.strip()] = Table(rest, own or shared)
    return out


def write(path: Path, new: Mapping[str, str], measured: str) -> None:
    """Merge the tables of this run into a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(merged(old, new, measured), encoding="utf-8")


def _measured(text: str) -> tuple[str, str]:
    """The line about the machine at the beginning of a text ("" if there is none), and the rest."""
    text = text.strip()
    if not text.startswith(MEASURED):
        return "", text
    line, _, rest = text.partition("\n")
    return line.removeprefix(MEASURED), rest.strip()
