"""The MULAN data sets have the counts published in the literature, and yeast is the same from both sources."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from equipoise.catalog.datasets import load_dataset
from equipoise.core.errors import EquipoiseError
from equipoise.datasets import mulan
from equipoise.readers.arff import read_arff

# rows, inputs, labels, distinct labelsets, cardinality; those with a cardinality are in the literature's tables.
COUNTS: dict[str, tuple[int, int, int, int | None, float | None]] = {
    "emotions": (593, 72, 6, 27, 1.868465),
    "flags": (194, 19, 7, 54, 3.391753),
    "yeast": (2417, 103, 14, 198, 4.237071),
    "birds": (645, 260, 19, 133, 1.013953),
    "medical": (978, 1449, 45, 94, 1.245399),
    "enron": (1702, 1001, 53, 753, 3.378378),
    "corel5k": (5000, 499, 374, 3175, 3.522),
    "bibtex": (7395, 1836, 159, 2856, 2.401893),
    "scene": (2407, 294, 6, None, None),
    "genbase": (662, 1185, 27, None, None),  # 1186 in the file, one of which names the protein
    "cal500": (502, 68, 174, 502, None),
    "foodtruck": (407, 21, 12, None, None),
    "tmc2007-500": (28596, 500, 22, None, None),
    "delicious": (16105, 500, 983, None, None),
}
SPARSE = {"medical", "enron", "corel5k", "bibtex", "tmc2007-500", "delicious"}


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name: str, data_dir: Path) -> None:
    rows, inputs, labels, labelsets, cardinality = COUNTS[name]
    data = load_dataset(name, data_dir=data_dir)
    assert data.X.shape == (rows, inputs)
    assert data.Y.shape == (rows, labels)
    assert len(data.features) == inputs
    assert sparse.issparse(data.X) == (name in SPARSE)
    if labelsets is not None:
        assert len({row.tobytes() for row in data.Y}) == labelsets
    if cardinality is not None:
        assert data.Y.sum(axis=1).mean() == pytest.approx(cardinality, abs=5e-7)
    assert "cite" in data.terms
    assert data.citation
    assert not data.generated


def test_every_listed_set_is_tested() -> None:
    assert {source.name for source in mulan.sources} == set(COUNTS)


def test_two_files_are_one_dataset_in_order(data_dir: Path) -> None:
    data = load_dataset("birds", data_dir=data_dir)
    last = read_arff(data_dir / "birds" / "birds-test.arff").values[-1]
    assert np.array_equal(data.X[-1], last[:260].astype(np.float32))
    assert data.labels[10] == "Swainson's Thrush"
    assert data.nominal is not None
    assert np.flatnonzero(data.nominal).tolist() == [258, 259]


def test_categories_are_coded_in_order(data_dir: Path) -> None:
    flags = load_dataset("flags", data_dir=data_dir)
    assert flags.features[5] == "religion"
    assert flags.nominal is not None
    assert flags.nominal.sum() == 9
    assert flags.X[0, :6].tolist() == [4, 0, 648, 16, 9, 2]  # 5,1,648,16,10,2 in the file; codes begin at 0
    genbase = load_dataset("genbase", data_dir=data_dir)
    assert set(np.unique(genbase.X)) == {0, 1}
    assert genbase.X.mean() < 0.5  # YES is 1
    assert genbase.notes == (
        "column 'protein' is left out: it only identifies the row",
        "26 columns, motifs such as PS00014, equal a label",
    )


def test_yeast_is_the_same_from_river(data_dir: Path, tmp_path: Path) -> None:
    pytest.importorskip("river")
    here, there = load_dataset("yeast", data_dir=data_dir), load_dataset("yeast", data_dir=tmp_path)
    assert "river" in there.source
    assert here.source.startswith("https://")
    assert there.sha256 == here.sha256
    assert np.array_equal(here.X, there.X)
    assert (here.labels, here.features) == (there.labels, there.features)
    assert list(tmp_path.iterdir()) == []


def test_another_river_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gzip

    other = tmp_path / "yeast.csv.gz"
    other.write_bytes(gzip.compress(b"Att1,Class1\n0.5,1\n0.25,0\n"))
    monkeypatch.setattr(mulan, "_river_file", lambda: other)
    monkeypatch.setattr(mulan, "fetch", lambda pin, data_dir: pytest.fail(f"asked for {pin.file}"))
    with pytest.raises(pytest.fail.Exception, match=r"asked for yeast\.arff"):
        load_dataset("yeast", data_dir=tmp_path)


ARFF = "@relation r\n@attribute 'a b' numeric\n@attribute c {YES, NO}\n% note\n\n@data\n"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "some.arff"
    path.write_text(text, encoding="utf-8")
    return path


def test_arff_dense(tmp_path: Path) -> None:
    table = read_arff(write(tmp_path, ARFF + "1.5, YES\n-2e3,NO\n?,NO\n"))
    assert table.names == ("a b", "c")
    assert table.categories == (None, ("NO", "YES"))
    np.testing.assert_array_equal(table.values, [[1.5, 1], [-2000, 0], [np.nan, 0]])


def test_arff_sparse(tmp_path: Path) -> None:
    text = ARFF.replace("{YES, NO}", "{0,1}") + "{0 2.5, 1 1}\n{}\n{1 1}\n"
    values = read_arff(write(tmp_path, text)).values
    assert isinstance(values, sparse.csr_matrix)
    assert values.toarray().tolist() == [[2.5, 1], [0, 0], [0, 1]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@relation r\n", "no @data line"),
        (ARFF + "1,YES\n1\n", "some.arff line 8 has 1 values, not 2"),
        (ARFF + "1,MAYBE\n", "some.arff line 7, attribute 'c' has 'MAYBE', not one of NO, YES"),
        (ARFF + "one,YES\n", "some.arff line 7, attribute 'a b' has 'one', not a number"),
        (ARFF + "{0 1}\n", "attribute 'c' has categories other than {0,1}, which sparse rows cannot hold"),
        (
            ARFF.replace("{YES, NO}", "{0,1}") + "{0 x}\n",
            "some.arff line 7, attribute 'a b' has 'x', not a number",
        ),
        (ARFF.replace("numeric", "date"), "attribute 'a b' has type 'date'"),
        ("@attribute x\n@data\n", "cannot read '@attribute x'"),
    ],
)
def test_arff_refusals(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(EquipoiseError) as caught:
        read_arff(write(tmp_path, text))
    assert expected in str(caught.value)
    assert "some.arff" in str(caught.value)
    assert "\n" not in str(caught.value)
