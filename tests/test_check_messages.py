"""Mistakes of newcomers that used to be silent, or to end in a message about something else."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from equipoise import Backbone, Strategy, TokenIds, bce, tunable
from equipoise.cli.main import app
from equipoise.cli.plugins import check as command
from equipoise.core.errors import EquipoiseError
from equipoise.sweep.estimate import in_words
from equipoise.testing import check


@dataclass(frozen=True)
class Quitter(Strategy):
    """Ends the process that trains it."""

    name = "quitter"
    reference = "made up, 2026"
    kind: int = 0

    def loss(self, logits: Any, targets: Any, ctx: Any) -> Any:
        raise SystemExit(0) if self.kind == 0 else GeneratorExit


@pytest.mark.parametrize("kind", [0, 1])
def test_a_hook_that_ends_the_process_is_a_finding(kind: int) -> None:
    found = [one for one in check(Quitter(kind)) if one.check == "raises"]
    assert "it ends the process: " in found[0].problem


@dataclass(frozen=True)
class British(Strategy):
    """Cross-entropy with a misspelt attribute."""

    name = "british"
    reference = "made up, 2026"
    vectorised = True
    changes = frozenset({"labels"})
    helper = 3

    def loss(self, logits: Any, targets: Any, ctx: Any) -> Any:
        return bce(logits, targets)


@dataclass(frozen=True)
class Words(Backbone):
    """The mean of word embeddings, for texts."""

    name = "words"
    biase = frozenset({"bias"})
    output = "bias"

    def features(self, kind: str) -> Any:
        return TokenIds(max_tokens=20, max_words=500)

    def init(self, width: int, outputs: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        return {
            "e": 0.1 * torch.randn(width, outputs, generator=generator),
            "bias": torch.zeros(outputs),
        }

    def forward(self, params: Any, x: Any, drop: Any) -> Any:
        return params["e"][x].mean(1) + params["bias"]


def test_a_misspelt_attribute_is_a_finding() -> None:
    found = {f.check: str(f) for f in check(British)}
    assert set(found) == {"attributes", "declared"}
    assert found["attributes"].endswith("unknown attribute `vectorised`; did you mean `vectorized`?")
    assert found["declared"].endswith("known are rows, draws, prior, halves, shift")


def test_a_backbone_for_texts_is_told_to_declare_it_and_to_index_with_ids() -> None:
    found = {f.hook: str(f) for f in check(Words)}
    assert found["features"].endswith('declares accepts = frozenset({"text"})')
    assert found["forward"].endswith("index a parameter with x.ids, not with x")
    assert "did you mean `biases`" in found["backbone"]


def test_bounds_without_names() -> None:
    with pytest.raises(EquipoiseError, match=r"tunable\(0.5, 0, 1\): name the bounds.*low=…, high=…"):
        tunable(0.5, 0, 1)  # type: ignore[arg-type]


@pytest.mark.usefixtures("own_catalogue")
def test_a_source_without_a_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from dataclasses import dataclass\nfrom equipoise import DatasetSource\n@dataclass(frozen=True)\n"
        "class Mails(DatasetSource):\n    def load(self, data_dir):\n        return None\n"
    )
    done = CliRunner().invoke(app, ["check", str(file)])
    assert done.exit_code != 0
    words = str(done.exception) + done.output
    assert 'end the file with sources = (Mails("name", "summary"),)' in words


def test_the_cost_is_a_sentence() -> None:
    assert in_words(0.0, 36) == (
        "less than one core-minute, not counting 36 cells of backbones whose speed is not known"
    )


def test_a_long_check_says_that_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "PATIENCE", 0.05)

    def slow(subject: Any, data_dir: Any) -> list[Any]:
        time.sleep(0.3)
        return []

    monkeypatch.setattr(command, "check", slow)
    done = CliRunner().invoke(app, ["check", "focal"])
    assert "still checking focal (" in done.stderr
    assert "focal: conforms" in done.stdout
    assert "still" not in done.stdout
