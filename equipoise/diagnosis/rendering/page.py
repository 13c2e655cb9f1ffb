"""The diagnosis as one self-contained HTML page: it includes its style and pictures, and loads nothing from elsewhere.

The page is built from plain strings with every value escaped. It is one column of headings, lists, tables and pictures,
which does not justify a template language as a dependency.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from equipoise.contracts.dataset import Dataset
from equipoise.diagnosis.rendering.console import MEASURES, number
from equipoise.diagnosis.rendering.figures import Picture, pictures_of
from equipoise.diagnosis.rendering.style import STYLE
from equipoise.diagnosis.sections.pairs import LEVEL

PAIRS_SHOWN = 15
WORDY = ("and", "group", "third", "strongest other label")  # headings of the columns that hold words


def page(data: Dataset, diagnosis: dict[str, Any]) -> str:
    """The HTML of the whole page."""
    name = diagnosis["dataset"]["name"]
    body = "\n".join(
        [
            f"<h1>Diagnosis of {escape(name)}</h1>",
            _about(diagnosis),
            _section("summary", "In short", _list(diagnosis["in_short"], "key")),
            _section("numbers", "The numbers", _numbers(diagnosis)),
            _section("pictures", "The pictures", "".join(map(_picture, pictures_of(data, diagnosis)))),
            _section("dependence", "How dependent are the labels?", _dependence(diagnosis["dependence"])),
            _section("health", "What is wrong with the data?", _health(diagnosis["health"])),
            _section("advice", "What is worth trying?", _advice(diagnosis["advice"])),
        ]
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Diagnosis of {escape(name)}</title>\n<style>\n{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _section(anchor: str, heading: str, content: str) -> str:
    return f'<section aria-labelledby="{anchor}">\n<h2 id="{anchor}">{escape(heading)}</h2>\n{content}\n</section>'


def _list(lines: Iterable[str], kind: str = "") -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<ul class="{kind}">{items}</ul>' if items else ""


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """An HTML table. The first column names the row; the others hold numbers (right-aligned, unbroken) or words."""
    kinds = [' class="words"' if title in WORDY else "" for title in head]
    titles = "".join(f'<th scope="col"{k}>{escape(t)}</th>' for k, t in zip(kinds, head, strict=True))
    # tabindex and role let a keyboard scroll a table that is wider than the screen.
    lines = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(map(_cell, cells))}</tr>\n'
        for first, *cells in rows
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}"><table><caption>{escape(caption)}'
        f"</caption>\n<thead><tr>{titles}</tr></thead>\n<tbody>\n{lines}</tbody></table></div>"
    )


def _cell(content: str) -> str:
    # A letter makes a cell a word, except for the exponent of a number such as 1e-05.
    kind = ' class="words"' if any(map(str.isalpha, content.replace("e-", "").replace("e+", ""))) else ""
    return f"<td{kind}>{escape(content)}</td>"


def _more(words: str, content: str) -> str:
    """Content that is hidden until the reader opens it."""
    return f"<details><summary>{escape(words)}</summary>\n{content}\n</details>"


def _about(diagnosis: dict[str, Any]) -> str:
    about = diagnosis["dataset"]
    generated = '<p class="warn">These data are generated, not real.</p>' if about["generated"] else ""
    facts = f"{about['rows']:,} rows of {'text' if about['kind'] == 'text' else 'numbers'}, {about['labels']} labels."
    return f"{generated}<p>{escape(facts)}</p>{_list(about['notes'], 'quiet')}"


def _numbers(diagnosis: dict[str, Any]) -> str:
    numbers = diagnosis["numbers"]
    cells = [(words, number(numbers[key])) for key, words in MEASURES.items() if key in numbers]
    labels = sorted(diagnosis["labels"], key=lambda label: -label["rows"])
    rows = [
        (
            label["label"],
            f"{label['rows']:,}",
            f"{label['share']:.2%}",
            number(label["irlbl"]),
            label["group"],
            label["third"],
        )
        for label in labels
    ]
    table = _table("Labels by frequency", ("label", "rows", "share", "IRLbl", "group", "third"), rows)
    return (
        _table("Measures of the labels", ("measure", "value"), cells)
        + f'<p class="quiet">{escape(numbers["zero_positive_rule"])}</p>'
        # Long tables start folded.
        + (table if len(labels) <= 12 else _more(f"All {len(labels)} labels", table))
    )


def _picture(picture: Picture) -> str:
    # Width and height let the browser lay out the page before it has decoded the picture.
    content = base64.b64encode(picture.png).decode("ascii")
    return (
        f'<figure><img src="data:image/png;base64,{content}" width="{picture.width}" height="{picture.height}" '
        f'alt="{escape(picture.alt)}"><figcaption>{escape(picture.alt)}</figcaption></figure>\n'
    )


def _dependence(dependence: dict[str, Any]) -> str:
    pairs, conditional = dependence["pairs"], dependence["conditional"]
    parts = [_list(dependence["words"])]
    for key, words in (
        ("strongest_together", "occur together more often than by chance"),
        ("strongest_apart", "occur together less often than by chance"),
    ):
        if pairs[key]:
            parts.append(
                _pairs(
                    pairs[key],
                    f"Pairs that {words}, strongest first (p < {LEVEL:g} after Holm; shared bits: mutual information)",
                )
            )
    if conditional["tested"]:
        parts.append(_more("Every label, predicted with and without the others", _conditional(conditional)))
    return "".join(parts)


def _pairs(pairs: list[dict[str, Any]], caption: str) -> str:
    rows = [
        (
            pair["a"],
            pair["b"],
            f"{pair['rows']:,}",
            f"{pair['lift']:.2f}",
            _signed(pair["phi"], 2),
            f"{pair['mutual_information_bits']:.3f}",
            "< 1e-300" if pair["p_holm"] == 0 else f"{pair['p_holm']:.2g}",  # too small for a float64
        )
        for pair in pairs[:PAIRS_SHOWN]
    ]
    return _table(caption, ("label", "and", "rows with both", "lift", "phi", "shared bits", "p, Holm"), rows)


def _conditional(conditional: dict[str, Any]) -> str:
    ordered = sorted(conditional["per_label"], key=lambda label: -label["gain_true"]["bits"])
    rows = [
        (
            label["label"],
            f"{label['positives']:,}",
            f"{label['input_bits']:.3f}",
            _interval(label["gain_predicted"]),
            _interval(label["gain_true"]),
            f"{label['tells_most']} ({label['tells']})",
        )
        for label in ordered
    ]
    head = (
        "label",
        "rows",
        "log-loss, input only",
        "saved by predicted others",
        "saved by known others",
        "strongest other label",
    )
    caption = "Log-loss in bits per row of cross-validated logistic models, with 95 % intervals over folds"
    return _table(caption, head, rows) + f'<p class="quiet">{escape(conditional["sample"])}.</p>'


def _interval(gain: dict[str, float]) -> str:
    return f"{_signed(gain['bits'], 3)} [{_signed(gain['low'], 3)}, {_signed(gain['high'], 3)}]"


def _signed(value: float, digits: int) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")  # a minus sign is as wide as a plus; a hyphen is not


def _health(health: dict[str, Any]) -> str:
    fine = "; ".join(health["fine"])
    words = health["text_words"]
    length = (
        f"<p>Words per text: median {words['median']:,.0f}, quartiles {words['quarter']:,.0f} and "
        f"{words['three_quarters']:,.0f}, maximum {words['most']:,.0f}.</p>"
        if words
        else ""
    )
    return (
        (_list(health["problems"], "problems") or "<p>No problem was found.</p>")
        + length
        + (f'<p class="quiet">Checked and fine: {escape(fine)}. Rows are counted from 0.</p>' if fine else "")
    )


def _advice(advice: dict[str, Any]) -> str:
    items = "".join(
        f"<li><strong>{'Try' if item['worth'] == 'try' else 'Skip'} {escape(', '.join(item['strategies']))}</strong>: "
        f"{escape(item['why'])}.</li>"
        for item in advice["items"]
    )
    return (
        f'<p class="warn">{escape(advice["guess"])}</p><ul>{items}</ul><p>To measure it:</p>'
        f'<pre tabindex="0"><code>{escape(advice["command"])}</code></pre>'
    )
