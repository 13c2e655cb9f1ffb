"""What `check` takes: names, files, classes and instances of strategies, backbones and data sets; and its hints."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from equipoise import Backbone, DatasetSource, Strategy, bce
from equipoise.cli.main import app
from equipoise.core.errors import EquipoiseError
from equipoise.testing import check
from equipoise.testing.hints import hints
from equipoise.testing.subjects import kind_of, subject_of, subjects_of

FILE = '''
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from equipoise import Dataset, DatasetSource, EstimatorBackbone, Strategy

@dataclass(frozen=True)
class Bayes(EstimatorBackbone):
    """Naive Bayes by scikit-learn."""
    name = "bayes_of_file"
    def estimator(self, seed):
        from sklearn.naive_bayes import BernoulliNB
        return BernoulliNB()

@dataclass(frozen=True)
class Plane(DatasetSource):
    """Points."""
    def load(self, data_dir):
        X = np.random.default_rng(0).normal(size=(50, 2))
        return Dataset(self.name, X, X > 0, ("right", "up"), "made up", "public domain")

@dataclass(frozen=True)
class Doubled(Strategy):
    """Draw rows with many labels more often."""
    name = "doubled_of_file"
    reference = "made up, 2026"
    def weights(self, Y, ctx):
        return 1.0 + Y.sum(1)

sources = (Plane("plane_of_file", "points"),)
'''


@dataclass(frozen=True)
class Square(Strategy):
    """Cross-entropy, squared."""

    name = "squared_ce"
    reference = "made up, 2026"

    def loss(self, logits: Any, targets: Any, ctx: Any) -> Any:
        return bce(logits, targets) ** 2


@dataclass(frozen=True)
class PerRow(Square):
    """Cross-entropy of each row, squared; the sum runs over dimension 1, which is the rows where there are lanes."""

    name = "per_row_ce"

    def loss(self, logits: Any, targets: Any, ctx: Any) -> Any:
        return bce(logits, targets).sum(1) ** 2


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("equipoise.catalog.registry._REGISTRIES", {})
    path = tmp_path / "all_kinds.py"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_a_file_stands_for_all_it_defines(file: Path) -> None:
    kinds = sorted(kind_of(subject) for subject in subjects_of(str(file)))
    assert kinds == ["backbone", "dataset", "strategy"]


def test_one_of_a_file_by_its_name_or_class(file: Path) -> None:
    (backbone,) = subjects_of(f"{file}:bayes_of_file[max_features=50]")
    assert isinstance(backbone, Backbone)
    assert backbone.spec == "bayes_of_file[max_features=50]"
    (by_class,) = subjects_of(f"{file}:Plane")
    assert isinstance(by_class, DatasetSource)
    (both,) = subjects_of(f"{file}:doubled_of_file+scut")
    assert [part.name for part in both.parts] == ["doubled_of_file", "scut"]  # type: ignore[union-attr]


def test_the_command_prints_a_line_for_each(file: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(file), "--json"])
    assert result.exit_code == 0, result.stdout
    assert [(key, value) for record in json.loads(result.stdout) for key, value in record.items()][::4] == [
        ("strategy", "doubled_of_file"),
        ("dataset", "plane_of_file"),
        ("backbone", "bayes_of_file"),
    ]


def test_a_finding_in_a_data_set_is_exit_code_1(file: Path) -> None:
    file.write_text(FILE.replace('"public domain"', '""'), encoding="utf-8")
    result = CliRunner().invoke(app, ["check", f"{file}:Plane"])
    assert result.exit_code == 1
    assert (
        "named (load): Dataset.terms is empty - Dataset.name must be the name of the source" in result.stdout
    )


def test_classes_and_instances() -> None:
    assert subject_of(Square) == Square()
    assert subject_of(Square()) == Square()
    assert subject_of("focal[gamma=1.5]").spec == "focal[gamma=1.5]"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("what", "says"), [(3, "3 is no strategy"), (dict, "is no strategy"), ("fcoal", "mean 'focal'")]
)
def test_what_is_none_of_them_is_one_line(what: Any, says: str) -> None:
    with pytest.raises(EquipoiseError, match=says):
        check(what)


def test_a_loss_that_would_take_all_lanes_gets_a_hint() -> None:
    assert check(Square) == []
    (hint,) = hints(Square())
    assert hint.startswith("squared_ce: loss() takes many lanes at once already: set vectorized = True")
    assert hints(PerRow()) == []
    assert hints(subject_of("focal")) == []
