"""Damaged input of every kind: each gives a result or one line of at most 500 characters; no traceback, no hang, nothing lost.

A seeded generator damages rows, specs, suites and data files. Every input has a number, so that a failure can be repeated.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import random
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.datasets import load_dataset
from equipoise.catalog.strategies import get_strategy
from equipoise.cli import main
from equipoise.core.errors import EquipoiseError
from equipoise.store.store import Store

#: Inputs of each kind. Together more than 2,000.
COUNT = {
    "rows": 500,
    "specs": 600,
    "suites": 300,
    "options": 200,
    "csv": 300,
    "jsonl": 300,
    "arff": 300,
    "xml": 150,
}
#: Characters that a message may have, and seconds that one input may take on a busy machine.
LONGEST, PATIENCE = 500, 60

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


class Late(Exception):
    """An input took longer than `PATIENCE`."""


@contextlib.contextmanager
def limited() -> Iterator[None]:
    def late(*_: Any) -> None:
        raise Late

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class RefusedError(Exception):
    """The message of a command that ended with exit code 2."""


def command(*words: str) -> None:
    """Run `equipoise` in this process.

    Raises:
        RefusedError: it ended with exit code 2 and one message.
    """
    out, err, code = io.StringIO(), io.StringIO(), None
    before, sys.argv = sys.argv, ["equipoise", *words]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv = before
    assert "Traceback" not in out.getvalue() + err.getvalue()
    if code == 2:
        # In a message of the command line, "error: " and the line break at the end are no part of it.
        message = err.getvalue().removeprefix("error: ").removesuffix("\n")
        assert err.getvalue() == f"error: {message}\n"
        raise RefusedError(message)
    assert code in (0, None), f"exit code {code}: {err.getvalue()}"


def try_rows(rng: random.Random) -> None:
    store = Store("store")
    good = [json.dumps({**ROW, "key": f"g{split}", "split": split}).encode() for split in range(3)]
    lines = [*good, odd_row(rng).replace(b"\n", b" ")]
    rng.shuffle(lines)
    content = b"\n".join(lines) + rng.choice((b"\n", b"\n", b""))
    store.path.mkdir(exist_ok=True)
    store.rows_file.write_bytes(content)
    try:
        assert {"g0", "g1", "g2"} <= {row["key"] for row in store.rows()}, "sound rows are used"
        assert {"g0", "g1", "g2"} <= set(store.statuses())
        command("report", "--results", "store", *(["--json"] if rng.random() < 0.5 else []))
    finally:
        assert store.rows_file.read_bytes() == content, "reading changes nothing"


def try_specs(rng: random.Random) -> None:
    spec = damaged(rng.choice(SPECS).encode(), rng).decode("utf-8", "surrogateescape")
    rng.choice((get_strategy, get_strategy, get_backbone, load_dataset))(spec)


def try_suites(rng: random.Random) -> None:
    lines = SUITE.splitlines()
    if rng.random() < 0.6:
        at = rng.choice([number for number, line in enumerate(lines) if "=" in line])
        name = rng.choice((lines[at].partition("=")[0], "name", "settings", "blocks", "title", "trials"))
        lines[at] = f"{name} = {rng.choice(ODD_TOML)}"
    suite = "\n".join(lines).encode()
    Path("suite.toml").write_bytes(suite if rng.random() < 0.5 else damaged(suite, rng))
    command("run", "suite.toml", "--dry-run", "--results", "results")


def try_options(rng: random.Random) -> None:
    words = [
        "run",
        "--dataset",
        "small.csv",
        "--backbone",
        "linear",
        "--strategy",
        "none",
        "--strategy",
        "focal",
        "--dry-run",
    ]
    for _ in range(rng.choice((1, 1, 2))):
        value = rng.choice((*NUMBERS, *NUMBERS, *ODD_TEXT)).replace("\0", "")
        words.append(f"{rng.choice(FLAGS)}={value}")
    command(*words)


def file_of(name: str, *contents: str) -> Callable[[random.Random], None]:
    """Try a damaged file as a data set, sometimes with options that name its columns."""

    def attempt(rng: random.Random) -> None:
        Path(name).write_bytes(damaged(rng.choice(contents).encode(), rng))
        named: dict[str, Any] = {"labels": "a+b"} if rng.random() < 0.3 and not name.endswith("jsonl") else {}
        load_dataset(name, **named).sha256  # noqa: B018 - it reads every value

    return attempt


def try_xml(rng: random.Random) -> None:
    Path("good.arff").write_text(DENSE)
    Path("good.xml").write_bytes(damaged(XML.encode(), rng))
    load_dataset("good.arff").sha256  # noqa: B018


KINDS: dict[str, Callable[[random.Random], None]] = {
    "rows": try_rows,
    "specs": try_specs,
    "suites": try_suites,
    "options": try_options,
    "csv": file_of("bad.csv", CSV),
    "jsonl": file_of("bad.jsonl", JSONL),
    "arff": file_of("bad.arff", DENSE, SPARSE),
    "xml": try_xml,
}


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="limits of time are POSIX")
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_input_is_used_or_refused_in_one_line(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EQUIPOISE_DATA", str(tmp_path / "cache"))
    Path("small.csv").write_text(CSV)
    refused, faults = 0, []
    for number in range(COUNT[kind]):
        try:
            with limited(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                KINDS[kind](random.Random(f"{kind} {number}"))
        except (EquipoiseError, RefusedError) as error:
            refused += 1
            line = str(error)
            if "\n" in line or len(line) > LONGEST:
                faults.append(f"{kind} {number}: {len(line)} characters: {line[:200]!r}")
        except Exception as error:
            faults.append(f"{kind} {number}: {type(error).__name__}: {str(error)[:300]}")
    assert not faults, f"{len(faults)} of {COUNT[kind]}:\n" + "\n".join(faults[:20])
    assert refused > COUNT[kind] // 10, "the damage must be felt"
