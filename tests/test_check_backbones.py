"""The conformance kit finds every fault planted in a backbone by the rule that names it, and has nothing against right ones."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent / "plugins"))

from planted_backbones.right import RIGHT

from equipoise.testing import BACKBONE_CHECKS, check

FAULTS = [
    cls
    for module in ("forward_faults", "part_faults", "twin_faults")
    for cls in importlib.import_module(f"planted_backbones.{module}").FAULTS
]


def cases() -> list[Any]:
    """The first fault of every rule is planted each time, the others in the slow tests."""
    first = {fault.fault: fault for fault in reversed(FAULTS)}.values()
    return [
        pytest.param(fault, id=fault.name, marks=() if fault in first else pytest.mark.slow)
        for fault in FAULTS
    ]


@pytest.mark.parametrize("backbone", cases())
def test_a_planted_fault_is_found(backbone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # one of them writes a file
    found = check(backbone)
    assert backbone.fault in {f.check for f in found}, "\n".join(map(str, found)) or "nothing was found"


@pytest.mark.parametrize("backbone", RIGHT, ids=lambda cls: cls.name)
def test_a_right_backbone_is_not_blamed(backbone: Any) -> None:
    assert check(backbone) == []


def test_there_are_faults_for_every_rule() -> None:
    assert len(FAULTS) >= 25
    assert {cls.fault for cls in FAULTS} == set(BACKBONE_CHECKS)
