"""Reuters-21578, distribution 1.0, in the split ModApte-90: news stories of 1987 with the topics assigned by indexers.

A story belongs to the training part when LEWISSPLIT="TRAIN" and TOPICS="YES", to the test part when LEWISSPLIT="TEST"
and TOPICS="YES" (section VIII.B of the collection's README). The labels are the 90 topics that have a story in both
parts, and the rows are the stories with at least one of those labels: 7770 and 3019.

ApteMod, the edition that NLTK and others distribute, has 7769 training stories. Which one it lacks is not documented, but
the choice can be narrowed down. The story has a single label, because ApteMod counts 13,328 labels instead of 13,329. That
label is `trade` (485 stories, not 486). The 6769 training rows published by Huang et al. 2021 (DOI
10.18653/v1/2021.emnlp-main.643; their label counts have the quartiles 5, 17.5 and 59.75 and sum to 8338) leave three
candidates: 1656, 1675 and 1680. The choice among them does not change the first three digits of a score;
`split="huang2021"` leaves out 1656.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipoise.contracts.dataset import DEV, TEST, TRAIN, Dataset, DatasetSource
from equipoise.core.errors import EquipoiseError, unknown
from equipoise.datasets._pins import pins
from equipoise.readers.downloads import fetch

SPLITS = ("modapte", "huang2021")
NOT_IN_APTEMOD = 1656
_DEV_ROWS, _DEV_SEED = 1000, 123  # as in Huang et al. 2021
AGENCY = "reuter"  # the last word of most stories, a signature that says nothing about the topic
_STORY = re.compile(r"<REUTERS (.*?)>(.*?)</REUTERS>", re.DOTALL)
_ATTRIBUTE = re.compile(r'(\w+)="(.*?)"')
_TOPICS = re.compile(r"<TOPICS>(.*?)</TOPICS>", re.DOTALL)
_TEXT = re.compile(r"<TEXT.*?>(.*)</TEXT>", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SIGNED = re.compile(rf"\b{AGENCY}$", re.IGNORECASE)


class Story(NamedTuple):
    """A story of the collection: its number (NEWID), its part (TRAIN or TEST), its topics and its text."""

    number: int
    part: int
    topics: frozenset[str]
    text: str


@dataclass(frozen=True)
class Reuters(DatasetSource):
    """The training stories, then the test stories, each in the order of their numbers (NEWID).

    A row's text is the title, a blank line, and the body, without place, date and the agency's name at the end.
    Option `split`: "modapte" (7770/3019) or "huang2021", the 6769/1000/3019 of Huang et al. 2021: the 7769 training
    stories of ApteMod, 1000 of them as development rows, drawn as scikit-learn's `train_test_split` with seed 123 does.
    """

    split: str = "modapte"

    def load(self, data_dir: Path) -> Dataset:
        """Read from `data_dir/reuters-21578/`, downloading what is missing. Raises EquipoiseError (see `fetch`)."""
        if self.split not in SPLITS:
            raise unknown(f"split of {self.name}:", self.split, SPLITS)
        stories = [story for pin in pins(self.name) for story in _stories(fetch(pin, data_dir))]
        labels = _labels(stories)
        left_out = {NOT_IN_APTEMOD} if self.split == "huang2021" else set()
        rows = sorted(s for s in stories if s.topics & set(labels) and s.number not in left_out)
        rows.sort(key=lambda story: story.part)  # a stable sort: the order by number is kept within each part
        Y = np.array([[label in story.topics for label in labels] for story in rows], dtype=np.uint8)
        official = np.array([story.part for story in rows], dtype=np.int8)
        if self.split == "huang2021":
            official[_dev_rows(int((official == TRAIN).sum()))] = DEV
        return Dataset(
            name=self.name,
            X=np.array([story.text for story in rows], dtype=object),
            Y=Y,
            labels=labels,
            source="Reuters-21578, Distribution 1.0 (http://kdd.ics.uci.edu/databases/reuters21578/reuters21578.html)",
            terms="free for research only; the copyright of the stories is Reuters' and Carnegie Group's: see the "
            "collection's README.txt",
            citation="Lewis 1997, Reuters-21578 text categorization test collection, Distribution 1.0; Apté, Damerau & "
            "Weiss 1994, Automated learning of decision rules for text categorization, DOI 10.1145/183422.183423",
            notes=(f"the split {self.split!r} is carried in `official`", "a row is title and body"),
            official=official,
        )


def _labels(stories: list[Story]) -> tuple[str, ...]:
    """The topics that have a story in both parts, in alphabetical order."""
    counts = {
        part: Counter(topic for s in stories if s.part == part for topic in s.topics)
        for part in (TRAIN, TEST)
    }
    return tuple(sorted(counts[TRAIN].keys() & counts[TEST].keys()))


def _dev_rows(train_rows: int) -> NDArray[np.int64]:
    """The rows that scikit-learn's `train_test_split(..., test_size=1000, random_state=123)` holds out.

    It shuffles with NumPy's legacy generator, whose stream is frozen, so the rows never change.
    """
    return np.asarray(np.random.RandomState(_DEV_SEED).permutation(train_rows)[:_DEV_ROWS], dtype=np.int64)


def _stories(path: Path) -> Iterator[Story]:
    """The stories of the ModApte split in one SGML file."""
    content = path.read_bytes().decode("latin-1")  # a few stories hold bytes that are not ASCII
    elements = _STORY.findall(content)
    if not elements:
        raise EquipoiseError(f"{path} holds no story")
    for head, body in elements:
        attributes = dict(_ATTRIBUTE.findall(head))
        part = {"TRAIN": TRAIN, "TEST": TEST}.get(attributes.get("LEWISSPLIT", ""))
        if part is None or attributes.get("TOPICS") != "YES":
            continue
        topics = re.findall(r"<D>(.*?)</D>", _inside(_TOPICS, body))
        yield Story(int(attributes["NEWID"]), part, frozenset(topics), _plain(_inside(_TEXT, body)))


def _inside(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[1] if match else ""


def _plain(text: str) -> str:
    """Title and body, or the whole text of a story that has neither. Control characters are dropped."""
    parts = [_element(text, "TITLE"), _element(text, "BODY")]
    chosen = "\n\n".join(part for part in parts if part) or re.sub(r"<.*?>", " ", text)
    clean = html.unescape(re.sub(r"&#\d+;", " ", chosen))
    plain = _CONTROL.sub("", clean).strip()
    return plain[: -len(AGENCY)].rstrip() if _SIGNED.search(plain, len(plain) - len(AGENCY) - 1) else plain


def _element(text: str, tag: str) -> str:
    return _inside(re.compile(rf"<{tag}>(.*?)</{tag}>", re.DOTALL), text).strip()


sources: tuple[DatasetSource, ...] = (
    Reuters("reuters-21578", "news stories of 1987 as text, 90 topics (ModApte), official split"),
)
