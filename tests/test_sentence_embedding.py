"""Frozen encoders: each text is encoded once, vectors are the library's, and resamplers of numbers work on texts."""

from __future__ import annotations

import hashlib
import multiprocessing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from equipoise.api import choose
from equipoise.backbones.sentence_embedding import EmbeddedTexts
from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.dataset import Dataset
from equipoise.contracts.features import TfIdf
from equipoise.experiment.pipeline import run_alone
from equipoise.ops.inputs import Dense, Sparse
from equipoise.readers import encoders
from equipoise.readers.vector_cache import CHUNK, vectors_of
from equipoise.sweep.plan import make_plan, misfit

from .shared.encoded import WORDS, texts


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
