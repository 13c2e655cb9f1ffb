"""Pretrained word vectors: their files, what a backbone makes of them, and that their content counts in a row's key."""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import equipoise
from equipoise.api import choose
from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.dataset import Dataset
from equipoise.contracts.features import TokenIds
from equipoise.core.errors import EquipoiseError
from equipoise.experiment.cell import Cell
from equipoise.experiment.pipeline import run_alone
from equipoise.experiment.versions import predictions_code
from equipoise.ops.dropout import Drop
from equipoise.ops.inputs import Tokens
from equipoise.readers import word_vectors as reader
from equipoise.readers.word_vectors import MODULE, word_vectors
from equipoise.sweep.plan import make_plan

LINES = ["the 0.5 -0.25 1.0", "server 1 2 3", "Paris 0 0 1", "at home@x.org 9 9 9", "at 4 5 6", "the 7 7 7"]
VECTORS = {"the": [0.5, -0.25, 1.0], "server": [1, 2, 3], "paris": [0, 0, 1], "at": [4, 5, 6]}
TEXTS = ["the server at paris", "the server is down", "paris is down at the server"] * 2
SHORT = {"trials": 1, "folds": 2, "epochs": 3}
NAMES = ["embedding_bag", "textcnn", "lstm", "gru"]


def fingerprint(backbone: Backbone) -> str:
    """The backbone's part of a row's code."""
    return predictions_code(get_strategy("none"), backbone).split("/")[1]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path / "vectors.txt", LINES)


def written(path: Path, lines: list[str]) -> Path:
    text = "".join(f"{line}\n" for line in lines)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("form", ["vectors.txt", "vectors.txt.gz", "vectors.vec", "vectors.npz"])
def test_every_form_of_file_says_the_same(form: str, tmp_path: Path) -> None:
    path = tmp_path / form
    if form.endswith("npz"):
        words = [line.split()[0] for line in LINES if "@" not in line]
        numbers = [[float(n) for n in line.split()[1:]] for line in LINES if "@" not in line]
        np.savez(path, words=np.array(words), vectors=np.array(numbers))
    else:
        written(path, ["6 3", *LINES] if form.endswith("vec") else LINES)
    vectors = word_vectors(str(path))
    assert vectors.dimension == 3
    found = vectors.of(["the", "server", "paris", "at", "6", "missing"])
    assert {word: vector.tolist() for word, vector in found.items()} == VECTORS
    assert all(vector.dtype == np.float32 for vector in found.values())


def test_a_word_as_it_is_comes_before_one_in_other_letters(tmp_path: Path) -> None:
    path = written(tmp_path / "v.txt", ["US 1 1", "us 2 2", "May 3 3"])
    found = word_vectors(str(path)).of(["us", "may"])
    assert {word: vector.tolist() for word, vector in found.items()} == {"us": [2, 2], "may": [3, 3]}


def fitted(backbone: Any) -> Any:
    """Its features, as a sweep comes to them: what its files hold is looked at first."""
    assert fingerprint(backbone)
    return backbone.features("text").fit(TEXTS)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["just some text", "server 1 2 3"], "holds no word vectors"),
        ([""], "holds no word vectors"),
        (["a 1 2 3", "server 1 2"], "line 2: 3 numbers are expected behind the word 'server'"),
        (["a 1 2 3", "server 1 x 3"], "line 2: 3 numbers are expected"),
        (["a 1 2 3"], "none of the 6 words of the training texts has a pretrained vector"),
    ],
)
def test_a_bad_file_is_one_clear_line(lines: list[str], message: str, tmp_path: Path) -> None:
    backbone = get_backbone(f"lstm[vectors={written(tmp_path / 'v.txt', lines)}]")
    with pytest.raises(EquipoiseError, match=message) as caught:
        fitted(backbone)
    assert "\n" not in str(caught.value)


def test_no_file_no_package_and_no_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(EquipoiseError, match=r"no file of word vectors at nowhere\.txt"):
        fingerprint(get_backbone("lstm[vectors=nowhere.txt]"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EquipoiseError, match=r"pip install 'equipoise\[vectors\]'"):
        fingerprint(get_backbone("lstm[vectors=glove]"))
    with pytest.raises(EquipoiseError, match="vectors must be text, got 7"):
        get_backbone("lstm[vectors=7]")
    (tmp_path / "v.npz").write_bytes(b"no archive")
    with pytest.raises(EquipoiseError, match=r"must be an \.npz file with the arrays"):
        fingerprint(get_backbone(f"lstm[vectors={tmp_path / 'v.npz'}]"))


def test_words_have_their_vectors_and_others_small_random_ones_of_their_own(file: Path) -> None:
    features = TokenIds(min_count=1, vectors=word_vectors(str(file)))
    inputs = features.fit(TEXTS).transform(TEXTS)
    assert isinstance(inputs, Tokens)
    assert inputs.vectors is not None
    assert features.note == "pretrained vectors for 67% of the vocabulary"
    table, place = inputs.vectors, features._vocabulary
    assert not table[0].any(), "padding"
    for word, vector in VECTORS.items():
        assert table[place[word]].tolist() == vector
    assert table[1].any()
    assert 0 < table[place["down"]].abs().max() < 2
    assert not torch.equal(table[place["down"]], table[place["is"]])
    other = TokenIds(min_count=1, vectors=word_vectors(str(file))).fit(["down the server"])
    again = other.transform(["down"])
    assert isinstance(again, Tokens)
    assert again.vectors is not None
    alike = again.vectors[other._vocabulary["down"]] / table[place["down"]]
    assert torch.allclose(alike, alike[0].expand(3)), "the same direction in every vocabulary"


@pytest.mark.parametrize("name", NAMES)
def test_a_network_begins_with_the_vectors_and_learns_on(name: str, file: Path) -> None:
    backbone: Any = get_backbone(f"{name}[vectors={file}]")
    inputs = backbone.features("text").fit(TEXTS).transform(TEXTS)
    params = backbone.init(inputs.width, 2, torch.Generator().manual_seed(0))
    rows = torch.arange(6).repeat(3, 1)
    batch = inputs.gather(rows)
    assert torch.equal(backbone.words(params, batch), inputs.vectors)
    params = {n: p.requires_grad_() for n, p in params.items()}
    alone = backbone.forward(params, batch[0], Drop())
    (gradient,) = torch.autograd.grad(alone.square().sum(), params["words"])
    assert gradient[2:].abs().sum(1).count_nonzero() > 3
    stacked = {n: torch.stack([p] * 3) for n, p in params.items()}
    together = backbone.forward(stacked, batch, Drop())
    assert together.shape == (3, 6, 2)
    assert torch.allclose(together[2], alone, atol=1e-5)
    plain = get_backbone(f"{name}[embedding=3]")
    assert params.keys() == plain.init(inputs.width, 2, torch.Generator()).keys()


def test_the_dimension_is_that_of_the_vectors(file: Path) -> None:
    backbone: Any = get_backbone(f"gru[vectors={file},embedding=3]")
    assert backbone.dimension == 3
    with pytest.raises(EquipoiseError, match="have dimension 3, not embedding=50"):
        fingerprint(get_backbone(f"gru[vectors={file},embedding=50]"))


def test_the_content_of_the_file_counts(file: Path) -> None:
    backbone, plain = get_backbone(f"lstm[vectors={file}]"), get_backbone("lstm")
    before = fingerprint(backbone)
    assert before.startswith(fingerprint(plain))
    assert plain.content == ""
    written(file, [*LINES[:-1], "the 7 7 80"])
    assert fingerprint(backbone) != before
    written(file, LINES)
    assert fingerprint(backbone) == before


def test_a_path_of_any_letters_can_be_written(tmp_path: Path) -> None:
    path = written(tmp_path / "a, b [1].txt", LINES)
    backbone: Any = get_backbone(f"lstm[vectors='{path}']")
    assert backbone.vectors == str(path)
    assert get_backbone(backbone.spec) == backbone
    assert get_backbone("lstm[vectors=none]").content == ""


def test_a_cell_runs_anew_where_the_file_is_another(file: Path) -> None:
    rng = np.random.default_rng(0)
    Y = (rng.random((80, 2)) < 0.4).astype(np.uint8)
    texts = [f"the {'server' * a} {'paris' * b} is down at {rng.integers(5)}" for a, b in Y]
    data = Dataset("mails", np.array(texts, dtype=object), Y, ("a", "b"))

    suite = choose(None, ["mails"], [f"embedding_bag[vectors={file}]"], ["none"], SHORT, 1, None)

    def planned() -> Cell:
        (cell,) = make_plan(suite, device="cpu", data={"mails": data}).cells
        return cell

    row, _ = run_alone(first := planned(), data)
    assert row["status"] == "ok"
    assert planned().key == first.key
    written(file, [*LINES[1:], "the 7 7 80"])
    assert planned().key != first.key


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec(MODULE) is None, reason=f"{reader.PACKAGE} is not installed")
def test_glove_from_its_package() -> None:
    vectors = word_vectors("glove")
    assert vectors.dimension == 50
    found = vectors.of(["frog", "toad", "parliament", "xqzxqz"])
    assert sorted(found) == ["frog", "parliament", "toad"]
    unit = {word: vector / np.linalg.norm(vector) for word, vector in found.items()}
    assert unit["frog"] @ unit["toad"] > 0.7 > 0.2 > unit["frog"] @ unit["parliament"]
    rows = equipoise.run(
        dataset="design-emails[rows=200]", backbone="embedding_bag[vectors=glove]", strategy="none",
        splits=1, trials=1, folds=2, epochs=5,
    )  # fmt: skip
    assert rows["status"].tolist() == ["ok"]
