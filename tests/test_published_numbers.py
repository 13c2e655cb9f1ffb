"""What is held against published numbers: rows that are measured once, decisions, differences with intervals, and the page."""

from __future__ import annotations

import json
import re
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

ROOT = Path(__file__).resolve().parent.parent
sys.path += (added := [str(ROOT / "benchmarks"), str(ROOT / "benchmarks" / "published")])
try:
    import goemotions_tfidf
    import huang
    import huang_losses
    import number_rows
    import product
finally:
    sys.path[-len(added) :] = []

DOCS = ROOT / "docs"


def test_a_number_is_measured_once(tmp_path: Path) -> None:
    path, calls = tmp_path / "numbers.jsonl", list[int]()

    def measure() -> dict[str, Any]:
        calls.append(1)
        return {"scores": {"0": (87.123456, 51.0)}}

    def row(setting: int, name: str = "a") -> dict[str, Any]:
        return number_rows.measured("svm", name, [setting], ["numpy"], measure, path)

    first = row(1)
    assert row(1) == first
    assert len(calls) == 1
    row(1, "b")
    changed = row(2)
    assert len(calls) == 3
    assert changed["key"] != first["key"]
    kept = number_rows.load(path)
    assert [r["name"] for r in kept] == ["a", "b"]  # in the place of the outdated one
    assert kept[0] == changed
    assert kept[0]["scores"] == {"0": [87.1235, 51.0]}


def test_an_interrupted_write_leaves_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "numbers.jsonl"
    number_rows.put({"part": "svm", "name": "a"}, path)
    before = path.read_bytes()

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        number_rows.put({"part": "svm", "name": "b"}, path)
    assert path.read_bytes() == before


def test_decisions_of_a_cell() -> None:
    """Golden: out of fold, .45 is the first probability between the highest negative (.445) and the lowest positive (.455)."""
    logit = lambda p: np.log(p / (1 - p))  # noqa: E731
    arrays = {
        "oof_Y": np.array([[1], [1], [0]]),
        "oof_logits": logit(np.array([[0.9], [0.455], [0.445]])),
        "test_logits": logit(np.array([[0.47], [0.44], [0.6]])),
        "test_fixed": np.array([[0], [0], [1]], dtype=np.uint8),
        "test_tuned": np.array([[1], [1], [1]], dtype=np.uint8),
    }
    made, cut = product.decisions(arrays)
    assert cut == pytest.approx(0.45)
    assert {name: decided.ravel().tolist() for name, decided in made.items()} == {
        "half": [False, False, True],
        "one": [True, False, True],
        "per label": [True, True, True],
    }


def test_margins_are_decided_as_margins() -> None:
    arrays = {
        "oof_Y": np.array([[1], [1], [0]]),
        "oof_logits": np.array([[1.0], [-0.25], [-0.35]]),
        "test_logits": np.array([[-0.28], [-0.32]]),
        "test_fixed": np.zeros((2, 1), dtype=np.uint8),
        "test_tuned": np.zeros((2, 1), dtype=np.uint8),
    }
    made, cut = product.decisions(arrays, margins=True)
    assert cut == pytest.approx(-0.3)
    assert made["one"].ravel().tolist() == [True, False]


def frame(*lines: dict[str, Any]) -> SimpleNamespace:
    """What `equipoise.run` returns, as far as it is read."""
    return SimpleNamespace(to_dict=lambda how: list(lines))


def test_results_are_found_by_strategy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "predictions").mkdir()
    lines = [
        {"strategy": s, "status": "ok", "key": k, "scores/map": 0.5, "param/lr": 0.1} for s, k in ("ax", "by")
    ]
    for at, line in enumerate(lines):
        decided = np.array([[1, at], [0, 0]], dtype=np.uint8)
        np.savez(
            tmp_path / "predictions" / f"{line['key']}.npz",
            oof_logits=np.array([[1.0, -1.0], [-1.0, 1.0]]),
            oof_Y=np.eye(2, dtype=np.uint8),
            test_logits=decided - 0.5,
            test_Y=np.array([[1, 1], [0, 0]], dtype=np.uint8),
            test_fixed=decided,
            test_tuned=decided,
        )
    asked: dict[str, Any] = {}
    monkeypatch.setattr(product.equipoise, "run", lambda **given: asked.update(given) or frame(*lines))
    cells = product.Cells("toy", "linear", ("a", "b"), (("trials", 2),))
    found = product.run(cells, object(), tmp_path)  # type: ignore[arg-type]
    assert (asked["strategy"], asked["splits"], asked["trials"]) == (["a", "b"], "official", 2)
    masks = {"total": np.ones(2, dtype=bool)}
    rows = {name: product.row(result, masks) for name, result in found.items()}
    assert rows["a"]["scores"]["half"]["total"] == pytest.approx((200 / 3, 50))
    assert rows["b"]["scores"]["per label"]["total"] == (100, 100)
    assert (rows["b"]["cell"], rows["b"]["map"], rows["b"]["chosen"]) == ("y", 0.5, {"lr": 0.1})


def test_a_failed_cell_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = {"strategy": "focal", "status": "failed", "error": "out of memory"}
    monkeypatch.setattr(product.equipoise, "run", lambda **_: frame(line))
    with pytest.raises(RuntimeError, match="linear, focal: failed: out of memory"):
        product.run(product.Cells("toy", "linear"), object(), tmp_path)  # type: ignore[arg-type]


def test_differences_are_those_of_the_scores() -> None:
    rng = np.random.default_rng(1)
    true = rng.random((400, 5)) < np.array([0.5, 0.4, 0.3, 0.2, 0.2])
    good, bad = (true ^ (rng.random(true.shape) < noise) for noise in (0.05, 0.25))
    masks = {"total": np.ones(5, dtype=bool), "tail": np.arange(5) > 2}
    found = huang_losses.differences(true, good, bad, masks)
    ours, theirs = (huang.scored(true, decided, masks) for decided in (good, bad))
    for group in masks:
        for at, average in enumerate(("micro", "macro")):
            value, low, high = found[group][average]
            assert value == pytest.approx(ours[group][at] - theirs[group][at], abs=0.01)
            assert 0 < low < value < high
    same = huang_losses.differences(true, good, good, masks)
    assert same["total"] == {"micro": [0, 0, 0], "macro": [0, 0, 0]}


def test_the_interval_is_as_wide_as_chance_makes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One label on in all rows, predicted at random by both: the bootstrap agrees with the spread over new samples."""
    monkeypatch.setattr(huang_losses, "RESAMPLES", 200)
    rng = np.random.default_rng(2)
    masks = {"total": np.ones(1, dtype=bool)}
    draws = [tuple(rng.random((2, 100, 1)) < 0.6) for _ in range(60)]
    true = np.ones((100, 1), dtype=bool)
    found = [huang_losses.differences(true, a, b, masks)["total"]["micro"] for a, b in draws]
    spread = np.std([value for value, _, _ in found], ddof=1)
    width = np.mean([high - low for _, low, high in found]) / (2 * 1.96)
    assert width == pytest.approx(spread, rel=0.3)


@pytest.mark.slow  # PyTorch loads its compiler with the first optimizer
def test_the_published_protocol_starts_at_zero_and_learns() -> None:
    rng = np.random.default_rng(0)
    X = sp.csr_matrix(rng.normal(size=(96, 8)).astype(np.float32))
    Y = (X.toarray()[:, :3] > 0).astype(np.uint8)
    protocol = huang_losses.Protocol(lr=1e-6, epochs=1)
    ((weight, bias),) = huang_losses.layers(X, Y, "none", protocol)
    assert np.abs(weight).max() < 1e-4
    assert np.abs(bias).max() < 1e-4
    for loss in ("none", "distribution_balanced"):
        *_, (weight, bias) = huang_losses.layers(X, Y, loss, huang_losses.Protocol(lr=0.1, epochs=6))
        assert ((X @ weight + bias > 0) == Y).mean() > 0.9


def test_the_epoch_with_the_best_threshold_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of epochs with micro-F1 1, 0 … on the development rows the first is kept; the training ends five epochs later."""
    data = SimpleNamespace(
        Y=np.array([[1], [0], [1], [0], [1], [0]], dtype=np.uint8), official=np.array([0, 0, 1, 1, 2, 2])
    )
    x = sp.csr_matrix(np.array([[1.0], [-1.0]], dtype=np.float32))
    epochs = [(np.array([[sign]]), np.zeros(1)) for sign in (9.0, *[-9.0] * 20)]
    monkeypatch.setattr(huang, "reuters", lambda: data)
    monkeypatch.setattr(huang_losses, "texts", lambda words: huang_losses.Texts(x, x, x))
    monkeypatch.setattr(huang_losses, "layers", lambda *_: iter(epochs))
    made, went = huang_losses.trained("none", huang_losses.Protocol(lr=0.1))
    assert (went["epoch"], went["epochs"]) == (1, 6)
    assert made["one"].ravel().tolist() == [True, False]


def test_goemotions_scores_by_hand() -> None:
    true, predicted = np.array([[1, 0], [0, 1]]), np.array([[1, 0], [1, 1]])
    found = goemotions_tfidf.scores(true, predicted)
    assert found["total"] == pytest.approx((100 * 4 / 5, 100 * (2 / 3 + 1) / 2))
    assert (found["hamming loss"], found["subset accuracy"]) == (0.25, 0.5)


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(DOCS / "make_published_numbers.py"))


def test_the_page_shows_the_rows(script: dict[str, Any]) -> None:
    kept = (DOCS / "published-numbers.md").read_text(encoding="utf-8")
    assert script["page"]() == kept, "run: python docs/make_published_numbers.py"
    shown = set(re.findall(r"<!-- measured: ([\w-]+) -->", kept))
    assert set(script["tables"](number_rows.load())) == shown


def test_the_tables_say_what_the_rows_say(script: dict[str, Any]) -> None:
    """Changing one number of a row changes that number in the tables, and no other."""
    rows = number_rows.load()
    row = next(r for r in rows if r["name"].endswith(": DB"))
    before = script["tables"](rows)
    assert script["pair"](row["scores"]["one"]["tail"]) in before["losses"]
    changed = json.loads(json.dumps(rows))
    changed[rows.index(row)]["scores"]["one"]["tail"] = [12.34, 56.78]
    after = script["tables"](changed)
    assert "12.34/56.78" in after["losses"]
    assert {name for name in before if before[name] != after[name]} == {"losses"}
    changed[rows.index(row)]["minus BCE"]["one"]["total"]["macro"] = [-1.23, -4.5, 2.0]
    assert "−1.2 [−4.5, +2.0]" in script["tables"](changed)["differences"]
    assert "−1.2 [−4.5, +2.0]" in script["tables"](changed)["summary"]


def test_the_order_is_compared_with_the_papers(script: dict[str, Any]) -> None:
    paper = {name: huang.PUBLISHED[name]["total"] for name in huang_losses.LOSSES}

    def rows(sign: float) -> list[dict[str, Any]]:
        return [
            {
                "part": huang_losses.PART,
                "setting": "linear",
                "loss": name,
                "scores": {rule: {"total": (0.0, sign * macro)} for rule in ("half", "one", "per label")},
            }
            for name, (_, macro) in paper.items()
        ]

    assert "| linear, ½" in script["orders_table"](rows(1))
    assert script["orders_table"](rows(1)).count(" 1.00 ") == 4
    assert script["orders_table"](rows(-1)).count(" −1.00 ") == 3
