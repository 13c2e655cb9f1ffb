"""The conformance kit: is a strategy what the engine takes it for?

    from equipoise.strategies.testing import assert_conforms, conformance_tests

    assert_conforms(MyLoss)                            # raises AssertionError with a line per finding
    test_conformance = conformance_tests(MyLoss)       # or, in a test file, one pytest test per strategy

On the command line: `equipoise check ./mine.py`. Strategies are tried in small worlds (usual, absent label, single positive,
all-positive label, one label, 300 labels, empty rows, duplicate rows, 12 rows, sparse, text) against the rules in `CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from equipoise.testing.findings import CHECKS, Finding

if TYPE_CHECKING:
    from equipoise.contracts.strategy import Strategy
    from equipoise.testing.exam import Exam

__all__ = ["CHECKS", "Finding", "assert_conforms", "check", "conformance_tests"]


def check(strategy: type[Strategy] | Strategy | str) -> list[Finding]:
    """Everything that is wrong with a strategy: a class, an instance with settings of its own, or a spec; [] if nothing.

    The parts of a composition are checked one by one, and its training as a whole. Takes one to three seconds.
    """
    from equipoise.testing.exam import Exam
    from equipoise.testing.whole import check_training

    whole = _instance(strategy)
    if len(whole.parts) == 1:
        return _examined(whole)
    exam = Exam(whole)
    check_training(exam)
    return [f for part in whole.parts for f in _examined(part)] + exam.findings.all()


def assert_conforms(strategy: type[Strategy] | Strategy | str) -> None:
    """Raise AssertionError with a line for each finding, if there is any."""
    found = check(strategy)
    if found:
        name = strategy if isinstance(strategy, str) else strategy.name
        raise AssertionError("\n".join([f"{name} does not conform:", *map(str, found)]))


def conformance_tests(*strategies: type[Strategy] | Strategy | str) -> Callable[..., None]:
    """A pytest test function with one case for each strategy; give it a name that begins with `test_`."""
    import pytest

    names = [s if isinstance(s, str) else s.name for s in strategies]

    @pytest.mark.parametrize("strategy", strategies, ids=names)
    def test_conformance(strategy: Any) -> None:
        assert_conforms(strategy)

    return test_conformance


def _instance(strategy: type[Strategy] | Strategy | str) -> Strategy:
    from equipoise.catalog.strategies import get_strategy

    if isinstance(strategy, str):
        return get_strategy(strategy)
    return strategy() if isinstance(strategy, type) else strategy


def _examined(strategy: Strategy) -> list[Finding]:
    from equipoise.testing import whole
    from equipoise.testing.exam import Exam
    from equipoise.testing.guard import one_thread, unchanged

    exam = Exam(strategy)
    with one_thread(), unchanged(lambda what: None), whole.repeated_elsewhere(exam):
        whole.check_declared(exam, type(strategy))
        _hooks(exam)
        whole.check_space(exam)
        whole.check_training(exam)
    return exam.findings.all()


def _hooks(exam: Exam) -> None:
    from equipoise.testing import data_stage, loss_stage, map_stage, task_stage
    from equipoise.testing.worlds import fitting

    own, stages = fitting(exam.strategy.requires), exam.strategy.stages
    if "resample" in stages:
        data_stage.check_resample(exam, own)
    if "weights" in stages:
        data_stage.check_weights(exam, own)
    if "tasks" in stages:
        task_stage.check_tasks(exam, own)
    if "loss" in stages:
        loss_stage.check_loss(exam, own)
    for hook in ("adjust", "decide"):
        if hook in stages:
            map_stage.check_map(exam, hook, own)
