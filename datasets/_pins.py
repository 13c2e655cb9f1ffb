"""URLs and hashes (pins.json) of the data sets that consist of several files in one folder."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from equipoise.readers.downloads import Pin


@lru_cache(maxsize=1)
def _index() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(__file__).with_name("pins.json").read_text(encoding="utf-8"))
    return content


def pins(dataset: str) -> list[Pin]:
    """The files of a data set in the order of pins.json."""
    entry = _index()[dataset]
    return [Pin(dataset, file, entry["base"] + file, sha256) for file, sha256 in entry["files"].items()]
