"""The pictures of a diagnosis, as PNG bytes with a description for readers who cannot see them."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from equipoise.contracts.dataset import Dataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 110


class Picture(NamedTuple):
    """A drawn picture: heading, PNG bytes, width and height on the page in CSS pixels, and a description in words."""

    heading: str
    png: bytes
    width: int
    height: int
    alt: str


def pictures_of(data: Dataset, diagnosis: dict[str, Any]) -> list[Picture]:
    """All pictures in the order of the page."""
    from equipoise import plots  # imported late, because Matplotlib takes long to start

    Y, names = data.Y, list(data.labels)
    # Functions instead of figures, so that only one figure is in memory at a time.
    drawn: list[tuple[str, Callable[[], Figure], str]] = [
        ("Label distribution", lambda: plots.label_distribution(Y, names), _distribution(diagnosis)),
        ("Imbalance ratios", lambda: plots.imbalance_ratios(Y, names), _imbalance(diagnosis)),
        ("Labelsets", lambda: plots.labelset_upset(Y, names), _labelsets(diagnosis)),
        ("How often labelsets occur", lambda: plots.labelset_spectrum(Y, names), _spectrum(diagnosis)),
    ]
    if data.n_labels > 1:
        heat = (
            "Labels that occur together",
            lambda: plots.cooccurrence(Y, names, clustered=True),
            _together(diagnosis),
        )
        drawn.append(heat)
    return [_picture(heading, draw(), alt) for heading, draw, alt in drawn]


def _picture(heading: str, figure: Figure, alt: str) -> Picture:
    buffer = io.BytesIO()
    # Without Matplotlib's version in the metadata, the same data give the same bytes.
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    width, height = figure.get_size_inches()  # 96 CSS pixels are one inch
    return Picture(heading, buffer.getvalue(), round(96 * width), round(96 * height), alt)


def _distribution(diagnosis: dict[str, Any]) -> str:
    ordered = sorted(diagnosis["labels"], key=lambda label: -label["rows"])
    first, last = ordered[0], ordered[-1]
    return (
        f"Rows per label on a logarithmic scale, from {first['label']} with {first['rows']:,} rows down to "
        f"{last['label']} with {last['rows']:,}."
    )


def _imbalance(diagnosis: dict[str, Any]) -> str:
    numbers = diagnosis["numbers"]
    if numbers["empty_labels"] == numbers["labels"]:
        return "IRLbl of every label as bars; there are none, because no label has a row."
    above = sum(numbers["mean_ir"] < label["irlbl"] < float("inf") for label in diagnosis["labels"])
    return (
        f"IRLbl of every label as bars; {above} of {len(diagnosis['labels'])} lie above MeanIR {numbers['mean_ir']:.1f}, the "
        f"largest is {numbers['max_ir']:,.1f}."
    )


def _labelsets(diagnosis: dict[str, Any]) -> str:
    top = [
        f"{' + '.join(s['labels']) or 'no label'}: {s['rows']:,} rows"
        for s in diagnosis["labelsets"]["most_frequent"][:3]
    ]
    return f"The most frequent labelsets, with the labels of each as dots. The first are {'; '.join(top)}."


def _spectrum(diagnosis: dict[str, Any]) -> str:
    sets = diagnosis["labelsets"]
    return (
        f"The number of labelsets by how often they occur, as bars: {sets['singletons']:,} of {sets['distinct']:,} labelsets "
        f"occur in a single row, and {sets['rows_in_singletons']:.0%} of all rows are such rows."
    )


def _together(diagnosis: dict[str, Any]) -> str:
    pairs = diagnosis["dependence"]["pairs"]
    best = pairs["strongest_together"][:1]
    named = (
        f" The strongest pair is {best[0]['a']} and {best[0]['b']}, phi {best[0]['phi']:.2f}." if best else ""
    )
    return (
        "Heat map: the share of the rows with the label on the left that also have the label below; labels that occur together "
        f"are next to each other.{named}"
    )
