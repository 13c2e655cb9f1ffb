"""`equipoise submit --distribution`: a plugin that is installed, from its run to the verification of its folder."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Say = Callable[..., Any]
MODULE = "equipoise_scarce"
PLUGIN = """
from dataclasses import dataclass
from typing import ClassVar
from equipoise import Strategy, bce, tunable


@dataclass(frozen=True)
class Scarce(Strategy):
    "Cross-entropy that weighs positives up."
    name: ClassVar[str] = "scarce"
    reference: ClassVar[str] = "a test, 2026"
    off: ClassVar[dict] = {"gamma": 0.0}
    gamma: float = tunable(2.0, low=0.0, high=5.0)

    def loss(self, logits, targets, ctx):
        return (1 + self.gamma * targets) * bce(logits, targets)
"""
RUN = [
    *("run", "--dataset", "design-emails[rows=120]", "--backbone", "linear", "--trials", "1", "--folds", "2"),
    *("--epochs", "1", "--splits", "1", "--workers", "1", "--device", "cpu", "--results", "store"),
    *("--strategy", "none", "--strategy", "scarce"),
]


class Site:
    """A folder of installed packages with one distribution, as an installer leaves it: a module and its metadata."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.install("1.2")

    def install(self, version: str, source: str = PLUGIN) -> None:
        """Install a version in the place of the one that is there."""
        self.remove()
        (self.path / f"{MODULE}.py").write_text(source, encoding="utf-8")
        facts = self.path / f"{MODULE}-{version}.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: equipoise-scarce\nVersion: {version}\n", encoding="utf-8"
        )
        (facts / "entry_points.txt").write_text(
            f"[equipoise.strategies]\nscarce = {MODULE}:Scarce\n", encoding="utf-8"
        )
        (facts / "RECORD").write_text(f"{MODULE}.py,,\n", encoding="utf-8")

    def remove(self) -> None:
        for found in self.path.iterdir():
            shutil.rmtree(found) if found.is_dir() else found.unlink()
        sys.modules.pop(MODULE, None)
        importlib.invalidate_caches()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    installed = Site(tmp_path / "site-packages")
    monkeypatch.syspath_prepend(installed.path)
    # A worker is another process.
    monkeypatch.setenv("PYTHONPATH", str(installed.path))
    yield installed
    sys.modules.pop(MODULE, None)


def anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a new process does: look for plugins again."""
    monkeypatch.setattr("equipoise.catalog.registry._REGISTRIES", {})


@pytest.mark.slow
def test_an_installed_plugin_is_run_submitted_and_verified(
    say: Say, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = say(*RUN)
    assert ran.code == 0, ran
    packed = say("submit", "scarce-2026-11", "--results", "store", "--distribution", "equipoise_scarce")
    assert packed.code == 0, packed
    folder = tmp_path / "results" / "submitted" / "scarce-2026-11"
    manifest = json.loads((folder / "manifest.json").read_bytes())
    (plugin,) = manifest["plugins"]
    assert plugin["version"] == "1.2"
    assert plugin["strategies"] == ["scarce"]
    assert json.loads((folder / "conformance.json").read_bytes()) == {"scarce": []}
    assert not (folder / "plugin").exists(), "the code is where it was installed from"
    assert manifest["commands"][-1] == "equipoise submit scarce-2026-11 --distribution equipoise-scarce"
    assert str(tmp_path) not in json.dumps(manifest)
    assert "The plugin: equipoise-scarce 1.2" in (folder / "README.md").read_text(encoding="utf-8")

    anew(monkeypatch)
    said = say("verify", str(folder), "--run-plugins")
    assert (said.code, said.out.count("to the bit")) == (0, 2), said
    assert "linear · scarce" in said.out
    anew(monkeypatch)
    site.install("1.3")
    other = say("verify", str(folder), "--run-plugins")
    assert (other.code, other.err.count("\n")) == (2, 1), other
    assert "equipoise-scarce 1.3 is installed; the rows were made with 1.2" in other.err
    # The same version with other code is found by the key, and by its numbers.
    anew(monkeypatch)
    site.install("1.2", PLUGIN.replace("1 + self.gamma", "9 + 3 * self.gamma"))
    edited = say("verify", str(folder), "--run-plugins")
    assert edited.code == 1, edited
    assert "strategy's code" in edited.out
    anew(monkeypatch)
    site.remove()
    gone = say("verify", str(folder), "--run-plugins")
    assert (gone.code, gone.err.count("\n")) == (2, 1), gone
    assert "no distribution 'equipoise-scarce' is installed" in gone.err


@pytest.mark.slow
def test_rows_of_another_version_of_the_code_are_not_submitted(
    say: Say, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert say(*RUN).code == 0
    anew(monkeypatch)
    site.install("1.3", PLUGIN.replace("tunable(2.0", "tunable(3.0"))
    refused = say("submit", "scarce-2026-11", "--results", "store", "--distribution", "equipoise-scarce")
    assert (refused.code, refused.err.count("\n")) == (2, 1), refused
    assert "scarce was edited after its rows were made" in refused.err
