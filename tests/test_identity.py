"""The key of a row: what makes its predictions and nothing else; the code that runs is the code that was hashed."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from equipoise.api import choose
from equipoise.catalog import registry as registry_module
from equipoise.catalog.plugins import code_of
from equipoise.catalog.registry import Registry, registry
from equipoise.contracts.dataset import Dataset
from equipoise.core import code_hash
from equipoise.core.code_meaning import meaning
from equipoise.core.errors import EquipoiseError
from equipoise.experiment.pipeline import run_alone
from equipoise.experiment.versions import METRICS, engine_code, metrics_code
from equipoise.store.store import Store
from equipoise.sweep.plan import Plan, make_plan
from equipoise.sweep.run import Watcher, sweep

ROOT = Path(__file__).resolve().parent.parent
#: The folders that are mapped into the package, and where they lie.
FOLDERS = {
    "strategies": "strategies",
    "backbones": "backbones",
    "datasets": "datasets",
    "suites": "benchmarks/suites",
}

PLUGIN = """
from dataclasses import dataclass
from equipoise.contracts.strategy import Strategy, bce
{imports}

@dataclass(frozen=True)
class Mine(Strategy):
    "Scaled cross-entropy."
    name = "mine"

    def loss(self, logits, targets, ctx):
        {inside}
        return FACTOR * targets * bce(logits, targets) + bce(logits, targets)
"""
BESIDE = PLUGIN.format(imports="from helper import FACTOR", inside="pass")


@pytest.fixture(autouse=True)
def _own_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("equipoise.catalog.registry._REGISTRIES", {})
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())


# --- what counts of a source


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def f(x):\n    return x", 'def f(x):\n    """Gives x."""\n    # a note\n    return (x)'),
        ("def f(x):\n    return x", "def f(x: int) -> int:\n    return x"),
        ("def f():\n    y = 1\n    return y", "def f():\n    y: int = 1\n    return y"),
        ("raise ValueError('one')", "raise ValueError(f'two {3}' + str(x))"),
        ("raise ValueError('one')", "raise ValueError('{}'.format(x))"),
        ("raise ValueError('one')", "raise ValueError('two %s' % x)"),
        ("raise ValueError('one') from None", "raise ValueError('two') from None"),
        ("assert x, 'one'", "assert x, f'two {x}'"),
        ("import warnings\nwarnings.warn('one')", "import warnings\nwarnings.warn(f'two {x}')"),
        ("logger.info('one %s', x)", "logger.info('two %s', x)"),
        (
            "class A:\n    reference = 'one'\n    x = 1",
            "class A:\n    reference: ClassVar[str] = 'two'\n    x = 1",
        ),
        ("class A:\n    x: int = 1", "class A:\n    x: 'float | None' = 1"),
        ("class A:\n    x = 1", "class A:\n    x: ClassVar[int] = 1"),
        ("x = 1", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from a import b\nx = 1"),
        ("def f():\n    pass", "def f():\n    'Only told.'"),
    ],
)
def test_what_is_said_does_not_count(before: str, after: str) -> None:
    assert meaning(before) == meaning(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("raise ValueError('x')", "raise TypeError('x')"),
        ("raise Found(0.5)", "raise Found(0.6)"),
        ("x = 'one'", "x = 'two'"),
        ("f('one')", "f('two')"),
        ("warnings.simplefilter('error')", "warnings.simplefilter('ignore')"),
        ("logger.info('x', f())", "logger.info('x', g())"),
        ("class A:\n    x: int = 1", "class A:\n    x = 1"),  # a field of a dataclass, and none
        ("class A:\n    x: int = 1", "class A:\n    x: ClassVar[int] = 1"),
        ("def f(x=1):\n    return x", "def f(x=2):\n    return x"),
        ("from a import b", "from c import b"),
        ("if x:\n    y = 1", "if y:\n    y = 1"),
        ("reference = 'one'", "reference = 'two'"),  # of no class
    ],
)
def test_what_is_done_counts(before: str, after: str) -> None:
    assert meaning(before) != meaning(after)


# --- our own code: a copy of it is edited and hashed, not run


class Copy:
    """A copy of the package to edit; `changed` says which identities an edit moves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "equipoise", folder, ignore=shutil.ignore_patterns("__pycache__"))
        for name, place in FOLDERS.items():
            shutil.copytree(ROOT / place, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        self.kinds = {kind: registry(kind) for kind in ("strategy", "backbone")}
        with self.in_place():
            self.before = self.hashes()

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Our modules are looked for in the copy."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(code_hash, "file_of", cache(self._file))
            patch.setattr(code_hash, "_READ", {})
            patch.setattr(code_hash, "_BEGAN", float("inf"))  # nothing of the copy runs in this process
            yield
        code_hash._module.cache_clear()
        code_hash.engine_modules.cache_clear()

    def _file(self, name: str) -> Path | None:
        place = self.folder.joinpath(*name.split(".")[1:])
        files = (place / "__init__.py", place.with_suffix(".py"))
        return next((file for file in files if file.is_file() and place != self.folder), None)

    def hashes(self) -> dict[str, str]:
        code_hash._module.cache_clear()
        code_hash.engine_modules.cache_clear()
        classes = {name: known.get(name) for known in self.kinds.values() for name in known.names()}
        found = {name: code_hash.source_hash(cls) for name, cls in classes.items()}
        return {
            **found,
            "engine": code_hash.engine_hash(),
            "metrics": code_hash.digest(code_hash.texts(METRICS)),
        }

    def changed(self) -> set[str]:
        now = self.hashes()
        return {name for name in now if now[name] != self.before[name]}

    def edit(self, file: str, old: str, new: str) -> set[str]:
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} no longer holds {old!r}: this test has to be brought up to date"
        path.write_text(text.replace(old, new), encoding="utf-8")
        found = self.changed()
        path.write_text(text, encoding="utf-8")
        return found


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("copy") / "equipoise")


@pytest.fixture
def copy(copied: Copy) -> Iterator[Copy]:
    with copied.in_place():
        yield copied


class _Reworded(ast.NodeTransformer):
    """Other docstrings and other messages; unparsing loses comments and layout."""

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        for part in ast.walk(node):
            for name, value in ast.iter_fields(part):
                if isinstance(value, ast.JoinedStr) or (
                    isinstance(value, ast.Constant) and isinstance(value.value, str)
                ):
                    setattr(part, name, ast.Constant("reworded"))
            if isinstance(part, ast.Call):
                part.args = [ast.Constant("reworded") if _is_text(a) else a for a in part.args]
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        return (
            ast.Expr(ast.Constant("Another docstring.")) if _is_text(node.value) else self.generic_visit(node)
        )


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_every_sentence_of_the_package_may_change(copy: Copy) -> None:
    kept = {file: file.read_text(encoding="utf-8") for file in copy.folder.rglob("*.py")}
    for file, text in kept.items():
        tree = ast.fix_missing_locations(_Reworded().visit(ast.parse(text)))
        file.write_text(ast.unparse(tree), encoding="utf-8")
    reworded = sum("reworded" in file.read_text(encoding="utf-8") for file in kept)
    found = copy.changed()
    for file, text in kept.items():
        file.write_text(text, encoding="utf-8")
    assert found == set()
    assert reworded > 50


@pytest.mark.parametrize(
    ("file", "old", "new", "moves"),
    [
        ("catalog/registry.py", "no plugin file at", "there is no file", set()),
        ("core/errors.py", "did you mean", "perhaps", set()),
        ("engine/loss.py", "from __future__", "# a comment\nfrom __future__", set()),
        (
            "strategies/focal.py",
            "logits: Tensor, targets: Tensor, ctx: Context",
            "logits, targets, ctx",
            set(),
        ),
        ("strategies/focal.py", "Lin, Goyal", "Goyal, Lin", set()),
        ("metrics/decision.py", "\ndef macro_f1", "\ndef f3(a, b):\n    return 3.0\n\n\ndef macro_f1", set()),
        ("core/arrays.py", "\ndef ratio", "\ndef unused():\n    return 3.0\n\n\ndef ratio", set()),
        (
            "metrics/summary.py",
            '"map": mean',
            '"twice_map": 2 * mean_defined(labels.precision), "map": mean',
            {"metrics"},
        ),
        ("metrics/calibration.py", "total / true.size", "2 * total / true.size", {"metrics"}),
        ("experiment/record.py", "objective=", "aim=", set()),
        ("strategies/ldam.py", "float = tunable(", "float = 0 * tunable(", {"ldam"}),
        ("strategies/two_way.py", "return ", "return 2 * ", {"two_way"}),
        ("backbones/lstm.py", "hidden: int = ", "hidden: int = 1", {"lstm", "gru"}),
        ("backbones/linear.py", "def vectors", "def vectors2", {"linear", "mlp"}),
        ("engine/optimizer.py", "import torch", "import torch\nX = 3", {"engine"}),
        ("thresholds.py", "below / 2 + above / 2", "below / 3 + above / 3", {"engine"}),
    ],
)
def test_an_edit_moves_exactly_what_it_should(
    copy: Copy, file: str, old: str, new: str, moves: set[str]
) -> None:
    assert copy.edit(file, old, new) == moves


def test_a_rule_that_the_search_maximises_counts_as_the_engine_s_and_as_a_metric_s(copy: Copy) -> None:
    found = copy.edit("metrics/decision.py", "2 * self.hits, self.predicted", "3 * self.hits, self.predicted")
    assert found == {"engine", "metrics"}


def test_what_several_strategies_share_moves_those_that_use_it(copy: Copy) -> None:
    users = {
        name
        for name in copy.kinds["strategy"].names()
        if "class_share"
        in str(
            code_hash.texts([(c.__module__, c.__qualname__)], frozenset(code_hash.engine_modules()))
            if (c := copy.kinds["strategy"].get(name))
            else ""
        )
    }
    found = copy.edit("strategies/focal.py", "alpha * targets + (1 - alpha)", "alpha * targets + (2 - alpha)")
    assert found == users
    assert {"focal", "class_balanced"} <= found
    assert not {"none", "asl", "scut"} & found


def test_all_that_a_cell_runs_counts_or_is_left_out_for_a_reason() -> None:
    """A module that a running cell has loaded is hashed, or stands in the list of those that make no prediction."""
    code = (
        "import sys\nfrom equipoise.experiment import pipeline, cross_validation, decision, prepared, search\n"
        "print(*[n for n in sys.modules if n.startswith('equipoise.')])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    hashed = set(code_hash.texts((name, None) for name in code_hash.engine_modules()))
    known = hashed | {f"equipoise.{name}" for name in code_hash.LEFT_OUT}
    metrics = set(code_hash.texts(METRICS))
    silent = [n for n in loaded if n not in known | metrics and not _only_imports(n)]
    assert silent == []
    assert not [n for n in code_hash.LEFT_OUT if code_hash.file_of(f"equipoise.{n}") is None], (
        "there is no such module"
    )
    assert {"equipoise.thresholds", "equipoise.engine.loss", "equipoise.core.seeds"} <= hashed


def _only_imports(name: str) -> bool:
    file = code_hash.file_of(name)
    body = ast.parse(file.read_text(encoding="utf-8")).body if file is not None else []
    plain = (ast.Import, ast.ImportFrom, ast.Expr, ast.Assign)
    return all(isinstance(statement, plain) for statement in body)


KEYS = """
import json
import equipoise
from equipoise.api import choose
from equipoise.sweep.plan import make_plan
tiny = {"trials": 1, "folds": 2, "epochs": 1}
chosen = choose(None, ["design-emails[rows=60]"], ["linear"], ["none", "focal", "asl"], tiny, 1, None)
keys = {cell.strategy: cell.key for cell in make_plan(chosen, device="cpu").cells}
print(json.dumps([equipoise.__file__, keys]))
"""


def test_another_process_with_an_edited_package_plans_the_keys_that_it_should(copied: Copy) -> None:
    def planned() -> dict[str, str]:
        env = {**os.environ, "PYTHONPATH": str(copied.folder.parent), "PYTHONDONTWRITEBYTECODE": "1"}
        line = [sys.executable, "-c", KEYS]
        run = subprocess.run(
            line, capture_output=True, text=True, check=True, env=env, cwd=copied.folder.parent
        )
        place, keys = json.loads(run.stdout)
        assert Path(place).is_relative_to(copied.folder), "the copy runs"
        return dict(keys)

    def edited(file: str, old: str, new: str) -> set[str]:
        path = copied.folder / file
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(old, new), encoding="utf-8")
        after = planned()
        path.write_text(text, encoding="utf-8")
        return {name for name in after if after[name] != before[name]}

    before = planned()
    assert edited("catalog/registry.py", "no plugin file at", "there is no file") == set()
    assert edited("strategies/focal.py", "gamma * F.", "1.5 * gamma * F.") == {"focal"}
    assert edited("engine/optimizer.py", "import torch\n", "import torch\nX = 3\n") == {
        "none",
        "focal",
        "asl",
    }


# --- plugins


def data() -> Dataset:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(120, 6)).astype(np.float32)
    Y = (X[:, :3] + rng.normal(size=(120, 3)) > 0.8).astype(np.uint8)
    return Dataset("numbers", X, Y, ("a", "b", "c"))


def plan_of(*strategies: str, splits: int = 1) -> Plan:
    tiny = {"trials": 1, "folds": 2, "epochs": 1}
    chosen = choose(None, ["numbers"], ["linear"], strategies, tiny, splits, None)
    return make_plan(chosen, device="cpu", data={"numbers": data()})


def keys(*strategies: str) -> dict[str, str]:
    return {cell.strategy: cell.key for cell in plan_of(*strategies).cells}


def write(folder: Path, **texts: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return str(folder / "mine.py")


@pytest.mark.parametrize(
    ("imports", "inside"),
    [
        ("from helper import FACTOR", "pass"),
        ("import helper", "FACTOR = helper.FACTOR"),
        ("", "from helper import FACTOR"),
        ("from .helper import FACTOR", "pass"),
        ("import package.inner as inner", "FACTOR = inner.FACTOR"),
        ("import package.inner", "FACTOR = package.inner.FACTOR"),
    ],
)
def test_a_module_beside_a_plugin_file_counts(tmp_path: Path, imports: str, inside: str) -> None:
    mine = write(
        tmp_path, mine=PLUGIN.format(imports=imports, inside=inside), helper="FACTOR = 1.0", unused="X = 1"
    )
    write(tmp_path / "package", __init__="", inner="from helper import FACTOR")
    before = keys(mine, "none")
    first = run_alone(plan_of(mine).cells[0], data())[1]
    write(tmp_path, helper="# the factor\nFACTOR = 1.0", unused="X = 2")
    assert keys(mine, "none") == before
    write(tmp_path, helper="FACTOR = 9.0")  # as long as before: nothing may be told by size or time
    after = keys(mine, "none")
    assert after["none"] == before["none"]
    assert after["mine"] != before["mine"]
    assert not np.array_equal(
        run_alone(plan_of(mine).cells[0], data())[1]["test_logits"], first["test_logits"]
    )


def test_two_plugins_may_each_have_a_helper_of_that_name(tmp_path: Path) -> None:
    lazy = PLUGIN.format(imports="", inside="from helper import FACTOR")
    one = write(tmp_path / "one", mine=lazy, helper="FACTOR = 1.0")
    two = write(tmp_path / "two", mine=lazy.replace('"mine"', '"ours"'), helper="FACTOR = 9.0")
    logits = {}
    for cell in plan_of(one, two).cells:
        logits[cell.strategy] = run_alone(cell, data())[1]["test_logits"]
    assert not np.array_equal(logits["mine"], logits["ours"])
    assert "helper" not in sys.modules
    assert not list(tmp_path.rglob("*.pyc"))


def test_neither_place_nor_name_of_a_plugin_file_is_in_its_key(tmp_path: Path) -> None:
    one = write(tmp_path / "one", mine=BESIDE, helper="FACTOR = 1.0")
    before = keys(one)
    registry_module._REGISTRIES.clear()
    two = write(tmp_path / "two", helper="FACTOR = 1.0", other=BESIDE).replace("mine.py", "other.py")
    assert keys(two) == before


def test_of_our_modules_a_plugin_needs_those_that_no_other_hash_covers(tmp_path: Path) -> None:
    text = PLUGIN.format(imports="from equipoise.strategies.focal import focal_factor", inside="FACTOR = 1.0")
    mine = write(tmp_path, mine=text)
    before = keys(mine)
    focal = Path(str(code_hash.file_of("equipoise.strategies.focal"))).read_text(encoding="utf-8")
    edited = code_hash._Module(focal.replace("gamma * F", "2 * gamma * F"), "equipoise.strategies.focal")
    module = code_hash._module
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(code_hash, "_module", lambda n: edited if n.endswith(".focal") else module(n))
        assert keys(mine) != before


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Offers a package of these modules as an installed plugin; calling it again edits and reloads it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(
        sys, "dont_write_bytecode", True
    )  # edits within a second look alike to Python's cache

    def make(kind: str = "strategy", reload: bool = True, **modules: str) -> None:
        write(tmp_path / "eq_pkg", __init__="", **modules)
        info = tmp_path / "eq_pkg-1.2.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: eq-pkg\nVersion: 1.2\n", encoding="utf-8"
        )
        (info / "entry_points.txt").write_text(f"[equipoise.{kind}]\nany = eq_pkg.mod\n", encoding="utf-8")
        importlib.invalidate_caches()
        if reload:
            for name in [n for n in sys.modules if n.partition(".")[0] == "eq_pkg"]:
                del sys.modules[name]
            registry_module._REGISTRIES.clear()

    yield make
    for name in [n for n in sys.modules if n.partition(".")[0] == "eq_pkg"]:
        del sys.modules[name]


RELATIVE = PLUGIN.format(imports="from ._formula import FACTOR", inside="pass")


def test_all_modules_of_an_installed_plugin_count(install: Callable[..., None], tmp_path: Path) -> None:
    install("strategies", mod=RELATIVE, _formula="FACTOR = 1.0")
    before = keys("mine", "focal")
    install("strategies", _formula="'Told.'\nFACTOR = 1.0  # once")
    assert keys("mine", "focal") == before
    install("strategies", _formula="FACTOR = 50.0")
    after = keys("mine", "focal")
    assert after["focal"] == before["focal"]
    assert after["mine"] != before["mine"]


def test_a_row_says_which_plugins_made_it(install: Callable[..., None], tmp_path: Path) -> None:
    install("strategies", mod=RELATIVE, _formula="FACTOR = 1.0")
    file = write(tmp_path / "here", mine=BESIDE.replace('"mine"', '"ours"'), helper="FACTOR = 1.0")
    rows = {cell.strategy: cell.row("ok")["plugins"] for cell in plan_of("mine+scut", file, "none").cells}
    own = {"kind": "strategy", "name": "mine", "origin": "plugin eq_pkg.mod"}
    assert rows["mine+scut"] == [{**own, "distribution": "eq-pkg", "version": "1.2"}]
    assert rows["ours"][0]["origin"] == "file mine.py"
    assert rows["none"] == []


def test_a_backbone_of_an_installed_plugin_counts_with_its_modules(install: Callable[..., None]) -> None:
    text = (
        "from dataclasses import dataclass\nfrom equipoise.backbones.linear import Linear\n"
        "from ._size import SIZE\n@dataclass(frozen=True)\nclass Mine(Linear):\n    name = 'mine'\n    size = SIZE\n"
    )
    install("backbones", mod=text, _size="SIZE = 1")
    before = code_of(registry("backbone").get("mine"))
    origin = registry("backbone").origin("mine")
    install("backbones", _size="SIZE = 2")
    assert code_of(registry("backbone").get("mine")) != before
    assert (origin.distribution, origin.version) == ("eq-pkg", "1.2") if origin is not None else False


def test_an_installed_plugin_that_was_edited_after_it_was_loaded_is_not_hashed(
    install: Callable[..., None],
) -> None:
    install("strategies", mod=RELATIVE, _formula="FACTOR = 1.0")
    keys("mine")
    install("strategies", reload=False, _formula="FACTOR = 2.0")
    with pytest.raises(
        EquipoiseError, match="eq_pkg was edited after this process had loaded it: start again"
    ):
        keys("mine")


def test_a_file_with_a_helper_that_is_edited_is_loaded_anew(tmp_path: Path) -> None:
    known = Registry("strategy")
    mine = write(tmp_path, mine=BESIDE, helper="FACTOR = 1.0")
    known.add_file(mine)
    first = known.get("mine")
    known.add_file(mine)
    assert known.get("mine") is first
    write(tmp_path, helper="FACTOR = 2.0")
    known.add_file(mine)
    assert known.get("mine") is not first


# --- the code that runs is the code that was hashed


def statuses(folder: Path) -> Mapping[tuple[str, Any], tuple[str, Any]]:
    return {(r["strategy"], r["split"]): (r["status"], r["error"]) for r in Store(folder).rows()}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_helper_that_is_edited_while_a_sweep_runs_makes_no_row_of_other_code(
    tmp_path: Path, workers: int
) -> None:
    mine = write(tmp_path, mine=BESIDE, helper="FACTOR = 1.0")
    plan = plan_of(mine, "none", splits=2)
    write(tmp_path, helper="FACTOR = 9.0")
    sweep(plan, Store(tmp_path / "store"), workers=workers)
    found = statuses(tmp_path / "store")
    said = "EquipoiseError: the code of strategy 'mine' changed after this cell was planned; the same command runs it anew"
    assert {found["mine", split] for split in (0, 1)} == {("failed", said)}
    assert {found["none", split] for split in (0, 1)} == {("ok", None)}
    again = plan_of(mine, "none", splits=2)
    sweep(again, Store(tmp_path / "store"), workers=1)
    rows = {row["key"]: row for row in Store(tmp_path / "store").rows()}
    assert {rows[cell.key]["status"] for cell in again.cells} == {"ok"}
    assert len(rows) == 6


def test_an_edit_between_two_cells_stops_the_second(tmp_path: Path) -> None:
    mine = write(tmp_path, mine=BESIDE, helper="FACTOR = 1.0")
    watcher = Watcher(on_row=lambda cell, row: (write(tmp_path, helper="FACTOR = 9.0"), None)[1])
    sweep(plan_of(mine, splits=2), Store(tmp_path / "store"), watcher=watcher)
    assert [status for status, _ in statuses(tmp_path / "store").values()] == ["ok", "failed"]


def test_an_installed_plugin_that_is_edited_while_its_cell_runs_makes_no_row(
    install: Callable[..., None],
) -> None:
    """What a hook imports late might be the new text: so the question is asked again when the cell has run."""
    install(
        "strategies",
        mod=PLUGIN.format(imports="", inside="from ._formula import FACTOR"),
        _formula="FACTOR = 1.0",
    )
    cell = plan_of("mine").cells[0]

    def edit(share: float) -> None:
        install("strategies", reload=False, _formula="FACTOR = 9.0")

    with pytest.raises(EquipoiseError, match="eq_pkg was edited"):
        run_alone(cell, data(), edit)


def test_our_own_code_is_asked_about_too(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = plan_of("none").cells[0]
    other = dataclasses.replace(cell, code="0" * 16 + cell.code[16:])
    with pytest.raises(EquipoiseError, match="the code of equipoise changed after this cell was planned"):
        run_alone(other, data())
    monkeypatch.setattr(
        "equipoise.experiment.versions.edited_while_loading", lambda: ("equipoise.engine.loss",)
    )
    with pytest.raises(EquipoiseError, match=r"the code of equipoise\.engine\.loss changed"):
        run_alone(cell, data())


def test_edits_of_our_files_are_seen_and_their_touching_is_not(copy: Copy) -> None:
    copy.hashes()
    path = copy.folder / "engine" / "loss.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(f"# touched\n{text}", encoding="utf-8")
    assert code_hash.edited() == ()
    path.write_text(f"{text}\nX = 3\n", encoding="utf-8")
    assert code_hash.edited() == ("equipoise.engine.loss",)
    path.write_text(text, encoding="utf-8")


def test_codes_are_taken_once_a_process() -> None:
    assert engine_code() is engine_code()
    assert metrics_code() is metrics_code()
