"""Classes and instances of Python as specs, so that other processes find them, too, and rows can name them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from equipoise.catalog import plugins
from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.lookup import offered
from equipoise.catalog.registry import registry
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.hyperparameters import Configurable
from equipoise.contracts.strategy import Strategy
from equipoise.core.code_hash import OURS
from equipoise.core.errors import EquipoiseError

_MAIN = "__main__"


def spec_of(kind: str, obj: Any) -> str:
    """The spec of a strategy or backbone that is given as a class or an instance; of a text, the text itself.

    The class is named by its module, or by its file if that is the user's script: the script is then loaded once more, as a
    plugin file, so what runs below `if __name__ == "__main__":` does not run again.

    Raises:
        EquipoiseError: it is no strategy or backbone, or no other process can find it.
    """
    if isinstance(obj, str):
        return obj
    if isinstance(obj, type):
        obj = offered(kind, obj)()
    if not isinstance(obj, Configurable):
        raise EquipoiseError(f"a {kind} is a name, a class or an instance, not {type(obj).__name__}")
    # A composition without a name; one with a name is a class of its own.
    if isinstance(obj, Strategy) and not obj.name:
        return "+".join(spec_of(kind, part) for part in obj.parts)
    text = f"{_name(kind, type(obj))}{obj.spec[len(obj.name) :]}"
    _require_same(kind, obj, text)
    return text


def _name(kind: str, cls: type[Any]) -> str:
    """How a spec names a class."""
    top = cls.__module__.partition(".")[0]
    if top.startswith(plugins.PREFIX):
        # Taken from a plugin file: its private package means nothing to other processes, its path does.
        return f"{plugins.path_of(top)}:{cls.__name__}"
    # Entry points are loaded where there is a name that nothing has.
    if cls.name in registry(kind).names() and registry(kind).get(cls.name) is cls:
        return str(cls.name)
    if top == OURS:
        raise EquipoiseError(f"{cls.__module__}.{cls.__qualname__} is no {kind} to run: give one by its name")
    what = f"{kind} {cls.__name__}"
    if "." in cls.__qualname__:
        raise EquipoiseError(
            f"{what} is defined inside {cls.__qualname__.partition('.')[0]}, where no other process finds it: "
            "define it at the top level of a file"
        )
    if cls.__module__ != _MAIN:
        return f"{cls.__module__}:{cls.__name__}"
    file = getattr(sys.modules[_MAIN], "__file__", None)
    if file is None or not Path(file).is_file() or Path(file).suffix != ".py":
        raise EquipoiseError(
            f"{what} is defined in a notebook or at a prompt, where its code can be neither hashed nor found by other "
            f"processes: write it into a file (%%writefile mine.py) and give {kind}='./mine.py:{cls.__name__}'"
        )
    return f"{file}:{cls.__name__}"


def _require_same(kind: str, obj: Any, text: str) -> None:
    """Refuse an object whose settings its spec does not hold, such as an array."""
    # A field that the spec leaves out or rounds would be another value in other processes, under the same key.
    again: Any = get_strategy(text) if kind == "strategy" else get_backbone(text)
    if _values(again) != _values(obj):
        raise EquipoiseError(
            f"{kind} {obj.name!r}: its settings cannot be written as {obj.spec!r:.100}; "
            "settings are numbers, texts, true or false"
        )


def _values(obj: Any) -> str:
    return repr({name: value for name, value in vars(obj).items() if name != "pinned"})
