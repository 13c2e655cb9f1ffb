"""Splits texts into words, or into characters where the script writes no spaces between words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

#: The values of a backbone's `analyzer`. "auto" chooses by the training texts.
ANALYZERS = ("auto", "word", "char")
#: Lengths of the character n-grams of TF-IDF. Single characters carry meaning in Chinese and Japanese, and Thai words are long:
#: on 200 generated texts in each language, lengths 1 to 4 reach a mAP of .98 to 1.00, lengths 2 to 4 one of .83 to 1.00.
NGRAMS = (1, 4)

# Whole blocks, because vowel signs and tone marks are no word characters (\w) in Python.
_EAST_ASIAN = "\u3005\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
_SOUTH_EAST_ASIAN = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\uaa60-\uaa7f"
_WORD = re.compile(r"\w+")
_RUN = re.compile(rf"[\w{_EAST_ASIAN}{_SOUTH_EAST_ASIAN}]+")
_UNSPACED = re.compile(rf"[{_EAST_ASIAN}{_SOUTH_EAST_ASIAN}]+")
_LONG = re.compile(rf"[{_SOUTH_EAST_ASIAN}]")

#: "auto" reads at most so many texts, and so many characters of each.
_SAMPLE, _CHARACTERS = 300, 1000
#: "char" needs at least this share of characters from scripts without spaces.
_SHARE = 0.3
#: Characters of a usual word: one or two in Chinese and Japanese, four or five in Thai, Lao, Khmer and Burmese.
_SHORT_WORD, _LONG_WORD = 2, 5
#: "char" needs runs of characters that hold this many usual words on average; text that is segmented into words has one per run.
_WORDS_IN_A_RUN = 1.5
#: Words "hardly repeat" if this share of them occurs once, among at least so many words. In English texts of that length, fewer
#: than .6 occur once.
_ONCE, _ENOUGH = 0.9, 200


def words(text: str) -> list[str]:
    """Lower-cased words."""
    return _WORD.findall(text.lower())


def character_pairs(text: str) -> list[str]:
    """Lower-cased, overlapping pairs of neighbouring characters; a single character stands for itself."""
    runs = _RUN.findall(text.lower())
    return [run[i : i + 2] for run in runs for i in range(max(len(run) - 1, 1))]


def decided(analyzer: str, texts: Sequence[Any]) -> str:
    """The analyzer to use, "word" or "char"; for "auto", the one that suits the training texts."""
    return analyzer if analyzer != "auto" else "char" if words_hardly_repeat(texts) else "word"


def words_hardly_repeat(texts: Sequence[Any]) -> bool:
    """Whether the pieces between spaces and punctuation hardly ever occur twice, so that they are useless as features.

    That is so if many letters belong to a script without spaces and the texts are not segmented into words, and if nine words
    in ten occur once.
    """
    # Evenly spaced texts instead of random ones: the answer is deterministic.
    indices = np.unique(np.linspace(0, len(texts) - 1, min(len(texts), _SAMPLE)).astype(np.int64))
    sample = [str(texts[i])[:_CHARACTERS] for i in indices]
    return _lacks_spaces(sample) or _occur_once(sample)


def _lacks_spaces(texts: Sequence[str]) -> bool:
    """Whether scripts without spaces are common in the texts and their runs of characters are longer than words."""
    runs = [run for text in texts if not text.isascii() for run in _UNSPACED.findall(text)]
    letters = sum(map(len, runs))
    visible = sum(len(piece) for text in texts for piece in text.split())
    if not runs or letters < _SHARE * visible:
        return False
    long = sum(len(_LONG.findall(run)) for run in runs)
    usual_words = (letters - long) / _SHORT_WORD + long / _LONG_WORD
    return usual_words > _WORDS_IN_A_RUN * len(runs)


def _occur_once(texts: Sequence[str]) -> bool:
    """Whether nearly all words occur once; False for too few words to tell."""
    counts = Counter(word for text in texts for word in words(text))
    total = sum(counts.values())
    return total >= _ENOUGH and sum(count == 1 for count in counts.values()) >= _ONCE * total
