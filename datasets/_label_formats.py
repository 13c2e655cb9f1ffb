"""Decides how the cells of a label column are read: lists, names between separators, <tags>, or one name a cell.

Where two readings are plausible, it raises an error with both and the option for each: a wrong guess gives wrong labels
without a word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from equipoise.core.errors import EquipoiseError
from equipoise.datasets._label_names import LabelFault, NotAList, is_list, items
from equipoise.datasets._literals import literal, looks_listed
from equipoise.readers.tables import name_list

LIST, SPLIT, WHOLE, BRACKETS = "list", "split", "whole", "tags"
#: Separators that are recognised. A comma also occurs within names.
SEPARATORS = ("\n", ";", "|", ",")
#: Separators that also occur within names, and so are asked about.
_DOUBTFUL = ("/", "\t", " ", "+", "&", ">", "#", "::")
_TAGS = re.compile(r"(?:\s*<[^<>]+>\s*)+")
_TAG = re.compile(r"<([^<>]+)>")
_QUOTED = re.compile(r"(['\"]).*\1", re.DOTALL)
_WRITTEN = {"\\n": "\n", "\\t": "\t", "tab": "\t"}
_SPELT = {"\n": "\\n", "\t": "\\t"}


@dataclass(frozen=True)
class LabelFormat:
    """How a cell is divided into names: one of LIST, SPLIT (at `separator`), WHOLE and BRACKETS."""

    kind: str
    separator: str = ""

    def items(self, cell: str) -> list[str]:
        """The names in a cell, in their order and with repetitions.

        Raises:
            LabelFault: the cell is not of this format.
        """
        if is_list(cell):
            return items(cell)
        if not (text := cell.strip()):
            return []
        if self.kind == LIST:
            return [] if text.lower() in ("none", "null", "nan") else _listed(text)
        if self.kind == BRACKETS:
            if not _TAGS.fullmatch(text):
                raise LabelFault(f"has {text!r:.60}, not tags in the form <a><b>")
            return [tag.strip() for tag in _TAG.findall(text)]
        if self.kind == SPLIT and self.separator:
            return [piece for part in text.split(self.separator) if (piece := part.strip())]
        return [text]

    @property
    def words(self) -> str:
        """The format in words, for a note."""
        if self.kind == SPLIT:
            return f"split at {self.separator!r}"
        return {LIST: "lists", BRACKETS: "tags in the form <a><b>"}.get(self.kind, "one label in each cell")


def label_format(where: str, cells: Sequence[str], kind: str, separator: str | None) -> LabelFormat:
    """The format of a column with these distinct cells.

    Args:
        where: file and column, for errors.
        kind: the user's choice, or "auto". separator: what the user says separates the names; None: detect it.

    Raises:
        EquipoiseError: there are two plausible readings.
    """
    filled = [cell for cell in cells if cell.strip()]
    if separator is not None:
        separator = _WRITTEN.get(separator, separator)
    if kind == SPLIT and not separator:
        raise EquipoiseError(f"label_format=split needs a separator: {_options(SPLIT, ';')}")
    if kind != "auto":
        return LabelFormat(kind, separator or "")
    # Before the separator that the user gives: the items of a list are not split again.
    texts = [cell for cell in filled if not is_list(cell)]
    if not texts or _all_listed(where, texts, separator):
        return LabelFormat(LIST)
    if separator is not None:
        return LabelFormat(SPLIT, separator) if separator else LabelFormat(WHOLE)
    if len(texts) < len(filled):  # lists, and names that stand alone
        if doubtful := _first(texts, lambda text: any(mark in text for mark in SEPARATORS)):
            raise EquipoiseError(
                f"{where} holds lists, and the text {doubtful!r:.40}: several names? {_options(SPLIT, ';')}; or one? "
                f"{_options(WHOLE)}"
            )
        return LabelFormat(LIST if all(map(looks_listed, texts)) else WHOLE)
    if any("><" in text for text in texts) and all(_TAGS.fullmatch(text) for text in texts):
        return LabelFormat(BRACKETS)
    _ask_about_marks(where, texts)
    return _separated(where, texts)


def spelt(separator: str) -> str:
    """A separator as it is written in an option."""
    return _SPELT.get(separator, separator)


def _listed(text: str) -> list[str]:
    """The items of a list in text, also of one whose names have no quotation marks: [a, b]."""
    try:
        return items(text)
    except NotAList:
        if not looks_listed(text) or "{" in text[1:] or '":' in text:
            raise
    return [piece.strip().strip("'\"") for piece in text[1:-1].split(",") if piece.strip()]


def _all_listed(where: str, texts: list[str], separator: str | None) -> bool:
    """Whether all texts are literals of lists or objects."""
    literals = sum(map(_is_literal, texts))
    gaps = sum(text.strip().lower() in ("none", "null", "nan") for text in texts)
    if not literals or literals + gaps == len(texts):
        return bool(literals)
    if separator:
        return False
    odd = next(text for text in texts if not _is_literal(text))
    raise EquipoiseError(
        f"{where}: most cells may be lists, such as {_first(texts, _is_literal)!r:.40}, but {odd!r:.40} is none: correct it, "
        f"or say how to read the column: {_options(LIST)} for lists, {_options(SPLIT, ';')} for names between separators"
    )


def _is_literal(text: str) -> bool:
    try:
        literal(text)
    except ValueError:
        return False
    return True


def _ask_about_marks(where: str, texts: list[str]) -> None:
    """Raise if all cells stand in brackets or quotation marks that may be part of the names or not."""
    if all(map(looks_listed, texts)):
        cell = max(texts, key=lambda text: text.count(","))
        raise _two_readings(
            where,
            cell,
            (f"a list ({_names(LabelFormat(LIST), cell)})", _options(LIST)),
            (f"names that keep their brackets ({_names(LabelFormat(WHOLE), cell)})", _options(WHOLE)),
        )
    separator = next((mark for mark in SEPARATORS if any(mark in text for text in texts)), "")
    # One at a time: all names of a large file at once would take several times its size.
    pieces = (piece for text in texts for piece in LabelFormat(SPLIT, separator).items(text))
    first = next(pieces, "")
    if all(len(piece) > 1 and _QUOTED.fullmatch(piece) for piece in chain([first], pieces)):
        raise EquipoiseError(
            f"{where}: every name stands in quotation marks, such as {first:.40}: remove them from the file, or say that "
            f"they are part of the names: {_options(SPLIT, separator) if separator else _options(WHOLE)}"
        )


def _separated(where: str, texts: list[str]) -> LabelFormat:
    """The format of names between separators, or of one name a cell."""
    used = [mark for mark in SEPARATORS if any(mark in text.strip() for text in texts)]
    if len(used) > 1:
        a, b = (LabelFormat(SPLIT, mark) for mark in used[:2])
        cell = _first(texts, lambda text: used[0] in text and used[1] in text) or _first(
            texts, lambda text: used[1] in text
        )
        raise _two_readings(where, cell, *(_reading(f, texts, cell) for f in (a, b)))
    if used and (used != [","] or _recombines(texts, ",") or _same_digits(texts, ",")):
        return LabelFormat(SPLIT, used[0])
    for mark in used or _DOUBTFUL:
        if _doubtful(texts, mark):
            cell = max(texts, key=lambda text: text.count(mark))
            both = LabelFormat(SPLIT, mark), LabelFormat(WHOLE)
            # Digits in equal numbers are no names.
            if _same_digits(texts, mark):
                return both[0]
            raise _two_readings(where, cell, *(_reading(f, texts, cell) for f in both))
    _ask_about_digits(where, texts)
    return LabelFormat(WHOLE)


def _doubtful(texts: list[str], mark: str) -> bool:
    """Whether names may be separated by this mark. Words stand between blanks in any case, so recurring words do not matter."""
    if mark in (" ", ","):
        return any(mark in text.strip() for text in texts)
    return _recombines(texts, mark)


def _recombines(texts: list[str], mark: str) -> bool:
    """Whether a name occurs in two different cells, one of which holds several."""
    cells = [set(LabelFormat(SPLIT, mark).items(text)) for text in texts]
    times = Counter(name for cell in cells for name in cell)
    return any(times[name] > 1 for cell in cells if len(cell) > 1 for name in cell)


def _same_digits(texts: list[str], mark: str) -> bool:
    split = [LabelFormat(SPLIT, mark).items(text) for text in texts]
    return len({len(cell) for cell in split}) == 1 and all(
        piece in ("0", "1") for cell in split for piece in cell
    )


def _ask_about_digits(where: str, texts: list[str]) -> None:
    """Raise if the cells are 0 and 1, digits such as 0110, or fractions: no names."""
    stripped = [text.strip() for text in texts]
    if set(stripped) <= {"0", "1", "0.0", "1.0", "true", "false", "True", "False"}:
        raise EquipoiseError(
            f"{where} holds only {name_list(sorted(set(stripped)))}: one 0/1 label (--labels COLUMN, or [labels=COLUMN]), or two "
            f"labels of these names ({_options(WHOLE)})"
        )
    if len({len(text) for text in stripped}) == 1 and all(set(text) <= {"0", "1"} for text in stripped):
        raise EquipoiseError(
            f"{where} holds digits such as {stripped[0]:.40}: a digit for each label (--label-format multi-hot, or "
            f"[label_format=multi-hot]), or one name each ({_options(WHOLE)})"
        )
    if any(re.fullmatch(r"0?\.\d*[1-9]\d*", text) for text in stripped):
        raise EquipoiseError(
            f"{where} holds fractions such as {_first(stripped, lambda t: '.' in t)}; a label is 0 or 1: write 1 where the value "
            "is at least 0.5 (or another threshold of yours) and 0 elsewhere, and give the column as --labels, or [labels=…]"
        )


def _reading(form: LabelFormat, texts: list[str], cell: str) -> tuple[str, str]:
    """What a format makes of the column, and the options for it."""
    count = len({name for text in texts for name in form.items(text)})
    what = "one label each" if form.kind == WHOLE else f"split at {form.separator!r}"
    return f"{what} ({_names(form, cell)}; {count} labels in all)", _options(form.kind, form.separator)


def _two_readings(where: str, cell: str, one: tuple[str, str], two: tuple[str, str]) -> EquipoiseError:
    return EquipoiseError(
        f"{where} can be read in two ways, as its cell {cell.strip()!r:.50} shows. Choose: {one[0]}: {one[1]}; or {two[0]}: "
        f"{two[1]}"
    )


def _names(form: LabelFormat, cell: str) -> str:
    return " and ".join(f"{name!r:.30}" for name in form.items(cell)[:3])


def _options(kind: str, separator: str = "") -> str:
    """An option in both spellings."""
    if kind == SPLIT:
        return f"--separator '{spelt(separator)}' (or [separator='{spelt(separator)}'])"
    return f"--label-format {kind} (or [label_format={kind}])"


def _first(texts: list[str], test: Callable[[str], bool]) -> str:
    return next((text.strip() for text in texts if test(text)), "")
