"""Runs the command in this process, apart from the network, the download cache and other tests."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import Mock

import pytest

from equipoise.cli import main


class Said(NamedTuple):
    """The exit code and output of a command."""

    code: int
    out: str
    err: str


Say = Callable[..., Said]


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to work in, an empty download cache, no network, and no plugin left over."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError("no network in this test")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EQUIPOISE_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr("equipoise.catalog.registry._REGISTRIES", {})


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Say:
    """Run `equipoise` with these arguments in this process; what its worker processes print is heard, too."""

    def run(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["equipoise", *words])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return run


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without MLflow, which has tests of its own."""
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())


def words(**changes: Any) -> list[str]:
    """`run` of one tiny cell, with options replaced or added; None leaves one out."""
    given: dict[str, Any] = {
        "dataset": "design-emails[rows=120]",
        "backbone": "linear",
        "strategy": "none",
        "trials": 1,
        "folds": 2,
        "epochs": 1,
        "splits": 1,
        "workers": 1,
        "device": "cpu",
        "results": "results",
    }
    pairs = {**given, **changes}.items()
    return ["run", *(w for k, v in pairs if v is not None for w in (f"--{k.replace('_', '-')}", str(v)))]
