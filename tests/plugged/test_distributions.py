"""All modules of an installed plugin count in the key of a row, however its distribution is laid out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from equipoise.catalog.plugins import code_of
from equipoise.catalog.registry import registry

#: Layout → the entry point, how the strategy's module gets its factor, and where the factor is.
LAYOUTS = {
    "relative": ("eq_pkg.mod", "from ._formula import FACTOR", "eq_pkg/_formula.py"),
    "absolute": ("eq_pkg.mod", "from eq_pkg._formula import FACTOR", "eq_pkg/_formula.py"),
    "subpackage": ("eq_pkg.mod", "from .inner.deep import FACTOR", "eq_pkg/inner/deep.py"),
    "from a subpackage": ("eq_pkg.sub.mod", "from .._formula import FACTOR", "eq_pkg/_formula.py"),
    "second top-level name": ("eq_pkg.mod", "from eq_other import FACTOR", "eq_other.py"),
    "namespace": ("eq_space.mod", "from ._formula import FACTOR", "eq_space/_formula.py"),
    "namespace subpackage": ("eq_space.sub.mod", "from ._formula import FACTOR", "eq_space/sub/_formula.py"),
    "other portion": ("eq_space.sub.mod", "from eq_space.other import FACTOR", "eq_space/other.py"),
    "module in no package": ("eq_pkg", "from eq_other import FACTOR", "eq_other.py"),
}


def layout(world: object, name: str, factor: float) -> tuple[str, dict[str, str]]:
    """Entry points and files of a distribution whose loss is scaled by this factor."""
    point, imports, place = LAYOUTS[name]
    text = world.head + world.mine.replace("self.gamma", "self.gamma * factor()")  # type: ignore[attr-defined]
    text += f"def factor():\n    {imports}\n    return FACTOR\n"
    module = point.replace(".", "/") + ".py"
    files = {module: text, place: f"FACTOR = {factor}"}
    # Regular packages; `eq_space` itself is a namespace.
    for folder in {Path(f).parent for f in files} - {Path(), Path("eq_space")}:
        files |= {
            (parent / "__init__.py").as_posix(): ""
            for parent in (folder, *folder.parents)
            if parent not in (Path(), Path("eq_space"))
        }
    return f"[equipoise.strategies]\nany = {point}\n", files


@pytest.mark.parametrize("record", [False, True], ids=["unlisted", "listed"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_factor_anywhere_in_the_distribution_counts(
    install: Callable[..., None], world: object, name: str, record: bool
) -> None:
    install(*layout(world, name, 1), record=record)
    before = code_of(registry("strategy").get("mine"))
    points, files = layout(world, name, 1)
    files[LAYOUTS[name][2]] = "'The factor.'\nFACTOR = 1  # as published\n"
    install(points, files, record=record)
    assert code_of(registry("strategy").get("mine")) == before, "words do not count"
    install(*layout(world, name, 50), record=record)
    assert code_of(registry("strategy").get("mine")) != before


def test_other_distributions_in_a_namespace_do_not_count_where_files_are_listed(
    install: Callable[..., None], world: object, tmp_path: Path
) -> None:
    install(*layout(world, "namespace", 1), record=True)
    before = code_of(registry("strategy").get("mine"))
    (tmp_path / "site" / "eq_space" / "foreign.py").write_text("X = 1", encoding="utf-8")
    registry.__globals__["_REGISTRIES"].clear()
    assert code_of(registry("strategy").get("mine")) == before


def test_what_runs_only_as_a_script_does_not_count(install: Callable[..., None], world: object) -> None:
    points, files = layout(world, "relative", 1)
    install(points, files)
    before = code_of(registry("strategy").get("mine"))
    files["eq_pkg/mod.py"] += "if __name__ == '__main__':\n    print(1)\n"
    install(points, files)
    assert code_of(registry("strategy").get("mine")) == before
    files["eq_pkg/mod.py"] += "if __name__ != '__main__':\n    print(1)\n"
    install(points, files)
    assert code_of(registry("strategy").get("mine")) != before


@pytest.mark.parametrize(
    "imports", ["from lib.helper import FACTOR", "import lib.helper\n    FACTOR = lib.helper.FACTOR"]
)
@pytest.mark.parametrize("on_the_path", [False, True])
def test_a_folder_of_modules_beside_a_file_counts(
    file: Callable[..., str],
    world: object,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    imports: str,
    on_the_path: bool,
) -> None:
    if on_the_path:
        monkeypatch.syspath_prepend(str(tmp_path))
    text = world.mine.replace("self.gamma", "self.gamma * factor()")  # type: ignore[attr-defined]
    mine = file("mine.py", text + f"def factor():\n    {imports}\n    return FACTOR\n")
    codes = []
    for factor in (1, 50):
        (tmp_path / "lib").mkdir(exist_ok=True)
        (tmp_path / "lib" / "helper.py").write_text(f"FACTOR = {factor}", encoding="utf-8")
        registry("strategy").add_file(mine)
        cls = registry("strategy").get("mine")
        assert sys.modules[cls.__module__].factor() == factor
        codes.append(code_of(cls))
    assert codes[0] != codes[1]
    assert "lib" not in sys.modules
