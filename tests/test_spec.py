"""Parsing of specs, names with settings as users write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.catalog.specs import literal, parse, split_parts, with_settings
from equipoise.core.errors import EquipoiseError

NAMES = st.from_regex(r"[a-z][a-z0-9_.-]{0,12}", fullmatch=True)
KEYS = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
WORDS = st.from_regex(r"[A-Za-z][A-Za-z0-9_./-]{0,8}", fullmatch=True).filter(
    lambda w: w.lower() not in ("true", "false", "none")
)
VALUES = st.one_of(
    st.booleans(), st.none(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), WORDS
)


def written(name: str, settings: dict[str, Any]) -> str:
    inside = ",".join(f"{k}={v}" for k, v in settings.items())
    return f"{name}[{inside}]" if settings else name


@given(NAMES, st.dictionaries(KEYS, VALUES, max_size=4))
def test_what_is_written_is_read(name: str, settings: dict[str, Any]) -> None:
    read = parse(written(name, settings))
    assert read == (name, settings)
    assert {k: type(v) for k, v in read[1].items()} == {k: type(v) for k, v in settings.items()}


@given(NAMES, st.dictionaries(KEYS, st.one_of(VALUES, st.text(max_size=12)), max_size=4))
def test_any_value_survives_being_written(name: str, settings: dict[str, Any]) -> None:
    assert parse(with_settings(name, settings)) == (name, settings)
    first = dict(list(settings.items())[:1])
    rest = {key: value for key, value in settings.items() if key not in first}
    assert parse(with_settings(with_settings(name, first), rest)) == (name, settings)


def test_values_in_quotation_marks_hold_commas_and_brackets() -> None:
    text = """file[labels='a[0]+b', separator=",",text=it's]"""
    assert parse(text) == ("file", {"labels": "a[0]+b", "separator": ",", "text": "it's"})
    assert with_settings("f", {"labels": ["a", "b"], "n": 1, "s": "1"}) == "f[labels=a+b,n=1,s='1']"


@given(st.lists(st.tuples(NAMES, st.dictionaries(KEYS, VALUES, max_size=3)), min_size=1, max_size=4))
def test_parts_are_split_outside_of_brackets_only(parts: list[tuple[str, dict[str, Any]]]) -> None:
    texts = [written(*part) for part in parts]
    assert split_parts("+".join(texts)) == texts


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    read = refused = None
    try:
        read = parse(text)
    except EquipoiseError as error:
        refused = str(error)
    if read is None:
        assert refused is not None
        assert "\n" not in refused
        assert "write" in refused or "twice" in refused
    else:
        assert read[0].strip() == read[0] != ""
        assert all(read[1])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("1e-3", 0.001),
        ("1e+5", 1e5),
        ("True", True),
        ("none", None),
        ("[1]", "[1]"),
        ("a b", "a b"),
    ],
)
def test_literals(text: str, value: object) -> None:
    assert literal(text) == value
    assert type(literal(text)) is type(value)


def test_spaces_do_not_matter_around_names_and_signs() -> None:
    assert parse(" focal [ gamma = 2.0 , alpha=0.5 ] ") == ("focal", {"gamma": 2.0, "alpha": 0.5})
    assert parse("focal[]") == ("focal", {})


@pytest.mark.parametrize(
    "text",
    ["", " ", "a b", "a[", "a]", "a[b]", "a[=1]", "a[b=]", "a[b=1,b=2]", "a[b=1]c", "[b=1]", "a[[b=1]]"],
)
def test_bad_form_is_one_line_with_the_right_form(text: str) -> None:
    with pytest.raises(EquipoiseError, match=r"write name|write key=value|given twice") as caught:
        parse(text)
    assert "\n" not in str(caught.value)
