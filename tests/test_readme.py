"""The examples in README.md work as printed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.strategy import Context, bce
from equipoise.strategies.testing import assert_conforms

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("equipoise.catalog.registry._REGISTRIES", {})
    file = tmp_path / "mine.py"
    file.write_text(next(code for kind, code in BLOCKS if "(Strategy)" in code), encoding="utf-8")
    return file


def test_plugin_loads_and_weighs_rare_labels_up(plugin: Path) -> None:
    import torch

    ctx = Context(n_pos=torch.tensor([400.0, 20.0, 0.0]), n_rows=torch.tensor(500.0))
    logits = torch.tensor([[2.0, -1.0, 0.5], [-0.5, 0.25, -2.0]])
    targets = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    plain = bce(logits, targets)
    ratio = get_strategy(str(plugin)).loss(logits, targets, ctx) / plain
    assert ratio[0, 0] < ratio[0, 1] < ratio[0, 2]
    off = get_strategy(f"{plugin}:rare_first[power=0.0]")
    assert torch.equal(off.loss(logits, targets, ctx), plain)


def test_plugin_conforms(plugin: Path) -> None:
    assert_conforms(str(plugin))


def test_plugin_is_as_short_as_promised(plugin: Path) -> None:
    lines = [line for line in plugin.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(lines) <= 20


def test_every_file_that_is_linked_to_is_there() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert targets
    assert [t for t in targets if not (ROOT / t).exists()] == []


def test_install_lines_name_extras_that_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = re.findall(r"'\.\[(\w+)\]'", README)
    assert set(named) == {"river", "test", "docs"}
    assert set(named) <= set(project["optional-dependencies"])
