"""0/1 columns in the words that spreadsheets of several languages write."""

from __future__ import annotations

from pathlib import Path

import pytest

from equipoise import load_dataset


@pytest.mark.parametrize(
    ("off", "on"),
    [
        ("no", "yes"),
        ("False", "TRUE"),
        ("nein", "Ja"),
        ("FALSCH", "WAHR"),
        ("non", "oui"),
        ("FAUX", "VRAI"),
        ("no", "sí"),
        ("no", "si"),
        ("no", "sì"),
        ("0", "1.00"),
    ],
)
def test_words_for_no_and_yes(off: str, on: str, tmp_path: Path) -> None:
    rows = [
        f"mail {i} about {i % 7} things,{on if i % 2 else off},{on if i % 3 == 0 else off}" for i in range(12)
    ]
    (tmp_path / "mails.csv").write_text("text,urgent,private\n" + "\n".join(rows) + "\n", encoding="utf-8")
    data = load_dataset(tmp_path / "mails.csv")
    assert data.labels == ("urgent", "private")
    assert data.Y[:, 0].tolist() == [i % 2 for i in range(12)]
    assert data.Y[:, 1].tolist() == [int(i % 3 == 0) for i in range(12)]


def test_a_column_of_other_words_is_no_label(tmp_path: Path) -> None:
    rows = [f"mail {i},{'da' if i % 2 else 'weg'},{i % 2}" for i in range(12)]
    (tmp_path / "mails.csv").write_text("text,where,urgent\n" + "\n".join(rows) + "\n", encoding="utf-8")
    assert load_dataset(tmp_path / "mails.csv").labels == ("urgent",)
