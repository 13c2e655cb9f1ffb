"""The cost estimate of `run --dry-run` is near measured values and grows with the right quantities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from equipoise.backbones.linear import Linear
from equipoise.catalog.registry import registry
from equipoise.cli.main import app
from equipoise.contracts.dataset import Dataset
from equipoise.experiment.cell import Cell
from equipoise.experiment.settings import Settings
from equipoise.sweep.estimate import Size, core_hours, core_seconds, in_words
from equipoise.sweep.suite import load_suite

SHORT = Settings(trials=4, folds=2, epochs=6)


def cell(backbone: str = "linear", strategy: str = "none", settings: Settings = SHORT) -> Cell:
    return Cell("d", "", backbone, strategy, 0, 0, settings, "cpu", "")


#: CPU seconds of whole cells, measured: (rows, labels, width, backbone, strategy, seconds).
MEASURED = [
    (2417, 14, 103, "linear", "none", 0.42),
    (2417, 14, 103, "mlp", "none", 0.91),
    (978, 45, 1449, "linear", "none", 0.48),
    (1702, 53, 1001, "mlp", "none", 1.13),
    (3000, 323, 499, "linear", "none", 3.02),
    (3000, 323, 499, "mlp", "none", 3.46),
    (3000, 82, 5000, "linear", "none", 2.54),
    (3000, 82, 5000, "mlp", "none", 2.77),
    (3000, 28, 2319, "linear", "none", 1.15),
    (2417, 14, 103, "mlp", "binary_relevance", 2.27),
    (2417, 14, 103, "mlp", "classifier_chain", 4.39),
    (2417, 14, 103, "mlp", "ml_ros", 0.57),
]


@pytest.mark.parametrize("case", MEASURED, ids=lambda case: f"{case[3]}-{case[4]}-{case[1]}")
def test_the_estimate_is_within_a_factor_of_two_of_what_was_measured(
    case: tuple[int, int, int, str, str, float],
) -> None:
    rows, labels, width, backbone, strategy, seconds = case
    found = core_seconds(cell(backbone, strategy), Size(rows, labels, width, 0))
    assert found is not None
    assert seconds / 2 < found < seconds * 2


def test_every_built_in_network_states_its_rate() -> None:
    networks = [e for e in registry("backbone").entries() if e.obj.gradient]
    assert not [e.name for e in networks if e.obj.rate is None]


def test_lstms_cost_by_tokens_and_directions() -> None:
    size = Size(600, 5, 642, 61)
    one = core_seconds(cell("lstm[bidirectional=false,max_tokens=48]", settings=Settings(2, 2, 3)), size)
    both = core_seconds(cell("lstm[bidirectional=true,max_tokens=48]", settings=Settings(2, 2, 3)), size)
    assert one is not None
    assert both is not None
    assert 1.47 / 2 < one < 1.47 * 2  # measured
    assert one < both < 2 * one


def test_more_of_anything_costs_more() -> None:
    base = core_seconds(cell(), Size(1000, 5, 50, 0))
    assert base is not None
    for more in (Settings(8, 2, 6), Settings(4, 3, 6), Settings(4, 2, 12)):
        assert (core_seconds(cell(settings=more), Size(1000, 5, 50, 0)) or 0) > base
    for size in (Size(2000, 5, 50, 0), Size(1000, 50, 50, 0), Size(1000, 5, 5000, 0)):
        assert (core_seconds(cell(), size) or 0) > base
    assert (core_seconds(cell(settings=Settings(4, 1, 6)), Size(1000, 5, 50, 0)) or 9e9) < base


def test_text_is_measured_by_its_words() -> None:
    texts = np.array(["One two three, two!", "two three four"] * 5, dtype=object)
    size = Size.of(Dataset("t", texts, np.array([[0], [1]] * 5), ("a",)))
    assert size == Size(10, 1, 4, 4, characters=165)


#: CPU seconds of fitting and applying the features, measured: (rows, characters, backbone, seconds).
FEATURES = [
    (10_789, 8_420_000, "linear", 2.22),
    (10_789, 8_420_000, "lstm", 1.13),
    (54_263, 3_710_000, "mlp", 1.58),
    (54_263, 3_710_000, "lstm", 1.04),
    (1702, 11_310_000, "linear", 3.21),
    (1702, 11_310_000, "lstm", 1.67),
]


@pytest.mark.parametrize(("rows", "characters", "backbone", "seconds"), FEATURES)
def test_long_texts_cost_more(rows: int, characters: int, backbone: str, seconds: float) -> None:
    short, long, longer = (
        core_seconds(cell(backbone), Size(rows, 5, 5000, 80, length))
        for length in (0, characters, 2 * characters)
    )
    assert short is not None
    assert long is not None
    assert longer is not None
    assert seconds / 1.5 < long - short < seconds * 1.5
    assert longer > long


def test_every_character_of_a_text_counts() -> None:
    """The vocabulary is estimated from a sample, but the characters are counted in full."""
    Y = np.array([[0], [1]] * 10)
    short = np.array(["a few words of text"] * 20, dtype=object)
    long = np.array(["a few words of text " * 10_000] * 20, dtype=object)
    sizes = [Size.of(Dataset("t", texts, Y, ("a",))) for texts in (short, long)]
    assert sizes[1].characters == 4_000_000
    costs = [core_seconds(cell(), size) or 0.0 for size in sizes]
    assert costs[1] > costs[0] + 1


def test_unknown_backbones_are_counted_and_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Linear, "rate", None)
    data = Dataset("d", np.zeros((10, 2)), np.array([[0], [1]] * 5), ("a",))
    assert core_hours([cell(), cell()], {"d": data}) == (0, 2)
    assert "2 cells of backbones whose speed is not known" in in_words(0.0, 2)


@pytest.mark.parametrize(
    ("hours", "words"),
    [(0.001, "less than one core-minute"), (0.5, "about 30 core-minutes"), (3.14, "about 3.1 core-hours")],
)
def test_hours_in_words(hours: float, words: str) -> None:
    assert in_words(hours) == words


def test_a_dry_run_says_what_it_will_cost(tmp_path: Path) -> None:
    args = ["run", "--dataset", "design-emails[rows=60]", "--backbone", "linear", "--strategy", "none"]
    shown = CliRunner().invoke(app, [*args, "--dry-run", "--results", str(tmp_path)])
    assert shown.exit_code == 0
    assert "estimated cost: " in shown.stdout
    assert "core-minute" in shown.stdout


SUITES = ("tabular", "text", "extreme", "standard")


def test_the_standard_suite_has_twelve_sets_of_both_kinds() -> None:
    from equipoise.datasets.statistics import committed

    records = [committed(name) or {} for b in load_suite("standard").blocks for name in b.datasets]
    assert len({record["name"] for record in records}) == 12
    assert sum(record["kind"] == "text" for record in records) >= 4
    assert min(record["rows"] for record in records) < 1000
    assert max(record["rows"] for record in records) > 10_000
    assert min(record["mean_ir"] for record in records) < 2
    assert sum(record["mean_ir"] > 50 for record in records) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES)
def test_suites_can_be_planned(suite: str, data_dir: Path, tmp_path: Path) -> None:
    shown = CliRunner().invoke(
        app, ["run", suite, "--dry-run", "--results", str(tmp_path), "--data-dir", str(data_dir)]
    )
    assert shown.exit_code == 0, shown.output
    assert "estimated cost: about" in shown.stdout
