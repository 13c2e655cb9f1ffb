"""Suites: those in the package, and TOML files of users."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from equipoise.api import choose
from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.datasets import find_source, load_dataset
from equipoise.catalog.specs import parse
from equipoise.catalog.strategies import get_strategy
from equipoise.core.errors import EquipoiseError
from equipoise.datasets.statistics import committed
from equipoise.experiment.settings import Settings
from equipoise.sweep.plan import make_plan, warnings_of
from equipoise.sweep.suite import load_suite, parse_suite, suite_names

GOOD = """
title = "Mine"
datasets = ["yeast"]
backbones = ["mlp"]
splits = 2
seed = 7
[settings]
trials = 3
[[blocks]]
strategies = ["none", "focal[gamma=1.0]"]
[[blocks]]
strategies = ["none"]
backbones = ["linear"]
splits = 1
[blocks.settings]
epochs = 4
"""


def test_the_promised_suites_are_there() -> None:
    assert {"quick", "emails", "regimes"} <= set(suite_names())
    emails = load_suite("emails")
    assert {d for b in emails.blocks for d in b.datasets} >= {"design-emails", "enron-email"}
    assert {parse(b)[0] for block in emails.blocks for b in block.backbones} >= {"linear", "lstm"}
    assert all(b.settings.trials >= 8 and b.splits >= 5 for b in emails.blocks)


#: What docs/training.md measured to suffice: passes over the rows.
EPOCHS = {"linear": 20, "mlp": 20, "sentence_embedding": 20, "lstm": 25}
#: Rows of a controlled world on which that many passes reach logistic regression (docs/regimes.md); more rows need fewer passes.
ROWS = 2000
#: Solved to convergence, whatever the number of epochs.
SOLVED = {"logistic_regression"}
#: Words that an LSTM reads of a message.
WORDS = {"design-emails": 96, "enron-email": 200, "reuters-21578": 200, "goemotions": 32}


def smallest(datasets: Sequence[str]) -> int:
    """The fewest rows that a name of these data sets gives; 0 if one gives none."""
    return min(int(parse(name)[1].get("rows", 0)) for name in datasets)


@pytest.mark.parametrize("name", suite_names())
def test_no_suite_compares_strategies_on_models_that_are_too_weak(name: str) -> None:
    for block in load_suite(name).blocks:
        for spec in block.backbones:
            kind, options = parse(spec)
            if kind not in SOLVED and block.settings.epochs < EPOCHS[kind]:
                assert block.settings.epochs * smallest(block.datasets) >= EPOCHS[kind] * ROWS
            if kind == "lstm":
                assert all(int(options["max_tokens"]) >= WORDS[dataset] for dataset in block.datasets)
                assert "binary_relevance" not in block.strategies, "it trains a network for each label"


@pytest.mark.parametrize("name", suite_names())
def test_thresholds_come_from_a_single_holdout_only_where_it_is_large(name: str) -> None:
    for block in load_suite(name).blocks:
        if block.settings.folds == 1:
            records = [committed(dataset) or {"rows": 0} for dataset in block.datasets]
            assert min(record["rows"] for record in records) > 50_000


@pytest.mark.parametrize("name", suite_names())
def test_every_suite_names_only_what_there_is(name: str) -> None:
    suite = load_suite(name)
    assert suite.title
    for block in suite.blocks:
        for dataset in block.datasets:
            source, options = find_source(dataset)
            source.with_options(**options)
        assert all(get_backbone(b) for b in block.backbones)
        assert all(get_strategy(s).spec == s for s in block.strategies), "written as the rows will have it"
        assert "none" in block.strategies, "the others are compared with none"


def test_blocks_inherit_and_override() -> None:
    one, two = parse_suite("mine", GOOD, "mine.toml").blocks
    assert (one.datasets, one.backbones, one.strategies) == (
        ("yeast",),
        ("mlp",),
        ("none", "focal[gamma=1.0]"),
    )
    assert (one.splits, one.seed, one.settings) == (2, 7, Settings(trials=3))
    assert (two.backbones, two.splits, two.settings) == (("linear",), 1, Settings(trials=3, epochs=4))


def test_a_user_s_file_is_a_suite(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(GOOD, encoding="utf-8")
    suite = load_suite(str(tmp_path / "mine.toml"))
    assert (suite.name, suite.title, len(suite.blocks)) == ("mine", "Mine", 2)


def test_options_change_every_block() -> None:
    changed = parse_suite("mine", GOOD, "").with_changes({"trials": 5}, splits=4, seed=None)
    assert [(b.settings.trials, b.splits, b.seed) for b in changed.blocks] == [(5, 4, 7)] * 2
    assert changed.blocks[1].settings.epochs == 4


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (("splits = 2", "split = 2"), "unknown key in suite mine.toml: 'split'; did you mean 'splits'"),
        (("trials = 3", "trails = 3"), "did you mean 'trials'"),
        (("trials = 3", "trials = 0"), "trials must be 1 or more, got 0"),
        (("trials = 3", "trials = 'few'"), "trials must be a whole number"),
        (("trials = 3", "trials = true"), "trials must be a whole number"),
        (("trials = 3", "folds = 0"), "folds must be 1 or more, got 0"),
        (("trials = 3", "batch_size = 100"), "batch_size must be a multiple of 32, got 100"),
        (("trials = 3", "objective = 'f1'"), "objective must be one of macro_f1, map"),
        (("trials = 3", "precision = 'half'"), "precision must be one of float32, bfloat16"),
        (("splits = 2", "splits = 0"), "splits must be 1 or more, or official, got 0"),
        (("splits = 2", "splits = 2.5"), 'splits must be a whole number or "official", got 2.5'),
        (("seed = 7", "seed = -1"), "seed must be 0 or more, got -1"),
        (('datasets = ["yeast"]', 'datasets = "yeast"'), "datasets must be a list of names"),
        (('datasets = ["yeast"]', "datasets = [1]"), "datasets must be a list of names"),
        (('datasets = ["yeast"]', ""), "no datasets given"),
        (("[settings]", "[[settings]]"), "settings must be a table"),
        (("[blocks.settings]\nepochs = 4", "settings = 4"), "settings must be a table"),
        (("[[blocks]]", "[blocks"), "suite mine.toml is not TOML"),
        (("title", "blocks = 3\ntitle"), "mine.toml"),
        (("trials = 3", "trials = '3'"), "trials must be a whole number, without quotes, got '3'"),
        (("trials = 3", "pruning = 'true'"), "pruning must be true or false, without quotes"),
        (('title = "Mine"', "title = ['mine']"), "title must be text, got ['mine']"),
    ],
)
def test_mistakes_are_one_line(edit: tuple[str, str], says: str) -> None:
    with pytest.raises(EquipoiseError) as caught:
        parse_suite("mine", GOOD.replace(*edit), "mine.toml")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_suite_without_a_block_is_refused() -> None:
    with pytest.raises(EquipoiseError, match="blocks is empty"):
        parse_suite("mine", f"blocks = []\n{GOOD.partition('[[blocks]]')[0]}", "mine.toml")


def test_a_suite_may_begin_with_a_mark_of_its_encoding(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(f"\ufeff{GOOD}", encoding="utf-8")
    assert load_suite(str(tmp_path / "mine.toml")).blocks == parse_suite("mine", GOOD, "mine.toml").blocks


def test_one_data_set_under_two_names_is_told() -> None:
    chosen = choose(
        None, ["design-emails[rows=60]", "design-emails[rows=60, seed=0]"], ["linear"], ["none"], {}, 2, None
    )
    data = load_dataset("design-emails[rows=60]")
    plan = make_plan(chosen, device="cpu", data=dict.fromkeys(chosen.blocks[0].datasets, data))
    assert [line for line in warnings_of(plan) if "are the same data: they are run once" in line]
    assert not warnings_of(
        make_plan(choose(None, ["a"], ["linear"], ["none"], {}, 2, None), device="cpu", data={"a": data})
    )


def test_files_that_are_no_suites_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00title")
    for name, says in (("qiuck", "did you mean 'quick'"), ("no.toml", "no suite file at no.toml")):
        with pytest.raises(EquipoiseError, match=says):
            load_suite(name)
    with pytest.raises(EquipoiseError, match="is not TOML"):
        load_suite(str(tmp_path / "binary.toml"))


def test_combinations_are_complete_or_an_error_says_what_is_missing() -> None:
    suite = choose(None, ["yeast"], ["mlp"], ["none"], {"trials": 2}, None, None)
    (block,) = suite.blocks
    assert (block.splits, block.seed, block.settings) == (3, 0, Settings(trials=2))
    with pytest.raises(EquipoiseError, match="at least one each of backbone, strategy"):
        choose(None, ["yeast"], [], [], {}, None, None)
    with pytest.raises(EquipoiseError, match="not both: suite 'quick' and dataset"):
        choose("quick", ["yeast"], [], [], {}, None, None)
    with pytest.raises(EquipoiseError, match="splits must be 1 or more, or official, got 0"):
        choose(None, ["yeast"], ["mlp"], ["none"], {}, 0, None)
