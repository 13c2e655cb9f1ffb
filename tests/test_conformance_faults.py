"""The conformance kit finds every planted fault with the check meant for it, and has no findings about correct twins."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from equipoise.testing import CHECKS, check

FOLDER = Path(__file__).parent / "plugins"


def planted() -> list[Any]:
    """The strategies of all files of planted faults."""
    found = []
    for file in sorted(FOLDER.glob("*_faults.py")):
        spec = importlib.util.spec_from_file_location(f"planted_{file.stem}", file)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found += [v for v in vars(module).values() if isinstance(v, type) and vars(v).get("name")]
    return list({cls.name: cls for cls in found}.values())


PLANTED = planted()
FAULTS = [cls for cls in PLANTED if cls.fault]
RIGHT = [cls for cls in PLANTED if not cls.fault]


@pytest.mark.parametrize("strategy", FAULTS, ids=lambda cls: cls.name)
def test_a_planted_fault_is_found(strategy: Any) -> None:
    found = check(strategy)
    assert strategy.fault in {f.check for f in found}, "\n".join(map(str, found)) or "nothing was found"


@pytest.mark.parametrize("strategy", RIGHT, ids=lambda cls: cls.name)
def test_a_correct_twin_is_not_blamed(strategy: Any) -> None:
    assert check(strategy) == []


def test_there_are_faults_for_every_check() -> None:
    """Except for `trains`, the safety net: whatever it finds, a more specific check finds first."""
    assert len(FAULTS) >= 30
    assert {cls.fault for cls in FAULTS} == set(CHECKS) - {"trains"}
