"""The list of packages: every folder of the map in `pyproject.toml`, and the subpackages found below it."""

import tomllib
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
MAP = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
    "package-dir"
]

setup(
    packages=[
        ".".join(filter(None, (name, below)))
        for name, folder in MAP.items()
        for below in ("", *find_packages(str(ROOT / folder)))
    ]
)
