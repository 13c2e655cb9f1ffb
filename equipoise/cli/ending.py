"""How a command ends: its exit code, and one line for what went wrong."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from equipoise.core import output
from equipoise.core.errors import EquipoiseError, cut, one_line


def run_to_end(app: Callable[..., Any]) -> None:
    """Run the command that the command line names, and end the process.

    Bad input ends with one line and exit code 2, Ctrl-C with 130; a fault of ours keeps its traceback.

    Args:
        app: the commands, a `typer.Typer`.
    """
    output.prepare()
    try:
        _run(app)
    except BrokenPipeError:  # the reader of our output has ended, as in `equipoise list | head`
        output.hang_up()


def _run(app: Callable[..., Any]) -> None:
    try:
        # Not standalone: errors are then raised, and all of them are worded alike below.
        code = app(standalone_mode=False, prog_name="equipoise")
        # Here, since an error at exit could no longer be handled.
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except EquipoiseError as error:
        _refuse(str(error))
    except KeyboardInterrupt:
        output.echo("interrupted", to_err=True)
        sys.exit(130)
    except BrokenPipeError:
        raise
    except SystemExit as error:
        # Commands end so, too; from other code it would look as if the command had done its work.
        if place := _foreign(error):
            _refuse(f"{place} ended the command: {one_line(error)}")
        raise
    # A missing file, a full disk and the like: the message of the system says it best.
    except OSError as error:
        _refuse(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except MemoryError as error:
        _refuse(f"not enough memory{f': {error}' if str(error) else ''}")
    except ImportError as error:
        # The system's loader says so if it cannot map a library into memory.
        if "failed to map" not in str(error) and "annot allocate" not in str(error):
            raise
        _refuse(f"not enough memory to load a library: {error}")
    except Exception as error:
        _misused(error)
    else:
        sys.exit(code if isinstance(code, int) else 0)


def _foreign(error: SystemExit) -> str:
    """The place in a plugin or library that raised this; "" if it was this package."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    ours = Path(__file__).parents[1]
    return "" if Path(last.filename).is_relative_to(ours) else f"{last.filename}, line {last.lineno},"


def _misused(error: Exception) -> None:
    """Refuse an unknown option or a bad argument. Versions of typer differ in where the class of these errors lives."""
    # `equipoise` by itself asks for help and is no mistake.
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()  # type: ignore[attr-defined]
        sys.exit(0)
    # All errors of typer have this method. Anything else is a fault of ours and needs its traceback.
    if not hasattr(error, "format_message"):
        raise error
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "equipoise"
    _refuse(f"{error.format_message().rstrip('.')}; see {path} --help")


def _refuse(line: str) -> NoReturn:
    """End with one line, whatever line breaks the message has."""
    output.echo(f"error: {cut(' '.join(line.split()))}", to_err=True)
    sys.exit(2)
