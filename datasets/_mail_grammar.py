"""The grammar (`design_emails.json`) and the random choices from which mails are generated."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

_SLOT = re.compile(r"\{([^{}]+)\}")

T = TypeVar("T")


class Dice:
    """The random choices of one mail.

    They use the raw output of PCG64, which NumPy keeps stable across versions; its distributions may change (NEP 19).
    """

    def __init__(self, *seed: int) -> None:
        self._bits = np.random.PCG64(list(seed))

    def uniform(self) -> float:
        """A uniform number in [0, 1)."""
        return (int(self._bits.random_raw()) >> 11) * 2.0**-53  # the upper 53 bits as a float64 in [0, 1)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.uniform() < probability

    def pick(self, options: list[T] | tuple[T, ...]) -> T:
        """One of the options, all equally likely."""
        return options[int(self.uniform() * len(options))]


class Mail(NamedTuple):
    """A generated text with its true labels and the labels that its (simulated) annotator gave it."""

    text: str
    meant: frozenset[str]  # the labels for which the text was written
    marked: frozenset[str]  # the labels in the data, annotation errors included


@lru_cache(maxsize=1)
def grammar() -> dict[str, list[str]]:
    """The alternatives of every symbol; a `{symbol}` inside an alternative is expanded in turn."""
    text = Path(__file__).with_name("design_emails.json").read_text(encoding="utf-8")
    content: dict[str, list[str]] = json.loads(text)
    return content


def expand(symbol: str, dice: Dice) -> str:
    """A random expansion of this symbol by the grammar."""
    return _SLOT.sub(lambda slot: expand(slot[1], dice), dice.pick(grammar()[symbol]))


def sentence(text: str) -> str:
    """The text with a capital first letter and a full stop at the end."""
    return text[0].upper() + text[1:] + ("" if text[-1] in "?!." else ".")


def mail(sentences: list[str], dice: Dice, quotation: Callable[[Dice], str] = lambda dice: "") -> str:
    """A mail: subject, blank line, greeting, possibly a quotation, the sentences in two paragraphs, closing."""
    cut = 1 + int(dice.uniform() * len(sentences))
    parts = [expand("subject", dice), expand("greeting", dice) if dice.chance(0.8) else ""]
    parts += [quotation(dice), " ".join(sentences[:cut]), " ".join(sentences[cut:])]
    if dice.chance(0.85):
        parts.append(f"{expand('closing', dice)}\n{expand('signature', dice)}")
    return "\n\n".join(part for part in parts if part)
