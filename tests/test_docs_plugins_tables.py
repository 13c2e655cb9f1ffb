"""The tables of docs/plugins.md name everything that a plugin may declare, as the code has it."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from equipoise import Backbone, Dataset, affine
from equipoise.contracts.strategy import CHANGES

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = (DOCS / "plugins.md").read_text(encoding="utf-8")


def first_columns(section: str) -> set[str]:
    """The names in code in the first column of the tables of a section."""
    text = PAGE.partition(f"{section}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]*) \|", text, flags=re.MULTILINE)
    return {name for row in rows for name in re.findall(r'`"?(\w+)"?`', row)}


def test_the_attributes_of_a_backbone() -> None:
    declared = {n for n in Backbone.__annotations__ if "ClassVar" in str(Backbone.__annotations__[n])}
    # An estimator sets `gradient` for its subclasses.
    assert declared - {"gradient", "reference"} <= first_columns("### What a backbone declares")


@pytest.mark.parametrize("name", ["lr", "C", "accepts", "batched", "output", "rate", "head"])
def test_the_defaults_of_a_backbone(name: str) -> None:
    (shown,) = re.findall(rf"^\| `{name}` \| `(.*?)` \|", PAGE, flags=re.MULTILINE)
    default = eval(shown, {"Tunable": type(Backbone.lr)})
    assert default == getattr(Backbone, name)


def test_the_fields_of_a_dataset() -> None:
    internal = {"table"}  # set by the reader of the user's own tables
    fields = {f.name for f in dataclasses.fields(Dataset)} - internal
    assert fields <= first_columns("## A data set")


def test_what_a_strategy_may_require_and_change() -> None:
    named = first_columns("## What a strategy declares")
    assert {"numeric", "text", "labels", "given", "representation", "file", "requires"} <= named
    for name, words in CHANGES.items():
        (shown,) = re.findall(rf'^\| `"{name}"` \| (.*?) \|', PAGE, flags=re.MULTILINE)
        assert words.split()[-1] == shown.split()[-1]


@pytest.mark.parametrize("name", ["Backbone", "DatasetSource", "EstimatorBackbone", "bce", "affine"])
def test_the_reference_of_python_lists_what_plugins_import(name: str) -> None:
    assert re.search(rf"^::: equipoise\.[\w.]+\.{name}$", (DOCS / "api.md").read_text(), flags=re.MULTILINE)


def test_docstrings_name_what_users_can_write() -> None:
    assert "`batched = True`" in (Backbone.forward.__doc__ or "")
    assert "stacks" not in (Backbone.forward.__doc__ or "")
    assert not {"EmbeddingBags", "Stacked"} & set(map(str, affine.__annotations__.values()))
