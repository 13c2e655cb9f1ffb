"""Data sets with an official split (goemotions, reuters-21578), and OpenML."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from equipoise.catalog.datasets import load_dataset
from equipoise.contracts.dataset import DEV, TEST, TRAIN, Dataset
from equipoise.core.errors import EquipoiseError
from equipoise.datasets import reuters_21578
from equipoise.datasets._pins import pins

STORY = """<REUTERS TOPICS="{topics}" LEWISSPLIT="{split}" CGISPLIT="X" OLDID="1" NEWID="{id}">
<DATE> 1-JAN-1987</DATE><TOPICS>{d}</TOPICS><PLACES><D>usa</D></PLACES>
<UNKNOWN>&#5;x</UNKNOWN><TEXT{kind}>&#2;
{text}</TEXT>
</REUTERS>
"""


def test_take_carries_the_split_and_the_hash_ignores_it() -> None:
    plain = Dataset("d", np.arange(8.0).reshape(4, 2), np.eye(4, 2, dtype=np.uint8), ("a", "b"))
    split = Dataset("d", plain.X, plain.Y, plain.labels, official=np.array([0, 0, 1, 2]))
    assert split.take([3, 0]).official is not None
    assert split.take([3, 0]).official.tolist() == [TEST, TRAIN]  # type: ignore[union-attr]
    assert split.sha256 == plain.sha256
    assert plain.take([0, 1]).official is None


@pytest.mark.parametrize("official", [[0, 1], [0, 1, 2, 3], [0, 0.5, 1, 2]])
def test_a_split_that_does_not_fit_is_refused(official: list[float]) -> None:
    with pytest.raises(EquipoiseError, match="`official` must hold 0, 1 or 2 for each of 4 rows"):
        Dataset("d", np.zeros((4, 1)), np.ones((4, 1)), ("a",), official=np.array(official))


def test_goemotions(data_dir: Path) -> None:
    data = load_dataset("goemotions", data_dir=data_dir)
    assert data.official is not None
    assert np.bincount(data.official).tolist() == [43410, 5426, 5427]
    assert data.Y.shape == (54263, 28)
    assert data.labels[0] == "admiration"
    assert data.labels[27] == "neutral"
    assert data.Y[data.official == TEST, 27].sum() == 1787  # neutral in the test part, as the paper counts
    assert data.Y.sum(axis=1).min() == 1
    assert not any("\t" in text for text in data.X)


def test_goemotions_says_which_line_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from equipoise.datasets import goemotions

    path = tmp_path / "train.tsv"
    path.write_text("fine\t1\tx\nno tabs\n", encoding="utf-8")
    with pytest.raises(EquipoiseError, match=r"train\.tsv line 2 has 1 fields, not 3"):
        goemotions._rows(path)


def test_reuters_modapte(data_dir: Path) -> None:
    data = load_dataset("reuters-21578", data_dir=data_dir)
    assert data.official is not None
    assert np.bincount(data.official).tolist() == [7770, 0, 3019]
    assert len(data.labels) == 90
    assert list(data.labels) == sorted(data.labels)
    train = dict(zip(data.labels, data.Y[data.official == TRAIN].sum(axis=0).tolist(), strict=True))
    # The ten most frequent topics as the literature on R(90) counts them.
    assert [train[t] for t in ("earn", "acq", "money-fx", "grain", "crude")] == [2877, 1650, 538, 433, 389]
    assert [train[t] for t in ("trade", "interest", "wheat", "ship", "corn")] == [369, 347, 212, 197, 181]
    assert data.Y.sum() == 13329
    assert not any("&lt;" in text or "\x03" in text or "<BODY>" in text for text in data.X)
    assert min(map(len, data.X)) > 0


def test_reuters_split_of_huang_2021(data_dir: Path) -> None:
    """The authors' notebook prints quantiles of the label counts of its 6769 rows; ours must be the same rows."""
    data = load_dataset("reuters-21578[split=huang2021]", data_dir=data_dir)
    assert data.official is not None
    assert np.bincount(data.official).tolist() == [6769, 1000, 3019]
    counts = data.Y[data.official == TRAIN].sum(axis=0)
    assert np.quantile(counts, [0.25, 0.33, 0.5, 0.66, 0.75]) == pytest.approx([5, 9, 17.5, 33.74, 59.75])
    assert counts.sum() == 8338
    assert data.Y.sum() == 13328
    assert data.labels.index("trade") == 84
    assert data.Y[:, 84].sum() == 485


def test_the_development_rows_are_those_of_scikit_learn() -> None:
    from sklearn.model_selection import train_test_split

    expected = train_test_split(np.arange(7769), test_size=1000, random_state=123)[1]
    assert reuters_21578._dev_rows(7769).tolist() == expected.tolist()


def test_reuters_stories_are_taken_apart(tmp_path: Path) -> None:
    both = "<TITLE>OIL UP</TITLE><DATELINE>OSLO</DATELINE><BODY>Oil &lt;X> rose\nby AT&amp;T.\n Reuter\n&#3;</BODY>"
    stories = [
        STORY.format(topics="YES", split="TRAIN", id=7, d="<D>crude</D><D>crude</D>", kind="", text=both),
        STORY.format(topics="YES", split="TEST", id=9, d="", kind=' TYPE="UNPROC"', text="All &#31; of it"),
        STORY.format(topics="NO", split="TRAIN", id=8, d="<D>acq</D>", kind="", text=both),
        STORY.format(topics="YES", split="NOT-USED", id=6, d="<D>acq</D>", kind="", text=both),
    ]
    path = tmp_path / "reut2-000.sgm"
    path.write_text("<!DOCTYPE lewis SYSTEM>\n" + "".join(stories), encoding="latin-1")
    found = list(reuters_21578._stories(path))
    assert [(s.number, s.part, set(s.topics)) for s in found] == [(7, TRAIN, {"crude"}), (9, TEST, set())]
    assert found[0].text == "OIL UP\n\nOil <X> rose\nby AT&T."
    assert found[1].text == "All   of it"
    path.write_text("nothing here")
    with pytest.raises(EquipoiseError, match="holds no story"):
        list(reuters_21578._stories(path))


def test_reuters_knows_two_splits() -> None:
    with pytest.raises(EquipoiseError, match="did you mean 'modapte'"):
        load_dataset("reuters-21578[split=modapt]")


def test_pins_are_complete() -> None:
    assert [len(pins(name)) for name in ("goemotions", "reuters-21578")] == [4, 22]
    assert all(len(pin.sha256 or "") == 64 and pin.url.endswith(pin.file) for pin in pins("reuters-21578"))
    assert DEV == 1


def _bunch(**targets: list[Any]) -> SimpleNamespace:
    rows = len(next(iter(targets.values()), [0, 0]))
    inputs = pd.DataFrame({"x": np.arange(rows) / 2, "colour": pd.Categorical(["red", "blue"] * (rows // 2))})
    details = {"name": "toy", "version": "4", "licence": "CC0"}
    return SimpleNamespace(data=inputs, target=pd.DataFrame(targets) if targets else None, details=details)


def _serve(monkeypatch: pytest.MonkeyPatch, answer: Any) -> list[dict[str, Any]]:
    asked: list[dict[str, Any]] = []

    def fetch(**options: Any) -> Any:
        asked.append(options)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch)
    return asked


def test_openml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _serve(monkeypatch, _bunch(a=["TRUE", "FALSE"] * 3, b=[0, 0, 1, 1, 0, 1]))
    data = load_dataset("openml[id=41473,target=a+b]", data_dir=tmp_path)
    assert (asked[0]["data_id"], asked[0]["target_column"]) == (41473, ["a", "b"])
    assert asked[0]["data_home"] == str(tmp_path)
    assert data.name == "openml-41473"
    assert data.Y.T.tolist() == [[1, 0, 1, 0, 1, 0], [0, 0, 1, 1, 0, 1]]
    assert data.X[:2].tolist() == [[0, 1], [0.5, 0]]
    assert data.nominal is not None
    assert data.nominal.tolist() == [False, True]
    assert data.terms == "CC0"


def test_openml_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EquipoiseError, match=r"openml needs the number of a data set"):
        load_dataset("openml", data_dir=tmp_path)
    _serve(monkeypatch, OSError("no\nnetwork"))
    with pytest.raises(EquipoiseError, match=r"OpenML 5 cannot be loaded \(OSError: no network\)"):
        load_dataset("openml", id=5, data_dir=tmp_path)
    _serve(monkeypatch, _bunch(a=["x", "y"]))
    with pytest.raises(EquipoiseError, match=r"OpenML 5: target 'a' has 'x'; a label is 0/1"):
        load_dataset("openml", id=5, data_dir=tmp_path)
    _serve(monkeypatch, _bunch())
    with pytest.raises(EquipoiseError, match="names no target"):
        load_dataset("openml", id=5, data_dir=tmp_path)
