"""Compositions whose parts correct twice or undo each other: found by what parts declare, and told by run, check and info."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from typer.testing import CliRunner

from equipoise import load_dataset
from equipoise.catalog.registry import registry
from equipoise.catalog.strategies import clash_warnings, compose, get_strategy
from equipoise.cli.main import app
from equipoise.contracts.rows import Rows
from equipoise.contracts.strategy import CHANGES, Context, Strategy
from equipoise.core.errors import EquipoiseError
from equipoise.testing import check

TWICE = (
    "balanced_sampling+logit_adjustment: logit_adjustment corrects twice: it subtracts the prior of the data from scores, "
    "although that was changed by balanced_sampling"
)


@pytest.mark.parametrize(
    "spec",
    [
        "ml_ros+logit_adjustment",
        "balanced_bagging+logit_adjustment",
        "logit_adjusted_loss+logit_adjustment",
        "pairwise_auc+logit_adjustment",
        "ml_ros+distribution_balanced",
        "remedial+mltl",
        "remedial[variant=no_empty]+mltl[variant=nearest]",
        "remedial+mlenn",
        "logit_adjustment+platt",
        "logit_adjustment+scut",
        # Parts act in the order of their stages, however they are written.
        "scut+logit_adjustment",
    ],
)
def test_parts_that_work_against_each_other_are_one_line(spec: str) -> None:
    (line,) = clash_warnings(get_strategy(spec))
    assert line.startswith(f"{get_strategy(spec).spec}: ")
    assert all(p.name in line.split(": ", 1)[1] for p in get_strategy(spec).parts)
    assert "{" not in line
    assert "\n" not in line


@pytest.mark.parametrize(
    "spec",
    [
        "none",
        "remedial",
        "logit_adjustment",
        # They take the counts of the rows trained on, so that they correct what is left.
        "ml_ros+pos_weight",
        "balanced_sampling+logit_adjusted_loss",
        # Class-balanced sampling is what these weights are for; margins are kept when rows are drawn again.
        "balanced_sampling+distribution_balanced",
        "balanced_sampling+ldam",
        "remedial+ml_ros",
        # What comes later does no harm to what came before.
        "mltl+remedial",
        "platt+logit_adjustment",
        # With labels in the distance, halves are no neighbours; without a line for each label, shifts stay.
        "remedial+mltl[variant=authors]",
        "logit_adjustment+platt[per_label=false]",
        "focal+scut",
    ],
)
def test_others_are_not_blamed(spec: str) -> None:
    assert clash_warnings(get_strategy(spec)) == []


def test_parts_with_one_fault_share_a_line() -> None:
    (line,) = clash_warnings(get_strategy("ml_ros+balanced_sampling+pos_weight+logit_adjustment"))
    assert line.endswith("although that was changed by ml_ros, balanced_sampling and pos_weight")
    assert len(clash_warnings(get_strategy("remedial+mltl+logit_adjustment+platt"))) == 3


def test_every_resampler_says_what_it_changes() -> None:
    """A new resampler or sampler that forgot to would be composed without a warning."""
    for name in registry("strategy").names():
        strategy = registry("strategy").get(name)()
        assert set(strategy.changes) | set(strategy.clashes) <= set(CHANGES), name
        assert strategy.changes or not {"resample", "weights"} & set(strategy.stages), name


def test_remedial_and_mltl_lose_what_the_warning_says(data_dir: Path) -> None:
    """Of the 817 rows of yeast that REMEDIAL splits, 612 lose both halves and the others one."""
    data = load_dataset("yeast", data_dir=data_dir)
    X = np.asarray(data.X, dtype=np.float32)
    rows = Rows(np.arange(len(X)), data.Y, (X - X.mean(0)) / X.std(0))
    ctx = Context(data.Y.sum(0), len(X), rng=np.random.default_rng(0))
    halves = get_strategy("remedial").resample(rows, ctx)
    split = np.flatnonzero(np.bincount(halves.index) == 2)
    for spec, both, one in (("mltl", 612, 205), ("mltl[variant=authors]", 0, 27)):
        left = np.bincount(get_strategy(spec).resample(halves, ctx).index, minlength=len(X))[split]
        assert (len(split), (left == 0).sum(), (left == 1).sum()) == (817, both, one)


@dataclass(frozen=True)
class Typo(Strategy):
    """Draw rows with equal probabilities, and say so wrongly."""

    name: ClassVar[str] = "typo"
    reference: ClassVar[str] = "made up for a test"
    changes: ClassVar[frozenset[str]] = frozenset({"drawn"})

    def weights(self, Y: np.ndarray, ctx: Context) -> np.ndarray:
        return np.ones(len(Y))

    @property
    def clashes(self) -> Mapping[str, str]:
        return {"row": "is not sure about {other}"}


def test_the_kit_knows_the_names_of_changes() -> None:
    found = [f for f in check(Typo) if f.check == "declared"]
    assert [f.problem for f in found] == [
        "`changes` or `clashes` name ['drawn', 'row']; known are rows, draws, prior, halves, shift"
    ]


def test_a_plugin_takes_part() -> None:
    @dataclass(frozen=True)
    class Mine(Strategy):
        name: ClassVar[str] = "mine"
        changes: ClassVar[frozenset[str]] = frozenset({"prior"})

        def loss(self, logits, targets, ctx):  # type: ignore[no-untyped-def]
            return super().loss(logits, targets, ctx)

    (line,) = clash_warnings(compose(Mine(), get_strategy("logit_adjustment")))
    assert line == ("mine+logit_adjustment: " + TWICE.split(": ", 1)[1].replace("balanced_sampling", "mine"))


# Who tells it


def test_a_run_warns_before_anything_is_trained() -> None:
    words = ["--dataset", "design-emails[rows=60]", "--backbone", "linear", "--dry-run"]
    for spec in ("none", "balanced_sampling+logit_adjustment", "balanced_sampling+scut"):
        words += ["--strategy", spec]
    said = CliRunner().invoke(app, ["run", *words, "--splits", "2", "--json"])
    assert said.exit_code == 0
    assert said.stderr.splitlines() == [f"warning: {TWICE}"]
    assert json.loads(said.stdout)["cells"]


def test_check_and_info_warn() -> None:
    said = CliRunner().invoke(app, ["check", "balanced_sampling+logit_adjustment"])
    assert said.exit_code == 0, "a warning is no finding"
    first, second = said.stdout.splitlines()
    assert first.startswith("balanced_sampling+logit_adjustment: conforms (")
    assert second == f"  warning: {TWICE}"
    told = json.loads(
        CliRunner().invoke(app, ["info", "balanced_sampling+logit_adjustment", "--json"]).stdout
    )
    assert told["warnings"] == [TWICE]
    assert told["parts"] == {"balanced_sampling": ["weights"], "logit_adjustment": ["adjust"]}
    assert set(told["search"]) == {"balanced_sampling.mix", "logit_adjustment.tau"}


def test_info_of_a_wrong_composition_says_what_is_wrong() -> None:
    with pytest.raises(EquipoiseError, match="both own the loss"):
        CliRunner().invoke(app, ["info", "focal+asl"], catch_exceptions=False)
