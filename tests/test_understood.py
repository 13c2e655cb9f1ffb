"""What `run` and `diagnose` show of a user's file before anything else, and tables on narrow terminals."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy
from rich.console import Console
from typer.testing import CliRunner

from equipoise.catalog.datasets import load_dataset
from equipoise.catalog.registry import registry
from equipoise.cli.main import app
from equipoise.cli.understood import understood
from equipoise.contracts.dataset import Dataset
from equipoise.report.export import render

from .shared.reported import NOISE
from .shared.tables import TEXTS, csv, mails, numbers


def test_labels_counts_and_rows(tmp_path: Path) -> None:
    lines = list(understood(load_dataset(mails(tmp_path)), 100))
    assert lines == [
        "mails: 12 texts, 2 labels, on average 0.83 a row",
        "labels: bug 6, ui 4",
        '  "this is mail number 0 about something, really" → ui',
        '  "this is mail number 2 about something, really" → (no label)',
        '  "this is mail number 3 about something, really" → bug, ui',
    ]


def test_a_label_with_a_line_break_stays_in_its_line(tmp_path: Path) -> None:
    rows = [f'"{text}",{i % 2},{int(i % 3 == 0)}' for i, text in enumerate(TEXTS)]
    lines = list(understood(load_dataset(csv(tmp_path / "t.csv", 'text,"bug\nor not",ui', rows)), 100))
    assert lines[1] == "labels: bug or not 6, ui 4"
    assert not any("\n" in line for line in lines)


def test_long_texts_and_lists_are_cut(tmp_path: Path) -> None:
    rows = [
        f'"{text}\n{"and so on " * 30}",{";".join(f"label{j}" for j in range(i % 40))}'
        for i, text in enumerate(TEXTS * 4)
    ]
    lines = list(understood(load_dataset(csv(tmp_path / "t.csv", "text,tags", rows)), 60))
    assert all(len(line) <= 60 for line in lines[2:])
    assert lines[1].startswith("labels: label0 46")
    assert "more …" in lines[1]
    assert len(lines[1]) < 300


def test_rows_of_numbers(tmp_path: Path) -> None:
    dense = load_dataset(numbers(tmp_path))
    assert "  x 0, y 0, colour 0 → b" in list(understood(dense, 100))
    X = scipy.sparse.csr_matrix(np.eye(9, dtype=np.float32))
    sparse = Dataset("s", X, np.eye(9, 2, dtype=np.uint8), ("a", "b"))
    assert list(understood(sparse, 80))[2].startswith("  x0 1, … → a")


def test_single_label_data_are_told(tmp_path: Path) -> None:
    rows = [f"{text},{'xyz'[i % 3]}" for i, text in enumerate(TEXTS)]
    lines = list(understood(load_dataset(csv(tmp_path / "s.csv", "text,category", rows)), 80))
    assert "every row has exactly one label: single-label (multiclass) data" in lines[2]


@pytest.mark.parametrize("command", ["run", "diagnose"])
def test_it_comes_first_and_on_stderr(tmp_path: Path, command: str) -> None:
    path = str(mails(tmp_path))
    arguments = {
        "run": ["run", "--dataset", path, "--strategy", "none", "--backbone", "linear", "--dry-run"],
        "diagnose": ["diagnose", path],
    }[command]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "labels: bug 6, ui 4" in result.stderr
    assert "labels: bug 6" not in result.stdout
    assert result.output.index("labels: bug 6") < result.output.index("detected as labels")


def test_a_question_ends_with_code_2(tmp_path: Path) -> None:
    rows = [f"{text},{'python pandas' if i % 2 else 'python'}" for i, text in enumerate(TEXTS)]
    path = csv(tmp_path / "t.csv", "text,tags", rows)
    command = [sys.executable, "-m", "equipoise", "diagnose", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith("error: t.csv, column 'tags' can be read in two ways")
    assert result.stderr.count("\n") == 1
    assert load_dataset(f"{path}[separator=' ']").labels == ("pandas", "python")
    assert load_dataset(f"{path}[label-format=whole]").labels == ("python", "python pandas")
    flags = CliRunner().invoke(app, ["diagnose", str(path), "--separator", " "])
    assert "labels: python 12, pandas 6" in flags.stderr


def test_names_of_strategies_at_50_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    shown = CliRunner().invoke(app, ["list", "strategies"]).stdout
    words = set(shown.split())
    assert [name for name in registry("strategy").names() if name not in words] == []
    info = CliRunner().invoke(app, ["info", "apl"]).stdout
    assert "equals asl[gamma_pos=0.0]" in " ".join(info.split())
    assert "…" not in info.replace(" … ", "")


@pytest.mark.parametrize("width", [40, 50, 60, 77])
def test_a_report_on_a_narrow_terminal_keeps_names_and_scores(width: int) -> None:
    names = ["none", "distribution_balanced", "global_threshold"]
    rows = [
        {
            "status": "ok",
            "dataset": "letters",
            "backbone": "linear",
            "strategy": name,
            "split": split,
            "metrics": {
                "scores/map": 0.5 + i / 10 + NOISE[split],
                "tuned/macro_f1": 0.6,
                "fixed/macro_f1": 0.4,
            },
            "settings": {},
            "cost": {"seconds_total": 1.0},
        }
        for i, name in enumerate(names)
        for split in range(5)
    ]
    console = Console(width=width, file=io.StringIO(), record=True, color_system=None)
    render(rows, console, details=True)
    table = console.export_text().partition("▸")[0]
    assert "…" not in table
    assert "global_threshold" in table
    # Longer than the column: folded, and not cut.
    assert "distribution_bala" in table
    assert ".700" in table


def test_info_is_without_internal_entries() -> None:
    quick = CliRunner().invoke(app, ["info", "quick"]).stdout
    assert "trial_batch" not in quick
    assert "strategies none" in " ".join(quick.split())
    focal = CliRunner().invoke(app, ["info", "focal"]).stdout
    assert [line for line in focal.splitlines() if line.split()[:1] == ["off"]] == []
