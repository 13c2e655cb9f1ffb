"""Reduce Python source to what it computes: the text from which identities are hashed.

Everything that is only read by people is left out: docstrings, comments, layout, annotations, the messages of `raise`, `assert`,
warnings and logging, help texts of options, and class attributes and methods that describe a strategy or its cost. So a corrected
sentence invalidates no stored row.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TypeVar

#: Modules whose names serve annotations only.
TYPING = frozenset({"__future__", "typing", "typing_extensions", "collections.abc", "numpy.typing"})
#: Class attributes that describe a method and take no part in it.
PROSE = frozenset({"reference", "summary"})
#: Methods that declare something about a strategy, for reports, and take no part in it; with the number of their arguments.
DECLARING = {"same_as": 3}
#: Calls whose strings are messages: `warnings.warn(…)`, `logger.info(…)`.
_SPEAKERS = frozenset({"warnings", "logging", "log", "logger", "_log", "_logger"})
_SPEAKING = frozenset({"warn", "warning", "info", "debug", "error", "exception", "critical", "log"})
_Node = TypeVar("_Node", bound=ast.AST)


def tree_of(source: str) -> ast.Module:
    """Return the syntax tree of a source, reduced to what it computes.

    Raises:
        SyntaxError: the source is not valid Python.
    """
    tree: ast.Module = _Reducer().visit(ast.parse(source))
    return tree


def meaning(source: str) -> str:
    """Return a text that is the same for two sources that differ only in what people read."""
    return ast.dump(tree_of(source))


class _Reducer(ast.NodeTransformer):
    """Removes from a tree everything that computes nothing."""

    def __init__(self) -> None:
        # Annotations of attributes count in the body of a class, but not in the methods inside it.
        self._in_class = False

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        # A body that held nothing but a docstring must not become empty, which would be no valid tree.
        if isinstance(node, ast.stmt | ast.ExceptHandler) and getattr(node, "body", None) == []:
            node.body = [ast.Pass()]  # type: ignore[union-attr]  # `has a body` is what was asked
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._inside(node, True)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST | None:
        # Told by its arguments, too: a helper class may have a method of this name that computes something.
        if self._in_class and len(node.args.args) == DECLARING.get(node.name):
            return None
        node.returns = None
        return self._inside(node, False)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self._inside(node, False)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        """Keep the assignment; in a class body also the kind of attribute, because dataclasses read it from the annotation."""
        kind = _kind(node.annotation)
        if self._in_class and kind != "ClassVar":
            node.annotation = ast.Constant(kind)
            return self.generic_visit(node)
        if node.value is None:
            return None
        return self.visit(ast.Assign([node.target], node.value))

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        names = {target.id for target in node.targets if isinstance(target, ast.Name)}
        # What a row of a backbone costs is for estimates; an attribute of that name with any other value counts.
        priced = names == {"rate"} and isinstance(node.value, ast.Call) and _called(node.value) == "Rate"
        return None if self._in_class and (names & PROSE or priced) else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Drop the help text of `option(default, help, …)`."""
        if _called(node) == "option":
            node.args = node.args[:1]
            node.keywords = [keyword for keyword in node.keywords if keyword.arg != "help"]
        return self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> ast.AST | None:
        node.names = [alias for alias in node.names if alias.name not in TYPING]
        return node if node.names else None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        return None if node.module in TYPING and node.level == 0 else node

    def visit_If(self, node: ast.If) -> ast.AST | Sequence[ast.AST]:
        """Drop `if TYPE_CHECKING:`, which never runs, and `if __name__ == "__main__":`, which runs in no imported module."""
        test = node.test
        # Also written `typing.TYPE_CHECKING`.
        typing = getattr(test, "id", getattr(test, "attr", "")) == "TYPE_CHECKING"
        if typing or ast.unparse(test) == "__name__ == '__main__'":
            return [part for part in map(self.visit, node.orelse) if part is not None]
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        """Keep the type of the exception and the values it carries; drop the message."""
        node.exc = None if node.exc is None else _Wordless().visit(node.exc)
        return self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        node.msg = None
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """Drop docstrings, and the strings in calls that warn or log."""
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return None
        if isinstance(node.value, ast.Call) and _speaks(node.value.func):
            node.value = _Wordless().visit(node.value)
        return self.generic_visit(node)

    def _inside(self, node: _Node, in_class: bool) -> ast.AST:
        """Visit the body of a class or a function, and remember which of the two it is."""
        before, self._in_class = self._in_class, in_class
        try:
            return self.generic_visit(node)
        finally:
            self._in_class = before


class _Wordless(ast.NodeTransformer):
    """Replaces every string in an expression by the empty string."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant("") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return ast.Constant("")

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """`"text" + name` and `"%s" % name` are strings."""
        self.generic_visit(node)
        return ast.Constant("") if _is_empty(node.left) or _is_empty(node.right) else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """So is `"{}".format(name)`."""
        self.generic_visit(node)
        return ast.Constant("") if isinstance(f := node.func, ast.Attribute) and _is_empty(f.value) else node


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _is_empty(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == ""


def _kind(annotation: ast.expr) -> str:
    """Return the kind of attribute that an annotation declares: "field", or what dataclasses do not treat as one."""
    words = annotation.value if isinstance(annotation, ast.Constant) else ast.unparse(annotation)
    outer = str(words).partition("[")[0].rpartition(".")[2].strip()
    return outer if outer in ("ClassVar", "InitVar", "KW_ONLY") else "field"


def _speaks(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id == "warn"
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id in _SPEAKERS
        and function.attr in _SPEAKING
    )
