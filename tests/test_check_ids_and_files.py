"""Names of test cases for anything that can be checked, and which writes the kit blames on a data set."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from equipoise import Backbone, compose
from equipoise.strategies.testing import conformance_tests
from equipoise.testing.guard import unchanged

PROBE = """
from equipoise.testing.guard import unchanged
import sys, tempfile
tempfile.tempdir = None
effects = []
with unchanged(effects.append):
    tempfile.gettempdir()
sys.exit(str(effects) if effects else 0)
"""


class Named(Backbone):
    name = "called_so"


def ids(*plugins: Any) -> list[str]:
    (mark,) = conformance_tests(*plugins).pytestmark  # type: ignore[attr-defined]
    return list(mark.kwargs["ids"])


def test_a_composition_is_a_case_with_its_spec() -> None:
    combination = compose("ml_ros[p=0.25]", "focal", "scut")
    assert ids(combination, "focal[gamma=1]", Named()) == [combination.spec, "focal[gamma=1]", "called_so"]


def test_classes_without_a_name_are_cases_with_that_of_the_class() -> None:
    assert ids(type("Nameless", (Backbone,), {})) == ["Nameless"]


def test_the_search_for_a_folder_of_temporary_files_is_no_side_effect() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("own", [False, True])
def test_only_threads_that_were_started_inside_are_blamed(own: bool, tmp_path: Path) -> None:
    begin, effects = threading.Event(), list[str]()

    def write() -> None:
        begin.wait(10)
        (tmp_path / "written").write_text("x")

    thread = threading.Thread(target=write)
    if not own:
        thread.start()
    with unchanged(effects.append):
        if own:
            thread.start()
        begin.set()
        thread.join(10)
    assert any("written" in effect for effect in effects) == own
