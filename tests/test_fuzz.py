"""Damaged input of every kind: each gives a result or one line of at most 500 characters; no traceback, no hang, nothing lost.

A seeded generator damages rows, specs, suites and data files. Every input has a number, so that a failure can be repeated.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import runpy
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
from equipoise.store.checks import fault
from equipoise.store.store import Store

#: Inputs of each kind. Together 5,500.
COUNT = {"rows": 500, "specs": 2000, "suites": 400, "options": 200}
COUNT |= {"csv": 700, "jsonl": 700, "arff": 700, "xml": 300}
#: Characters that a message may have, and seconds that one input may take on a busy machine.
LONGEST, PATIENCE = 500, 60

#: The generator of damage: sound inputs, odd values, and functions that put faults in.
DAMAGE = runpy.run_path(str(Path(__file__).parent / "plugins" / "damage.py"))
ROW, CSV, damaged = DAMAGE["ROW"], DAMAGE["CSV"], DAMAGE["damaged"]


class Late(BaseException):
    """An input took longer than `PATIENCE`. No `except Exception` on the way may hold it up."""


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
    lines = [*good, DAMAGE["odd_row"](rng).replace(b"\n", b" ")]
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
    spec = damaged(rng.choice(DAMAGE["SPECS"]).encode(), rng).decode("utf-8", "surrogateescape")
    rng.choice((get_strategy, get_strategy, get_backbone, load_dataset))(spec)


def try_suites(rng: random.Random) -> None:
    Path("suite.toml").write_bytes(DAMAGE["odd_suite"](rng))
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
        value = rng.choice((*DAMAGE["NUMBERS"] * 2, *DAMAGE["ODD_TEXT"])).replace("\0", "")
        words.append(f"{rng.choice(DAMAGE['FLAGS'])}={value}")
    command(*words)


def file_of(name: str, *contents: str) -> Callable[[random.Random], None]:
    """Try a damaged file as a data set, sometimes with options that name its columns."""

    def attempt(rng: random.Random) -> None:
        Path(name).write_bytes(damaged(rng.choice(contents).encode(), rng))
        named: dict[str, Any] = {"labels": "a+b"} if rng.random() < 0.3 and not name.endswith("jsonl") else {}
        load_dataset(name, **named).sha256  # noqa: B018 - it reads every value

    return attempt


def try_xml(rng: random.Random) -> None:
    Path("good.arff").write_text(DAMAGE["DENSE"])
    Path("good.xml").write_bytes(damaged(DAMAGE["XML"].encode(), rng))
    load_dataset("good.arff").sha256  # noqa: B018


def test_the_originals_are_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise all damage would be refused for one and the same reason."""
    monkeypatch.chdir(tmp_path)
    files = {
        "small.csv": CSV,
        "a.jsonl": DAMAGE["JSONL"],
        "b.arff": DAMAGE["DENSE"],
        "c.arff": DAMAGE["SPARSE"],
    }
    for name, content in files.items():
        Path(name).write_text(content)
        assert load_dataset(name).labels == ("a", "b")
    Path("b.xml").write_text(DAMAGE["XML"])
    assert load_dataset("b.arff").labels == ("a", "b")
    assert fault(ROW) is None
    Path("suite.toml").write_text(DAMAGE["SUITE"])
    command("run", "suite.toml", "--dry-run")


KINDS: dict[str, Callable[[random.Random], None]] = {
    "rows": try_rows,
    "specs": try_specs,
    "suites": try_suites,
    "options": try_options,
    "csv": file_of("bad.csv", CSV),
    "jsonl": file_of("bad.jsonl", DAMAGE["JSONL"]),
    "arff": file_of("bad.arff", DAMAGE["DENSE"], DAMAGE["SPARSE"]),
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
        except (Exception, Late) as error:
            faults.append(f"{kind} {number}: {type(error).__name__}: {str(error)[:300]}")
    assert not faults, f"{len(faults)} of {COUNT[kind]}:\n" + "\n".join(faults[:20])
    assert refused > COUNT[kind] // 10, "the damage must be felt"
