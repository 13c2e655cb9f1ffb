"""Feature extractors, fitted on training rows only: TF-IDF, standardised numbers, tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
import torch

from equipoise.contracts import analyzer as analyzers
from equipoise.core.errors import EquipoiseError
from equipoise.core.seeds import stream
from equipoise.ops.inputs import Dense, Inputs, Sparse, Tokens


class Features(Protocol):
    """Fit on training rows, then transform any rows to inputs on the CPU."""

    def fit(self, X: Any, nominal: np.ndarray | None = None) -> Features: ...

    def transform(self, X: Any) -> Inputs: ...


@dataclass
class TfIdf:
    """TF-IDF of single words, or of 1 to 4 characters (scikit-learn's TfidfVectorizer, sublinear counts), kept sparse.

    Args:
        max_features: the most frequent words that are kept; None: all.
        min_df: rows a word must occur in.
        analyzer: "word"; "char": n-grams of characters that do not cross a space; "auto": see `contracts.analyzer`.
    """

    max_features: int | None = 5000
    min_df: int = 2
    analyzer: str = "auto"
    _by_character: bool = field(default=False, repr=False)
    _vectorizer: Any = field(default=None, repr=False)

    @property
    def note(self) -> str:
        """What is unusual about the fitted features, in words."""
        return (
            f"n-grams of {' to '.join(map(str, analyzers.NGRAMS))} characters" if self._by_character else ""
        )

    def fit(self, X: Any, nominal: np.ndarray | None = None) -> TfIdf:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._by_character = analyzers.decided(self.analyzer, X) == "char"
        units = {"analyzer": "char_wb", "ngram_range": analyzers.NGRAMS} if self._by_character else {}
        for min_df in (self.min_df, 1):
            self._vectorizer = TfidfVectorizer(
                max_features=self.max_features, min_df=min_df, sublinear_tf=True, dtype=np.float32, **units
            )
            try:
                self._vectorizer.fit(X)
                return self
            except ValueError:
                continue
        raise EquipoiseError("the training texts hold no words of two letters or more")

    def transform(self, X: Any) -> Inputs:
        return Sparse.of(self._vectorizer.transform(X))


@dataclass
class Standardised:
    """Numbers: dense columns to mean 0 and variance 1, sparse ones divided by their largest absolute value.

    A nominal column with three or more codes becomes one 0/1 column a code; a code unseen in training becomes zeros.
    After `fit`, `nominal` says which of the columns that come out are categories, as `Rows.nominal` does.

    Args:
        unit: divide all by one number, so that the rows it is fitted on have a mean square length of 1, as TF-IDF rows have: a
            penalty on a linear model's weights then means the same for any number of columns.
    """

    unit: bool = False
    nominal: np.ndarray | None = field(default=None, init=False, repr=False)
    _scaler: Any = field(default=None, repr=False)
    _length: float = field(default=1.0, repr=False)
    _encoder: Any = field(default=None, repr=False)
    _coded: Any = field(default=None, repr=False)

    def fit(self, X: Any, nominal: np.ndarray | None = None) -> Standardised:
        if sp.issparse(X):
            from sklearn.preprocessing import MaxAbsScaler

            self._scaler = MaxAbsScaler().fit(X)
            self.nominal = nominal
            if self.unit:
                self._length = _length(self._scaler.transform(X).power(2).sum(1))
            return self
        many = (
            [c for c in np.flatnonzero(nominal) if len(np.unique(X[:, c])) > 2] if nominal is not None else []
        )
        self._coded = np.isin(np.arange(X.shape[1]), many)
        if self._coded.any():
            from sklearn.preprocessing import OneHotEncoder

            self._encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)
            self._encoder.fit(X[:, self._coded])
        self._scaler = _Scaler.of(self._columns(X).astype(np.float64))
        if self.unit:
            self._length = _length(
                np.square(self._scaler.transform(self._columns(X).astype(np.float64))).sum(1)
            )
        self.nominal = None if nominal is None else self._categories(nominal)
        return self

    def transform(self, X: Any) -> Inputs:
        if sp.issparse(X):
            return Sparse.of(self._scaler.transform(X) / self._length)
        scaled = self._scaler.transform(self._columns(X).astype(np.float64))
        return Dense.of(scaled / self._length)

    def _categories(self, nominal: np.ndarray) -> np.ndarray:
        """Number the categories among the columns that `transform` gives: 0 a quantity, one-hot columns share a number."""
        single = nominal[~self._coded].astype(np.int64)
        single *= np.cumsum(single)
        widths = [len(codes) for codes in self._encoder.categories_] if self._encoder is not None else []
        return np.concatenate([single, single.max(initial=0) + 1 + np.repeat(np.arange(len(widths)), widths)])

    def _columns(self, X: np.ndarray) -> np.ndarray:
        if self._encoder is None:
            return X
        return np.hstack([X[:, ~self._coded], self._encoder.transform(X[:, self._coded])])


def _length(squares: Any) -> float:
    """The root of the mean of the rows' squared lengths, 1 where it would be 0."""
    return float(np.sqrt(np.mean(squares))) or 1.0


@dataclass(frozen=True)
class _Scaler:
    """Columns to mean 0 and variance 1, as scikit-learn's StandardScaler, whose import takes as long as a short sweep.

    A column that is constant but for rounding is only moved.
    """

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray) -> _Scaler:
        mean, variance, eps = X.mean(0), X.var(0), np.finfo(X.dtype).eps
        constant = variance <= len(X) * eps * variance + (len(X) * mean * eps) ** 2
        return cls(mean, np.where(constant, 1.0, np.sqrt(variance)))

    def transform(self, X: np.ndarray) -> np.ndarray:
        out: np.ndarray = (X - self.mean) / self.deviation
        return out


@dataclass
class TokenIds:
    """Lower-cased words as numbers: 0 padding, 1 unknown, 2… the most frequent words of the training rows.

    Where the script writes no spaces, overlapping pairs of characters take the place of words.

    Args:
        max_tokens: words of a text that are kept, from its start.
        max_words: size of the vocabulary.
        min_count: how often a word must occur to be in it.
        analyzer: "word"; "char": pairs of characters; "auto": see `contracts.analyzer`.
        vectors: where pretrained vectors of the words come from; None: there are none.
    """

    max_tokens: int = 96
    max_words: int = 5000
    min_count: int = 2
    analyzer: str = "auto"
    vectors: Vectors | None = None
    _by_character: bool = field(default=False, repr=False)
    _vocabulary: dict[str, int] = field(default_factory=dict, repr=False)
    _table: torch.Tensor | None = field(default=None, repr=False)
    _share: float = field(default=0.0, repr=False)

    @property
    def note(self) -> str:
        """What is unusual about the fitted features, in words."""
        notes = ["pairs of characters"] if self._by_character else []
        if self._table is not None:
            notes.append(f"pretrained vectors for {self._share:.0%} of the vocabulary")
        return "; ".join(notes)

    def fit(self, X: Any, nominal: np.ndarray | None = None) -> TokenIds:
        self._by_character = analyzers.decided(self.analyzer, X) == "char"
        counts = Counter(word for text in X for word in self._tokens(text))
        often = sorted((w for w, c in counts.items() if c >= self.min_count), key=lambda w: (-counts[w], w))
        self._vocabulary = {word: i for i, word in enumerate(often[: self.max_words], start=2)}
        if self.vectors is not None:
            known = self.vectors.of(self._vocabulary)
            if not known:
                raise EquipoiseError(
                    f"none of the {len(self._vocabulary)} words of the training texts has a pretrained vector"
                )
            self._table = torch.from_numpy(_embeddings(self._vocabulary, known))
            self._share = len(known) / len(self._vocabulary)
        return self

    def transform(self, X: Any) -> Inputs:
        texts = [
            [self._vocabulary.get(w, 1) for w in self._tokens(text)[: self.max_tokens]] or [1] for text in X
        ]
        ids = np.zeros((len(texts), max((len(t) for t in texts), default=1)), dtype=np.int64)
        for row, text in zip(ids, texts, strict=True):
            row[: len(text)] = text
        lengths = np.array([len(t) for t in texts], dtype=np.int64)
        width = len(self._vocabulary) + 2
        return Tokens(torch.from_numpy(ids), torch.from_numpy(lengths), width, self._table)

    def _tokens(self, text: str) -> list[str]:
        return analyzers.character_pairs(text) if self._by_character else analyzers.words(text)


class Vectors(Protocol):
    """Pretrained word vectors."""

    def of(self, wanted: Collection[str]) -> Mapping[str, np.ndarray]:
        """The vectors (d,) of those words that have one."""
        ...


#: Spread of the vector of a word without a pretrained one, as a share of the spread of those there are.
_SPREAD = 0.25


def _embeddings(vocabulary: Mapping[str, int], known: Mapping[str, np.ndarray]) -> np.ndarray:
    """(2 + words, d) float32: zeros for padding, the pretrained vectors, small random ones for the others.

    These come from a stream named by the word: a word has one vector in all folds, splits and lanes, under every strategy.
    """
    found = np.stack(list(known.values()))
    spread = _SPREAD * float(found.std())
    table = np.zeros((len(vocabulary) + 2, found.shape[1]), dtype=np.float32)
    for word, i in {"": 1, **vocabulary}.items():
        own = known.get(word)
        table[i] = stream("word vector", word).normal(0.0, spread, len(table[i])) if own is None else own
    return table
