"""Packages of another environment on the path are installed packages; modules beside them are part of a plugin."""

from __future__ import annotations

from pathlib import Path

import pytest

from equipoise.catalog import plugin_code
from equipoise.catalog.plugins import PluginFile


@pytest.fixture
def layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path with the installed package `layered_heavy` and the loose module `layered_loose`."""
    folder = tmp_path / "layer"
    (folder / "layered_heavy").mkdir(parents=True)
    (folder / "layered_heavy" / "__init__.py").write_text("X = 1\n")
    (folder / "layered_loose.py").write_text("X = 1\n")
    (folder / "layered_heavy-1.dist-info").mkdir()
    (folder / "layered_heavy-1.dist-info" / "RECORD").write_text("layered_heavy/__init__.py,sha256=a,6\n")
    monkeypatch.syspath_prepend(folder)
    plugin_code._recorded.cache_clear()
    return folder


def test_an_installed_package_of_another_layer_is_not_part_of_a_plugin(layer: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("import layered_heavy, layered_loose\nY = layered_heavy.X + layered_loose.X\n")
    assert plugin_code.installed("layered_heavy")
    assert not plugin_code.installed("layered_loose")
    before = PluginFile(file).code
    (layer / "layered_heavy" / "__init__.py").write_text("X = 2\n")
    assert PluginFile(file).code == before
    (layer / "layered_loose.py").write_text("X = 2\n")
    assert PluginFile(file).code != before
