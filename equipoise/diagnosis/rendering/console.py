"""A diagnosis in the terminal: sentences, the most important first, and small tables of numbers."""

from __future__ import annotations

import io
import math
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from equipoise.core.console import SafeConsole

SHOWN = 15  # labels in the table; if there are more, the 10 most and the 5 least frequent
#: The measures in the order in which they are shown, with their names in the literature.
MEASURES = {
    "rows": "rows",
    "inputs": "inputs",
    "labels": "labels",
    "labelsets": "labelsets",
    "singletons": "labelsets in one row only",
    "cardinality": "cardinality (labels per row)",
    "density": "density",
    "mean_ir": "MeanIR",
    "max_ir": "maxIR",
    "cvir": "CVIR",
    "scumble": "SCUMBLE",
    "scumble_cv": "SCUMBLE.CV",
    "tcs": "TCS",
    "rdep": "rDep",
    "empty_rows": "rows without a label",
    "empty_labels": "labels without a row",
}


def number(value: float) -> str:
    """Format a number: 1,702 if it is an integer, 73.952793 if not, – if undefined, ∞ if infinite."""
    if isinstance(value, int):
        return f"{value:,}"
    if math.isnan(value):
        return "–"
    return "∞" if math.isinf(value) else f"{value:,.6f}"


def render(diagnosis: dict[str, Any], console: Console) -> None:
    """Print a diagnosis (`Diagnosis.data`) on the console."""
    about = diagnosis["dataset"]
    _heading(console, f"{about['name']}{' (GENERATED data)' if about['generated'] else ''}")
    for note in about["notes"]:
        console.print(Text(note, style="dim"))  # `Text`, because a bare string could hold rich's markup
    _heading(console, "In short")
    _sentences(console, diagnosis["in_short"])
    console.print()
    _numbers(diagnosis, console)
    _labels(diagnosis, console)
    _heading(console, "How dependent are the labels?")
    _sentences(console, diagnosis["dependence"]["words"])
    _heading(console, "What is wrong with the data?")
    _sentences(console, diagnosis["health"]["problems"] or ["No problem was found."])
    if diagnosis["health"]["fine"]:
        console.print(Text("Checked and fine: " + "; ".join(diagnosis["health"]["fine"]) + ".", style="dim"))
    _advice(diagnosis["advice"], console)


def as_text(diagnosis: dict[str, Any], width: int = 100) -> str:
    """The same as plain text, `width` characters wide."""
    buffer = io.StringIO()
    render(diagnosis, SafeConsole(file=buffer, width=width, color_system=None))
    return buffer.getvalue()


def _heading(console: Console, words: str) -> None:
    console.print()
    console.print(Text(words, style="bold"))


def _sentences(console: Console, lines: list[str]) -> None:
    for line in lines:  # a table without borders indents the following lines of a long sentence
        table = Table.grid(padding=(0, 1))
        table.add_row("-", Text(line))
        console.print(table)


def _numbers(diagnosis: dict[str, Any], console: Console) -> None:
    table = Table(box=None, show_header=False, padding=(0, 3, 0, 0))
    cells = [
        (words, number(diagnosis["numbers"][key]))
        for key, words in MEASURES.items()
        if key in diagnosis["numbers"]
    ]
    half = -(-len(cells) // 2)  # rounded up: the left column is the longer one
    # An odd number of cells leaves one place on the right, which is filled with an empty cell.
    for left, right in zip(cells[:half], [*cells[half:], ("", "")], strict=False):
        table.add_row(*left, *right)
    console.print(table)
    console.print(Text(diagnosis["numbers"]["zero_positive_rule"], style="dim"))


def _labels(diagnosis: dict[str, Any], console: Console) -> None:
    ordered = sorted(diagnosis["labels"], key=lambda label: -label["rows"])
    shown = ordered if len(ordered) <= SHOWN else ordered[: SHOWN - 5] + ordered[-5:]
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    for name in ("label", "rows", "share", "IRLbl"):
        table.add_column(name, justify="left" if name == "label" else "right")
    for label in shown:
        table.add_row(
            Text(label["label"]), f"{label['rows']:,}", f"{label['share']:.1%}", number(label["irlbl"])[:10]
        )
    console.print()
    console.print(table)
    if len(shown) < len(ordered):
        console.print(Text(f"the 10 most and 5 least frequent of {len(ordered)} labels", style="dim"))


def _advice(advice: dict[str, Any], console: Console) -> None:
    _heading(console, "What is worth trying? (a guess)")
    for item in advice["items"]:
        table = Table.grid(padding=(0, 1))
        table.add_row("-", Text(f"{item['worth']} {', '.join(item['strategies'])}: {item['why']}."))
        console.print(table)
    console.print(Text(advice["guess"], style="dim"))
    console.print(Text(advice["command"], style="bold"), soft_wrap=True)
