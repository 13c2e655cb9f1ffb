"""`equipoise submit`: an outsider's plugin, its rows and its conformance, and `verify` on the folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Say = Callable[..., Any]
Edit = Callable[..., None]
HELPER = "def weight(gamma, targets):\n    return 1 + gamma * targets\n"
PLUGIN = """
from dataclasses import dataclass
from typing import ClassVar
from equipoise import Strategy, bce, tunable
import helper


@dataclass(frozen=True)
class Mine(Strategy):
    "Cross-entropy that weighs positives up."
    name: ClassVar[str] = "mine"
    reference: ClassVar[str] = "a test, 2026"
    off: ClassVar[dict] = {"gamma": 0.0}
    gamma: float = tunable(2.0, low=0.0, high=5.0)

    def loss(self, logits, targets, ctx):
        return helper.weight(self.gamma, targets) * bce(logits, targets)
"""
RUN = [
    *("run", "--dataset", "design-emails[rows=120]", "--backbone", "linear", "--trials", "1", "--folds", "2"),
    *("--epochs", "1", "--splits", "1", "--workers", "1", "--device", "cpu", "--results", "store"),
]


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A plugin file and a module beside it."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "helper.py").write_text(HELPER, encoding="utf-8")
    file = tmp_path / "code" / "mine.py"
    file.write_text(PLUGIN, encoding="utf-8")
    return file


@pytest.mark.slow
def test_a_submission_is_packed_and_verified(
    say: Say, plugin: Path, tmp_path: Path, forge: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert say(*RUN, "--strategy", str(plugin), "--strategy", "none").code == 0
    packed = say("submit", "mine-2026-11", "--results", "store", "--plugin", str(plugin))
    assert packed.code == 0, packed
    folder = tmp_path / "results" / "submitted" / "mine-2026-11"
    assert (folder / "plugin" / "helper.py").read_text(encoding="utf-8") == HELPER
    assert json.loads((folder / "conformance.json").read_bytes()) == {"mine": []}
    ran, submitted = json.loads((folder / "manifest.json").read_bytes())["commands"]
    assert "--strategy plugin/mine.py:mine" in ran
    assert submitted == "equipoise submit mine-2026-11 --plugin plugin/mine.py"
    # On the machine of somebody else, who has the folder alone.
    shutil.rmtree(plugin.parent)
    monkeypatch.setattr("equipoise.catalog.registry._REGISTRIES", {})
    refused = say("verify", str(folder))
    assert refused.code == 2
    assert "--run-plugins" in refused.err
    said = say("verify", str(folder), "--run-plugins")
    assert (said.code, said.out.count("to the bit")) == (0, 2), said
    assert "linear · mine" in said.out
    # Rows that the code does not give are found.
    monkeypatch.setattr("equipoise.catalog.registry._REGISTRIES", {})
    forge(folder, lambda row: row["metrics"].update({"scores/map": 0.99}))
    assert say("verify", str(folder), "--run-plugins").code == 1


@pytest.mark.slow
def test_code_that_was_edited_since_is_refused(say: Say, plugin: Path) -> None:
    assert say(*RUN, "--strategy", str(plugin), "--strategy", "none").code == 0
    plugin.write_text(PLUGIN.replace("tunable(2.0", "tunable(3.0"), encoding="utf-8")
    refused = say("submit", "mine-2026-11", "--results", "store", "--plugin", str(plugin))
    assert refused.code == 2
    assert "mine was edited after its rows were made" in refused.err


def test_rows_without_the_plugin_or_the_baseline_are_refused(say: Say, plugin: Path, swept: Path) -> None:
    refused = say("submit", "mine-2026-11", "--results", str(swept), "--plugin", str(plugin))
    assert refused.code == 2
    assert "no finished row of mine" in refused.err
    assert say(*RUN, "--strategy", str(plugin)).code == 0
    refused = say("submit", "mine-2026-11", "--results", "store", "--plugin", str(plugin))
    assert refused.code == 2
    assert "without none" in refused.err


def test_a_plugin_that_breaks_a_rule_is_refused(say: Say, plugin: Path) -> None:
    # Declared wrongly: with gamma = 5 it is no cross-entropy.
    plugin.write_text(PLUGIN.replace('{"gamma": 0.0}', '{"gamma": 5.0}'), encoding="utf-8")
    assert say(*RUN, "--strategy", str(plugin), "--strategy", "none").code == 0
    refused = say("submit", "mine-2026-11", "--results", "store", "--plugin", str(plugin))
    assert refused.code == 2
    assert "rules are broken by mine" in refused.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name the plugin"),
        (["--plugin", "gone.py"], "no plugin file at gone.py"),
        (["--distribution", "no-such-thing"], "no distribution 'no-such-thing' is installed"),
        (["--distribution", "numpy"], "brings no strategy"),
    ],
)
def test_what_is_no_plugin_is_one_line(words: list[str], said: str, say: Say, swept: Path) -> None:
    refused = say("submit", "mine-2026-11", "--results", str(swept), *words)
    assert (refused.code, refused.err.count("\n")) == (2, 1), refused
    assert said in refused.err
