"""The keys that another process with an edited package plans."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .shared import copies
from .shared.copies import Copy

pytestmark = pytest.mark.usefixtures("own_catalogue", "without_mlflow")

copied = copies.copied
copy = copies.copy


KEYS = """
import json
import equipoise
from equipoise.api import choose
from equipoise.sweep.plan import make_plan
tiny = {"trials": 1, "folds": 2, "epochs": 1}
chosen = choose(None, ["design-emails[rows=60]"], ["linear"], ["none", "focal", "asl"], tiny, 1, None)
keys = {cell.strategy: cell.key for cell in make_plan(chosen, device="cpu").cells}
print(json.dumps([equipoise.__file__, keys]))
"""


@pytest.mark.slow
def test_another_process_with_an_edited_package_plans_the_keys_that_it_should(copied: Copy) -> None:
    def planned() -> dict[str, str]:
        env = {**os.environ, "PYTHONPATH": str(copied.folder.parent), "PYTHONDONTWRITEBYTECODE": "1"}
        line = [sys.executable, "-c", KEYS]
        run = subprocess.run(
            line, capture_output=True, text=True, check=True, env=env, cwd=copied.folder.parent
        )
        place, keys = json.loads(run.stdout)
        assert Path(place).is_relative_to(copied.folder), "the copy runs"
        return dict(keys)

    def edited(file: str, old: str, new: str) -> set[str]:
        path = copied.folder / file
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(old, new), encoding="utf-8")
        after = planned()
        path.write_text(text, encoding="utf-8")
        return {name for name in after if after[name] != before[name]}

    before = planned()
    assert edited("catalog/registry.py", "no plugin file at", "there is no file") == set()
    assert edited("strategies/focal.py", "gamma * F.", "1.5 * gamma * F.") == {"focal"}
    assert edited("engine/optimizer.py", "import torch\n", "import torch\nX = 3\n") == {
        "none",
        "focal",
        "asl",
    }
