"""What stands on a figure."""

from __future__ import annotations

from typing import Any


def texts(figure: Any) -> list[str]:
    from matplotlib.text import Text

    return [text.get_text().strip() for text in figure.findobj(Text) if text.get_text().strip()]
