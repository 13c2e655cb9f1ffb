"""Every built-in backbone that declares a twin in plain PyTorch gives the twin's logits, and the arithmetic of its rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.registry import registry
from equipoise.contracts.backbone import Backbone, Flops
from equipoise.ops.inputs import Dense, Inputs
from equipoise.testing.backbones.exam import BackboneExam
from equipoise.testing.backbones.plain import check_twin
from equipoise.testing.backbones.worlds import BackboneWorld, suitable
from equipoise.testing.exam import quietly

#: Backbones without a twin, each with the reason.
NONE = {"transformer": "its network is a pretrained one of Hugging Face, not a module that people write"}
BUILT_IN = [
    name
    for name in registry("backbone").names()
    if type(get_backbone(name)).__module__.startswith("equipoise.backbones.") and get_backbone(name).gradient
]
#: Settings that change the network.
VARIANTS = (
    "mlp[hidden=5,dropout=0]",
    "lstm[bidirectional=true]",
    "gru[bidirectional=true,hidden=7]",
    "textcnn[filters=5,embedding=6]",
    "embedding_bag[embedding=9]",
    "sentence_embedding[hidden=6]",
)
CASES = [
    pytest.param(spec, world, id=f"{spec}-{world.name}")
    for spec in (*(name for name in BUILT_IN if name not in NONE), *VARIANTS)
    for world in suitable(get_backbone(spec).accepts)
]


def inputs_of(spec: str, world: BackboneWorld) -> dict[str, Inputs]:
    """Vectors in the place of those of an encoder, which may not be installed; {} for features of the backbone's own."""
    if not spec.startswith("sentence_embedding"):
        return {}
    return {world.name: Dense.of(np.random.default_rng(0).normal(size=(len(world.Y), 12)).astype(np.float32))}


@pytest.mark.global_rng
def test_every_built_in_network_has_a_twin() -> None:
    without = {name for name in BUILT_IN if get_backbone(name).plain(10, 3) is None}
    assert without == set(NONE)
    assert {name for name in BUILT_IN if get_backbone(name).flops(10, 3) is None} == set(NONE)


@pytest.mark.global_rng
@pytest.mark.parametrize(("spec", "world"), CASES)
def test_the_twin_has_the_same_logits(spec: str, world: BackboneWorld) -> None:
    backbone, inputs = get_backbone(spec), inputs_of(spec, world)
    # The first call may import libraries, which change the environment.
    quietly(lambda: BackboneExam(backbone, _inputs=dict(inputs)).inputs(world))
    exam = BackboneExam(backbone, _inputs=inputs)
    check_twin(exam, world)
    assert exam.findings.all() == []


def counted(backbone: Backbone, x: torch.Tensor, width: int, outputs: int) -> int:
    """The operations of a forward pass of the twin by PyTorch's counter, which knows no recurrent and no averaging layers."""
    twin = backbone.plain(width, outputs)
    assert twin is not None
    with FlopCounterMode(display=False) as counter:
        twin.eval()(x)
    return counter.get_total_flops()


@pytest.mark.global_rng
@pytest.mark.parametrize("spec", ["linear", "mlp", "sentence_embedding", "sentence_embedding[hidden=6]"])
def test_the_arithmetic_of_dense_rows(spec: str) -> None:
    backbone = get_backbone(spec)
    declared = backbone.flops(20, 3)
    assert declared is not None
    assert 4 * sum(declared) == counted(backbone, torch.rand(4, 20), 20, 3)


def test_the_arithmetic_of_texts() -> None:
    def of(spec: str, entries: int) -> Any:
        return get_backbone(spec).flops(entries, 3)

    # Four gates, from an embedding of 32 and a state of 32; PyTorch's GRU has three.
    assert of("lstm", 10) == Flops(0, 2 * (10 * 4 * 32 * (32 + 32) + 32 * 3))
    assert of("gru", 10) == Flops(0, 2 * (10 * 3 * 32 * (32 + 32) + 32 * 3))
    assert of("lstm[bidirectional=true]", 10) == Flops(0, 2 * of("lstm", 10).later)
    # 8, 7 and 6 windows; a text of two words has one window for each filter.
    assert of("textcnn", 10) == Flops(0, 2 * (32 * 32 * (8 * 3 + 7 * 4 + 6 * 5) + 96 * 3))
    assert of("textcnn", 2) == Flops(0, 2 * (32 * 32 * (3 + 4 + 5) + 96 * 3))
    assert of("embedding_bag", 10) == Flops(2 * 10 * 64, 2 * 64 * 3)


def test_a_step_needs_more_where_inputs_need_a_gradient() -> None:
    assert Flops(10, 1).training == 2 * 10 + 3 * 1


@pytest.mark.parametrize("spec", ["embedding_bag", "textcnn", "lstm", "gru"])
def test_with_pretrained_vectors_there_is_no_twin(spec: str, tmp_path: Path) -> None:
    assert get_backbone(f"{spec}[vectors={tmp_path / 'vectors.txt'}]").plain(10, 3) is None
