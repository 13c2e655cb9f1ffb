"""Hyperparameters have a domain: values without a meaning are refused at once, and the search never draws one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise import loss_of, tunable
from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.registry import registry
from equipoise.catalog.strategies import get_strategy
from equipoise.cli import main
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.hyperparameters import Tunable
from equipoise.contracts.options import Domain, domain_of, option, options
from equipoise.contracts.strategy import Context, Strategy
from equipoise.core.errors import EquipoiseError
from equipoise.strategies.focal import Focal

HUGE = "9" * 400
KINDS = {"strategy": get_strategy, "backbone": get_backbone}

REFUSED = [
    ("focal[alpha=2]", "focal: alpha must be 1 or less, got 2"),
    ("focal[gamma=-1]", "focal: gamma must be 0 or more, got -1"),
    ("focal[gamma=-0.5]", "focal: gamma must be 0 or more, got -0.5"),
    ("focal[gamma=inf]", "focal: gamma must be a finite number, got inf"),
    ("focal[gamma=nan]", "focal: gamma must be 0 or more, got nan"),
    (f"focal[gamma={HUGE}]", "focal: gamma must be a finite number, got inf"),
    ("top_k[k=-1]", "top_k: k must be 0 or more, got -1"),
    (f"top_k[k={HUGE}]", f"top_k: k must be a whole number of at most 64 bits, got {'9' * 60}…"),
    (
        "class_balanced[one_minus_beta=0]",
        "class_balanced: one_minus_beta must lie in 0 < one_minus_beta ≤ 1, got 0",
    ),
    ("class_balanced[beta=1]", "unknown option of strategy 'class_balanced': 'beta'"),
    ("mlsmote[k=0]", "mlsmote: k must be 1 or more, got 0"),
    ("mlul[p=1]", "mlul: p must lie in 0 ≤ p < 1, got 1"),
    ("splc[tau=1.5]", "splc: tau must lie in 0 ≤ tau ≤ 1, got 1.5"),
    ("sigmoid_f1[eta=nan]", "sigmoid_f1: eta must be a finite number, got nan"),
    ("mltl[threshold=-1]", "mltl: threshold must lie in 0 ≤ threshold ≤ 1, got -1"),
    ("balanced_bagging[m=0]", "balanced_bagging: m must be 1 or more, got 0"),
    ("none+focal[gamma=-1]+scut", "focal: gamma must be 0 or more, got -1"),
]


def fields(kind: str) -> Iterator[tuple[Any, dataclasses.Field[Any]]]:
    found = registry(kind)
    return ((found.get(name), f) for name in found.names() for f in options(found.get(name)))


@pytest.mark.parametrize(("spec", "says"), REFUSED, ids=[spec[:40] for spec, _ in REFUSED])
def test_a_value_outside_of_the_domain_is_refused_in_one_line(spec: str, says: str) -> None:
    with pytest.raises(EquipoiseError) as caught:
        get_strategy(spec)
    assert str(caught.value).startswith(says)
    assert len(str(caught.value)) < 300


def test_the_command_ends_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["run", "--dataset", "design-emails", "--backbone", "linear", "--results", str(tmp_path)]
    monkeypatch.setattr("sys.argv", ["equipoise", *words, "--strategy", "focal[gamma=-1]"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: focal: gamma must be 0 or more, got -1\n"


@pytest.mark.parametrize("gamma", [math.nan, math.inf, -1.0, 10**5000, np.float32(-1)], ids=range(5))
def test_the_functional_losses_and_plain_objects_have_the_same_domain(gamma: Any) -> None:
    for make in (lambda: loss_of("focal", [1], 2, gamma=gamma), lambda: Focal(gamma=gamma)):
        with pytest.raises(EquipoiseError, match="focal: gamma must be") as caught:
            make()
        assert len(str(caught.value)) < 200


@pytest.mark.parametrize("kind", KINDS)
def test_search_ranges_defaults_and_off_lie_in_the_domain(kind: str) -> None:
    seen = 0
    for cls, f in fields(kind):
        spec: Tunable | None = f.metadata.get("tunable")
        values = [f.default, (getattr(cls, "off", None) or {}).get(f.name, f.default)]
        values += [] if spec is None or spec.choices is not None else [spec.low, spec.high]
        for value in values:
            if isinstance(value, int | float) and not isinstance(value, bool):
                assert value in domain_of(f), (cls.name, f.name, value)
                seen += 1
    assert seen > 20


def just_outside(domain: Domain) -> Iterator[float]:
    for closed, towards in ((domain.at_least, -1), (domain.at_most, 1)):
        if closed is not None:
            yield closed + towards
    yield from (bound for bound in (domain.above, domain.below) if bound is not None)


@pytest.mark.parametrize("kind", KINDS)
def test_values_just_outside_of_each_domain_are_refused(kind: str) -> None:
    refused = 0
    for cls, f in fields(kind):
        if not isinstance(f.default, int | float) or isinstance(f.default, bool):
            continue
        for value in [*just_outside(domain_of(f)), math.nan, math.inf]:
            with pytest.raises(EquipoiseError, match=f"{cls.name}: {f.name} must (be|lie in) "):
                KINDS[kind](f"{cls.name}[{f.name}={value}]")
            refused += 1
    assert refused > 60


@pytest.mark.parametrize("kind", KINDS)
def test_closed_bounds_are_allowed(kind: str) -> None:
    for cls, f in fields(kind):
        domain = domain_of(f)
        for value in (domain.at_least, domain.at_most):
            if value is not None:
                assert getattr(KINDS[kind](f"{cls.name}[{f.name}={value}]"), f.name) == value


@pytest.mark.parametrize("k", [2, 99, 2**63])
def test_a_k_above_the_number_of_labels_predicts_all(k: int) -> None:
    z, ctx = np.zeros((3, 2)), Context(np.ones(2), 3)
    assert get_strategy(f"top_k[k={k}]").decide(z, np.eye(3, 2, dtype=np.uint8), ctx)(z).all()


@dataclass(frozen=True)
class Open(Strategy):
    """Declares no domain."""

    name = "open"
    level: float = tunable(1.0, low=0.1, high=2.0)
    cap: float = math.inf


@dataclass(frozen=True)
class Sized(Backbone):
    """Declares no domain, either."""

    name = "sized"
    units: int = 4
    strength: float = tunable(1.0, low=0.1, high=2.0, log=True)


def test_without_a_declared_domain_any_finite_number_is_allowed() -> None:
    assert Open(level=-1e300).level == -1e300
    assert math.isinf(Open().cap), "an infinite default stays allowed"
    for values in ({"level": math.inf}, {"cap": math.nan}, {"level": -math.inf}):
        with pytest.raises(
            EquipoiseError, match=r"^open: (level|cap) must be a finite number, got (nan|-?inf)$"
        ):
            Open(**values)


def test_sizes_and_magnitudes_of_backbones_without_a_declared_domain_are_positive() -> None:
    with pytest.raises(EquipoiseError, match=r"^sized: units must be 1 or more, got 0$"):
        Sized(units=0)
    with pytest.raises(EquipoiseError, match=r"^sized: strength must be more than 0, got 0"):
        Sized(strength=0.0)


def test_a_search_range_outside_of_the_domain_is_refused_where_it_is_declared() -> None:
    with pytest.raises(
        EquipoiseError, match=r"the range -1\.\.1 leaves the domain: values must be 0 or more"
    ):
        tunable(0.5, low=-1, high=1, at_least=0)
    with pytest.raises(EquipoiseError, match="must lie in 0 < value < 1"):
        tunable(0.5, low=0.0, high=0.9, above=0, below=1)


def test_the_words_of_a_domain() -> None:
    assert Domain().words("x") == "be a finite number"
    assert Domain(below=3).words("x") == "be less than 3"
    assert domain_of(option(1)) == Domain()
    assert 0.5 in Domain(above=0, below=1)
    assert 0 not in Domain(above=0, below=1)
    assert "0.5" not in Domain()
