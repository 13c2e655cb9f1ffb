"""The grammar generated mails are written from (`design_emails.json`), and the dice they are written with."""

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
    """Random choices of one mail. From raw PCG64 output, which NumPy keeps stable across versions (NEP 19)."""

    def __init__(self, *seed: int) -> None:
        self._bits = np.random.PCG64(list(seed))

    def uniform(self) -> float:
        return (int(self._bits.random_raw()) >> 11) * 2.0**-53

    def chance(self, probability: float) -> bool:
        return self.uniform() < probability

    def pick(self, options: list[T] | tuple[T, ...]) -> T:
        return options[int(self.uniform() * len(options))]


class Mail(NamedTuple):
    """A text, what it was written to say, and what its annotator made of it."""

    text: str
    meant: frozenset[str]
    marked: frozenset[str]


@lru_cache(maxsize=1)
def grammar() -> dict[str, list[str]]:
    """Every symbol with what it can become; `{symbol}` inside is expanded in turn."""
    text = Path(__file__).with_name("design_emails.json").read_text(encoding="utf-8")
    content: dict[str, list[str]] = json.loads(text)
    return content


def expand(symbol: str, dice: Dice) -> str:
    """A random sentence of the grammar from this symbol."""
    return _SLOT.sub(lambda slot: expand(slot[1], dice), dice.pick(grammar()[symbol]))


def sentence(text: str) -> str:
    """With a capital letter and a full stop."""
    return text[0].upper() + text[1:] + ("" if text[-1] in "?!." else ".")


def mail(sentences: list[str], dice: Dice, quotation: Callable[[Dice], str] = lambda dice: "") -> str:
    """Subject, blank line, greeting, perhaps a quotation, the sentences in two paragraphs, closing."""
    cut = 1 + int(dice.uniform() * len(sentences))
    parts = [expand("subject", dice), expand("greeting", dice) if dice.chance(0.8) else ""]
    parts += [quotation(dice), " ".join(sentences[:cut]), " ".join(sentences[cut:])]
    if dice.chance(0.85):
        parts.append(f"{expand('closing', dice)}\n{expand('signature', dice)}")
    return "\n\n".join(part for part in parts if part)
