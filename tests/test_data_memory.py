"""Loading a table of 200 labels takes about three times its file size in memory, measured in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROWS, LABELS = 100_000, 200

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc"),
]

#: Loads a small file first, so that imports do not count; prints what the large one took, in bytes, and its counts.
#: (`ru_maxrss` would not do: a process that pytest starts begins with pytest's.)
SCRIPT = """
import json, re, sys
from equipoise.catalog.datasets import load_dataset
peak = lambda: 1024 * int(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1])
small, large = sys.argv[1:]
load_dataset(small)
before = peak()
data = load_dataset(large)
print(json.dumps([peak() - before, data.n_rows, data.n_labels, int(data.Y.sum())]))
"""


@pytest.fixture(scope="module")
def table() -> tuple[list[str], np.ndarray]:
    """Texts of 10 to 20 words and (ROWS, LABELS) labels, from common to rare."""
    rng = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(3000)])
    texts = [" ".join(rng.choice(words, length)) for length in rng.integers(10, 21, ROWS)]
    return texts, (rng.random((ROWS, LABELS)) < np.geomspace(0.3, 0.001, LABELS)).astype(int)


def write(folder: Path, shape: str, texts: list[str], Y: np.ndarray) -> Path:
    names = [f"label_{i:03d}" for i in range(LABELS)]
    listed = [[names[i] for i in np.flatnonzero(row)] for row in Y]
    suffix = "jsonl" if shape == "json lines" else "csv"
    path = folder / f"table.{suffix}"
    with path.open("w", encoding="utf-8") as file:
        if shape == "0/1 columns":
            file.write(",".join(["text", *names]) + "\n")
            file.writelines(
                f"{t},{','.join(map(str, row))}\n" for t, row in zip(texts, Y.tolist(), strict=True)
            )
        elif shape == "one column":
            file.write("text,tags\n")
            file.writelines(f"{t},{';'.join(row)}\n" for t, row in zip(texts, listed, strict=True))
        elif shape == "numbers":
            file.write(",".join(["x", "y", *names]) + "\n")
            numbers = ((i / 7, 1 / (i + 1)) for i in range(len(Y)))
            rows = zip(numbers, Y.tolist(), strict=True)
            file.writelines(f"{x:.6f},{y:.6f},{','.join(map(str, row))}\n" for (x, y), row in rows)
        else:
            rows = zip(texts, listed, strict=True)
            file.writelines(json.dumps({"text": t, "labels": row}) + "\n" for t, row in rows)
    return path


@pytest.mark.parametrize("shape", ["0/1 columns", "one column", "numbers", "json lines"])
def test_memory_is_about_three_times_the_file(
    tmp_path: Path, table: tuple[list[str], np.ndarray], shape: str
) -> None:
    texts, Y = table
    (tmp_path / "small").mkdir()
    small = write(tmp_path / "small", shape, texts[:2000], Y[:2000])
    large = write(tmp_path, shape, texts, Y)
    done = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT, str(small), str(large)],
        capture_output=True,
        text=True,
        check=True,
    )
    taken, rows, labels, ones = json.loads(done.stdout)
    assert taken > Y.size  # a byte for each 0 or 1: otherwise it was not the peak that was read
    assert (rows, labels, ones) == (ROWS, LABELS, int(Y.sum()))
    assert taken < 3 * large.stat().st_size, f"{taken / large.stat().st_size:.2f} times the file"
