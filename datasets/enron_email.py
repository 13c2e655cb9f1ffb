"""1702 emails of the Enron corpus as text, labelled by students of UC Berkeley with 53 categories.

The categories are those of MULAN's `enron`, which holds the same emails as a bag of words.
"""

from __future__ import annotations

import email
import email.header
import hashlib
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path, PurePosixPath

import numpy as np

from equipoise.contracts.dataset import Dataset, DatasetSource
from equipoise.core.errors import EquipoiseError
from equipoise.readers.downloads import Pin, fetch

#: No hash of the original archive is known, so its content is checked instead (`_tree_sha256`).
PIN = Pin(
    "enron-email",
    "enron_with_categories.tar.gz",
    "http://bailando.sims.berkeley.edu/enron/enron_with_categories.tar.gz",
    None,
)
TREE = "0481d236aa86b7c739f4b8fb382147ae3f968700be7fb94826961c5e934aa9fa"
GROUPS = (1, 2, 3, 4)  # genre, included information, topic, emotional tone
_LIMIT = 256 * 2**20  # bytes; stops a decompression bomb (the real archive unpacks to 10 MB)
_CATEGORY = re.compile(r"^(\d+)\.(\d+)\s+(.+?)\s*$", re.MULTILINE)

Pair = tuple[int, int]


@dataclass(frozen=True)
class EnronEmail(DatasetSource):
    """The emails in the order of their message numbers.

    A row's text is the subject, a blank line, and the body with its forwarded and quoted parts (several categories
    are about those), decoded, with Unix line ends. The other headers are left out, because senders, recipients and
    folders separate the categories only in this company's mail. A label is on if at least one annotator chose it.
    """

    def load(self, data_dir: Path) -> Dataset:
        """Read from `data_dir/enron-email/`. Raises EquipoiseError on a missing or damaged archive."""
        path = fetch(PIN, data_dir)
        files = _unpacked(path)
        _check_tree(path, files)
        names = _category_names(files["categories.txt"].decode("ascii"))
        # An email is FOLDER/NUMBER.txt, and its categories are FOLDER/NUMBER.cats.
        mails = sorted((name for name in files if name.endswith(".txt") and "/" in name), key=_number)
        Y = np.zeros((len(mails), len(names)), dtype=np.uint8)
        columns = {pair: column for column, pair in enumerate(names)}
        for row, mail in enumerate(mails):
            Y[row, [columns[pair] for pair in _pairs(files[mail[:-4] + ".cats"])]] = 1
        return Dataset(
            name=self.name,
            X=np.array([_text(files[mail]) for mail in mails], dtype=object),
            Y=Y,
            labels=tuple(names.values()),
            source=PIN.url,
            terms="public Enron corpus with UC Berkeley's annotation; holds personal mail: do not quote it",
            citation="UC Berkeley Enron Email Analysis Project; Klimt & Yang 2004, The Enron corpus: a new dataset "
            "for email classification research, ECML, DOI 10.1007/978-3-540-30115-8_22",
            notes=("a row is subject and body; senders, recipients and folders are left out",),
        )


def _unpacked(path: Path) -> dict[str, bytes]:
    """The contents of the archive's regular files, by path below its top folder. Nothing is written to disk."""
    try:
        with tarfile.open(path, mode="r:gz") as archive:
            return dict(_members(path, archive))
    except (tarfile.TarError, zlib.error, EOFError, OSError) as problem:
        raise EquipoiseError(f"cannot read {path}: {problem}; delete it and get it from {PIN.url}") from None


def _members(path: Path, archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    total = 0
    for member in archive:
        total += member.size  # checked before the member is read
        if total > _LIMIT:
            raise EquipoiseError(f"{path} unpacks to more than {_LIMIT >> 20} MB: not the Enron archive")
        file = archive.extractfile(member) if member.isfile() else None
        if file is not None:
            yield "/".join(PurePosixPath(member.name).parts[1:]), file.read()


def _check_tree(path: Path, files: dict[str, bytes]) -> None:
    if (actual := _tree_sha256(files)) != TREE:
        raise EquipoiseError(
            f"{path} is damaged or another version: its files should have tree sha256 {TREE}, found {actual}; "
            f"delete it and get it from {PIN.url}"
        )


def _tree_sha256(files: dict[str, bytes]) -> str:
    """A hash of all files: sha256 of the sorted lines `enron_with_categories/PATH NUL sha256-of-the-file newline`."""
    lines = (f"enron_with_categories/{p}\0{hashlib.sha256(c).hexdigest()}\n" for p, c in files.items())
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def _category_names(text: str) -> dict[Pair, str]:
    """(group, category) → "3.1 regulations and regulators";
    a remark in brackets is dropped unless two names would be equal without it."""
    text = text.replace("(s)", "s").replace(" -- ", ": ")
    full = {(int(g), int(c)): words for g, c, words in _CATEGORY.findall(text) if int(g) in GROUPS}
    short = {pair: re.sub(r"\s*\(.*\)", "", words) for pair, words in full.items()}
    ambiguous = {words for words in short.values() if list(short.values()).count(words) > 1}
    words = {pair: full[pair] if short[pair] in ambiguous else short[pair] for pair in sorted(full)}
    return {(group, category): f"{group}.{category} {words[group, category]}" for group, category in words}


def _pairs(cats: bytes) -> set[Pair]:
    """The categories of groups 1–4 in a file of lines `group,category,count` (count: how many annotators)."""
    rows = [line.split(",") for line in cats.decode("ascii").split()]
    return {(int(group), int(category)) for group, category, _ in rows if int(group) in GROUPS}


def _number(name: str) -> int:
    return int(PurePosixPath(name).stem)


def _text(content: bytes) -> str:
    message = email.message_from_bytes(content)
    return f"{_subject(message)}\n\n{_body(message)}".strip()


def _subject(message: Message) -> str:
    header = str(email.header.make_header(email.header.decode_header(message.get("Subject", ""))))
    return " ".join(header.split())


def _body(message: Message) -> str:
    payload = message.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""  # a multipart message has no payload of its own
    return raw.decode("ascii", errors="replace").replace("\r\n", "\n").replace("\r", "\n")


sources: tuple[DatasetSource, ...] = (
    EnronEmail("enron-email", "1702 office emails as text, 53 categories of genre, content and tone"),
)
