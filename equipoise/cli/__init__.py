"""The command line. `main` is the entry point; each command lives in a module of its own, imported when it is called."""

from __future__ import annotations

from equipoise.cli.main import main

__all__ = ["main"]
