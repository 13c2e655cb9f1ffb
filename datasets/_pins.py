"""The files of the sets that come as several files of one folder, pinned in pins.json."""

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
    """The files of a set, in their order."""
    about = _index()[dataset]
    return [Pin(dataset, file, about["base"] + file, sha256) for file, sha256 in about["files"].items()]
