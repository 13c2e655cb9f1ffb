"""Any exception becomes one line, also one whose own message cannot be written."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest

import equipoise
from equipoise import EquipoiseError, get_strategy
from equipoise.core.errors import one_line, unknown
from equipoise.store.store import Store

pytestmark = pytest.mark.usefixtures("own_catalogue")

FAULTY = """
from dataclasses import dataclass

from equipoise import Strategy

class Broken(Exception):
    def __str__(self):
        raise ZeroDivisionError

@dataclass(frozen=True)
class Faulty(Strategy):
    name = "faulty"

    def loss(self, logits, targets, ctx):
        raise Broken
"""
SAID = "Broken: no message, since its __str__ raises ZeroDivisionError"


class BrokenError(Exception):
    """Cannot say what it is about."""

    def __str__(self) -> str:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("two\n  lines"), "ValueError: two lines"),
        (KeyError("name"), "KeyError: 'name'"),
        (RuntimeError(), "RuntimeError"),
        (SystemExit(3), "SystemExit: 3"),
        (BrokenError(), "BrokenError: no message, since its __str__ raises ZeroDivisionError"),
        (ValueError("x" * 10_000), f"ValueError: {'x' * 487}…"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_exception_is_one_line(error: BaseException, line: str) -> None:
    assert one_line(error) == line
    assert len(one_line(error)) <= 500


def test_the_caller_may_ask_for_less() -> None:
    assert one_line(ValueError("a long message"), 16) == "ValueError: a l…"


def test_a_plugin_whose_exception_has_no_message_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text(FAULTY.replace("@dataclass", "raise Broken\n@dataclass"), encoding="utf-8")
    with pytest.raises(EquipoiseError, match=f"could not be loaded: {SAID}$"):
        get_strategy(str(file))


def test_a_cell_that_fails_without_a_message_is_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())
    (tmp_path / "faulty.py").write_text(FAULTY, encoding="utf-8")
    equipoise.run(
        dataset="design-emails[rows=120]",
        backbone="linear",
        strategy=[str(tmp_path / "faulty.py"), "none"],
        trials=1,
        folds=2,
        epochs=1,
        splits=1,
        workers=1,
        results=tmp_path / "results",
    )
    assert {row["strategy"]: (row["status"], row["error"]) for row in Store(tmp_path / "results").rows()} == {
        "faulty": ("failed", SAID),
        "none": ("ok", None),
    }


@pytest.mark.parametrize("length", [1, 7, 90, 600])
@pytest.mark.parametrize("count", [0, 1, 12, 58, 4000])
def test_known_names_are_listed_whole_and_the_others_counted(count: int, length: int) -> None:
    names = [f"{i:0{length}d}" for i in range(count)]
    said = str(unknown("thing", "zz", names))
    assert len(said) <= 480
    listing = said.partition("(known: ")[2].removesuffix(")")
    if not names or listing == f"{count} names":
        assert bool(names) == (listing != "none")
        return
    shown, _, more = listing.partition(" and ")
    listed = shown.split(", ")
    assert set(listed) <= set(names)
    assert len(listed) + int(more.removesuffix(" more") or 0) == count
