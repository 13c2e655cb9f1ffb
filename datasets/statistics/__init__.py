"""What is known of each dataset without loading it: one JSON file each, committed, checked by a test.

`python docs/make_statistics.py [NAME …]` writes them anew from the data (in a checkout).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.contracts.dataset import DEV, TEST, TRAIN, Dataset

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The datasets with committed statistics."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def committed(name: str) -> dict[str, Any] | None:
    """The committed statistics of a dataset; None where there are none."""
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def official_sizes() -> dict[str, dict[str, int]]:
    """The built-in datasets with an official split: rows of each part ("train", "dev", "test")."""
    known = {name: (committed(name) or {}).get("official") for name in names()}
    return {name: sizes for name, sizes in known.items() if sizes}


def official_words(sizes: dict[str, int]) -> str:
    """The sizes of an official split in a line."""
    dev = f" ({sizes['dev']} of them published as development rows)" if sizes["dev"] else ""
    train = sizes["train"] + sizes["dev"]
    return f"{train} rows to train on{dev}, {sizes['test']} to test on; run it with --splits official"


def statistics(data: Dataset) -> dict[str, Any]:
    """Terms, counts and the measures of `equipoise.measures.describe`; undefined is None.

    `sha256` is that of `Dataset`; `inputs` is the number of columns, None for text (then `characters` holds the median
    length of the texts). Measures are rounded to twelve digits.
    """
    from equipoise.measures import describe

    inputs = None if data.kind == "text" else int(data.X.shape[1])
    positives = data.Y.sum(axis=0, dtype=int)
    record: dict[str, Any] = {
        "name": data.name,
        "source": data.source,
        "terms": data.terms,
        "citation": data.citation,
        "generated": data.generated,
        "sha256": data.sha256,
        "kind": data.kind,
        "inputs": inputs,
        **{key: _rounded(value) for key, value in describe(data.Y, inputs).items()},
        "rarest_label": int(positives.min()),
        "most_frequent_label": int(positives.max()),
    }
    if data.kind == "text":
        record["characters"] = float(np.median([len(text) for text in data.X]))
    if data.official is not None:
        record["official"] = {
            part: int((data.official == code).sum())
            for part, code in (("train", TRAIN), ("dev", DEV), ("test", TEST))
        }
    return record


def write(data: Dataset, folder: Path = FOLDER) -> Path:
    """Write the statistics of a dataset to `folder/NAME.json`."""
    path = folder / f"{data.name}.json"
    path.write_text(json.dumps(statistics(data), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _rounded(value: float) -> float | int | None:
    if isinstance(value, int):
        return value
    return float(f"{value:.12g}") if math.isfinite(value) else None
