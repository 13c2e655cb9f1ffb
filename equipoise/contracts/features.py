"""Feature extractors: TF-IDF, standardised numbers and tokens. They are fitted on training rows only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import scipy.sparse as sp
import torch

from equipoise.contracts import analyzer as analyzers
from equipoise.core.errors import EquipoiseError
from equipoise.core.lazy import lazy
from equipoise.core.seeds import stream
from equipoise.ops.inputs import Dense, Inputs, Sparse, Tokens

if TYPE_CHECKING:
    from sklearn import preprocessing
    from sklearn.feature_extraction import text as sklearn_text
else:
    # Importing scikit-learn takes as long as a short sweep, and tables of numbers need none of it.
    preprocessing, sklearn_text = lazy("sklearn.preprocessing"), lazy("sklearn.feature_extraction.text")


class Features(Protocol):
    """A feature extractor: `fit` on training rows, then `transform` any rows to inputs on the CPU."""

    def fit(self, X: Any, nominal: np.ndarray | None = None) -> Features: ...

    def transform(self, X: Any) -> Inputs: ...


@dataclass
class TfIdf:
    """TF-IDF of single words, or of 1 to 4 characters (scikit-learn's TfidfVectorizer, sublinear counts), kept sparse.

    Args:
        max_features: how many of the most frequent words to keep; None for all.
        min_df: the number of rows in which a word must occur.
        analyzer: "word"; "char" for n-grams of characters that do not cross a space; "auto", see `contracts.analyzer`.
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

        self._by_character = analyzers.decided(self.analyzer, X) == "char"
        units = {"analyzer": "char_wb", "ngram_range": analyzers.NGRAMS} if self._by_character else {}
        # In a few short texts no word may occur twice; then words that occur once have to do.
        for min_df in (self.min_df, 1):
            self._vectorizer = sklearn_text.TfidfVectorizer(
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
    """Scales numbers: dense columns to mean 0 and variance 1, sparse ones by their largest absolute value.

    A nominal column with three or more codes becomes one 0/1 column a code; a code unseen in training becomes zeros. After
    `fit`, `nominal` says which of the new columns are categories, as in `Rows.nominal`.

    Args:
        unit: divide all columns by one number, so that the training rows have a mean square length of 1, as TF-IDF rows have.
            A penalty on a linear model's weights then has the same strength for any number of columns.
    """

    unit: bool = False
    nominal: np.ndarray | None = field(default=None, init=False, repr=False)
    _scaler: Any = field(default=None, repr=False)
    _length: float = field(default=1.0, repr=False)
    _encoder: Any = field(default=None, repr=False)
    _coded: Any = field(default=None, repr=False)

    def fit(self, X: Any, nominal: np.ndarray | None = None) -> Standardised:
        if sp.issparse(X):
            # Subtracting the mean would make the matrix dense.
            self._scaler = preprocessing.MaxAbsScaler().fit(X)
            self.nominal = nominal
            if self.unit:
                self._length = _length(self._scaler.transform(X).power(2).sum(1))
            return self
        multiple = (
            [c for c in np.flatnonzero(nominal) if len(np.unique(X[:, c])) > 2] if nominal is not None else []
        )
        self._coded = np.isin(np.arange(X.shape[1]), multiple)
        if self._coded.any():
            self._encoder = preprocessing.OneHotEncoder(
                handle_unknown="ignore", sparse_output=False, dtype=np.float32
            )
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
        """The kind of each column that `transform` gives: 0 for a quantity; columns of one nominal column share a number."""
        single = nominal[~self._coded].astype(np.int64)
        single *= np.cumsum(single)
        widths = [len(codes) for codes in self._encoder.categories_] if self._encoder is not None else []
        return np.concatenate([single, single.max(initial=0) + 1 + np.repeat(np.arange(len(widths)), widths)])

    def _columns(self, X: np.ndarray) -> np.ndarray:
        if self._encoder is None:
            return X
        return np.hstack([X[:, ~self._coded], self._encoder.transform(X[:, self._coded])])


def _length(squares: Any) -> float:
    """The root mean square length of rows from their squared lengths; 1 instead of 0, since it is a divisor."""
    return float(np.sqrt(np.mean(squares))) or 1.0


@dataclass(frozen=True)
class _Scaler:
    """Scales columns to mean 0 and variance 1, as scikit-learn's StandardScaler, without importing scikit-learn.

    A column that is constant up to rounding is only shifted.
    """

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray) -> _Scaler:
        mean, variance, eps = X.mean(0), X.var(0), np.finfo(X.dtype).eps
        # An upper bound of the rounding error of the variance of a constant column.
        constant = variance <= len(X) * eps * variance + (len(X) * mean * eps) ** 2
        return cls(mean, np.where(constant, 1.0, np.sqrt(variance)))

    def transform(self, X: np.ndarray) -> np.ndarray:
        out: np.ndarray = (X - self.mean) / self.deviation
        return out


@dataclass
class TokenIds:
    """Lower-cased words as numbers: 0 for padding, 1 for unknown words, 2… for the most frequent words of the training rows.

    In scripts without spaces, overlapping pairs of characters take the place of words.

    Args:
        max_tokens: how many words of a text to keep, from its start.
        max_words: the size of the vocabulary.
        min_count: how often a word must occur to enter the vocabulary.
        analyzer: "word"; "char" for pairs of characters; "auto", see `contracts.analyzer`.
        vectors: the source of pretrained vectors of the words; None for none.
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
        # Equally frequent words are in alphabetical order, so that the vocabulary does not depend on the order of rows.
        frequent = sorted(
            (w for w, c in counts.items() if c >= self.min_count), key=lambda w: (-counts[w], w)
        )
        self._vocabulary = {word: i for i, word in enumerate(frequent[: self.max_words], start=2)}
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
        # A text without a word becomes one unknown word, since networks need at least one.
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
        """Word → its vector (d,), for the wanted words that have one."""
        ...


#: Standard deviation of random vectors, for words without a pretrained one, relative to that of the pretrained vectors.
_SPREAD = 0.25


def _embeddings(vocabulary: Mapping[str, int], known: Mapping[str, np.ndarray]) -> np.ndarray:
    """The embeddings (2 + words, d) float32: zeros for padding, pretrained vectors, and small random ones for other words.

    A random vector is drawn from a stream named by its word, so it is the same in all folds, splits, lanes and strategies.
    """
    pretrained = np.stack(list(known.values()))
    spread = _SPREAD * float(pretrained.std())
    table = np.zeros((len(vocabulary) + 2, pretrained.shape[1]), dtype=np.float32)
    for word, i in {"": 1, **vocabulary}.items():
        vector = known.get(word)
        table[i] = (
            stream("word vector", word).normal(0.0, spread, len(table[i])) if vector is None else vector
        )
    return table
