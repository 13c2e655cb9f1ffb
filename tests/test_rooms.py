"""The rooms of `equipoise/`: imports point down only, also inside functions."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from equipoise import _WHERE as PUBLIC  # public name → the module it comes from

ROOT = Path(__file__).resolve().parent.parent

#: From top to bottom. A room imports from rooms of lower levels, and from itself; never from a neighbour on its own level.
LEVELS: tuple[tuple[str, ...], ...] = (
    ("cli",),
    ("api",),
    ("cluster",),
    ("publishing",),
    ("takehome",),
    ("timings",),
    ("sweep",),
    ("tracking", "diagnosis"),
    ("page",),
    ("rankings", "worlds"),
    ("report", "testing"),
    ("plots",),
    ("experiment",),
    ("engine",),
    ("catalog",),
    ("strategies", "datasets", "backbones", "suites"),
    ("bayes",),
    ("resampling", "thresholds", "readers", "metrics"),
    ("splits", "measures", "store"),
    ("contracts",),
    ("ops",),
    ("core",),
)
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
#: Public names that stay where users know them, though what they name lives higher up.
RE_EXPORTS = {"strategies/testing/__init__.py"}
#: Where the files of a room lie that is not a folder or module of `equipoise/`.
MAPPED = {
    "strategies": "strategies",
    "datasets": "datasets",
    "backbones": "backbones",
    "suites": "benchmarks/suites",
}


def files() -> Iterator[tuple[str, Path]]:
    """Every module with its room; the package's own `__init__` and `__main__` rank above all rooms."""
    for file in sorted((ROOT / "equipoise").rglob("*.py")):
        inside = file.relative_to(ROOT / "equipoise")
        if inside.name not in ("__init__.py", "__main__.py") or len(inside.parts) > 1:
            yield inside.parts[0].removesuffix(".py"), file
    for room, folder in MAPPED.items():
        yield from ((room, file) for file in sorted((ROOT / folder).rglob("*.py")))


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of every module of equipoise that a file imports, also below `if TYPE_CHECKING`.

    A public name that is imported from `equipoise` itself counts as its module, as in what `equipoise new` writes.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "equipoise":
            yield from (
                (node.lineno, PUBLIC.get(alias.name, f"equipoise.{alias.name}")) for alias in node.names
            )
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.lineno, node.module
        elif (
            isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "lazy"
        ):
            yield from ((node.lineno, a.value) for a in node.args if isinstance(a, ast.Constant))


def arrows() -> Iterator[tuple[str, str, str]]:
    """Room, imported room, and where."""
    for room, file in files():
        name = file.relative_to(ROOT).as_posix()
        if name in RE_EXPORTS:
            continue
        for line, module in imported(ast.parse(file.read_text(encoding="utf-8"))):
            parts = str(module).split(".")
            if parts[0] == "equipoise" and len(parts) > 1 and parts[1] != room:
                yield room, parts[1], f"{name}:{line}"


def test_every_module_is_in_a_known_room() -> None:
    assert {room for room, _ in files()} <= set(LEVEL)


def test_imports_point_down() -> None:
    wrong = [
        f"{where}: {room} imports {other}"
        for room, other, where in arrows()
        if LEVEL.get(other, -1) <= LEVEL[room]
    ]
    assert not wrong, "\n".join(wrong)


def test_a_folder_holds_about_ten_modules() -> None:
    """With more than fifteen modules in a room, a file can no longer be found by its name."""
    folders = Counter(
        file.parent for room, file in files() if room not in MAPPED and file.name != "__init__.py"
    )
    assert not {folder.name: n for folder, n in folders.items() if n > 15}


def test_the_reader_of_imports_sees_them_all() -> None:
    code = (
        "import equipoise.a\nfrom equipoise import b, tunable\n"
        "def f():\n    from equipoise.c.d import e\nx = lazy('equipoise.g')\n"
    )
    assert {m for _, m in imported(ast.parse(code))} == {
        "equipoise.a",
        "equipoise.contracts.hyperparameters",
        "equipoise.b",
        "equipoise.g",
        "equipoise.c.d",
    }


def test_contributing_shows_the_rooms_in_this_order() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    drawing = text.partition("## The rooms")[2].split("```")[1].strip().splitlines()
    shown = [tuple(line.split("  ")[0].split(" · ")) for line in drawing]
    assert shown == list(LEVELS)
