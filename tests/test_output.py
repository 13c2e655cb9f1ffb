"""What commands print: in any encoding, through a closed pipe, with control characters in the data, and on Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from equipoise.core import output
from equipoise.core.errors import trace_of

#: A label and a text with signs that few encodings have, and one with a command to the terminal.
CSV = "text,naïve ☃,e\x1b[31mvil\n" + "".join(
    f"mail {i} about {i % 7},{i % 2},{i % 3 == 0:d}\n" for i in range(60)
)
TINY = ("--backbone", "linear", "--trials", "1", "--folds", "2", "--epochs", "1", "--device", "cpu")
CLI = (sys.executable, "-c", "from equipoise.cli import main; main()")


def command(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    (folder / "d.csv").write_text(CSV, encoding="utf-8")
    return subprocess.run(
        [*CLI, *words], cwd=folder, capture_output=True, check=False, env={**os.environ, **environment}
    )


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_every_encoding_can_show_everything(encoding: str, tmp_path: Path) -> None:
    words = ("run", "--dataset", "d.csv", "--strategy", "none", "--splits", "1", *TINY, "--dry-run")
    done = command(tmp_path, *words, PYTHONIOENCODING=encoding)
    assert done.returncode == 0
    label = {"ascii": "na\\xefve \\u2603", "cp1252": "naïve \\u2603", "utf-8": "naïve ☃"}[encoding]
    # The plan, and what was understood of the file.
    for shown in (done.stdout.decode(encoding), done.stderr.decode(encoding)):
        assert label in shown
        assert "e\\x1b[31mvil" in shown
        assert "\x1b" not in shown
    assert len(done.stderr.splitlines()) == 5, "a line on the file, one on its labels, three rows"


@pytest.mark.slow
def test_without_a_locale_a_sweep_runs_and_errors_are_a_line(tmp_path: Path) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    words = ("run", "--dataset", "d.csv", "--strategy", "none", "--splits", "1", *TINY, "--results")
    done = command(tmp_path, *words, "out", **plain)
    assert done.returncode == 0
    # What was understood of the file stands there, and nothing else.
    assert done.stderr.isascii()
    assert b"\x1b" not in done.stderr
    assert done.stderr.count(b"\n") == 5
    assert b"\\xefve" in done.stdout
    wrong = command(tmp_path, "info", "nö\x1b[2J", **plain)
    assert wrong.returncode == 2
    assert wrong.stderr.isascii()
    assert wrong.stderr.count(b"\n") == 1
    assert b"\x1b" not in wrong.stderr


@pytest.mark.skipif(os.name != "posix", reason="closes a pipe as POSIX does")
@pytest.mark.parametrize("words", [["list"], ["list", "--json"], ["info", "focal"], ["infos"]], ids=" ".join)
def test_a_closed_pipe_ends_a_command_without_a_word(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(CSV, encoding="utf-8")
    reading, writing = os.pipe()
    os.close(reading)
    erring = words == ["infos"]
    done = subprocess.run(
        [*CLI, *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE if erring else writing,
        stderr=writing if erring else subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert done.returncode == 141
    assert not done.stdout
    assert not done.stderr


SWEEP = (
    "run",
    "--dataset",
    "design-emails[rows=120]",
    "--strategy",
    "none",
    *TINY,
    "--splits",
    "40",
    "--results",
    "out",
)


def started(folder: Path, workers: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*CLI, *SWEEP, "--workers", str(workers)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )


def rows(folder: Path) -> int:
    file = folder / "out" / "rows.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


@pytest.mark.skipif(os.name != "posix", reason="closes a pipe as POSIX does")
@pytest.mark.slow
def test_a_sweep_whose_reader_ends_keeps_its_rows(tmp_path: Path) -> None:
    running = started(tmp_path, 1)
    assert running.stdout is not None
    assert running.stderr is not None
    for line in running.stdout:
        if line.startswith("2/40"):
            break
    running.stdout.close()
    assert running.stderr.read() == ""
    assert running.wait(120) == 141
    assert 2 <= rows(tmp_path) < 40


@pytest.mark.skipif(os.name != "posix", reason="sends a signal to a group of processes")
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.slow
def test_an_interrupted_sweep_counts_the_rows_that_are_there(workers: int, tmp_path: Path) -> None:
    running = started(tmp_path, workers)
    end = time.monotonic() + 120
    while rows(tmp_path) < 2 and running.poll() is None and time.monotonic() < end:
        time.sleep(0.005)
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=120)
    assert running.returncode == 130
    assert said == (
        f"interrupted: {rows(tmp_path)} of 40 cells are done and kept in out; the same command goes on from there\n"
    )


def test_control_characters_are_written_out_and_text_is_not() -> None:
    assert output.visible("a\tb\nc é ☃ مرحبا") == "a\tb\nc é ☃ مرحبا"
    assert (
        output.visible("\x1b[2J\r\x07\x7f\x9b \u202e\udcff") == "\\x1b[2J\\x0d\\x07\\x7f\\x9b \\u202e\\udcff"
    )


def test_json_stays_json_where_characters_cannot_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    odd = "e\x9b☃\x7f\u202e\udcff…"
    output.echo_json(json.dumps([odd], ensure_ascii=False))
    printed = capsys.readouterr().out
    assert json.loads(printed) == [odd]
    assert "☃" in printed
    assert not {"\x9b", "\x7f", "\u202e"} & set(printed)


def test_a_long_traceback_keeps_its_begin_and_its_end() -> None:
    try:
        raise ValueError("x" * 10**6 + " the end")
    except ValueError as error:
        trace = trace_of(error)
    assert trace.startswith("Traceback")
    assert trace.endswith(" the end\n")
    assert len(trace) < 13_000
