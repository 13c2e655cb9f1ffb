"""The registry: built-ins, entry points and plugin files; broken ones are listed and do no harm to the others."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from equipoise.catalog.registry import Registry, registry
from equipoise.contracts.strategy import Strategy
from equipoise.core.code_hash import source_hash
from equipoise.core.code_meaning import meaning
from equipoise.core.errors import EquipoiseError

PLUGIN = '''
from dataclasses import dataclass
from equipoise.contracts.strategy import Strategy

@dataclass(frozen=True)
class Mine(Strategy):
    """Does as it is told."""

    name = "{name}"
'''


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Registry]:
    """A registry of strategies, as if installed packages provided modules with these sources."""

    def make(**texts: str) -> Registry:
        points = []
        for module, text in texts.items():
            (tmp_path / f"{module}.py").write_text(text, encoding="utf-8")
            monkeypatch.delitem(sys.modules, module, raising=False)
            points.append(importlib.metadata.EntryPoint(module, module, "equipoise.strategies"))
        found = importlib.metadata.EntryPoints(points)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda **given: found.select(**given))
        return Registry("strategy")

    return make


@pytest.mark.parametrize("kind", ["strategy", "dataset", "backbone"])
def test_every_built_in_loads_and_says_what_it_is(kind: str) -> None:
    entries = registry(kind).entries()
    assert entries
    assert [(e.name, e.error) for e in entries if e.error] == []
    assert [e.name for e in entries if not e.summary.strip() or "\n" in e.summary] == []
    assert [e.name for e in entries] == sorted(registry(kind).names())


def test_the_issue_s_strategies_and_backbones_are_there() -> None:
    named = "none pos_weight inverse_frequency inverse_frequency_softmax balanced_sampling ml_ros"
    assert {*named.split(), "binary_relevance", "focal", "global_threshold", "scut"} <= set(
        registry("strategy").names()
    )
    assert {"linear", "mlp", "lstm"} <= set(registry("backbone").names())
    assert {"design-emails", "enron-email", "yeast"} <= set(registry("dataset").names())


def test_every_strategy_names_its_source() -> None:
    without = [e.name for e in registry("strategy").entries() if not e.obj.reference]
    assert without in ([], ["none"])


def test_an_entry_point_is_found(offer: Callable[..., Registry]) -> None:
    found = offer(eq_one=PLUGIN.format(name="mine"))
    assert found.get("mine")().spec == "mine"
    assert "focal" in found.names()
    (entry,) = (e for e in found.entries() if e.name == "mine")
    assert (entry.summary, entry.origin) == ("Does as it is told.", "plugin eq_one")


def test_an_entry_point_may_name_a_class(
    offer: Callable[..., Registry], monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(eq_two=PLUGIN.format(name="mine"))
    point = importlib.metadata.EntryPoint("any", "eq_two:Mine", "equipoise.strategies")
    found = importlib.metadata.EntryPoints([point])
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **given: found.select(**given))
    assert issubclass(Registry("strategy").get("mine"), Strategy)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("import no_such_module_at_all", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
        ("def f(:", "SyntaxError"),
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
    ],
)
def test_a_broken_plugin_is_listed_with_its_error_and_stops_nobody(
    offer: Callable[..., Registry], text: str, error: str
) -> None:
    found = offer(eq_broken=text, eq_good=PLUGIN.format(name="good"))
    assert "eq_broken" not in found.names()
    assert {"good", "focal"} <= set(found.names())
    (entry,) = (e for e in found.entries() if e.name == "eq_broken")
    assert error in entry.summary
    with pytest.raises(EquipoiseError, match="strategy 'eq_broken' could not be loaded") as caught:
        found.get("eq_broken")
    assert "\n" not in str(caught.value)


def test_a_name_that_is_taken_is_an_error_that_names_both(offer: Callable[..., Registry]) -> None:
    found = offer(eq_clash=PLUGIN.format(name="focal"))
    assert found.get("focal").__module__ == "equipoise.strategies.focal", "the built-in stays"
    (entry,) = (e for e in found.entries() if e.error)
    assert "'focal' of plugin eq_clash is taken by built-in" in str(entry.error)


def test_a_file_is_loaded_by_its_path_once(tmp_path: Path) -> None:
    found = Registry("strategy")
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN.format(name="mine"), encoding="utf-8")
    assert found.add_file(file) == found.add_file(str(file)) == ["mine"]
    first = found.get("mine")
    found.add_file(file)
    assert found.get("mine") is first
    assert list(tmp_path.iterdir()) == [file], "no bytecode is left beside a user's file"


def test_a_file_that_was_edited_is_loaded_anew(tmp_path: Path) -> None:
    found = Registry("strategy")
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN.format(name="mine"), encoding="utf-8")
    found.add_file(file)
    file.write_text(PLUGIN.format(name="ours"), encoding="utf-8")
    assert found.add_file(file) == ["ours"]
    assert "mine" not in found.names()
    file.write_text("def f(:", encoding="utf-8")
    for _ in range(2):
        with pytest.raises(EquipoiseError, match="could not be loaded: SyntaxError"):
            found.add_file(file)
    file.write_text(PLUGIN.format(name="mine"), encoding="utf-8")
    assert found.add_file(file) == ["mine"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (PLUGIN.format(name="focal"), "'focal' of file"),
        ("x = 1", "defines no strategy"),
        ("1 / 0", "could not be loaded: ZeroDivisionError"),
        (PLUGIN.format(name=""), "defines no strategy"),
    ],
)
def test_a_file_that_is_no_plugin_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(EquipoiseError) as caught:
        Registry("strategy").add_file(file)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_names_come_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EquipoiseError, match="unknown backbone 'lstn'; did you mean 'lstm'"):
        registry("backbone").get("lstn")


def test_only_what_code_does_counts_in_its_hash() -> None:
    code = "def f(x):\n    return x + 1\n"
    told = 'def f(x):\n    """Adds one."""\n    # a note\n\n    return (x + 1)\n'
    assert meaning(code) == meaning(told)
    assert meaning(code) != meaning(code.replace("1", "2"))
    field = "class A:\n    n: int = option(8, 'How many', low=1)\n    rate: ClassVar[R] = Rate(row=2)\n"
    assert meaning(field) == meaning(field.replace("How many", "A number").replace("row=2", "row=3"))
    assert meaning(field) != meaning(field.replace("low=1", "low=2"))
    assert meaning(field) != meaning(field.replace("8", "9"))
    assert meaning(field) != meaning(field.replace("Rate(row=2)", "0.5"))
    assert meaning('def f():\n    return "a"') != meaning('def f():\n    return "b"')
    assert source_hash(registry("strategy").get("focal")) != source_hash(registry("strategy").get("none"))


def test_every_reference_has_a_title_and_an_identifier() -> None:
    without = {"none", "inverse_frequency", "inverse_frequency_softmax", "pos_weight", "platt"}
    # Other tests of this process may have loaded plugins, whose references are their own business.
    for name in [e.name for e in registry("strategy").entries() if e.origin == "built-in"]:
        reference = registry("strategy").get(name).reference
        assert not re.search(r"\d{4}, (DOI|arXiv)", reference), f"{name}: a year is followed by a title"
        if name not in without:
            assert re.search(r"DOI 10\.\d{4,}/\S+|arXiv:\d{4}\.\d{4,5}|openaccess\.thecvf\.com", reference), (
                name
            )
