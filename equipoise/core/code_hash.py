"""What code does, as a hash: a row is reused only while the code that made it does the same."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
from functools import cache
from pathlib import Path
from typing import Any


def source_hash(obj: Any) -> str:
    """16 hex digits over the module that defines a thing and the modules of ours that it imports, and those import.

    Comments, docstrings and layout do not count.
    """
    module = inspect.getmodule(obj if inspect.isclass(obj) or inspect.ismodule(obj) else type(obj))
    if module is None:
        return "unknown"
    own = getattr(module, "__equipoise_source__", None)
    texts: dict[str, str] = {}
    waiting = {module.__name__} if own is None else set(_ours(own))
    if own is not None:
        texts[module.__name__] = meaning(own)
    while waiting:
        name = waiting.pop()
        if name not in texts:
            texts[name], imported = _read(name)
            waiting |= imported
    return hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()[:16]


@cache
def _read(name: str) -> tuple[str, frozenset[str]]:
    """What a module does, and the modules of ours that it imports."""
    file = _file(name)
    source = Path(file).read_text(encoding="utf-8") if file else ""
    return meaning(source), _ours(source)


def _ours(source: str) -> frozenset[str]:
    """The modules under `equipoise` that a source imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return frozenset(n for n in found if n.startswith("equipoise.") and _file(n))


@cache
def _file(name: str) -> str | None:
    """The file of a module, without importing it; None where there is no such module."""
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    return spec.origin if spec is not None else None


def meaning(source: str) -> str:
    """Python source reduced to what it does: its syntax tree without docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_text(body[0]):
            body.pop(0)
    return ast.dump(tree)


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
