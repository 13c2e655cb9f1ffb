"""Encoding texts for the first time: a line says so where it takes long, and the vectors lie in the chosen data folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

import equipoise
from equipoise.contracts.dataset import Dataset
from equipoise.readers import encoders, vector_cache
from equipoise.readers.downloads import ENVIRONMENT, data_folder, default_data_dir
from equipoise.readers.vector_cache import CHUNK, vectors_of


@dataclass
class Letters:
    """An encoder that counts two letters."""

    recipe: str = "d" * 64
    sha256: str = "e" * 64
    dimension: int = 2

    def encode(self, text: str) -> np.ndarray:
        return np.array([1 + text.count("a"), 1 + text.count("b")], dtype=np.float32)


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "default"))
    monkeypatch.setattr(encoders, "encoder", lambda model, max_tokens=None: Letters())


def texts(number: int) -> list[str]:
    return [f"{'a' * (i % 3)}{'b' * (i % 2)} {i}" for i in range(number)]


def test_a_long_first_encoding_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(vector_cache, "LONG", -1.0)
    vectors_of(Letters(), texts(4 * CHUNK))
    assert capsys.readouterr().err == f"encoding {4 * CHUNK} texts once ({CHUNK} done) …\n"
    vectors_of(Letters(), texts(4 * CHUNK))
    assert capsys.readouterr().err == "", "they are stored now"


def test_where_nothing_can_be_stored_it_is_said_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "file"))
    monkeypatch.setattr(vector_cache, "LONG", -1.0)
    vectors_of(Letters(), texts(3 * CHUNK))
    assert capsys.readouterr().err.count("encoding") == 1


def test_a_short_one_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    vectors_of(Letters(), texts(4 * CHUNK))
    assert capsys.readouterr().err == ""


def test_the_data_folder_moves_the_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())
    X = np.array(texts(80), dtype=object)
    Y = np.array([[text.count("a") > 0, text.count("b") > 0] for text in X], dtype=np.uint8)
    rows = equipoise.run(
        dataset=Dataset("letters", X, Y, ("a", "b")),
        backbone="sentence_embedding",
        strategy="none",
        trials=1,
        folds=2,
        epochs=1,
        splits=1,
        workers=1,
        results=tmp_path / "results",
        data_dir=tmp_path / "chosen",
    )
    assert rows["status"].tolist() == ["ok"]
    assert list((tmp_path / "chosen").rglob("*.sqlite"))
    assert not (tmp_path / "default").exists()
    assert default_data_dir() == tmp_path / "default", "afterwards it is as before"


def test_the_default_comes_back_after_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT)
    usual = default_data_dir()

    def fail() -> None:
        with data_folder(tmp_path / "chosen"):
            assert default_data_dir() == tmp_path / "chosen"
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert default_data_dir() == usual
    with data_folder(None):
        assert default_data_dir() == usual
