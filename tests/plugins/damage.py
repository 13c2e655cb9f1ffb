"""Sound inputs of every kind, and functions that damage them; a seeded generator decides how. `tests/test_fuzz.py` uses it."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

DEEP = 4000
ODD_TEXT = (
    "", " ", "\0", "\ufeff", "\ud800", "\x1b[31m", "\u2028", "é", "💥", "\r", "\n", "\t", "'", '"', "\\", "%", "[", "]",
    "{", "}", "=", ",", "+", ":", ";", "#", "1e309", "-1e309", "nan", "NaN", "inf", "null", "none", "true", "-1", "0",
    "1e5", "9" * 400, "9" * 5000, "0x10", "1_000", "²", "٣", "[" * DEEP, "{" * DEEP, "(" * DEEP, "-" * DEEP, "x" * 3000,
    "[a=" * 200, "+" * 300, "~nosuchuser/x.csv", "../x", "/", "official", "gamma=", "none+none", "utn-8",
)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 3, 10**400, 10**18, 0.5, 1e308, float("inf"), float("nan"), "", "x", "official", [], [None],
    [[]], {}, {"": 0}, {"x": None}, {"before": 3}, {"before": {}, "after": {}}, ["x"], [1, 2], [{}], [{"value": "x"}], "9" * 50,
    json.loads("[" * 300 + "]" * 300), {"a": json.loads('{"a":' * 60 + "1" + "}" * 60)},
)  # fmt: skip

ROW: dict[str, Any] = {
    "key": "abc", "status": "ok", "dataset": "letters", "dataset_sha256": "ab" * 32, "backbone": "linear", "strategy": "none",
    "split": 0, "seed": 0, "device": "cpu", "settings": {"trials": 2, "objective": "macro_f1"}, "code": "a/b/c",
    "created": "2026-01-01T00:00:00+00:00", "error": None, "reason": None, "traceback": None, "generated": False,
    "params": {"lr": 0.1}, "settled": 0.5, "edges": ["lr (high)"], "objective": 0.5,
    "metrics": {"fixed/macro_f1": 0.5, "tuned/macro_f1": 0.6, "own/macro_f1": 0.5, "scores/map": None},
    "per_label": {"fixed/f1": [0.5, None]}, "labels": ["a", "b"], "trials": [{"params": {"lr": 0.1}, "value": 0.5}],
    "decision_trials": [], "cost": {"seconds_total": 1.5, "seconds_reused": 0.0}, "plugins": [], "metrics_code": "ff",
    "audit": {side: {"mean_ir": 1.5, "rows": 9, "scumble": 0.1, "duplicates": 0} for side in ("before", "after")},
}  # fmt: skip
SUITE = """title = "x"
datasets = ["small.csv"]
backbones = ["linear", "mlp[hidden=8]"]
strategies = ["none", "focal[gamma=2]", "ml_ros+scut"]
splits = 2
seed = 0
[settings]
trials = 2
folds = 2
epochs = 1
batch_size = 32
objective = "macro_f1"
[[blocks]]
strategies = ["asl"]
splits = 1
"""
#: Values of TOML in places where others are expected.
ODD_TOML = (
    "3", "-1", "0", "1e309", "nan", "true", '""', '"x"', '"official"', "[]", "[[]]", "[1]", '["none", "none"]', "{}", "{a = 1}",
    "1979-05-27", "9223372036854775807", "9" * 5000, "[" * DEEP, "[" * 300 + "]" * 300, '["~nosuchuser/x.csv"]', '"\\u0000"',
)  # fmt: skip
CSV = "text,x,a,b\n" + "".join(f'"mail {i}, about {i % 7}",{i / 2},{i % 2},{i % 3 // 2}\n' for i in range(20))
JSONL = "".join(
    json.dumps({"text": f"mail {i} on {i % 7}", "x": i / 2, "tags": ["a", "b"][: i % 3]}) + "\n"
    for i in range(20)
)
ARFF = "@relation 'r: -C 2'\n@attribute a {0,1}\n@attribute b {0,1}\n@attribute x numeric\n@attribute 'c d' {u,'v w'}\n@data\n"
DENSE = ARFF + "".join(
    f"{i % 2},{i % 3 // 2},{i / 2},{'u' if i % 2 else chr(39) + 'v w' + chr(39)}\n" for i in range(20)
)
SPARSE = (
    ARFF.replace("@attribute 'c d' {u,'v w'}", "@attribute z numeric")
    + "{0 1, 2 0.5}\n{1 1,3 2}\n{}\n{0 1}\n" * 5
)
XML = '<?xml version="1.0" encoding="utf-8"?>\n<labels xmlns="x">\n<label name="a"/>\n<label name="b"></label>\n</labels>\n'
SPECS = (
    "none", "focal[gamma=2]", "ml_ros[p=0.25]+focal+scut", "asl[gamma_neg=4,gamma_pos=1]", "top_k[k=2]", "mlp[hidden=8]",
    "linear[max_features=20]", "small.csv[text=text,labels=a+b]", "design-emails[rows=60,seed=1]", "lstm[hidden=4,vocabulary=50]",
    "design-emails[labels=4,rows=50]", "./nowhere.py:focal", "embedding_bag[vectors=none]", "small.csv[encoding='utf-8']",
)  # fmt: skip
FLAGS = (
    "--splits", "--seed", "--trials", "--folds", "--epochs", "--batch-size", "--trial-batch", "--workers", "--device", "--redo",
    "--objective", "--precision", "--text", "--labels", "--label-column", "--features", "--delimiter", "--encoding", "--results",
    "--strategy", "--backbone", "--dataset",
)  # fmt: skip
NUMBERS = (
    "1000000000",
    "9" * 30,
    "9" * 5000,
    "-1",
    "0",
    "1e9",
    "0.5",
    "٣",
    "2",
    "nan",
    "1e309",
    "64",
    "1000000",
)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The bytes with one to three faults: flipped bits, spans lost, doubled or moved, odd text put in, or the end cut off."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        begin = rng.randrange(len(data) + 1)
        end = min(len(data), begin + rng.choice((1, 1, 3, 10, 40)))
        odd = rng.choice(ODD_TEXT).encode("utf-8", "surrogatepass")
        match rng.randrange(7):
            case 0:
                data = (
                    data[:begin]
                    + bytes(byte ^ (1 << rng.randrange(8)) for byte in data[begin:end])
                    + data[end:]
                )
            case 1:
                data = data[:begin] + data[end:]
            case 2:
                data = data[:end] + data[begin:end] * rng.choice((1, 2, 50)) + data[end:]
            case 3:
                data = data[:begin]
            case 4:
                lines = data.split(b"\n")
                rng.shuffle(lines)
                data = b"\n".join(lines)
            case _:
                data = data[:begin] + odd + data[end if rng.random() < 0.5 else begin :]
    return data


def odd_row(rng: random.Random) -> bytes:
    """A line of a store with an odd value somewhere in the row, or without a field, or with damaged bytes."""
    row = copy.deepcopy(ROW)
    for _ in range(rng.choice((1, 1, 2))):
        target: Any = row
        while True:
            name = rng.choice(list(target)) if isinstance(target, dict) else rng.randrange(len(target))
            if not isinstance(target[name], dict | list) or not target[name] or rng.random() < 0.5:
                break
            target = target[name]
        if rng.random() < 0.2 and isinstance(target, dict):
            del target[name]
        else:
            target[name] = copy.deepcopy(rng.choice(ODD_VALUES))
        if not row:
            break
    line = json.dumps(row).encode()
    return damaged(line, rng) if rng.random() < 0.35 else line


def odd_suite(rng: random.Random) -> bytes:
    """A suite in which a line has another key or an odd value, or with damaged bytes, or both."""
    lines = SUITE.splitlines()
    if rng.random() < 0.6:
        at = rng.choice([number for number, line in enumerate(lines) if "=" in line])
        name = rng.choice((lines[at].partition("=")[0], "name", "settings", "blocks", "title", "trials"))
        lines[at] = f"{name} = {rng.choice(ODD_TOML)}"
    suite = "\n".join(lines).encode()
    return suite if rng.random() < 0.5 else damaged(suite, rng)
