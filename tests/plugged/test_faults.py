"""Broken plugins: one line each that says what to do, exit code 2, and nobody else is stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from equipoise.catalog.functional import loss_names
from equipoise.catalog.registry import registry

#: What a plugin's module holds besides `mine` → what `list` says about it.
NAMES = {
    "field without default": (
        "@dataclass(frozen=True)\nclass Bad(Strategy):\n    name = 'bad'\n    p: float\n",
        "class Bad: field p has no default",
    ),
    "no decorator": (
        "class Bad(Strategy):\n    name = 'bad'\n    p: float = tunable(1.0, low=0.0, high=2.0)\n",
        "class Bad lacks @dataclass(frozen=True)",
    ),
    "refuses its defaults": (
        "@dataclass(frozen=True)\nclass Bad(Strategy):\n    name = 'bad'\n    def __post_init__(self):\n        1 / 0\n",
        "class Bad cannot be created: ZeroDivisionError",
    ),
    "a built-in's name": (
        "@dataclass(frozen=True)\nclass Bad(Strategy):\n    name = 'focal'\n",
        "strategy name 'focal' of plugin eq_pkg.mod is taken by built-in",
    ),
    "twice": (
        "@dataclass(frozen=True)\nclass Bad(Strategy):\n    name = 'mine'\n",
        "strategy name 'mine' of plugin eq_pkg.mod is taken by plugin eq_pkg.mod",
    ),
    "name with a meaning": (
        "@dataclass(frozen=True)\nclass Bad(Strategy):\n    name = 'a+b'\n",
        "name 'a+b' holds a blank or one of []+:,=",
    ),
    "name is a number": ("@dataclass(frozen=True)\nclass Bad(Strategy):\n    name = 5\n", "has no `name`"),
    "one strategy as composition": ("COMBINATION = compose('focal[gamma=1]')\n", "is one strategy"),
}
#: Whole plugins that cannot be used: the object of the entry point, the module → what `list` says.
WHOLE = {
    "sys.exit": ("eq_pkg.mod", "import sys\nsys.exit(3)", "SystemExit: 3"),
    "KeyboardInterrupt": ("eq_pkg.mod", "raise KeyboardInterrupt", "KeyboardInterrupt"),
    "a function": ("eq_pkg.mod:f", "def f(): pass", "an object of type function is no strategy"),
    "a class": ("eq_pkg.mod:F", "class F:\n    name = 'f'", "class F is no strategy"),
    "a backbone": (
        "eq_pkg.mod:F",
        "@dataclass(frozen=True)\nclass F(Linear):\n    name = 'f'",
        "is no strategy",
    ),
    "a number": ("eq_pkg.mod:F", "F = 5", "an object of type int is no strategy"),
    "no such object": ("eq_pkg.mod:G", "F = 5", "has no attribute 'G'"),
    "no such module": ("eq_pkg.nowhere", "F = 5", "No module named 'eq_pkg.nowhere'"),
    "empty": ("eq_pkg.mod", "F = 5", "it defines no strategy: it needs a subclass with a `name`"),
    "two owners": ("eq_pkg.mod", "COMBINATION = compose('focal', 'asl')", "both own the loss stage"),
    "unknown part": ("eq_pkg.mod", "COMBINATION = compose('focall', 'scut')", "unknown strategy 'focall'"),
}


def points(kind: str, value: str) -> str:
    return f"[equipoise.{kind}]\nany = {value}\n"


def one_line(said: Any, *words: str) -> None:
    assert said.code == 2, said
    lines = said.err.strip().splitlines()
    assert len(lines) == 1, said.err
    assert lines[0].startswith("error: ")
    for word in words:
        assert word in lines[0]


@pytest.mark.parametrize("fault", NAMES)
def test_the_other_names_of_a_module_stay_usable(
    install: Callable[..., None], say: Callable[..., Any], world: Any, fault: str
) -> None:
    text, says = NAMES[fault]
    install(points("strategies", "eq_pkg.mod"), {"eq_pkg/mod.py": world.head + world.mine + text})
    listed = say("list", "strategies")
    assert listed.code == 0
    assert says in listed.out
    assert say("info", "mine").code == 0
    assert "mine" in loss_names()


@pytest.mark.parametrize("fault", WHOLE)
def test_a_broken_plugin_breaks_nothing_that_enumerates(
    install: Callable[..., None], say: Callable[..., Any], world: Any, fault: str
) -> None:
    value, text, says = WHOLE[fault]
    install(points("strategies", value), {"eq_pkg/mod.py": world.head + text})
    listed = say("list")
    assert listed.code == 0
    assert says in listed.out
    assert say("info", "focal").code == 0
    names = registry("strategy").names()
    assert {"focal", "none"} <= set(names)
    assert [name for name in names if registry("strategy").get(name)().name != name] == []
    one_line(say("info", "anything"), "unknown name 'anything'", "failed to load: ", "see equipoise list")
    run = ("run", "--dataset", "design-emails[rows=100]", "--backbone", "linear", "--strategy", "anything")
    one_line(say(*run), "unknown strategy 'anything'", "failed to load: ")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("def loss", "def losses", "overrides no hook, so it would be the baseline"),
        ("def loss", "def losses", "did you mean 'loss' instead of 'losses'?"),
        ("def loss", "def wieghts", "did you mean 'weights' instead of 'wieghts'?"),
        ("def loss", "def _loss", "(hooks: resample, weights, loss"),
        (", ctx)", ")", "Mine.loss must take (self, logits, targets, ctx), not (self, logits, targets)"),
        (
            "def loss(self, logits, targets, ctx)",
            "def loss(self, y, z, ctx, more)",
            "not (self, y, z, ctx, more)",
        ),
        (
            "    gamma: float = tunable(2.0, low=0.0, high=5.0)\n",
            "    weights = 5\n",
            "weights must be a method",
        ),
    ],
)
def test_a_hook_that_is_never_called_is_refused_and_found(
    file: Callable[..., str], say: Callable[..., Any], world: Any, old: str, new: str, says: str
) -> None:
    mine = file("mine.py", world.mine.replace(old, new).replace("self.gamma", "1"))
    toy = file("toy.py", world.toy)
    one_line(
        say("run", "--dataset", toy, "--backbone", "linear", "--strategy", mine, *world.tiny),
        "strategy 'mine': ",
        says,
    )
    checked = say("check", mine)
    assert checked.code == 1
    assert "hooks (strategy)" in checked.out


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("self, data_dir", "self", "Toy.load must take (self, data_dir), not (self)"),
        ("return Dataset", "return [1] or Dataset", "load returned an object of type list, not a Dataset"),
        ("rng = ", "1 / 0; rng = ", "dataset 'toy' could not be loaded: ZeroDivisionError: division by zero"),
        ("rng = ", "raise SystemExit(0); rng = ", "dataset 'toy' could not be loaded: SystemExit: 0"),
        ("def load", "def lod", "class Toy does not define load(self, data_dir)"),
        ('    name = "toy"\n', "", "class Toy: field name has no default"),
        ("rows: int = 120", "rows: int", "non-default argument 'rows' follows"),
    ],
)
def test_a_wrong_data_set_is_one_line(
    file: Callable[..., str], say: Callable[..., Any], world: Any, old: str, new: str, says: str
) -> None:
    toy = file("toy.py", world.toy.replace(old, new))
    one_line(say("run", "--dataset", toy, "--backbone", "linear", "--strategy", "none", *world.tiny), says)
    one_line(say("diagnose", toy), says)


def test_a_wrong_backbone_is_one_line(
    install: Callable[..., None], file: Callable[..., str], say: Callable[..., Any], world: Any
) -> None:
    wide = file("wide.py", world.wide + "    hidden: int = 0\n    def __post_init__(self):\n        1 / 0\n")
    toy = file("toy.py", world.toy)
    run = ("run", "--dataset", toy, "--strategy", "none", "--backbone")
    one_line(say(*run, wide), "class Wide cannot be created: ZeroDivisionError")
    one_line(say(*run, file("mine.py", world.mine)), "mine.py defines no backbone")
    install(points("backbones", "eq_pkg:f"), {"eq_pkg.py": "f = 5"})
    assert say("list", "backbones").code == 0
    one_line(say(*run, "nothing"), "unknown backbone 'nothing'", "failed to load: any")
