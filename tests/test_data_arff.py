"""ARFF files of users: labels from XML, from MEKA's header or by name; every fault is reported in one line with its position."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.catalog.datasets import load_dataset
from equipoise.core.errors import EquipoiseError

from .shared.files import attempt, put

ROWS = 30
ARFF = (
    "@relation r\n@attribute x numeric\n@attribute c {u,v}\n@attribute a {0,1}\n@attribute b {0,1}\n@data\n"
)
XML = '<labels xmlns="http://mulan.sourceforge.net/labels"><label name="b"/><label name="a"/></labels>'
HEAD = "@relation r\n@attribute x numeric\n@attribute c {u,v}\n@attribute a {0,1}\n@data\n"
CELLS = "".join(f"{i},{'uv'[i % 2]},{i % 2}\n" for i in range(ROWS))


def test_arff_with_the_xml_beside_it(tmp_path: Path) -> None:
    data = load_dataset(arff(tmp_path, ARFF + "1,u,0,1\n2,v,1,0\n", XML))
    assert data.labels == ("a", "b")
    assert data.features == ("x", "c")
    assert data.nominal is not None
    assert data.nominal.tolist() == [False, True]
    assert data.Y.tolist() == [[0, 1], [1, 0]]
    assert "labels are those listed in mine.xml" in data.notes


@pytest.mark.parametrize("names", ["a+b", ["a", "b"]])
def test_arff_with_named_labels(tmp_path: Path, names: Any) -> None:
    assert load_dataset(arff(tmp_path, ARFF + "1,u,0,1\n2,v,1,0\n"), labels=names).labels == ("a", "b")


BROKEN_ARFF: dict[str, tuple[str, str | None, dict[str, Any], str]] = {
    "no labels": (ARFF + "1,u,0,1\n", None, {}, "which columns are labels? put mine.xml in the same folder"),
    "unknown label": (
        ARFF + "1,u,0,1\n",
        None,
        {"labels": "a+bb"},
        "unknown label of mine.arff: 'bb'; did you",
    ),
    "label given twice": (ARFF + "1,u,0,1\n", None, {"labels": "a+b+a"}, "label 'a' is named twice"),
    "label of the xml": (
        ARFF + "1,u,0,1\n",
        XML.replace('"b"', '"z"'),
        {},
        "unknown label of mine.arff: 'z'",
    ),
    "broken xml": (ARFF + "1,u,0,1\n", XML[:-4], {}, "mine.xml"),
    "no data line": ("@relation r\n", None, {}, "has no @data line"),
    "no rows": (ARFF, XML, {}, "no data rows"),
    "no columns": ("@relation r\n@data\n1,2\n", XML, {}, "has no @attribute lines"),
    "short row": (ARFF + "1,u,0\n", XML, {}, "mine.arff line 7 has 3 values, not 4"),
    "unknown category": (
        ARFF + "1,w,0,1\n",
        XML,
        {},
        "mine.arff line 7, attribute 'c' has 'w', not one of u, v",
    ),
    "word for number": (ARFF + "x,u,0,1\n", XML, {}, "mine.arff line 7, attribute 'x' has 'x', not a number"),
    "missing value": (ARFF + "?,u,0,1\n1,u,0,1\n", XML, {}, "line 7, attribute 'x' is missing; fill it"),
    "missing label": (
        ARFF + "1,u,?,1\n1,u,0,1\n",
        XML,
        {},
        "line 7, attribute 'a' is missing; a label is 0 or 1",
    ),
    "string attribute": (
        ARFF.replace("numeric", "string") + "x,u,0,1\n",
        XML,
        {},
        "line 2: attribute 'x' has type 'string'",
    ),
    "sparse odd": (
        ARFF.replace("{u,v}", "numeric") + "{0 1,2}\n",
        XML,
        {},
        "line 7: cannot read '2'; a sparse row is",
    ),
    "sparse beyond": (
        ARFF.replace("{u,v}", "numeric") + "{0 1}\n{9 1}\n",
        XML,
        {},
        "line 8 names attribute 9, beyond 0..3",
    ),
    "sparse negative": (
        ARFF.replace("{u,v}", "numeric") + "{-1 1}\n{0 1}\n",
        XML,
        {},
        "line 7 names attribute -1, beyond 0..3",
    ),
    "all labels": (ARFF + "1,u,0,1\n", None, {"labels": "x+c+a+b"}, "none is left for the inputs"),
}


@pytest.mark.parametrize("case", BROKEN_ARFF)
def test_broken_arff(tmp_path: Path, case: str) -> None:
    text, xml, options, expected = BROKEN_ARFF[case]
    fails(arff(tmp_path, text, xml), expected, **options)


ODD: dict[str, tuple[str, dict[str, Any], str]] = {
    "category.arff": (
        HEAD.replace("{u,v}", "{}") + CELLS,
        {"labels": "a"},
        "line 3: attribute 'c' has no categor",
    ),
    "twice.arff": (HEAD.replace(" c ", " x ") + CELLS, {"labels": "a"}, "attribute 'x' is declared twice"),
    "three.arff": (
        HEAD.replace("{0,1}", "{p,q,r}") + CELLS.replace(",0\n", ",p\n").replace(",1\n", ",r\n"),
        {"labels": "a"},
        "line 7, attribute 'a' has 'r'; a label is 0 or 1",
    ),
    "infinite.arff": (
        HEAD + CELLS.replace("\n7,", "\n1e39,"),
        {"labels": "a"},
        "line 13, attribute 'x' has a",
    ),
    "mixed.arff": (
        HEAD.replace("{u,v}", "numeric") + "{0 1}\n1,2,0\n",
        {"labels": "a"},
        "line 7: a sparse row is written {index value, …}, not '1,2,0'",
    ),
    "double.arff": (
        HEAD.replace("{u,v}", "numeric") + "{0 1}\n{0 1,0 2}\n",
        {"labels": "a"},
        "line 7 names attribute 0 ('x') twice",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_arff(tmp_path: Path, name: str) -> None:
    content, options, expected = ODD[name]
    fails(put(tmp_path / name, content), expected, **options)


def test_arff_as_meka_writes_it(tmp_path: Path) -> None:
    head = "@relation 'mails: -C {}'\n@attribute a {{0,1}}\n@attribute 'b, c' {{no,'so, yes'}}\n@attribute x real\n@data\n"
    rows = "".join(f"{i % 2},{('no', chr(39) + 'so, yes' + chr(39))[i % 3 == 0]},{i}\n" for i in range(ROWS))
    data = load_dataset(put(tmp_path / "m.arff", head.format(2) + rows))
    assert data.labels == ("a", "b, c")
    assert data.Y[:4].tolist() == [[0, 1], [1, 0], [0, 0], [1, 1]]
    assert "labels are the first 2 attributes (-C 2)" in data.notes
    fails(put(tmp_path / "m.arff", head.format(0) + rows), "which columns are labels?")
    fails(put(tmp_path / "m.arff", head.format(9) + rows), "every attribute is a label")
    assert load_dataset(
        put(tmp_path / "m.arff", head.format(-1) + rows.replace(",2\n", ",1\n")), labels="a"
    ).labels == ("a",)
    latin = (head.format(1) + rows).replace("so, yes", "größer").encode("latin-1")
    fails(put(tmp_path / "m.arff", latin), "line 3 is not utf-8; try encoding=latin-1")
    assert load_dataset(put(tmp_path / "m.arff", latin), encoding="latin-1").labels == ("a",)


def test_arff_beside_odd_xml(tmp_path: Path) -> None:
    path = put(tmp_path / "x.arff", HEAD + CELLS)
    put(tmp_path / "x.xml", "<labels/>")
    fails(path, "x.xml names no labels")
    put(tmp_path / "x.xml", "")
    fails(path, "cannot read")
    fails(path, "cannot read nowhere.xml", xml="nowhere.xml")


@settings(max_examples=60)
@given(st.lists(st.text(st.sampled_from("@attributed xyz{},?%\"'01\\ \n"), max_size=20), max_size=12))
def test_any_arff_is_a_dataset_or_one_line(tmp_path_factory: pytest.TempPathFactory, rows: list[str]) -> None:
    path = tmp_path_factory.mktemp("any") / "any.arff"
    path.write_text(ARFF + "\n".join(rows), encoding="utf-8")
    attempt(path, labels="a+b")


def arff(tmp_path: Path, text: str, xml: str | None = None) -> Path:
    path = tmp_path / "mine.arff"
    path.write_text(text, encoding="utf-8")
    if xml is not None:
        path.with_suffix(".xml").write_text(xml, encoding="utf-8")
    return path


def fails(path: Path, expected: str, **options: Any) -> None:
    with pytest.raises(EquipoiseError) as caught:
        load_dataset(path, **options)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
