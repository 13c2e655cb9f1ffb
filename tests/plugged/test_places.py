"""Where a name can be written, a plugin can: on the command line, in suites, in compositions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from equipoise.catalog.parts import Part, beside, parts
from equipoise.catalog.strategies import compose, get_strategy
from equipoise.core.errors import EquipoiseError


def rows(folder: str = "res") -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in (Path(folder) / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    ]


def one_line(said: Any, *words: str) -> None:
    assert said.code == 2, said
    assert len(said.err.strip().splitlines()) == 1, said.err
    for word in words:
        assert word in said.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("focal", [Part("", "focal")]),
        ("./m.py", [Part("./m.py", "")]),
        ("./m.py[gamma=1]", [Part("./m.py", "", "[gamma=1]")]),
        ("./m.py:Mine[gamma=1]+scut", [Part("./m.py", "Mine", "[gamma=1]"), Part("", "scut")]),
        ("scut+./m.py+./n.py:N", [Part("", "scut"), Part("./m.py", ""), Part("./n.py", "N")]),
        ("external_rows[file=./gen.py:x]", [Part("", "external_rows", "[file=./gen.py:x]")]),
        (
            "external_rows[file='a+b.py:x']+./m.py",
            [Part("", "external_rows", "[file='a+b.py:x']"), Part("./m.py", "")],
        ),
        ("./my.pyx/m.py:M", [Part("./my.pyx/m.py", "M")]),
        (" ./m.py : M ", [Part("./m.py", "M")]),
        ("pkg.mod:Mine[p=1]", [Part("", "pkg.mod:Mine", "[p=1]")]),
    ],
)
def test_parts_of_a_spec(text: str, expected: list[Part]) -> None:
    assert parts(text) == expected


def test_a_file_that_exists_may_have_any_path(tmp_path: Path) -> None:
    odd = tmp_path / "a+b [1]" / "m.py"
    odd.parent.mkdir()
    odd.write_text("", encoding="utf-8")
    assert parts(f"{odd}:M[p=1]+scut") == [Part(str(odd), "M", "[p=1]"), Part("", "scut")]
    assert parts(f"scut+{odd}") == [Part("", "scut"), Part(str(odd), "")]


def test_paths_are_taken_from_a_folder(tmp_path: Path) -> None:
    assert beside(tmp_path, "./m.py:M[p=1]+scut") == f"{tmp_path / 'm.py'}:M[p=1]+scut"
    assert beside(tmp_path, "/elsewhere/m.py") == "/elsewhere/m.py"
    assert beside(tmp_path, "focal[gamma=1]+scut") == "focal[gamma=1]+scut"


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("{}[gamma=1]", "mine[gamma=1.0]"),
        ("{}+scut", "mine+scut"),
        ("{}:Mine", "mine"),
        ("{}:mine", "mine"),
        ("{}:Mine[gamma=1]+scut", "mine[gamma=1.0]+scut"),
        ("ml_ros+{}:Mine", "ml_ros+mine"),
    ],
)
def test_a_file_is_a_strategy(file: Callable[..., str], world: Any, spec: str, name: str) -> None:
    strategy = get_strategy(spec.format(file("my file.py", world.mine)))
    assert strategy.spec == name
    assert get_strategy(name) == strategy


def test_a_file_of_several_asks_which(file: Callable[..., str], say: Callable[..., Any], world: Any) -> None:
    second = world.mine.replace("Mine", "Other").replace('"mine"', '"other"')
    both = file("both.py", world.mine + second)
    for words in (("info", both), ("info", f"{both}+scut")):
        one_line(say(*words), "both.py defines mine", "other", f"say which, e.g. {both}:mine")
    with pytest.raises(EquipoiseError, match=r"both.py defines mine, other: say which, e.g. .*both.py:mine$"):
        get_strategy(f"{both}[gamma=1]")
    one_line(say("info", f"{both}:Mined"), "unknown plugin in", "did you mean 'Mine'?")
    assert "strategy other" in say("info", f"{both}:Other").out


def test_every_kind_of_plugin_runs_from_files_beside_a_suite(
    file: Callable[..., str], say: Callable[..., Any], world: Any, tmp_path: Path
) -> None:
    file("mine.py", world.mine, "study")
    file("models.py", world.wide, "study")
    file("data.py", world.toy, "study")
    file("combo.py", "COMBINATION = compose('ml_ros[p=0.25]', 'focal', 'scut')", "study")
    suite = tmp_path / "study" / "s.toml"
    suite.write_text(
        "datasets = ['./data.py:Toy[rows=100]']\nbackbones = ['models.py:Wide']\nsplits = 1\n"
        "strategies = ['none', './mine.py[gamma=1]+scut', './combo.py']\n"
        "[settings]\ntrials = 1\nfolds = 2\nepochs = 1\n",
        encoding="utf-8",
    )
    assert say("run", str(suite), "--workers", "1", "--results", "res").code == 0
    found = {row["strategy"]: row for row in rows()}
    assert set(found) == {"none", "mine[gamma=1.0]+scut", "combo"}
    assert {(row["dataset"], row["backbone"], row["status"]) for row in found.values()} == {
        ("toy[rows=100]", "wide", "ok")
    }
    origins = [(p["kind"], p["name"], p["origin"]) for p in found["combo"]["plugins"]]
    assert origins == [
        ("dataset", "toy", "file data.py"),
        ("backbone", "wide", "file models.py"),
        ("strategy", "combo", "file combo.py"),
    ]
    assert str(tmp_path) not in json.dumps(list(found.values()))
    report = say("report", str(suite), "--results", "res", "--json")
    (comparison,) = json.loads(report.out)
    assert {p["name"] for p in comparison["plugins"]} == {"toy", "wide", "mine", "combo"}


def test_the_parts_of_a_named_composition_are_in_its_key(
    file: Callable[..., str], say: Callable[..., Any], world: Any
) -> None:
    toy = file("toy.py", world.toy)
    for p in ("0.25", "0.5", "0.25"):
        combo = file("combo.py", f"COMBINATION = compose('ml_ros[p={p}]', 'focal', 'scut')")
        run = ("run", "--dataset", toy, "--backbone", "linear", "--strategy", combo, *world.tiny)
        assert say(*run, "--results", "res").code == 0
    assert [row["strategy"] for row in rows()] == ["combo", "combo"]
    assert len({row["key"] for row in rows()}) == 2, "the third run found the row of the first"


def test_an_installed_composition_has_the_name_of_its_entry_point(
    install: Callable[..., None], say: Callable[..., Any], world: Any
) -> None:
    text = world.head + world.mine + "JOINED = compose('ml_ros[p=0.25]', Mine(gamma=1.0), 'scut')\n"
    install(
        "[equipoise.strategies]\njoined = eq_pkg.mod:JOINED\nmine = eq_pkg.mod:Mine\n",
        {"eq_pkg/mod.py": text},
    )
    joined = get_strategy("joined")
    assert (joined.spec, [p.spec for p in joined.parts]) == (
        "joined",
        ["ml_ros[p=0.25]", "mine[gamma=1.0]", "scut"],
    )
    assert joined.stages == ("resample", "loss", "decide")
    assert compose("joined", "tau_norm").spec == "ml_ros[p=0.25]+mine[gamma=1.0]+scut+tau_norm"
    info = json.loads(say("info", "joined", "--json").out)
    assert info["parts"] == {"ml_ros[p=0.25]": ["resample"], "mine[gamma=1.0]": ["loss"], "scut": ["decide"]}
    assert info["fixed"] == {"ml_ros.p": 0.25, "mine.gamma": 1.0}
    assert (info["origin"], info["distribution"], info["version"]) == (
        "plugin eq_pkg.mod:JOINED",
        "eq-pkg",
        "1.2",
    )
    one_line(say("info", "joined[p=1]+tau_norm"), "unknown option of strategy 'joined': 'p'")
    written = json.loads(say("info", "ml_ros+focal+scut", "--json").out)
    assert set(written["search"]) == {"ml_ros.p", "focal.gamma", "focal.alpha"}
    assert written["stages"] == ["resample", "loss", "decide"]


def test_parts_of_a_composition_may_come_from_another_plugin(
    install: Callable[..., None], world: Any
) -> None:
    install(
        "[equipoise.strategies]\na_joined = eq_pkg.joined\nmine = eq_pkg.mod\n",
        {
            "eq_pkg/mod.py": world.head + world.mine,
            "eq_pkg/joined.py": "from equipoise import compose\nCOMBINATION = compose('mine', 'scut')\n",
        },
    )
    assert get_strategy("a_joined").parts == get_strategy("mine+scut").parts


@pytest.mark.parametrize(
    "spec", ["{}x", "{}:", "{}:a:b", "{}[gamma=1]x", "{}[gamma]", "{}:Mine[gamme=1]", "{}+", "+{}"]
)
def test_a_slip_after_a_file_is_one_line(
    file: Callable[..., str], say: Callable[..., Any], world: Any, spec: str
) -> None:
    toy = file("toy.py", world.toy)
    text = spec.format(file("mine.py", world.mine))
    one_line(say("run", "--dataset", toy, "--backbone", "linear", "--strategy", text, *world.tiny), "error: ")


def test_a_composition_brings_along_parts_of_modules_beside_its_file(
    file: Callable[..., str], world: Any
) -> None:
    file("beside.py", world.mine)
    text = "from beside import Mine\nCOMBINATION = compose('ml_ros', Mine(gamma=1.0), 'scut')\n"
    joined = get_strategy(file("joined.py", text))
    assert [part.spec for part in joined.parts] == ["ml_ros", "mine[gamma=1.0]", "scut"]
    assert type(get_strategy("mine")) is type(joined.parts[1])
    file("beside.py", world.mine.replace("1 +", "2 +"))
    again = get_strategy(str(Path("joined.py")))
    assert type(get_strategy("mine")) is type(again.parts[1])
    assert type(again.parts[1]) is not type(joined.parts[1])
