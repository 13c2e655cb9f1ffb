"""Names between separators, tags, multi-hot lists and single names as label columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .shared.shapes import REAL, TEXT, check, read
from .shared.tables import notes

#: Cells, the labels of each, and the options that are needed.
NAMES: list[tuple[list[str], list[str], dict[str, Any]]] = [
    (["a;b", "c"], ["a b", "c"], {}),
    (["a; b", "b"], ["a b", "b"], {}),
    (["a;b;", ";b"], ["a b", "b"], {}),
    (["a|b", "c"], ["a b", "c"], {}),
    (["|a|b|", "|b|"], ["a b", "b"], {}),
    (["a | b", "b"], ["a b", "b"], {}),
    (["a,b", "b"], ["a b", "b"], {}),
    (["a, b", "b, c"], ["a b", "b c"], {}),
    (["a\nb", "c"], ["a b", "c"], {}),
    (["a\r\nb", "c"], ["a b", "c"], {}),
    (["a\nb\n", "c"], ["a b", "c"], {}),
    (["Trade, Tax\nHealth", "Health"], ["Trade, Tax|Health", "Health"], {"separator": "\\n"}),
    (["", "a;b", "b"], ["", "a b", "b"], {}),
    (["a", "b", "c"], ["a", "b", "c"], {}),
    (["3", "7", "12"], ["3", "7", "12"], {}),
    (["0", "1", "2"], ["0", "1", "2"], {}),
    (["3,7", "7", "12"], ["3 7", "7", "12"], {}),
    (["science fiction, war", "war"], ["science fiction|war", "war"], {}),
    (["science fiction; war", "war; drama"], ["science fiction|war", "war drama"], {}),
    (["[urgent];login", "login"], ["[urgent] login", "login"], {}),
    (["[urgent]", "login"], ["[urgent]", "login"], {}),
    (["'70s;rock", "rock"], ["'70s rock", "rock"], {}),
    (['"hot";cold', "cold"], ['"hot" cold', "cold"], {}),
    (["a (b);c", "c"], ["a (b)|c", "c"], {}),
    (["f(x);g", "g"], ["f(x) g", "g"], {}),
    (["C++;C#", "C"], ["C++ C#", "C"], {}),
    (["a<b;c", "c"], ["a<b c", "c"], {}),
    (["don't;can't", "can't"], ["don't can't", "can't"], {}),
    (["bug:ui;docs", "docs"], ["bug:ui docs", "docs"], {}),
    (["größe;日本", "größe"], ["größe 日本", "größe"], {}),
    (["<python><pandas>", "<python>"], ["python pandas", "python"], {}),
    (["<c#><.net-4.5>", "<c++>"], ["c# .net-4.5", "c++"], {}),
    (["<python> <pandas>", "<a><b>"], ["python pandas", "a b"], {}),
    (["<a>", "<b>"], ["a", "b"], {"label_format": "tags"}),
    (["<a>", "<b>"], ["<a>", "<b>"], {}),
    (["cs.LG cs.AI", "cs.LG"], ["cs.LG cs.AI", "cs.LG"], {"separator": " "}),
    (["a  b", "b"], ["a b", "b"], {"separator": " "}),
    (["bug report", "other"], ["bug report|", "other"], {"label_format": "whole"}),
    (["bug report", "other"], ["bug report|", "other"], {"separator": ""}),
    (["a/b", "b"], ["a b", "b"], {"separator": "/"}),
    (["a/b", "c"], ["a/b", "c"], {}),
    (["a\tb", "b"], ["a b", "b"], {"separator": "tab"}),
    (["a b;c", "c"], ["a b|c", "c"], {}),
    (["Trade, Tax;Health", "Health"], ["Trade, Tax|Health", "Health"], {"separator": ";"}),
    (["a, b", "c"], ["a, b|", "c"], {"label_format": "whole"}),
    (["a, b", "c"], ["a b", "c"], {"separator": ","}),
    (["['a', 'b']", "['c']"], ["a b", "c"], {"separator": ","}),
    (["[a, b]", "[b]"], ["a b", "b"], {"label_format": "list"}),
    (["[a, b]", "[b]"], ["[a, b]|", "[b]"], {"label_format": "whole"}),
    (["{a,b}", "{b}"], ["a b", "b"], {"label_format": "list"}),
    (["['a', 'b']", "x"], ["['a', 'b']|", "x"], {"label_format": "whole"}),
    (["1", "0"], ["1", "0"], {"label_format": "whole", "label_column": "labels"}),
    (["a::b", "b"], ["a b", "b"], {"separator": "::"}),
    (["#a #b", "#b"], ["#a #b", "#b"], {"separator": " "}),
    (["a - b", "b"], ["a b", "b"], {"separator": " - "}),
]

#: Multi-hot cells and the labels of each.
HOT: list[tuple[list[Any], list[str], tuple[str, ...]]] = [
    ([[1, 0, 0], [0, 1, 1]], ["labels_0", "labels_1 labels_2"], REAL),
    ([[1.0, 0.0], [0.0, 1.0]], ["labels_0", "labels_1"], REAL),
    ([[True, False], [True, True]], ["labels_0", "labels_0 labels_1"], REAL),
    ([["1", "0"], ["0", "1"]], ["labels_0", "labels_1"], REAL),
    ([[0, 0, 0], [1, 0, 1]], ["", "labels_0 labels_2"], REAL),
    (["[1, 0, 0]", "[0, 1, 1]"], ["labels_0", "labels_1 labels_2"], TEXT),
    (["[1.0, 0.0]", "[0.0, 1.0]"], ["labels_0", "labels_1"], TEXT),
    (["[true, false]", "[false, true]"], ["labels_0", "labels_1"], TEXT),
    (["[True, False]", "[False, True]"], ["labels_0", "labels_1"], TEXT),
    (["[0 1 0]", "[1 0 1]"], ["labels_1", "labels_0 labels_2"], TEXT),
    (["[0. 1. 0.]", "[1. 0. 1.]"], ["labels_1", "labels_0 labels_2"], TEXT),
    (["[0\n 1]", "[1\n 0]"], ["labels_1", "labels_0"], TEXT),
    (["array([0, 1])", "array([1, 0])"], ["labels_1", "labels_0"], TEXT),
    (["(0, 1)", "(1, 0)"], ["labels_1", "labels_0"], TEXT),
    (["0 1 0", "1 0 1"], ["labels_1", "labels_0 labels_2"], TEXT),
    (["0,1,0", "1,0,1"], ["labels_1", "labels_0 labels_2"], TEXT),
    (["0;1;0", "1;0;1"], ["labels_1", "labels_0 labels_2"], TEXT),
    (["0.00;1.00", "1.00;0.00"], ["labels_1", "labels_0"], TEXT),
    (["0|1|0", "1|0|1"], ["labels_1", "labels_0 labels_2"], TEXT),
]


@pytest.mark.parametrize("case", range(len(NAMES)))
def test_names_in_text(tmp_path: Path, case: int) -> None:
    cells, right, options = NAMES[case]
    check(tmp_path, cells, right, TEXT, **options)


@pytest.mark.parametrize("case", range(len(HOT)))
def test_multi_hot_lists(tmp_path: Path, case: int) -> None:
    check(tmp_path, *HOT[case])


def test_positions_get_names(tmp_path: Path) -> None:
    check(tmp_path, ["[1, 0]", "[0, 1]"], ["bug", "ui"], TEXT, label_names="bug+ui")
    (tmp_path / "digits").mkdir()
    check(tmp_path / "digits", ["0110", "1001"], ["b c", "a d"], ("csv",), label_names=["a", "b", "c", "d"])


def test_positions_keep_their_order(tmp_path: Path) -> None:
    data = read(tmp_path, ["[1, 0, 0]", "[0, 1, 1]"], "csv", label_names="ui+bug+docs")
    assert data.labels == ("ui", "bug", "docs")
    many = read(tmp_path, [[i == j for j in range(12)] for i in range(12)], "jsonl")
    assert many.labels == tuple(f"labels_{i}" for i in range(12))
    assert "--label-names a+b+c or [label_names=a+b+c]" in notes(many)


#: Cells, options, and what a warning says.
WARNED: list[tuple[list[Any], dict[str, Any], str]] = [
    (["a;b", "c"], {"separator": "/"}, "warning: separator '/' occurs in no cell of column 'labels'"),
    (["a b", "c"], {"separator": "\\n"}, "warning: separator '\\\\n' occurs in no cell"),
    (
        ["[urgent];login", "login"],
        {},
        "warning: labels with brackets or quotation marks in their names: '[urgent]'",
    ),
    (["f(x);g", "g"], {}, "in their names: 'f(x)'"),
    (["<a>;b", "b"], {}, "in their names: '<a>'"),
    (["'70s;rock", "rock"], {}, "'70s"),
    (["Bug;ui", "bug"], {}, "warning: labels that differ only in case or blanks: 'Bug' and 'bug'"),
    (["code review;x", "code  review"], {}, "'code  review' and 'code review'"),
    (["nan;x", "y"], {}, "warning: labels named 'nan'; if these are missing values"),
    (
        [["a,b"], ["c"]],
        {"separator": ","},
        "warning: separator ',' is not used, because column 'labels' holds lists",
    ),
]


@pytest.mark.parametrize("case", range(len(WARNED)))
def test_what_is_warned_about(tmp_path: Path, case: int) -> None:
    cells, options, words = WARNED[case]
    assert words in notes(read(tmp_path, cells, "jsonl", **options))


def test_nothing_is_warned_about_in_plain_columns(tmp_path: Path) -> None:
    assert "warning" not in notes(read(tmp_path, ["a;b", "c"], "csv"))
    assert "warning" not in notes(read(tmp_path, [["a", "b"], ["c"]], "jsonl"))
