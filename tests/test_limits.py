"""Edges of what strategies promise: labels that all drawn rows have, weights that change, settings far out of range."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from equipoise import get_strategy
from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.equalities import equalities
from equipoise.contracts.strategy import Context, Strategy
from equipoise.core.code_meaning import meaning
from equipoise.engine.estimators import fit
from equipoise.engine.lanes import Lane
from equipoise.engine.sampler import BatchSampler, mean_probabilities
from equipoise.experiment.search import after_training
from equipoise.experiment.settings import Settings
from equipoise.ops.inputs import Dense
from equipoise.strategies.external_rows import ExternalRows


@pytest.mark.parametrize("seed", range(8))
def test_crt_gives_a_parent_of_all_labels_the_log_odds_of_half_a_row(seed: int) -> None:
    """Balanced draws take rows with a label only, and all of them have the parent; counts need not add up to the same float."""
    rng = np.random.Generator(np.random.PCG64(seed))
    Y = (rng.random((90, 5)) < 0.2).astype(np.uint8)
    Y[:, 0] = Y[:, 1:].any(1)
    h = rng.normal(size=(90, 4)).astype(np.float32)
    weight, bias = np.zeros((4, 5), np.float32), np.zeros(5, np.float32)
    ctx = Context(Y.sum(0, dtype=np.int64), len(Y))
    scores = get_strategy("crt").head(h, Y, weight, bias, ctx)(h, np.zeros(Y.shape, np.float32))  # type: ignore[arg-type]
    assert scores[:, 0] == pytest.approx(np.log(2 * 90 - 1), abs=1e-4)
    assert np.ptp(scores[:, 1]) > 0.1


def test_changing_weights_count_for_an_estimator_as_often_as_they_are_drawn() -> None:
    frames = np.array([[8.0, 1.0, 1.0], [1.0, 8.0, 1.0], [1.0, 1.0, 8.0]])
    rng = np.random.Generator(np.random.PCG64(0))
    drawn = np.bincount(BatchSampler(3, frames, rng, 200_000).take(200_000)) / 200_000
    assert mean_probabilities(frames) == pytest.approx(drawn, abs=0.005)

    seen: list[Any] = []

    class Spy(type(get_backbone("logistic_regression"))):  # type: ignore[misc]
        def fit(self, X: Any, Y: Any, weights: Any, seed: int, exclusive: bool) -> None:
            seen.append(weights)

    X, Y = np.eye(3, dtype=np.float32), np.eye(3, 2, dtype=np.uint8)
    lane = Lane(np.arange(3), Y, Y.sum(0), 3, Strategy(), Spy(), 0.0, 0.0, ("test",), 1, weights=frames)
    fit(lane, Dense.of(X))
    assert seen[0] == pytest.approx(3 * drawn, abs=0.02)


@pytest.mark.parametrize(
    ("near", "far"),
    [
        ("logit_adjusted_loss[tau=2]", "logit_adjusted_loss[tau=2.5]"),
        ("ntr_focal[kappa=1]", "ntr_focal[kappa=2]"),
        ("cb_ntr[kappa=1]", "cb_ntr[kappa=2]"),
        ("distribution_balanced[kappa=1]", "distribution_balanced[kappa=2]"),
    ],
)
def test_a_shift_beyond_the_bounds_of_a_start_is_not_said_to_change_nothing(near: str, far: str) -> None:
    """Such a training starts from the log-odds and not from its best constant, and does not get there in time."""
    backbone = get_backbone("linear")
    assert get_strategy(near).same_as(backbone, 5)
    assert not get_strategy(far).same_as(backbone, 5)


def test_another_method_with_the_name_of_a_declaration_is_part_of_the_identity() -> None:
    source = "class Row:\n    def same_as(self, other):\n        return self.key == other.key\n"
    assert meaning(source.replace("==", "!=")) != meaning(source)


def test_a_score_map_tuned_on_the_objective_takes_that_of_the_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def noted(*arguments: Any) -> float:
        asked.append(arguments[-1])
        return 0.0

    monkeypatch.setattr(after_training, "decision_score", noted)
    bench = SimpleNamespace(
        strategy=get_strategy("platt"), settings=Settings(objective="map"), Y=np.eye(4), role=()
    )
    after_training.search_decision(bench, np.zeros((4, 4)), np.arange(4), np.arange(4) % 2)  # type: ignore[arg-type]
    assert set(asked) == {"map"}


def test_a_counterpart_that_is_in_the_composition_already_is_left_out() -> None:
    """The composition declares what is left, and runs."""
    strategy = get_strategy("logit_adjusted_loss[tau=1]+logit_adjustment")
    found = {equality.strategy for equality in equalities(strategy, get_backbone("linear"), 5)}
    assert {"logit_adjustment", "logit_adjusted_loss[tau=1.0]", "none"} <= found


@pytest.mark.parametrize("file", ["./a]b.csv", "./[a.csv", "./it's+a[1].csv"])
def test_a_composition_with_an_odd_file_is_read_back(file: str) -> None:
    rows = ExternalRows(file=file, pinned=frozenset({"file"}))
    both = get_strategy(f"{rows.spec}+focal")
    assert both.parts[0] == rows
    assert get_strategy(both.spec).parts[0] == rows
