"""The key of a row: what makes its predictions and nothing else; the code that runs is the code that was hashed."""

from __future__ import annotations

import ast

import pytest

from equipoise.core import code_hash

from .shared import copies
from .shared.copies import Copy

pytestmark = pytest.mark.usefixtures("own_catalogue", "without_mlflow")

copied, copy = copies.copied, copies.copy


# --- our own code: a copy of it is edited and hashed, not run


class _Reworded(ast.NodeTransformer):
    """Other docstrings and other messages; unparsing loses comments and layout."""

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        for part in ast.walk(node):
            for name, value in ast.iter_fields(part):
                if isinstance(value, ast.JoinedStr) or (
                    isinstance(value, ast.Constant) and isinstance(value.value, str)
                ):
                    setattr(part, name, ast.Constant("reworded"))
            if isinstance(part, ast.Call):
                part.args = [ast.Constant("reworded") if _is_text(a) else a for a in part.args]
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        return (
            ast.Expr(ast.Constant("Another docstring.")) if _is_text(node.value) else self.generic_visit(node)
        )


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_every_sentence_of_the_package_may_change(copy: Copy) -> None:
    kept = {file: file.read_text(encoding="utf-8") for file in copy.folder.rglob("*.py")}
    for file, text in kept.items():
        tree = ast.fix_missing_locations(_Reworded().visit(ast.parse(text)))
        file.write_text(ast.unparse(tree), encoding="utf-8")
    reworded = sum("reworded" in file.read_text(encoding="utf-8") for file in kept)
    found = copy.changed()
    for file, text in kept.items():
        file.write_text(text, encoding="utf-8")
    assert found == set()
    assert reworded > 50


@pytest.mark.parametrize(
    ("file", "old", "new", "moves"),
    [
        ("catalog/registry.py", "no plugin file at", "there is no file", set()),
        ("core/errors.py", "did you mean", "perhaps", set()),
        ("engine/loss.py", "from __future__", "# a comment\nfrom __future__", set()),
        (
            "strategies/focal.py",
            "logits: Tensor, targets: Tensor, ctx: Context",
            "logits, targets, ctx",
            set(),
        ),
        ("strategies/focal.py", "Lin, Goyal", "Goyal, Lin", set()),
        ("metrics/decision.py", "\ndef macro_f1", "\ndef f3(a, b):\n    return 3.0\n\n\ndef macro_f1", set()),
        ("core/arrays.py", "\ndef ratio", "\ndef unused():\n    return 3.0\n\n\ndef ratio", set()),
        (
            "metrics/summary.py",
            '"map": mean',
            '"twice_map": 2 * mean_defined(labels.precision), "map": mean',
            {"metrics"},
        ),
        ("metrics/calibration.py", "total / true.size", "2 * total / true.size", {"metrics"}),
        ("experiment/record.py", "objective=", "aim=", set()),
        ("strategies/ldam.py", "float = tunable(", "float = 0 * tunable(", {"ldam"}),
        ("strategies/two_way.py", "return ", "return 2 * ", {"two_way"}),
        ("backbones/lstm.py", "hidden: int = ", "hidden: int = 1", {"lstm", "gru"}),
        ("backbones/linear.py", "def vectors", "def vectors2", {"linear", "mlp"}),
        ("engine/optimizer.py", "import torch", "import torch\nX = 3", {"engine"}),
        ("thresholds.py", "below / 2 + above / 2", "below / 3 + above / 3", {"engine"}),
    ],
)
def test_an_edit_moves_exactly_what_it_should(
    copy: Copy, file: str, old: str, new: str, moves: set[str]
) -> None:
    assert copy.edit(file, old, new) == moves


def test_a_rule_that_the_search_maximises_counts_as_the_engine_s_and_as_a_metric_s(copy: Copy) -> None:
    found = copy.edit("metrics/decision.py", "2 * self.hits, self.predicted", "3 * self.hits, self.predicted")
    assert found == {"engine", "metrics"}


def test_what_several_strategies_share_moves_those_that_use_it(copy: Copy) -> None:
    users = {
        name
        for name in copy.kinds["strategy"].names()
        if "class_share"
        in str(
            code_hash.texts([(c.__module__, c.__qualname__)], frozenset(code_hash.engine_modules()))
            if (c := copy.kinds["strategy"].get(name))
            else ""
        )
    }
    found = copy.edit("strategies/focal.py", "alpha * targets + (1 - alpha)", "alpha * targets + (2 - alpha)")
    assert found == users
    assert {"focal", "class_balanced"} <= found
    assert not {"none", "asl", "scut"} & found


def test_edits_of_our_files_are_seen_and_their_touching_is_not(copy: Copy) -> None:
    copy.hashes()
    path = copy.folder / "engine" / "loss.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(f"# touched\n{text}", encoding="utf-8")
    assert code_hash.edited() == ()
    path.write_text(f"{text}\nX = 3\n", encoding="utf-8")
    assert code_hash.edited() == ("equipoise.engine.loss",)
    path.write_text(text, encoding="utf-8")
