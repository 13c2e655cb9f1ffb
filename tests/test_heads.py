"""The stage `head`: what it sees, what is tuned on it, and which networks it takes."""

from __future__ import annotations

import dataclasses
import gc
import weakref
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from equipoise.api import choose
from equipoise.backbones.mlp import MLP
from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.dataset import Dataset
from equipoise.contracts.strategy import Strategy
from equipoise.engine.scheduler import Trainer, run_one
from equipoise.experiment.cross_validation import CrossValidator, CVResult, FittedModel
from equipoise.experiment.decision import decision_score, objective
from equipoise.experiment.heads import FoldNetworks, refitted_logits
from equipoise.experiment.prepared import Preparations
from equipoise.experiment.search.trials import SearchResult, search
from equipoise.experiment.settings import Settings
from equipoise.ops.device import repeatable
from equipoise.ops.dropout import Drop
from equipoise.ops.inputs import Dense
from equipoise.sweep.batches import attempt
from equipoise.sweep.plan import Plan, make_plan, misfit

CPU = torch.device("cpu")
N, L = 120, 3
RNG = np.random.default_rng(4)
X = RNG.normal(size=(N, 6)).astype(np.float32)
Y = (X[:, :L] + RNG.normal(size=(N, L)) > [0.3, 0.7, 1.2]).astype(np.uint8)
HEADS = ("crt", "tau_norm", "lws", "knn_blend")
Seen = list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Watching(Strategy):
    """A head that changes nothing but the bias, and keeps what it is shown."""

    name: ClassVar[str] = "watching"
    seen: Seen = field(default_factory=list, compare=False)

    def head(self, representation: Any, Y: Any, weight: Any, bias: Any, ctx: Any) -> Any:
        self.seen.append((representation, Y, weight, bias))
        assert (ctx.n_pos.tolist(), ctx.n_rows) == (Y.sum(0).tolist(), len(Y))
        assert {p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"} == {1}
        return lambda h, z: z + 1.0


def validator(strategy: Strategy, labels: np.ndarray = Y, **settings: Any) -> CrossValidator:
    chosen = Settings(
        **{"trials": 4, "folds": 2, "epochs": 2, "trial_batch": 2, "batch_size": 32, **settings}
    )
    folds = np.arange(N) % 2 if chosen.folds > 1 else np.where(np.arange(N) % 4 == 0, 0, -1)
    trainer = Trainer(Dense(torch.from_numpy(X)), chosen.batch_size, CPU)
    return CrossValidator(strategy, MLP(hidden=5), X, None, labels, folds, ("heads",), chosen, trainer)


def searched(bench: CrossValidator) -> SearchResult:
    with repeatable(CPU):
        return run_one(search(bench))


def test_a_head_sees_the_rows_that_its_network_was_trained_on_and_no_other() -> None:
    strategy = Watching()
    bench = validator(strategy)
    with repeatable(CPU), threadpool_limits(2, user_api="blas"):
        cv = run_one(bench.cross_validate([{"lr": 0.05, "C": 10.0}]))[0]
        assert cv is not None
        out = FoldNetworks.of(bench, cv).out_of_fold(strategy)
        assert np.array_equal(out, cv.logits + 1.0)
        for fold, (h, labels, weight, bias) in enumerate(strategy.seen):
            assert np.array_equal(labels, Y[bench.folds != fold])
            network = cv.models[fold].networks[0]
            hidden = np.maximum(X @ network.params["weight1"].numpy() + network.params["bias1"].numpy(), 0)
            assert h == pytest.approx(hidden[bench.folds != fold], abs=1e-5)
            held_out = hidden[bench.folds == fold] @ weight + bias
            assert held_out == pytest.approx(cv.logits[bench.folds == fold], abs=1e-4)
        model = run_one(bench.refit({"lr": 0.05, "C": 10.0}))
        new = Dense(torch.from_numpy(X[:9] + 1))
        own = bench.predict([model], new, [np.arange(9)])[0]
        assert np.array_equal(refitted_logits(strategy, bench, model, new, own), own + 1.0)
    assert np.array_equal(strategy.seen[-1][1], Y), "the head of the refit sees all training rows"


@pytest.mark.parametrize("name", HEADS)
def test_labels_of_held_out_rows_do_not_matter(name: str) -> None:
    strategy = get_strategy(name)
    bench = validator(strategy)
    with repeatable(CPU):
        cv = run_one(bench.cross_validate([{"lr": 0.05, "C": 10.0}]))[0]
        assert cv is not None
        networks = FoldNetworks.of(bench, cv)
        before = networks.out_of_fold(strategy)
        other = np.where((bench.folds == 0)[:, None], 1 - Y, Y).astype(np.uint8)
        changed = dataclasses.replace(networks, validator=dataclasses.replace(bench, Y=other))
        after = changed.out_of_fold(strategy)
    assert np.array_equal(after[bench.folds == 0], before[bench.folds == 0])
    if name != "tau_norm":
        assert not np.array_equal(after[bench.folds == 1], before[bench.folds == 1])


def test_rows_are_the_original_ones_whatever_resampling_did() -> None:
    strategy = Watching()
    both = get_strategy("ml_ros[p=0.5]")
    bench = validator(dataclasses.replace(get_strategy("ml_ros+crt"), members=(both, strategy)))
    result = searched(bench)
    assert {len(labels) for _, labels, _, _ in strategy.seen} == {N // 2}
    assert result.decision_trials == []


def test_a_network_that_diverged_keeps_its_logits() -> None:
    strategy = Watching()
    bench = validator(strategy)
    with repeatable(CPU):
        cv = run_one(bench.cross_validate([{"lr": 0.05, "C": 10.0}]))[0]
    assert cv is not None
    networks = FoldNetworks.of(bench, cv)
    lost = [np.full_like(networks.representations[0], np.nan), networks.representations[1]]
    out = dataclasses.replace(networks, representations=lost).out_of_fold(strategy)
    assert np.array_equal(out[bench.folds == 0], cv.logits[bench.folds == 0])
    assert np.array_equal(out[bench.folds == 1], cv.logits[bench.folds == 1] + 1.0)
    assert len(strategy.seen) == 1


@pytest.mark.parametrize("more", [{"folds": 1}, {"pruning": True, "epochs": 9}, {"objective": "map"}])
def test_searches_of_every_kind_end(more: dict[str, Any]) -> None:
    result = searched(validator(get_strategy("knn_blend"), **more))
    assert np.isfinite(result.cv.logits[result.rows]).all()
    assert len(result.decision_trials) == 4


def test_a_head_is_tuned_by_itself_and_score_maps_after_it() -> None:
    alone, both = (searched(validator(get_strategy(s))) for s in ("crt", "crt+platt"))
    assert alone.trials == both.trials == searched(validator(get_strategy("none"))).trials
    assert both.decision_trials[:4] == alone.decision_trials
    assert np.array_equal(alone.cv.logits, both.cv.logits)
    assert [set(t["params"]) for t in both.decision_trials] == [{"crt.C", "crt.mix"}] * 4 + [
        {"platt.shrinkage"}
    ] * 4
    best = max(alone.decision_trials, key=lambda t: t["value"])
    assert {n: alone.params[n] for n in best["params"]} == best["params"]
    shown = objective(get_strategy("none"), alone.cv.logits, Y, alone.folds, ("heads",), "macro_f1")
    assert best["value"] == pytest.approx(shown)


def test_what_a_head_is_tuned_on() -> None:
    z = np.random.default_rng(0).normal(size=(N, L)).astype(np.float32)
    folds = np.arange(N) % 2

    def score(spec: str, metric: str = "macro_f1") -> float:
        return decision_score(get_strategy(spec), z, Y, folds, ("heads",), metric)

    def tuned(metric: str) -> float:
        return objective(get_strategy("none"), z, Y, folds, ("heads",), metric)

    assert score("crt") == tuned("macro_f1") != score("tau_norm")
    assert score("crt", "map") == tuned("map")
    assert score("tau_norm") == score("logit_adjustment[tau=0.0]")
    assert score("crt+temperature") == score("temperature")


def test_only_the_networks_of_the_best_trial_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    alive: weakref.WeakSet[FittedModel] = weakref.WeakSet()
    before: list[int] = []
    original = CrossValidator.cross_validate

    async def noting(self: CrossValidator, *args: Any) -> list[CVResult | None]:
        gc.collect()
        before.append(len(alive))
        results = await original(self, *args)
        alive.update(m for cv in results if cv is not None for m in cv.models)
        return results

    monkeypatch.setattr(CrossValidator, "cross_validate", noting)
    searched(validator(get_strategy("tau_norm"), trials=6))
    assert before == [0, 2, 2, 2]
    searched(validator(get_strategy("none")))
    assert len(alive) <= 2, "without a head, no network is kept at all"


# --- in a sweep


def plan_of(strategies: list[str], backbone: str = "mlp[hidden=7]") -> Plan:
    data = Dataset("numbers", X, Y, ("a", "b", "c"))
    chosen = choose(
        None, ["numbers"], [backbone], strategies, {"trials": 4, "folds": 2, "epochs": 3}, 1, None
    )
    return make_plan(chosen, device="cpu", data={"numbers": data})


def test_heads_take_the_networks_of_none() -> None:
    specs = ["none", *HEADS, "tau_norm[tau=0.0]", "knn_blend[blend=0.0]"]
    plan = plan_of(specs)
    rows = {cell.strategy: result for cell, result in attempt(plan.cells, plan.data, Preparations())}
    base, kept = rows.pop("none")
    assert kept is not None
    for name, (row, own) in rows.items():
        assert row["status"] == "ok", row["error"]
        assert own is not None
        assert row["cost"]["lanes"] == 0
        assert row["trials"] == base["trials"]
        same = "0.0" in name
        assert np.array_equal(own["test_logits"], kept["test_logits"]) == same, name
        assert np.array_equal(own["oof_logits"], kept["oof_logits"]) == same, name
        assert (repr(row["metrics"]) == repr(base["metrics"])) == same
    for name in ("tau_norm", "lws"):
        assert rows[name][0]["metrics"]["scores/map"] == pytest.approx(base["metrics"]["scores/map"])


@pytest.mark.parametrize("backbone", ["linear", "logistic_regression"])
def test_a_backbone_without_representation_is_skipped_with_the_reason(backbone: str) -> None:
    plan = plan_of(["none", "crt", "mulsupcon"], backbone)
    assert [cell.strategy for cell in plan.cells] == ["none"]
    reasons = {cell.strategy: reason for cell, reason in plan.skipped}
    assert reasons["crt"] == f"crt acts on a learned representation; {backbone} has none"
    assert reasons.keys() == {"crt", "mulsupcon"}


def test_which_backbones_learn_a_representation() -> None:
    data = Dataset("texts", np.array(["a b"] * 40, dtype=object), Y[:40], ("a", "b", "c"))
    for name in ("mlp", "lstm", "gru", "textcnn", "embedding_bag", "sentence_embedding[hidden=8]"):
        assert misfit(data, get_backbone(name), get_strategy("lws"), 2) is None
    assert get_backbone("transformer").represents
    for name in ("linear", "sentence_embedding"):
        assert not get_backbone(name).represents
    with pytest.raises(ValueError, match="linear learns no representation"):
        get_backbone("linear").head_of({})
    with pytest.raises(NotImplementedError, match="must define represent"):
        get_backbone("linear").represent({}, None, Drop())
