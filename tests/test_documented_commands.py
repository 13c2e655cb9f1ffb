"""Every `equipoise` command printed in README.md and docs/ is one that the program accepts, with names that exist."""

from __future__ import annotations

import re
import shlex
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import typer

from equipoise.catalog.registry import registry
from equipoise.catalog.strategies import get_strategy
from equipoise.cli.main import app

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAM = re.compile(r"^(?:\$ )?(?:\.venv/bin/)?equipoise (?=\w)")


def commands() -> list[tuple[str, str]]:
    """Page and command line, from the shell blocks; lines that end in a backslash are joined."""
    found: list[tuple[str, str]] = []
    for page in PAGES:
        for block in re.findall(r"^```(?:sh|bash)\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
            lines = re.sub(r"\\\n\s*", " ", block).splitlines()
            parts = [part.strip() for line in lines for part in line.split("&&")]
            found += [(page.name, PROGRAM.sub("", part)) for part in parts if PROGRAM.match(part)]
    return sorted(set(found))


def words(line: str) -> list[str]:
    """The arguments as a shell passes them, without comment, redirection and the program that is started behind."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=">|&")
    lexer.whitespace_split = True
    return list(takewhile(lambda word: not set(word) <= set(">|&"), lexer))


def test_there_are_commands_to_check() -> None:
    assert len(commands()) > 20


@pytest.mark.parametrize(("page", "line"), commands())
def test_the_program_accepts(page: str, line: str) -> None:
    command: Any = typer.main.get_command(app)
    context, args = None, words(line)
    name = "equipoise"
    while hasattr(
        command, "commands"
    ):  # a group; typer has group classes of its own, so the type says little
        context = command.make_context(name, [], parent=context, resilient_parsing=True)
        name, *args = args
        assert name in command.commands, f"{page}: there is no command {name}"
        command = command.commands[name]
    parsed = command.make_context(name, args, parent=context)  # raises a UsageError for what it does not know
    _check_names(parsed.params)


def _check_names(params: dict[str, object]) -> None:
    """Strategies, data sets and backbones that are not files are known by name."""
    for kind in ("strategy", "backbone", "dataset"):
        given = params.get(kind) or ()
        for spec in [given] if isinstance(given, str) else list(given):  # type: ignore[call-overload]
            if "/" in spec or "." in spec.split("[")[0]:
                continue  # a file of the reader
            if kind == "strategy":
                get_strategy(spec)
            else:
                registry(kind).get(spec.split("[")[0])
