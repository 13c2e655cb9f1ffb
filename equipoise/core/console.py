"""The console that commands print tables and progress on."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NoReturn

from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderableType
from rich.segment import Segment

from equipoise.core import output


class SafeConsole(Console):
    """A console of rich that shows control characters in data instead of sending them to the terminal."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """See rich. Segments with `control` are rich's own commands to the terminal; all others are text."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(output.visible(segment.text), segment.style)

    @property
    def size(self) -> ConsoleDimensions:
        """The size of the terminal that is printed on; rich looks at the standard streams, which may be diverted."""
        if "COLUMNS" in os.environ:
            return super().size
        try:
            width, height = os.get_terminal_size(self.file.fileno())
        except (OSError, ValueError, AttributeError):
            return super().size
        return ConsoleDimensions(self._width or width or 80, self._height or height or 25)

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size

    def on_broken_pipe(self) -> NoReturn:
        """End as any other output does."""
        self.quiet = True
        output.hang_up()


def terminal(*, stderr: bool = False) -> SafeConsole:
    """A console on the command's own standard output, or standard error."""
    return SafeConsole(file=output.err() if stderr else output.out())
