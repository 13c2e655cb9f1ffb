"""The conformance kit finds every fault planted in a data set by the rule that names it, and has nothing against right ones."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent / "plugins"))

from planted_datasets.right import RIGHT

from equipoise.testing import DATASET_CHECKS
from equipoise.testing.datasets import exam
from equipoise.testing.datasets.check import check_dataset

FAULTS = [
    source
    for module in ("load_faults", "content_faults")
    for source in importlib.import_module(f"planted_datasets.{module}").FAULTS
]


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # some of them write files
    monkeypatch.setattr(exam, "SLOW", 0.25)


def cases() -> list[Any]:
    """The first fault of every rule is planted each time, the others in the slow tests."""
    first = {fault.fault: fault for fault in reversed(FAULTS)}.values()
    return [
        pytest.param(fault, id=fault.name, marks=() if fault in first else pytest.mark.slow)
        for fault in FAULTS
    ]


@pytest.mark.parametrize("source", cases())
def test_a_planted_fault_is_found(source: Any, tmp_path: Path) -> None:
    found = check_dataset(source, tmp_path / "data")
    assert source.fault in {f.check for f in found}, "\n".join(map(str, found)) or "nothing was found"


@pytest.mark.parametrize("source", RIGHT, ids=lambda source: source.name)
def test_a_right_data_set_is_not_blamed(source: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exam, "SLOW", 60.0)
    assert check_dataset(source, tmp_path / "data") == []


def test_the_second_process_works_in_the_folder_of_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (writes,) = (fault for fault in FAULTS if fault.name == "writes_here")
    for name in ("first", "second"):  # the process stays, so that it has to follow into the second folder
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        check_dataset(writes, tmp_path / "data")
        assert len(list((tmp_path / name).glob("cache-*.tmp"))) == 2


def test_there_are_faults_for_every_rule() -> None:
    assert len(FAULTS) >= 25
    assert {source.fault for source in FAULTS} == set(DATASET_CHECKS)
