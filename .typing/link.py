"""Lay the modules out the way they are imported, as links in `.typing/equipoise/`, for the type checker alone.

`pyproject.toml` maps `strategies/` to `equipoise.strategies` and so on; mypy and editors cannot see such a map.
Run `python .typing/link.py && mypy`. Nothing is imported or packaged from here.
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / ".typing" / "equipoise"
MAPPED = ("strategies", "datasets", "backbones")


def wanted() -> dict[str, Path]:
    """The links there should be: every module of `equipoise/` and the mapped folders."""
    modules = {
        p.name: p for p in (ROOT / "equipoise").iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()
    }
    return modules | {name: ROOT / name for name in MAPPED} | {"suites": ROOT / "benchmarks" / "suites"}


def main() -> None:
    """Bring the folder of links up to date."""
    TARGET.mkdir(exist_ok=True)
    links = wanted()
    for stale in TARGET.iterdir():
        if stale.is_symlink() and stale.name not in links:
            stale.unlink()
    for name, source in links.items():
        link = TARGET / name
        if not link.is_symlink():
            link.symlink_to(os.path.relpath(source, TARGET))


if __name__ == "__main__":
    main()
