"""What the command line says to bad input: one line, and exit code 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from equipoise.cli.ending import run_to_end

from .shared import commands
from .shared.commands import Say, words

_apart = commands.apart
say = commands.say
quick = commands.quick

GOOD = "text,a,b\n" + "".join(f"mail {i} about thing{i % 7},{i % 2},{int(i % 3 == 0)}\n" for i in range(60))

NUMBERS = "x,y,a,b\n" + "".join(f"{i / 2},{(i * 7) % 11},{i % 2},{int(i % 3 == 0)}\n" for i in range(60))


# --- what it says to bad input
FILES = {
    "good.csv": GOOD,
    "numbers.csv": NUMBERS,
    "one-class.csv": "text,a,b\n" + "".join(f"mail {i},1,1\n" for i in range(60)),
    "word-label.csv": GOOD.replace("thing5,1", "thing5,maybe"),
    "no-text.csv": "text,a,b\n" + "".join(f",{i % 2},{int(i % 3 == 0)}\n" for i in range(60)),
    "nan.csv": NUMBERS.replace("1.0,3,", "nan,3,"),
    "blank.csv": NUMBERS.replace("1.0,3,", ",3,"),
    "twice.csv": GOOD.replace("text,a,b", "text,a,a"),
    "ragged.csv": GOOD + "one more\n",
    "short.csv": "text,a,b\nhello there,1,0\n",
    "header.csv": "text,a,b\n",
    "nothing.csv": "",
    "broken.py": "import no_such_module_at_all",
    "syntax.py": "def f(:",
    "empty.py": "x = 1",
    "exits.py": "raise SystemExit(3)",
    "late.py": (
        "from dataclasses import dataclass\nfrom equipoise.contracts.dataset import DatasetSource\n"
        "@dataclass(frozen=True)\nclass Late(DatasetSource):\n"
        "    def load(self, data_dir=None):\n        raise SystemExit(0)\n"
        "sources = (Late('late', 'ends the process'),)\n"
    ),
    "clash.py": "from equipoise.contracts.strategy import Strategy\nclass Mine(Strategy):\n    name = 'focal'\n",
    "typo.toml": 'datsets = ["yeast"]\n',
    "bad.toml": "datasets = [",
    "batch.toml": 'datasets = ["yeast"]\nbackbones = ["mlp"]\nstrategies = ["none"]\n[settings]\nbatch_size = 100\n',
    "a-file": "x",
    "cache/emotions/emotions.arff": "not what was published",
}

BAD: dict[str, tuple[list[str], str]] = {
    "missing file": (words(dataset="nowhere.csv"), "nowhere.csv does not exist"),
    "a folder": (words(dataset="./cache"), "is a folder, not a file"),
    "wrong text column": (words(dataset="good.csv", text="body"), "unknown column of good.csv: 'body'"),
    "wrong label column": (words(dataset="good.csv", labels="a+c"), "unknown column of good.csv: 'c'"),
    "wrong list column": (
        words(dataset="good.csv", label_column="tags"),
        "unknown column of good.csv: 'tags'",
    ),
    "columns of a named set": (words(text="x"), "unknown option of dataset 'design-emails': 'text'"),
    "columns of two sets": ([*words(text="x"), "--dataset", "yeast"], "give one --dataset"),
    "one class only": (words(dataset="one-class.csv"), "one class only"),
    "a label that is no number": (words(dataset="word-label.csv", labels="a+b"), "maybe"),
    "no text at all": (words(dataset="no-text.csv"), "every text in column 'text' is empty"),
    "NaN features": (words(dataset="nan.csv"), "line 4, column 'x' has 'nan'"),
    "missing features": (words(dataset="blank.csv"), "line 4, column 'x' is empty"),
    "duplicate label names": (words(dataset="twice.csv"), "repeated: a"),
    "a line too short": (words(dataset="ragged.csv"), "line 62 has 1 field"),
    "too few rows": (words(dataset="short.csv"), "at least 10 are needed"),
    "no rows": (words(dataset="header.csv"), "0 rows"),
    "an empty file": (words(dataset="nothing.csv"), "is empty"),
    "bytes": (words(dataset="bytes.csv"), "not utf-8"),
    "unknown dataset": (words(dataset="yeats"), "did you mean 'yeast'"),
    "unknown dataset option": (words(dataset="design-emails[rwos=9]"), "did you mean 'rows'"),
    "dataset option of wrong type": (words(dataset="design-emails[rows=many]"), "rows must be"),
    "dataset option out of range": (words(dataset="design-emails[rows=-4]"), "out of range"),
    "corrupted download": (words(dataset="emotions"), "emotions.arff"),
    "offline, nothing there": (words(dataset="scene"), "scene"),
    "unknown backbone": (words(backbone="lstn"), "did you mean 'lstm'"),
    "backbone option of wrong type": (words(backbone="mlp[hidden=big]"), "hidden must be a whole number"),
    "unknown strategy": (words(strategy="fcoal"), "did you mean 'focal'"),
    "unknown option": (words(strategy="focal[gama=1]"), "did you mean 'gamma'"),
    "option of wrong type": (words(strategy="focal[gamma=high]"), "gamma must be a number"),
    "open bracket": (words(strategy="focal[gamma=1"), "write name or name[key=value,key=value]"),
    "two owners": (words(strategy="focal+pos_weight"), "'focal' and 'pos_weight' both own the loss stage"),
    "strategy twice": ([*words(), "--strategy", "none"], "'none' is given twice"),
    "empty strategy": (words(strategy=""), "an empty strategy"),
    "broken plugin": (words(strategy="./broken.py"), "No module named 'no_such_module_at_all'"),
    "plugin that is no Python": (words(strategy="./syntax.py"), "SyntaxError"),
    "plugin without a strategy": (words(strategy="./empty.py"), "defines no strategy"),
    "plugin that exits": (words(strategy="./exits.py"), "SystemExit: 3"),
    "plugin that exits while it loads its data": (
        words(dataset="./late.py"),
        "dataset 'late' could not be loaded: SystemExit: 0",
    ),
    "page over the data": (
        ["diagnose", "good.csv", "--html", "good.csv"],
        "--html must end in .html or .htm",
    ),
    "page over the rows": (["report", "--html", "rows.jsonl"], "--html must end in .html or .htm"),
    "plugin whose name is taken": (words(strategy="./clash.py"), "'focal' of file ./clash.py is taken"),
    "missing plugin": (words(strategy="./nowhere.py"), "no plugin file at ./nowhere.py"),
    "list of a broken plugin": (["list", "strategies", "--plugin", "broken.py"], "could not be loaded"),
    "workers 0": (words(workers=0), "--workers must be a number from 1"),
    "workers ²": (words(workers="²"), "--workers must be a number from 1"),
    "unknown device": (words(device="tpu"), "auto, cpu or cuda"),
    "unknown redo": (words(redo="sometimes"), "missing, failed, all"),
    "trials 0": (words(trials=0), "trials must be 1 or more"),
    "folds 0": (words(folds=0), "folds must be 1 or more"),
    "epochs -1": (words(epochs=-1), "epochs must be 1 or more"),
    "splits 0": (words(splits=0), "splits must be 1 or more, or official"),
    "seed -1": (words(seed=-1), "seed must be 0 or more"),
    "unknown objective": (words(objective="f1"), "macro_f1, map"),
    "unknown precision": (words(precision="half"), "float32, bfloat16"),
    "trials that are no number": (words(trials="few"), "see equipoise run --help"),
    "unknown flag": ([*words(), "--trails", "3"], "--trials"),
    "unknown command": (["rnu"], "run"),
    "unknown kind": (["list", "strategys"], "strategies"),
    "nothing to run": (["run"], "say what to run"),
    "half a combination": (words(backbone=None), "at least one each of backbone"),
    "suite and combination": (["run", "quick", "--dataset", "yeast"], "not both"),
    "unknown suite": (["run", "qiuck"], "did you mean 'quick'"),
    "missing suite file": (["run", "nowhere.toml"], "no suite file at nowhere.toml"),
    "typo in a suite": (["run", "typo.toml"], "did you mean 'datasets'"),
    "suite that is no TOML": (["run", "bad.toml"], "is not TOML"),
    "batch size": (["run", "batch.toml"], "batch_size must be a multiple of 32"),
    "results are a file": (words(results="a-file"), "a-file is a file"),
    "results that cannot be": (words(results="a-file/below"), "a-file"),
    "report of nothing": (["report", "--results", "nowhere"], "no rows in nowhere"),
    "info of nothing": (["info", "fcoal"], "did you mean 'focal'"),
    "info of a wrong option": (["info", "design-emails[labels=5,nosie=1]"], "did you mean 'noise'"),
    "info of a broken suite": (["info", "typo.toml"], "did you mean 'datasets'"),
    "info without a name": (["info"], "name"),
    "ui of nothing": (["ui", "--results", "nowhere"], "no MLflow database in nowhere"),
    "json without a dry run": ([*words(), "--json"], "--json goes with --dry-run"),
    "time workers": (["time", "--workers", "x"], "--workers must be a number from 1"),
    "compare a missing file": (["bench", "compare", "gone.json", "gone.json"], "no file gone.json"),
    "compare other files": (["bench", "compare", "short.csv", "short.csv"], "no file of pytest-benchmark"),
    "time price": (["time", "--price", "-1"], "--price must be what an hour of one core costs"),
    "time a suite and data": (["time", "quick", "--dataset", "yeast"], "a suite or combinations, not both"),
    "time nothing": (
        ["time", "--dataset", "numbers.csv", "--labels", "a+b", "--backbone", "lstm"],
        "nothing here can be run: lstm reads text",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line(case: str, say: Say) -> None:
    for name, text in FILES.items():
        file = Path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    Path("bytes.csv").write_bytes(b"\x00\xff\xfe" * 50)
    given, says = BAD[case]
    said = say(*given)
    assert said.code == 2
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1, said.err
    assert says in said.err
    assert "Traceback" not in said.out + said.err
    assert not Path("results/rows.jsonl").exists()


def test_a_row_that_was_damaged_is_one_line_with_its_place(say: Say, quick: None) -> None:
    assert say(*words()).code == 0
    file = Path("results/rows.jsonl")
    file.write_text("{not a row}\n" + file.read_text(), encoding="utf-8")
    said = say("report", "--results", "results")
    assert said.code == 2
    assert "rows.jsonl, line 1" in said.err


def test_other_code_cannot_end_a_command_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    code = compile("def command(**options): raise SystemExit(0)", "/plugins/mine.py", "exec")
    exec(code, scope := dict[str, Any]())
    with pytest.raises(SystemExit) as ended:
        run_to_end(scope["command"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: /plugins/mine.py, line 1, ended the command: SystemExit: 0\n"


def test_no_command_shows_the_help(say: Say) -> None:
    said = say()
    assert said.code == 0
    assert "Usage" in said.out + said.err


def test_a_real_process_ends_with_2_and_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "equipoise", "run", "--trails", "3"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
