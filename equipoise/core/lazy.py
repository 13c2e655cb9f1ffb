"""Modules that are imported when they are first used, so that a command starts without what it may never need."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any


def lazy(module: str) -> Any:
    """A stand-in for a module that is imported when one of its names is first asked for.

    A type checker should see the module itself:

        if TYPE_CHECKING:
            from equipoise.sweep import plan
        else:
            plan = lazy("equipoise.sweep.plan")

    The name is written out in full, for `tests/test_rooms.py` reads it as an import.
    """
    return _LazyModule(module)


class _LazyModule(ModuleType):
    """Asks the real module for every name: what a test patches there is seen here."""

    def __getattr__(self, name: str) -> Any:
        # Not stored here: the import system keeps the module, and a name patched there must be seen at once.
        return getattr(importlib.import_module(self.__name__), name)
