"""What plugins print stays out of a command's output, and is kept in the store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from equipoise.core import output, plugin_output

PRINTS = """
import ctypes, logging, os, subprocess, sys, warnings
from dataclasses import dataclass
from equipoise import Strategy

print("NOISE imported")

@dataclass(frozen=True)
class Noisy(Strategy):
    "Prints in every way there is."
    name = "noisy"

    def weights(self, Y, ctx):
        print("NOISE out")
        print("NOISE err", file=sys.stderr)
        os.write(1, b"NOISE descriptor\\n")
        subprocess.run([sys.executable, "-c", "print('NOISE child')"])
        warnings.warn("NOISE warning")
        logging.warning("NOISE log")
        try:
            ctypes.CDLL(None).puts(b"NOISE from C")  # buffered by C until the process ends, or for long
        except TypeError:
            print("NOISE from C")
        return super().weights(Y, ctx)
"""
WAYS = ("out", "err", "descriptor", "child", "warning", "log", "from C")
CELL = "design-emails[rows=60] · linear · noisy · split 0"


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "noisy.py").write_text(PRINTS, encoding="utf-8")
    code = "from equipoise.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "COLUMNS": "160"},
        check=False,
    )


RUN = (
    "run",
    "--dataset",
    "design-emails[rows=60]",
    "--backbone",
    "linear",
    "--strategy",
    "./noisy.py",
    "--strategy",
    "none",
)
TINY = (
    "--trials",
    "1",
    "--folds",
    "2",
    "--epochs",
    "1",
    "--splits",
    "1",
    "--device",
    "cpu",
    "--results",
    "out",
)


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_prints_of_hooks_are_in_the_store_and_nowhere_else(workers: str, tmp_path: Path) -> None:
    done = command(tmp_path, *RUN, *TINY, "--workers", workers)
    assert done.returncode == 0, done.stderr
    assert "NOISE" not in done.stdout
    said = {
        line for line in done.stderr.splitlines() if not line.startswith("warning: design-emails[rows=60]: ")
    }
    assert said <= {"NOISE imported"}, "that of the plan, before there is a store"
    assert "plugins have printed, see out/logs" in done.stdout
    logged = "".join(file.read_text(encoding="utf-8") for file in (tmp_path / "out" / "logs").iterdir())
    for way in WAYS:
        assert f"NOISE {way}" in logged
    assert CELL in logged.splitlines()[-1]


@pytest.mark.slow
def test_data_for_programs_are_free_of_prints(tmp_path: Path) -> None:
    for words in (
        [*RUN, *TINY, "--dry-run", "--json"],
        ["check", "./noisy.py", "--json"],
        ["list", "--plugin", "./noisy.py", "--json"],
    ):
        done = command(tmp_path, *words)
        json.loads(done.stdout)
        assert "NOISE imported" in done.stderr


def test_a_silent_sweep_leaves_no_logs(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    with plugin_output.plugins_apart(), plugin_output.into_log(folder):
        plugin_output.mark("nobody")
    assert not folder.exists()


def test_output_and_its_diversion_nest_and_are_restored(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "logs"
    for _ in range(2):
        with plugin_output.plugins_apart():
            print("for stderr")
            with plugin_output.into_log(folder):
                os.write(1, b"first\n")
                plugin_output.mark("a cell")
                output.echo("own words")
                os.write(2, b"second\n")
                plugin_output.mark("another cell")
                plugin_output.mark("a silent cell")
    print("as before")
    out, err = capfd.readouterr()
    assert out == "own words\nown words\nas before\n"
    assert err == "for stderr\n" * 2
    (log,) = folder.iterdir()
    once = "first\n(printed by a cell)\nsecond\n(printed by another cell)\n"
    assert log.read_text() == once * 2
