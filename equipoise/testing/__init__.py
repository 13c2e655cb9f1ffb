"""The conformance kit: does a strategy obey the strategy contract?

    from equipoise.strategies.testing import assert_conforms, conformance_tests

    assert_conforms(MyLoss)                            # raises AssertionError with a line for each finding
    test_conformance = conformance_tests(MyLoss)       # or, in a test file: one pytest test per strategy

On the command line: `equipoise check ./mine.py`. A strategy is run on small training sets, called worlds (usual, absent
label, single positive, all-positive label, one label, 300 labels, empty rows, duplicate rows, 12 rows, sparse, text), and the
results are compared with the rules in `CHECKS`.
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
    """All findings about a strategy, [] if it conforms. Takes one to three seconds.

    Args:
        strategy: a class, an instance (with its settings), or a spec such as "focal[gamma=1]". The parts of a composition are
            checked one by one, and a training is run with the whole.
    """
    from equipoise.testing.equalities import check_equalities
    from equipoise.testing.exam import Exam
    from equipoise.testing.training import check_training

    whole = _instance(strategy)
    if len(whole.parts) == 1:
        return _check_part(whole)
    exam = Exam(whole)
    check_training(exam)
    check_equalities(exam)
    return [f for part in whole.parts for f in _check_part(part)] + exam.findings.all()


def assert_conforms(strategy: type[Strategy] | Strategy | str) -> None:
    """Raise AssertionError with a line for each finding unless the strategy conforms."""
    findings = check(strategy)
    if findings:
        name = strategy if isinstance(strategy, str) else strategy.name
        raise AssertionError("\n".join([f"{name} does not conform:", *map(str, findings)]))


def conformance_tests(*strategies: type[Strategy] | Strategy | str) -> Callable[..., None]:
    """A pytest test function with one case per strategy; assign it to a name that begins with `test_`."""
    import pytest  # only here: the kit also runs from the command line, where pytest may be missing

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


def _check_part(strategy: Strategy) -> list[Finding]:
    """All findings about a strategy that is not a composition."""
    from equipoise.testing import declaration, equalities, training
    from equipoise.testing.exam import Exam
    from equipoise.testing.guard import one_thread, unchanged

    exam = Exam(strategy)
    # The outer `unchanged` reports nothing; it restores global state that the strategy may have changed.
    with one_thread(), unchanged(lambda what: None), training.repeated_elsewhere(exam):
        declaration.check_declared(exam, type(strategy))
        _check_hooks(exam)
        declaration.check_space(exam)
        training.check_training(exam)
        equalities.check_equalities(exam)
    return exam.findings.all()


def _check_hooks(exam: Exam) -> None:
    from equipoise.testing import data_stage, head_stage, loss_stage, map_stage, task_stage
    from equipoise.testing.worlds import suitable_worlds

    worlds, stages = suitable_worlds(exam.strategy.requires), exam.strategy.stages
    if "resample" in stages:
        data_stage.check_resample(exam, worlds)
    if "weights" in stages:
        data_stage.check_weights(exam, worlds)
    if "tasks" in stages:
        task_stage.check_tasks(exam, worlds)
    if "loss" in stages:
        loss_stage.check_loss(exam, worlds)
    if "head" in stages:
        head_stage.check_head(exam, worlds)
    for hook in ("adjust", "decide"):
        if hook in stages:
            map_stage.check_map(exam, hook, worlds)
