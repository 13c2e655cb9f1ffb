"""What strategies declare to be the same as others: in compositions, in the search, with text backbones, in rows and in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from typer.testing import CliRunner

from equipoise.api import choose
from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.equalities import equalities
from equipoise.catalog.strategies import get_strategy
from equipoise.cli.main import app
from equipoise.contracts.equality import COLUMNS, Equality
from equipoise.core.code_meaning import meaning
from equipoise.experiment.pipeline import run_alone
from equipoise.store.rows import flatten
from equipoise.store.store import Store
from equipoise.sweep.plan import make_plan
from equipoise.sweep.run import sweep
from equipoise.testing.equalities import SETTINGS, C, check_equalities, difference
from equipoise.testing.exam import Exam
from equipoise.testing.training import trained
from equipoise.testing.worlds import worlds

from .shared.numeric import numbers

EMAILS = "design-emails[rows=120]"
ALL = {column: column for column in COLUMNS}
RANKED = {"map": "map", "tuned": "tuned"}
DECIDES = {"map": "map", "fixed": "fixed", "tuned": "tuned"}


def cells(
    data: Any, backbone: str, *strategies: str, **settings: Any
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Row and predictions of one cell for each strategy."""
    name = data if isinstance(data, str) else data.name
    chosen = choose(None, [name], [backbone], strategies, {"folds": 2, "epochs": 2, **settings}, 1, None)
    plan = make_plan(chosen, device="cpu", data={} if isinstance(data, str) else {name: data})
    return [run_alone(cell, plan.data[name]) for cell in plan.cells]


def found(spec: str, backbone: str = "linear", n_labels: int = 6) -> dict[str, dict[str, str]]:
    return {
        e.strategy: dict(e.columns) for e in equalities(get_strategy(spec), get_backbone(backbone), n_labels)
    }


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("none", {}),
        ("pos_weight", {}),
        ("pos_weight[power=0]", {"none": ALL}),
        ("temperature", {"none": ALL}),
        ("platt", {"none": RANKED}),
        ("top_k", {"none": DECIDES}),
        ("scut", {"none": {**DECIDES, "own": "tuned"}}),
        ("scut[smooth=false]", {"none": DECIDES}),
        ("logit_adjusted_loss", {"none": RANKED}),
        ("sqrt_sampling[power=0]", {"balanced_sampling": ALL}),
        ("sqrt_sampling[power=0,mix=0.5]", {"balanced_sampling[mix=0.5]": ALL}),
        ("sqrt_sampling", {}),
        ("rakel_d[k=6]", {"label_powerset": ALL}),
        ("rakel_d[k=5]", {}),
        ("rakel_o[k=6]", {}),  # `multiple` would be searched
        ("binary_relevance", {}),
        ("apl[eps1=0,eps2=0,eta=0]", {}),  # both search gamma_pos, from other defaults
        ("apl[eps1=0,eps2=0,eta=0,gamma_pos=1]", {"asl[gamma_pos=1.0]": ALL}),
        # Step by step: by its own tolerance, then by the shift that the bias takes up.
        ("ntr_focal[lam=1]", {"ntr_focal[kappa=0.0,lam=1.0]": RANKED, "focal": RANKED}),
        # A composition is what it is without the part.
        ("ml_ros+temperature", {"ml_ros": ALL}),
        ("lp_ros+ml_ros[p=0]", {"lp_ros": ALL}),
        ("focal+platt", {"focal": RANKED}),
        # Not where another part makes a difference of it.
        ("ml_ros[p=0]+lp_ros", {}),  # the random stream of a resampler is numbered
        ("platt+inverse_frequency_softmax", {}),  # which mixes the labels' scores
        ("logit_adjusted_loss+classifier_chain", {}),  # which decides inside
        # The head changes the scale of each label's scores and no order.
        ("logit_adjusted_loss+tau_norm", {key: {"map": "map"} for key in ("logit_adjusted_loss", "none")}),
        # Its labelsets vote, unless a map comes after them.
        ("label_powerset+temperature", {"label_powerset": DECIDES}),
        # The loss takes the prior of the rows trained on, `logit_adjustment` that of all rows.
        (
            "balanced_sampling+logit_adjusted_loss[tau=1]",
            {"balanced_sampling+logit_adjustment[tau=1.0]": RANKED, "balanced_sampling": RANKED},
        ),
        # Resampled at random, that prior differs between the folds to which thresholds are fitted together.
        (
            "lp_ros+logit_adjusted_loss[tau=1]",
            {key: {"map": "map"} for key in ("lp_ros+logit_adjustment[tau=1.0]", "lp_ros")},
        ),
    ],
)
def test_declarations(spec: str, expected: dict[str, dict[str, str]]) -> None:
    assert found(spec) == expected


def test_a_decision_is_fitted_anew_after_a_map() -> None:
    assert found("platt+global_threshold") == {
        "global_threshold": RANKED,
        "platt": DECIDES,
        "none": RANKED,
    }
    assert found("temperature+scut")["none"] == {**DECIDES, "own": "tuned"}


def test_the_backbone_and_the_number_of_labels_matter() -> None:
    assert found("binary_relevance", "logistic_regression") == {"none": ALL}
    assert found("binary_relevance", n_labels=1) == {"none": ALL}
    # Weights of rows are computed from the labels of a task.
    assert found("balanced_sampling+binary_relevance", "logistic_regression") == {}
    assert found("rakel_o[k=6,multiple=1]", n_labels=7) == {}


@pytest.mark.parametrize(
    ("spec", "other"),
    [
        ("inverse_frequency", "none"),
        ("class_balanced", "focal"),
        ("cost_sensitive", "pos_weight"),
        ("cb_ntr", "ntr_focal"),
    ],
)
def test_a_weight_of_a_label_is_not_the_same_as_none(spec: str, other: str) -> None:
    """With the penalty inside the objective, it changes the strength of the penalty, also in a linear model."""
    assert other not in found(spec)
    backbone, world = get_backbone("linear"), worlds()["usual"]
    results = [trained(get_strategy(s), world, backbone, SETTINGS, C) for s in (spec, other)]
    assert "another order" in difference(*results, Equality(other, {"map": "map"}, ""))


def test_equal_powers_of_asl_are_focal_loss() -> None:
    """Not among the settings that the kit tries: two fields must have one value."""
    spec = "asl[gamma_neg=2,gamma_pos=2,margin=0]"
    assert found(spec) == {"focal[gamma=2.0,alpha=-1.0]": ALL}
    exam = Exam(get_strategy(spec))
    check_equalities(exam)
    assert exam.findings.all() == []


@pytest.mark.parametrize(
    ("spec", "other"),
    [("sqrt_sampling[power=0]", "balanced_sampling"), ("class_balanced[one_minus_beta=1]", "focal")],
)
def test_the_search_does_not_see_the_name(spec: str, other: str) -> None:
    """Their own hyperparameters are proposed from streams without the name, so that the whole cells are equal."""
    (ours, our_arrays), (theirs, their_arrays) = cells(numbers(), "linear", spec, other, trials=6)
    named = [[list(trial["params"].values()) for trial in row["trials"]] for row in (ours, theirs)]
    assert named[0] == named[1]
    np.testing.assert_equal(ours["metrics"], theirs["metrics"])
    assert all(our_arrays[name].tobytes() == their_arrays[name].tobytes() for name in our_arrays)


def test_two_parameters_of_one_name_have_streams_of_their_own() -> None:
    ((row, _),) = cells(numbers(), "linear", "ml_ros+lp_ros", trials=8)
    drawn = [(trial["params"]["ml_ros.p"], trial["params"]["lp_ros.p"]) for trial in row["trials"][4:]]
    assert all(a != b for a, b in drawn)


@pytest.mark.parametrize(
    "backbone",
    [
        "embedding_bag[embedding=6]",
        "textcnn[filters=4,embedding=6]",
        "gru[hidden=6,embedding=6]",
        "lstm[hidden=6,embedding=6]",
    ],
)
def test_the_bias_takes_up_the_prior_in_networks_on_text(backbone: str) -> None:
    specs = ("none", "logit_adjusted_loss", "ntr_focal[kappa=0]", "ntr_focal[kappa=0.2]")
    results = cells(EMAILS, backbone, *specs, trials=1)
    plain, adjusted, shifted, moved = (arrays["test_logits"] for _, arrays in results)
    for ours, theirs in ((adjusted, plain), (moved, shifted)):
        gap = ours - theirs
        # One constant for each label, and not 0.
        assert np.ptp(gap, axis=0).max() < 1e-4 * np.abs(gap).max()
        assert np.abs(gap).max() > 0.01


def test_rows_tables_and_the_plan_carry_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())
    strategies = ["none", "temperature", "scut", "focal"]
    chosen = choose(None, [EMAILS], ["linear"], strategies, {"trials": 1, "folds": 2, "epochs": 1}, 1, None)
    sweep(make_plan(chosen, device="cpu"), Store(tmp_path))
    rows = {row["strategy"]: row for row in Store(tmp_path).rows()}
    assert rows["none"]["same_as"] == rows["focal"]["same_as"] == []
    (equality,) = rows["temperature"]["same_as"]
    assert (equality["strategy"], equality["columns"]) == ("none", ALL)
    table = flatten(rows.values()).set_index("strategy")["same_as"]
    assert table["temperature"] == "none (map, fixed, tuned, own)"
    assert "own = tuned" in table["scut"]
    assert table["focal"] == ""


def test_the_plan_says_it() -> None:
    asked = [
        "--dataset",
        EMAILS,
        "--backbone",
        "linear",
        "--strategy",
        "none",
        "--strategy",
        "platt",
        "--splits",
        "1",
    ]
    said = CliRunner().invoke(app, ["run", *asked, "--dry-run"])
    assert "platt cannot differ from the baseline" in said.output.replace("\n", " ")
    data = json.loads(CliRunner().invoke(app, ["run", *asked, "--dry-run", "--json"]).stdout)
    (equal,) = data["same_as"]
    assert equal["strategy"] == "platt"
    assert equal["from"] == {"tuned_macro_f1": "none", "map": "none"}


def test_info_says_it() -> None:
    said = " ".join(CliRunner().invoke(app, ["info", "sqrt_sampling"]).output.split())
    assert "sqrt_sampling[power=0.0] equals balanced_sampling in everything" in said
    records = json.loads(CliRunner().invoke(app, ["info", "binary_relevance", "--json"]).stdout)["same_as"]
    assert {"same_as": "none", "backbones": ["logistic_regression"]}.items() <= records[0].items()


def test_a_declaration_is_no_part_of_the_identity_of_a_strategy() -> None:
    """It makes no prediction: rows stay valid when one is added."""
    source = "class A(Strategy):\n    def loss(self, z, y, ctx):\n        return z\n"
    declaring = (
        source + "    def same_as(self, backbone, n_labels):\n        return same('none', 'a reason')\n"
    )
    assert meaning(declaring) == meaning(source)
    assert meaning(declaring.replace("same_as", "merge")) != meaning(source)
