"""The texts of the controlled world, and what it says to bad input."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from equipoise.catalog.datasets import load_dataset
from equipoise.core.errors import EquipoiseError
from equipoise.datasets._controlled_mails import part_names, read
from equipoise.datasets._mail_grammar import grammar
from equipoise.datasets.design_emails import DesignEmails

from .shared.controlled import PLAIN, world


# --- the texts
def test_mails_are_generated_and_say_so() -> None:
    data = load_dataset("design-emails[labels=12,rows=100]")
    assert data.generated
    assert data.labels[0] == "area-01"
    assert data.labels[-1] == "area-12"
    assert "labels=12" in " ".join(data.notes)
    assert "not real" in data.source
    assert not any(re.search(r"[{}@]", text) for text in data.X)
    assert all(len(text.split()) > 5 for text in data.X)


def test_a_text_reads_back_what_it_mentions() -> None:
    here = world(labels=50, seed=5)
    X = DesignEmails("d", rows=200, **{**PLAIN, "labels": 50}, seed=5).load().X
    assert np.array_equal(read(here, X), here.hidden(0, 200).mentions)


def test_names_of_parts_are_unique_and_occur_nowhere_else() -> None:
    names = [part for label in range(1000) for part in part_names(label)]
    words = {
        word for lines in grammar().values() for line in lines for word in re.findall("[a-z]+", line.lower())
    }
    assert len(set(names)) == 8000
    assert not set(names) & words
    assert len(words) > 500


def test_mails_tell_what_they_are_about_and_what_they_are_marked_with() -> None:
    source = DesignEmails("d", rows=200, **{**PLAIN, "noise": 0.0})
    assert all(mail.meant == mail.marked for mail in source.mails())
    noisy = DesignEmails("d", rows=200, **{**PLAIN, "noise": 0.9})
    assert any(mail.meant != mail.marked for mail in noisy.mails())
    assert [mail.text for mail in noisy.mails()] == noisy.load().X.tolist()


# --- what it says to bad input
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("labels=1", "labels=1 is out of range (2 to 1000)"),
        ("labels=1001", "labels=1001 is out of range"),
        ("labels=2.5", "labels must be a whole number, got 2.5"),
        ("labels=5,top=0", "top=0.0 is out of range (0.001 to 0.95)"),
        ("labels=5,overlap=1.1", "overlap=1.1 is out of range (0 to 1)"),
        ("labels=5,imbalance=0.9", "imbalance=0.9 is out of range (1 to 1000)"),
        ("labels=5,dependence=nan", "dependence=nan is out of range"),
        ("labels=5,rows=3", "rows=3 is out of range (20 to 1e+06)"),
        ("top=0.5", "top=0.5 needs labels=2 or more, as in design-emails[labels=20,top=0.5]"),
        ("overlap=0.5", "overlap=0.5 needs labels=2 or more"),
        ("label=5", "did you mean 'labels'"),
    ],
)
def test_knobs_out_of_range(options: str, says: str) -> None:
    with pytest.raises(EquipoiseError) as caught:
        load_dataset(f"design-emails[{options}]")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("texts", "knobs"),
    [
        ([f"{part_names(0)[0]} " * 4], {}),
        (["nothing", f"We need {part_names(1)[0]}."], {"overlap": 0.0}),
        ([3], {}),
    ],
)
def test_texts_of_another_world_are_one_line(texts: list[Any], knobs: dict[str, Any]) -> None:
    with pytest.raises(EquipoiseError, match=r"text \d cannot come from a world|give a list of texts"):
        DesignEmails("d", **{**PLAIN, **knobs}).posterior(texts)
