"""Every built-in strategy conforms to the contract; a new strategy is covered without a new test."""

from __future__ import annotations

import pytest

from equipoise.catalog.registry import registry
from equipoise.testing import CHECKS, Finding, assert_conforms, check, conformance_tests

STRATEGIES = [e for e in registry("strategy").entries() if e.origin == "built-in"]


def test_every_built_in_strategy_loads() -> None:
    assert [f"{e.name}: {e.error}" for e in STRATEGIES if e.error] == []


test_conformance = conformance_tests(*(e.obj for e in STRATEGIES if not e.error))


def test_settings_of_its_own_are_examined() -> None:
    assert_conforms("scut[smooth=false]")


def test_a_composition_is_examined_part_by_part_and_as_a_whole() -> None:
    assert check("remedial+pos_weight+scut") == []


def test_a_finding_says_where_and_what_would_be_right() -> None:
    finding = Finding("weights", "weights", "absent label", "some weights are NaN or infinite")
    assert str(finding) == (
        "weights (weights, absent label): some weights are NaN or infinite - "
        "weights must be finite, not negative, and not all zero"
    )


def test_findings_are_an_assertion_error_with_a_line_each() -> None:
    from dataclasses import dataclass

    from equipoise.contracts.strategy import Strategy

    @dataclass(frozen=True)
    class Bare(Strategy):
        name = "bare"

        def weights(self, Y, ctx):  # type: ignore[no-untyped-def]
            return -Y

    with pytest.raises(AssertionError, match="bare does not conform:\n") as caught:
        assert_conforms(Bare)
    lines = str(caught.value).split("\n")[1:]
    assert [line.split(" ")[0] for line in lines] == ["documented", "pickles", "shapes"]


def test_every_rule_is_one_line() -> None:
    assert all("\n" not in rule and len(rule) < 140 for rule in CHECKS.values())
