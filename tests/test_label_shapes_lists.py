"""Lists and objects as label columns: those of the file itself, and those that a text cell holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .shared.shapes import REAL, TEXT, check

#: Cells that the file itself holds as lists or objects; the labels of each.
REAL_LISTS: list[tuple[list[Any], list[str]]] = [
    ([["a", "b"], ["c"]], ["a b", "c"]),
    ([["a"], ["b"]], ["a", "b"]),
    ([["a", "b"], []], ["a b", ""]),
    ([["a", "b"], None], ["a b", ""]),
    ([["a", "a"], ["b"]], ["a", "b"]),
    ([["a", None], ["b"]], ["a", "b"]),
    ([["a", ""], ["b"]], ["a", "b"]),
    ([[" a ", "b"], ["b"]], ["a b", "b"]),
    ([["Trade, Tax"], ["Tax"]], ["Trade, Tax|", "Tax"]),
    ([["Trade, Tax"]] * 2 + [["Health"]], ["Trade, Tax|"] * 2 + ["Health"]),
    ([["a;b"], ["c|d", "a;b"]], ["a;b", "c/d a;b"]),
    ([["a;b"], ["c", "a;b"]], ["a;b", "c a;b"]),
    ([["x\ny"], ["z"]], ["x\ny|", "z"]),
    ([["machine learning"], ["nlp", "machine learning"]], ["machine learning|", "machine learning|nlp"]),
    ([["[urgent]"], ["login"]], ["[urgent]", "login"]),
    ([["'70s"], ["rock", "'70s"]], ["'70s", "rock '70s"]),
    ([['"hot"'], ["cold"]], ['"hot"', "cold"]),
    ([["<b>"], ["<i>", "<b>"]], ["<b>", "<i> <b>"]),
    ([["C++", "C#"], ["C"]], ["C++ C#", "C"]),
    ([["a/b"], ["a", "b"]], ["a/b", "a b"]),
    ([["größe", "日本"], ["größe"]], ["größe 日本", "größe"]),
    ([[3, 7], [7], [12]], ["3 7", "7", "12"]),
    ([[3.0, 7.0], [7.0]], ["3 7", "7"]),
    ([[0], [1], [0, 1]], ["0", "1", "0 1"]),
    ([[0], [1]], ["0", "1"]),
    ([["1", "2"], ["2"]], ["1 2", "2"]),
    ([["007"], ["07"]], ["007", "07"]),
    ([[{"id": 28, "name": "Action"}], [{"id": 12, "name": "Drama"}]], ["Action", "Drama"]),
    (
        [[{"id": 28, "name": "Action"}, {"id": 12, "name": "Drama"}], [{"id": 12, "name": "Drama"}]],
        ["Action Drama", "Drama"],
    ),
    (
        [[{"id": 1, "name": "Science Fiction"}], [{"id": 2, "name": "War"}], []],
        ["Science Fiction|", "War", ""],
    ),
    ([[{"name": "a, b"}], [{"name": "c"}]], ["a, b|", "c"]),
    ([[{"label": "a"}, {"label": "b"}], [{"label": "b"}]], ["a b", "b"]),
    ([[{"tag": "a"}], [{"tag": "b"}]], ["a", "b"]),
    ([[{"genre": "a"}], [{"genre": "b"}]], ["a", "b"]),
    ([[{"id": 3}], [{"id": 4}]], ["3", "4"]),
    ([{"a": 1, "b": 0}, {"a": 0, "b": 1}], ["a", "b"]),
    ([{"a": 1, "b": 1}, {"a": 0, "b": 0}], ["a b", ""]),
    ([{"a": True, "b": False}, {"a": True, "b": True}], ["a", "a b"]),
    ([{"a": 1.0, "b": 0.0}, {"a": 0.0, "b": 1.0}], ["a", "b"]),
    ([{"a": "yes", "b": "no"}, {"a": "no", "b": "yes"}], ["a", "b"]),
    ([{"a": 1, "b": None}, {"a": None, "b": 1}], ["a", "b"]),
    ([{"name": "a", "id": 5}, {"name": "b", "id": 6}], ["a", "b"]),
    ([{"choices": ["a", "b"]}, {"choices": ["b"]}], ["a b", "b"]),
    (
        [{"id": [28, 12], "name": ["Action", "Drama"]}, {"id": [12], "name": ["Drama"]}],
        ["Action Drama", "Drama"],
    ),
]

#: Texts that stand for lists or objects; the labels of each.
LITERALS: list[tuple[list[str], list[str]]] = [
    (["['a', 'b']", "['c']"], ["a b", "c"]),
    (['["a", "b"]', '["c"]'], ["a b", "c"]),
    (["['a', \"b's\"]", "['a']"], ["a b's", "a"]),
    (["['Trade, Tax']", "['Tax']"], ["Trade, Tax|", "Tax"]),
    (["['Trade, Tax', 'Health']", "['Health']"], ["Trade, Tax|Health", "Health"]),
    (['["Trade, Tax"]', '["Tax", "Trade, Tax"]'], ["Trade, Tax|", "Tax|Trade, Tax"]),
    (["['a;b']", "['c']"], ["a;b", "c"]),
    (["['[x]', 'y']", "['y']"], ["[x] y", "y"]),
    (["[]", "['a']", "['b']"], ["", "a", "b"]),
    (["", "['a']", "['b']"], ["", "a", "b"]),
    (["nan", "['a']", "['b']"], ["", "a", "b"]),
    (["None", "['a', None]", "['b']"], ["", "a", "b"]),
    (['["a", null]', '["b"]'], ["a", "b"]),
    (["('a', 'b')", "('c',)"], ["a b", "c"]),
    (["{'a', 'b'}", "{'c'}"], ["a b", "c"]),
    (["set()", "{'a', 'b'}", "{'c'}"], ["", "a b", "c"]),
    (["frozenset({'a'})", "frozenset({'b', 'a'})"], ["a", "a b"]),
    (["['a' 'b']", "['c']"], ["a b", "c"]),
    (["['a'\n 'b']", "['c']"], ["a b", "c"]),
    (["['science fiction' 'war']", "['war']"], ["science fiction|war", "war"]),
    (["array(['a', 'b'], dtype=object)", "array(['c'], dtype=object)"], ["a b", "c"]),
    (["['it\\'s', 'x']", "['x']"], ["it's x", "x"]),
    (['["caf\\u00e9"]', '["x"]'], ["café", "x"]),
    (["[3, 7]", "[7]", "[12]"], ["3 7", "7", "12"]),
    (["[3.0, 7.0]", "[7.0]", "[nan]"], ["3 7", "7", ""]),
    (["[3 7]", "[7]", "[12]"], ["3 7", "7", "12"]),
    (["[-1, 2]", "[2]"], ["-1 2", "2"]),
    (['[{"id": 28, "name": "Action"}]', '[{"id": 12, "name": "Drama"}]'], ["Action", "Drama"]),
    (["[{'id': 28, 'name': 'Action'}]", "[{'id': 12, 'name': 'Drama'}]"], ["Action", "Drama"]),
    (
        [
            '[{"id": 28, "name": "Action"}, {"id": 878, "name": "Science Fiction"}]',
            "[]",
            '[{"id": 1, "name": "War"}]',
        ],
        ["Action|Science Fiction", "", "War"],
    ),
    (["[{'name': \"a, 'b'\"}]", "[{'name': 'c'}]"], ["a, 'b'|", "c"]),
    (['{"a": 1, "b": 0}', '{"a": 0, "b": 1}'], ["a", "b"]),
    (["{'a': True, 'b': False}", "{'a': True, 'b': True}"], ["a", "a b"]),
    (['{"a": true, "b": false}', '{"a": false, "b": true}'], ["a", "b"]),
    (['{"a": 1}', '{"b": 1}', "{}"], ["a", "b", ""]),
    (['{"name": "a", "id": 5}', '{"name": "b", "id": 6}'], ["a", "b"]),
    (['{"labels": ["a", "b"]}', '{"labels": ["c"]}'], ["a b", "c"]),
    (
        ['{"/m/01": "Drama film", "/m/02": "War film"}', '{"/m/02": "War film"}'],
        ["Drama film|War film", "War film|"],
    ),
    ([" ['a', 'b'] ", "['c']\n"], ["a b", "c"]),
    (["['<a>', '<b>']", "['<a>']"], ["<a> <b>", "<a>"]),
]


@pytest.mark.parametrize("case", range(len(REAL_LISTS)))
def test_lists_of_the_file(tmp_path: Path, case: int) -> None:
    cells, right = REAL_LISTS[case]
    # A slash stands for the | in a name, which divides the right answers.
    cells = [
        [i.replace("|", "/") if isinstance(i, str) else i for i in c] if isinstance(c, list) else c
        for c in cells
    ]
    check(tmp_path, cells, right, REAL)


@pytest.mark.parametrize("case", range(len(LITERALS)))
def test_texts_of_lists(tmp_path: Path, case: int) -> None:
    check(tmp_path, *LITERALS[case], TEXT)


def test_the_number_of_shapes() -> None:
    assert len(REAL_LISTS) >= 40
    assert len(LITERALS) >= 40
