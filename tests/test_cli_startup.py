"""Commands import only what they need."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from .shared import commands

_apart = commands.apart


HEAVY = ("torch", "scipy.sparse", "scipy.stats", "pandas", "mlflow", "optuna", "sklearn", "matplotlib")


@pytest.mark.parametrize(
    ("args", "shown", "heavy"),
    [
        (["--help"], "report", (*HEAVY, "numpy", "scipy")),
        (["run", "--help"], "--workers", (*HEAVY, "numpy", "scipy")),
        (["list"], "focal", HEAVY),
        (["info", "focal"], "gamma", HEAVY),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)
def test_what_only_tells_needs_nothing_heavy(args: list[str], shown: str, heavy: Sequence[str]) -> None:
    code = (
        f"import sys\nfrom equipoise.cli import main\nsys.argv = ['equipoise', *{args!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    code = end.code or 0\n"
        f"print('loaded', sorted({set(heavy)!r} & set(sys.modules)), code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "loaded [] 0" in done.stdout
    assert shown in done.stdout


@pytest.mark.parametrize(
    ("data", "texts"), [("design-emails[rows=60]", True), ("numbers.csv", False)], ids=["texts", "numbers"]
)
@pytest.mark.slow
def test_a_first_step_needs_no_pictures_and_no_compiler(data: str, texts: bool, tmp_path: Path) -> None:
    """`run` must not import plotting, MLflow or compilers before it trains, and scikit-learn only for texts."""
    (tmp_path / "numbers.csv").write_text(
        "a,b,label\n" + "".join(f"{i},{i * i},{i % 3 == 0:d}\n" for i in range(60))
    )
    data = data if texts else str(tmp_path / data)
    late = [
        "mlflow",
        "sqlalchemy",
        "matplotlib",
        "torch._inductor",
        "torch._dynamo",
        *["sklearn"] * (not texts),
    ]
    code = (
        "import sys\nimport equipoise\nfrom equipoise.sweep.run import Watcher\n"
        f"late = {late!r}\n"
        "def stop(cell, share):\n    print('loaded', [n for n in late if n in sys.modules]); sys.exit()\n"
        f"equipoise.run(dataset={data!r}, backbone='linear', strategy='none', trials=1, folds=2,"
        f" epochs=1, splits=1, results={str(tmp_path)!r}, watcher=Watcher(on_share=stop))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "loaded []" in done.stdout, done.stderr
