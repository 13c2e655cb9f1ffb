"""Parses the text of a list or an object, as JSON, Python or NumPy write one, into a value."""

from __future__ import annotations

import ast
import io
import json
import keyword
import re
import tokenize
import warnings
from typing import Any

#: Functions whose printed call stands for the list in their first argument.
_CALLS = frozenset({"array", "list", "tuple", "set", "frozenset", "dict_keys"})
#: Two strings without a comma between them, which Python would join, or an empty string.
_NEIGHBOURS = re.compile(r"""['"]\s*['"]""")
_OPEN, _CLOSE = "[({", "])}"
_VALUES = (tokenize.STRING, tokenize.NUMBER)
#: A longer cell is no list of labels, and Python's parser is slow and deep on it.
_LONGEST = 100_000


def literal(text: str) -> list[Any] | dict[str, Any]:
    """The list or object that a text stands for; tuples and sets become lists.

    Accepted are JSON, Python literals (`['a', 'b']`), and what NumPy prints (`['a' 'b']`, `[0. 1.]`, `array([0, 1])`).

    Raises:
        ValueError: the text is none of these.
    """
    text = text.strip()
    if not looks_listed(text) or len(text) > _LONGEST:
        raise ValueError(text)
    try:
        return _collection(json.loads(text))
    except ValueError:
        pass
    # To look for missing commas takes ten times as long as to parse, so it comes first only where there may be some.
    if not _NEIGHBOURS.search(text):
        try:
            return _python(text)
        except ValueError:
            pass
    try:
        return _python(_with_commas(text))
    except (SyntaxError, tokenize.TokenError) as error:
        raise ValueError(text) from error


def _python(text: str) -> list[Any] | dict[str, Any]:
    """The value of a Python literal, or of a call of one of `_CALLS`. Raises ValueError for anything else."""
    try:
        with warnings.catch_warnings():
            # A backslash in a name is no reason to warn.
            warnings.simplefilter("ignore")
            return _collection(_evaluated(ast.parse(text, mode="eval").body))
    except (SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(text) from error


def looks_listed(text: str) -> bool:
    """Whether a text begins and ends as a list, a set, an object or a printed array does."""
    inside = text[text.find("(") :] if text.partition("(")[0] in _CALLS else text
    return len(inside) > 1 and inside[0] in _OPEN and inside[-1] == _CLOSE[_OPEN.index(inside[0])]


def _collection(value: Any) -> list[Any] | dict[str, Any]:
    if isinstance(value, dict):
        return value
    if isinstance(value, tuple | list):
        return list(value)
    if isinstance(value, set | frozenset):
        # The order of a set differs from one process to the next.
        return sorted(value, key=str)
    raise ValueError(value)


def _evaluated(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS:
        return ast.literal_eval(node.args[0]) if node.args else []
    return ast.literal_eval(node)


def _with_commas(text: str) -> str:
    """The text with commas between neighbouring values, which NumPy leaves out. Python would join neighbouring strings."""
    words: list[str] = []
    before = False
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER):
            continue
        word = "None" if token.string in ("nan", "NaN", "null") else token.string
        value = token.type in _VALUES or (token.type == tokenize.NAME and keyword.iskeyword(word))
        signed = word == "-" and before
        words += [",", word] if before and (value or signed) else [word]
        before = value
    return " ".join(words)
