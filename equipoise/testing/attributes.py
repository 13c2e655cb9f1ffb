"""Class attributes that look like misspelt ones of the contract: Python takes any name, and they would have no effect."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator
from typing import Any

#: How alike two names must be: British and American spellings, singular and plural, and a letter too many or too few are.
_ALIKE = 0.8


def misspelt(cls: type[Any], base: type[Any]) -> Iterator[str]:
    """A sentence for each attribute, without annotation, whose name is close to an attribute of the base class.

    Attributes with an annotation are fields, or constants of the class itself; methods may be helpers with any name.
    """
    known = [name for name in dir(base) if not name.startswith("_")]
    for own in cls.__mro__:
        if own is base or not issubclass(own, base):
            continue
        for name, value in vars(own).items():
            if name.startswith("_") or name in known or name in inspect.get_annotations(own):
                continue
            if callable(value) or hasattr(type(value), "__get__"):
                continue
            if close := difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE):
                yield f"unknown attribute `{name}`; did you mean `{close[0]}`?"
