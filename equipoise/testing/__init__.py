"""The conformance kit: does a strategy, a backbone or a data set obey its contract?

    from equipoise.strategies.testing import assert_conforms, conformance_tests

    assert_conforms(MyLoss)                                      # raises AssertionError with a line for each finding
    test_conformance = conformance_tests(MyLoss, MyBackbone)     # or, in a test file: one pytest test each

On the command line: `equipoise check ./mine.py`. A strategy is run on small training sets, called worlds (usual, absent
label, single positive, all-positive label, one label, 300 labels, empty rows, duplicate rows, 12 rows, sparse, text), and the
results are compared with the rules in `CHECKS`. A backbone is run on small tables and texts (`BACKBONE_CHECKS`), and a data
set is loaded several times (`DATASET_CHECKS`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.testing.backbones.rules import BACKBONE_CHECKS
from equipoise.testing.datasets.rules import DATASET_CHECKS
from equipoise.testing.findings import CHECKS, Finding

if TYPE_CHECKING:
    from equipoise.contracts.strategy import Strategy
    from equipoise.testing.exam import Exam

__all__ = [
    "BACKBONE_CHECKS",
    "CHECKS",
    "DATASET_CHECKS",
    "Finding",
    "assert_conforms",
    "check",
    "conformance_tests",
]


def check(plugin: Any, *, data_dir: str | Path | None = None) -> list[Finding]:
    """All findings about a strategy, a backbone or a data set, [] if it conforms. Most take one to ten seconds.

    Args:
        plugin: a class, an instance (with its settings), or a name such as "focal[gamma=1]". The parts of a composition are
            checked one by one, and a training is run with the whole.
        data_dir: the folder into which a data set may download; default: as for `load_dataset`.

    Raises:
        EquipoiseError: it is none of the three, or the name is unknown.
    """
    from equipoise.testing.subjects import kind_of, subject_of

    subject: Any = subject_of(plugin)
    by_kind = {"strategy": _check_strategy, "backbone": _check_backbone, "dataset": _check_dataset}
    return by_kind[kind_of(subject)](subject, data_dir)


def assert_conforms(plugin: Any, *, data_dir: str | Path | None = None) -> None:
    """Raise AssertionError with a line for each finding unless the plugin conforms; arguments as for `check`."""
    findings = check(plugin, data_dir=data_dir)
    if findings:
        raise AssertionError("\n".join([f"{_name(plugin)} does not conform:", *map(str, findings)]))


def conformance_tests(*plugins: Any) -> Callable[..., None]:
    """A pytest test function with one case per plugin; assign it to a name that begins with `test_`.

    Args:
        plugins: as for `check`: classes, instances, compositions, sources of data sets, and names such as "focal[gamma=1]".
    """
    import pytest  # only here: the kit also runs from the command line, where pytest may be missing

    @pytest.mark.parametrize("plugin", plugins, ids=[_name(p) for p in plugins])
    def test_conformance(plugin: Any) -> None:
        assert_conforms(plugin)

    return test_conformance


def _name(plugin: Any) -> str:
    if isinstance(plugin, str):
        return plugin
    # An instance has a spec, also a composition, which has no name. The class of a data set source may have neither.
    spec = "" if isinstance(plugin, type) else getattr(plugin, "spec", "")
    return str(spec or getattr(plugin, "name", "") or getattr(plugin, "__name__", type(plugin).__name__))


def _check_backbone(backbone: Any, data_dir: Any) -> list[Finding]:
    from equipoise.testing.backbones.check import check_backbone

    return check_backbone(backbone)


def _check_dataset(source: Any, data_dir: str | Path | None) -> list[Finding]:
    from equipoise.core.paths import user_path
    from equipoise.readers.downloads import default_data_dir
    from equipoise.testing.datasets.check import check_dataset

    return check_dataset(source, default_data_dir() if data_dir is None else user_path(data_dir))


def _check_strategy(strategy: Strategy, data_dir: Any) -> list[Finding]:
    from equipoise.testing.equalities import check_equalities
    from equipoise.testing.exam import Exam
    from equipoise.testing.training import check_training

    if len(strategy.parts) == 1:
        return _check_part(strategy)
    exam = Exam(strategy)
    check_training(exam)
    check_equalities(exam)
    return [f for part in strategy.parts for f in _check_part(part)] + exam.findings.all()


def _check_part(strategy: Strategy) -> list[Finding]:
    """All findings about a strategy that is not a composition."""
    from equipoise.testing import declaration, equalities, training
    from equipoise.testing.exam import Exam
    from equipoise.testing.guard import one_thread, unchanged

    exam = Exam(strategy)
    # The outer `unchanged` reports nothing; it restores global state that the strategy may have changed.
    with one_thread(), unchanged(lambda what: None), training.repeated_elsewhere(exam):
        declaration.check_declared(exam, type(strategy))
        # A hook that cannot be called would fail in each check again.
        if exam.findings.failed("hooks", "strategy"):
            return exam.findings.all()
        _check_hooks(exam)
        declaration.check_space(exam)
        training.check_training(exam)
        equalities.check_equalities(exam)
    return exam.findings.all()


def _check_hooks(exam: Exam) -> None:
    from equipoise.testing.stages import data_stage, head_stage, loss_stage, map_stage, task_stage
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
