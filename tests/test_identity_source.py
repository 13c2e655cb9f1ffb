"""What of a source counts in an identity, and that all code that a cell runs is covered by one."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from equipoise.core import code_hash
from equipoise.core.code_meaning import meaning
from equipoise.experiment.versions import METRICS

pytestmark = pytest.mark.usefixtures("own_catalogue", "without_mlflow")


# --- what counts of a source
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def f(x):\n    return x", 'def f(x):\n    """Gives x."""\n    # a note\n    return (x)'),
        ("def f(x):\n    return x", "def f(x: int) -> int:\n    return x"),
        ("def f():\n    y = 1\n    return y", "def f():\n    y: int = 1\n    return y"),
        ("raise ValueError('one')", "raise ValueError(f'two {3}' + str(x))"),
        ("raise ValueError('one')", "raise ValueError('{}'.format(x))"),
        ("raise ValueError('one')", "raise ValueError('two %s' % x)"),
        ("raise ValueError('one') from None", "raise ValueError('two') from None"),
        ("assert x, 'one'", "assert x, f'two {x}'"),
        ("import warnings\nwarnings.warn('one')", "import warnings\nwarnings.warn(f'two {x}')"),
        ("logger.info('one %s', x)", "logger.info('two %s', x)"),
        (
            "class A:\n    reference = 'one'\n    x = 1",
            "class A:\n    reference: ClassVar[str] = 'two'\n    x = 1",
        ),
        ("class A:\n    x: int = 1", "class A:\n    x: 'float | None' = 1"),
        ("class A:\n    x = 1", "class A:\n    x: ClassVar[int] = 1"),
        ("x = 1", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from a import b\nx = 1"),
        ("def f():\n    pass", "def f():\n    'Only told.'"),
    ],
)
def test_what_is_said_does_not_count(before: str, after: str) -> None:
    assert meaning(before) == meaning(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("raise ValueError('x')", "raise TypeError('x')"),
        ("raise Found(0.5)", "raise Found(0.6)"),
        ("x = 'one'", "x = 'two'"),
        ("f('one')", "f('two')"),
        ("warnings.simplefilter('error')", "warnings.simplefilter('ignore')"),
        ("logger.info('x', f())", "logger.info('x', g())"),
        ("class A:\n    x: int = 1", "class A:\n    x = 1"),  # a field of a dataclass, and none
        ("class A:\n    x: int = 1", "class A:\n    x: ClassVar[int] = 1"),
        ("def f(x=1):\n    return x", "def f(x=2):\n    return x"),
        ("from a import b", "from c import b"),
        ("if x:\n    y = 1", "if y:\n    y = 1"),
        ("reference = 'one'", "reference = 'two'"),  # of no class
    ],
)
def test_what_is_done_counts(before: str, after: str) -> None:
    assert meaning(before) != meaning(after)


def test_all_that_a_cell_runs_counts_or_is_left_out_for_a_reason() -> None:
    """A module that a running cell has loaded is hashed, or stands in the list of those that make no prediction."""
    code = (
        "import sys\nfrom equipoise.experiment import pipeline, cross_validation, decision, prepared\n"
        "from equipoise.experiment.search import trials\n"
        "print(*[n for n in sys.modules if n.startswith('equipoise.')])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    hashed = set(code_hash.texts((name, None) for name in code_hash.engine_modules()))
    known = hashed | {f"equipoise.{name}" for name in code_hash.LEFT_OUT}
    metrics = set(code_hash.texts(METRICS))
    silent = [n for n in loaded if n not in known | metrics and not _only_imports(n)]
    assert silent == []
    assert not [n for n in code_hash.LEFT_OUT if code_hash.file_of(f"equipoise.{n}") is None], (
        "there is no such module"
    )
    assert {"equipoise.thresholds", "equipoise.engine.loss", "equipoise.core.seeds"} <= hashed


def _only_imports(name: str) -> bool:
    file = code_hash.file_of(name)
    body = ast.parse(file.read_text(encoding="utf-8")).body if file is not None else []
    plain = (ast.Import, ast.ImportFrom, ast.Expr, ast.Assign)
    return all(isinstance(statement, plain) for statement in body)
