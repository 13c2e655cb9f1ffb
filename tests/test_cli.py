"""The command line from end to end; bad input gives one line and exit code 2, without a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from equipoise.sweep.suite import suite_text

from .shared import commands
from .shared.commands import Say, words

_apart = commands.apart
say = commands.say
quick = commands.quick

GOOD = "text,a,b\n" + "".join(f"mail {i} about thing{i % 7},{i % 2},{int(i % 3 == 0)}\n" for i in range(60))


# --- what it does
def test_run_report_and_run_again(say: Say, quick: None) -> None:
    more = ["--strategy", "ml_ros[p=0.5]+focal"]
    first = say(*words(splits=2), *more)
    assert first.code == 0, first.err
    assert "4 cells (0 there already)" in first.out
    assert "GENERATED" in first.out.upper(), "generated data are called so"
    assert "4/4" in first.out
    assert "ml_ros[p=0.5]+focal" in first.out
    rows = [json.loads(line) for line in Path("results/rows.jsonl").read_text().splitlines()]
    assert [(r["status"], r["split"]) for r in rows] == [("ok", 0), ("ok", 0), ("ok", 1), ("ok", 1)]
    again = say(*words(splits=2), *more)
    assert "4 cells (4 there already)" in again.out
    assert len(Path("results/rows.jsonl").read_text().splitlines()) == 4
    told = say("report", "--results", "results")
    assert told.code == 0
    assert "ml_ros[p=0.5]+focal" in told.out
    machine = say("report", "--results", "results", "--json")
    assert "ml_ros[p=0.5]+focal" in json.dumps(json.loads(machine.out))


def test_a_dry_run_shows_the_plan_and_writes_nothing(say: Say) -> None:
    said = say(*words(splits=2, strategy="all", dry_run=None), "--dry-run")
    assert said.code == 0
    for part in ("run", "design-emails[rows=120] · linear · focal · split 1", "skip", "numeric"):
        assert part in said.out
    assert not Path("results").exists()


def test_a_dry_run_as_json_is_the_plan(say: Say, quick: None) -> None:
    done = say(*words())
    assert done.code == 0, done.err
    said = say(
        *words(strategy="focal", workers=3),
        "--strategy",
        "none",
        "--strategy",
        "mlsmote",
        "--dry-run",
        "--json",
    )
    plan = json.loads(said.out)
    states = {cell["strategy"]: cell["state"] for cell in plan["cells"]}
    assert states == {"focal": "run", "none": "there"}
    (skipped,) = plan["skipped"]
    assert skipped["strategy"] == "mlsmote"
    assert "interpolates numeric inputs" in skipped["reason"]
    assert plan["trainings"] == 2 * (1 * 2 + 1)
    assert (plan["to_run"]["cells"], plan["to_run"]["trainings"]) == (1, 3)
    assert 0 < plan["to_run"]["core_hours"] < 1
    assert plan["to_run"]["cells_of_unknown_speed"] == 0
    assert plan["workers"] == {"count": 3, "why": ""}
    auto = json.loads(say(*words(strategy="focal", workers="auto"), "--dry-run", "--json").out)
    assert auto["workers"] == {"count": 1, "why": "1 cell"}


def test_the_number_of_workers_is_told_with_its_reason(say: Say, quick: None) -> None:
    assert "; 1 worker: 1 cell; results in" in " ".join(say(*words(workers="auto")).out.split())


def test_a_suite_file_and_a_plugin_run(say: Say, quick: None) -> None:
    Path("mine.py").write_text(
        "from dataclasses import dataclass\nfrom equipoise.contracts.strategy import Strategy\n\n"
        "@dataclass(frozen=True)\nclass Odd(Strategy):\n    'Fails.'\n    name = 'odd'\n\n"
        "    def resample(self, rows, ctx):\n        raise KeyError('what a pity')\n",
        encoding="utf-8",
    )
    Path("mine.toml").write_text(
        'datasets = ["design-emails[rows=120]"]\nbackbones = ["linear"]\nstrategies = ["none", "./mine.py"]\n'
        "splits = 1\n[settings]\ntrials = 1\nfolds = 2\nepochs = 1\n",
        encoding="utf-8",
    )
    said = say("run", "mine.toml", "--workers", "1", "--results", "results", "--device", "cpu")
    assert said.code == 1
    assert said.err.strip() == "1 of 2 cells failed; --redo failed runs those again"
    assert "odd · split 0 failed: KeyError: 'what a pity'" in " ".join(said.out.split())
    assert "odd" in say("report", "mine.toml", "--results", "results").out


def test_a_csv_file_runs(say: Say, quick: None) -> None:
    Path("mails.csv").write_text(GOOD, encoding="utf-8")
    said = say(*words(dataset="mails.csv", text="text", labels="a+b"))
    assert said.code == 0, said.err
    (row,) = (json.loads(line) for line in Path("results/rows.jsonl").read_text().splitlines())
    assert (row["status"], row["labels"]) == ("ok", ["a", "b"])


@pytest.mark.parametrize("what", ["strategies", "datasets", "backbones", "suites"])
def test_list(say: Say, what: str) -> None:
    known = {"strategies": "focal", "datasets": "design-emails", "backbones": "lstm", "suites": "quick"}[what]
    records = json.loads(say("list", what, "--json").out)
    assert known in [r["name"] for r in records]
    assert all(r["summary"] and r["error"] is None for r in records)
    assert known in say("list", what).out
    everything = json.loads(say("list", "--json").out)
    assert everything[what] == records


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("focal", ["2.0", "0.0 … 5.0", "10.1109/ICCV.2017.324", "loss"]),
        ("lstm", ["text", "hidden", "Hochreiter"]),
        ("design-emails", ["rows", "2400"]),
        ("quick", ["design-emails", "trials"]),
    ],
)
def test_info(say: Say, name: str, parts: list[str]) -> None:
    said = say("info", name)
    assert [p for p in parts if p not in said.out] == []
    assert json.loads(say("info", name, "--json").out)["name"] == name


def test_info_on_a_suite_of_the_user(say: Say) -> None:
    Path("mine.toml").write_text(suite_text("quick"), encoding="utf-8")
    told = json.loads(say("info", "./mine.toml", "--json").out)
    assert (told["kind"], told["name"]) == ("suite", "./mine.toml")
    assert told["blocks"] == json.loads(say("info", "quick", "--json").out)["blocks"]


def test_info_of_a_controlled_world_tells_the_best_possible_scores(say: Say) -> None:
    name = "design-emails[labels=3,noise=0,overlap=0,rows=60]"
    told = json.loads(say("info", name, "--json").out)
    assert (told["name"], told["rows"], list(told["labels"])) == (name, 60, ["area-1", "area-2", "area-3"])
    assert told["best possible"]["macro_f1"] == {
        "population": 1.0,
        "error": 0.0,
        "these rows": 1.0,
        "decide": "label l where P(l) > F*_l / 2",
    }
    assert "best possible" in say("info", name).out
    assert "best possible" not in say("info", "design-emails[rows=60]").out
