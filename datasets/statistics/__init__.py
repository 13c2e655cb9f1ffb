"""Statistics of the built-in data sets that are known without loading them: one committed JSON file each.

`python docs/make_statistics.py [NAME …]` recomputes them from the data (in a checkout); a test compares the two.
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
    """The names of the data sets with committed statistics."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def committed(name: str) -> dict[str, Any] | None:
    """The committed statistics of a data set, or None if there are none."""
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def official_sizes() -> dict[str, dict[str, int]]:
    """For each built-in data set with an official split, the number of rows in "train", "dev" and "test"."""
    known = {name: (committed(name) or {}).get("official") for name in names()}
    return {name: sizes for name, sizes in known.items() if sizes}


def official_words(sizes: dict[str, int]) -> str:
    """One line that describes the sizes of an official split."""
    dev = f" ({sizes['dev']} of them published as development rows)" if sizes["dev"] else ""
    train = sizes["train"] + sizes["dev"]
    return f"{train} training rows{dev}, {sizes['test']} test rows; use it with --splits official"


def statistics(data: Dataset) -> dict[str, Any]:
    """The licence terms, counts and measures (`equipoise.measures.describe`) of a data set; undefined values are None.

    `sha256` is `Dataset.sha256`. `inputs` is the number of feature columns; for text it is None, and `characters` holds
    the median length of the texts. Measures are rounded to twelve digits, because the last ones can differ between machines.
    """
    from equipoise.measures import describe  # imported late: reading committed statistics needs no SciPy

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
