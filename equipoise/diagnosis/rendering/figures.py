"""The pictures of a diagnosis, as PNG bytes with a sentence for those who cannot see them."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from equipoise.contracts.dataset import Dataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 110


class Picture(NamedTuple):
    """A drawn picture: its heading, PNG bytes, size on the page in CSS pixels, and what it shows in words."""

    heading: str
    png: bytes
    width: int
    height: int
    alt: str


def pictures_of(data: Dataset, found: dict[str, Any]) -> list[Picture]:
    """All pictures, in the order of the page."""
    from equipoise import plots

    Y, names = data.Y, list(data.labels)
    drawn: list[tuple[str, Callable[[], Figure], str]] = [
        ("Label distribution", lambda: plots.label_distribution(Y, names), _distribution(found)),
        ("Imbalance ratios", lambda: plots.imbalance_ratios(Y, names), _imbalance(found)),
        ("Labelsets", lambda: plots.labelset_upset(Y, names), _labelsets(found)),
        ("How often labelsets occur", lambda: plots.labelset_spectrum(Y, names), _spectrum(found)),
    ]
    if data.n_labels > 1:
        heat = (
            "Labels that occur together",
            lambda: plots.cooccurrence(Y, names, clustered=True),
            _together(found),
        )
        drawn.append(heat)
    return [_picture(heading, draw(), alt) for heading, draw, alt in drawn]


def _picture(heading: str, figure: Figure, alt: str) -> Picture:
    buffer = io.BytesIO()
    figure.savefig(
        buffer, format="png", dpi=DPI, metadata={"Software": None}
    )  # the same bytes from the same data
    width, height = figure.get_size_inches()
    return Picture(heading, buffer.getvalue(), round(96 * width), round(96 * height), alt)


def _distribution(found: dict[str, Any]) -> str:
    ordered = sorted(found["labels"], key=lambda label: -label["rows"])
    first, last = ordered[0], ordered[-1]
    return (
        f"Rows per label on a logarithmic scale, from {first['label']} with {first['rows']:,} rows down to "
        f"{last['label']} with {last['rows']:,}."
    )


def _imbalance(found: dict[str, Any]) -> str:
    numbers = found["numbers"]
    if numbers["empty_labels"] == numbers["labels"]:
        return "IRLbl of every label as bars: there is none, for no label has a row."
    above = sum(numbers["mean_ir"] < label["irlbl"] < float("inf") for label in found["labels"])
    return (
        f"IRLbl of every label as bars; {above} of {len(found['labels'])} lie above MeanIR {numbers['mean_ir']:.1f}, the "
        f"largest is {numbers['max_ir']:,.1f}."
    )


def _labelsets(found: dict[str, Any]) -> str:
    top = [
        f"{' + '.join(s['labels']) or 'no label'}: {s['rows']:,} rows"
        for s in found["labelsets"]["most_frequent"][:3]
    ]
    return f"The commonest labelsets with the labels in each as dots. The first: {'; '.join(top)}."


def _spectrum(found: dict[str, Any]) -> str:
    sets = found["labelsets"]
    return (
        f"Bars for how many labelsets occur how often: {sets['singletons']:,} of {sets['distinct']:,} labelsets occur in a "
        f"single row, and {sets['rows_in_singletons']:.0%} of all rows are such rows."
    )


def _together(found: dict[str, Any]) -> str:
    pairs = found["dependence"]["pairs"]
    best = pairs["strongest_together"][:1]
    named = (
        f" The strongest pair is {best[0]['a']} and {best[0]['b']}, phi {best[0]['phi']:.2f}." if best else ""
    )
    return (
        "Heat map: of the rows with the label at the left, the share that also has the label below, labels that go together "
        f"side by side.{named}"
    )
