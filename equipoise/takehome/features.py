"""Fitted feature extractors as plain data, and back.

The state of an extractor is a JSON object and arrays. A restored extractor gives the same bits as the one that was saved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from equipoise.backbones.sentence_embedding import EmbeddedTexts
from equipoise.backbones.transformer import TokenisedTexts
from equipoise.contracts.analyzer import NGRAMS
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.features import Standardised, TfIdf, TokenIds, _Scaler
from equipoise.core.errors import EquipoiseError
from equipoise.core.lazy import lazy

if TYPE_CHECKING:
    from sklearn import preprocessing
    from sklearn.feature_extraction import text as sklearn_text
else:
    preprocessing, sklearn_text = lazy("sklearn.preprocessing"), lazy("sklearn.feature_extraction.text")

State = tuple[dict[str, Any], dict[str, np.ndarray]]


def state_of(features: Any) -> State:
    """The state of a fitted extractor.

    Raises:
        EquipoiseError: it is of a class that is not known here.
    """
    # Not `isinstance`: a subclass may hold more than its base, which would be lost without a word.
    if type(features) not in _SAVED:
        raise EquipoiseError(
            f"features of the class {type(features).__name__} cannot be saved; those of the built-in backbones can"
        )
    facts, arrays = _SAVED[type(features)](features)
    return {"kind": type(features).__name__, **facts}, arrays


def restored(facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray], backbone: Backbone) -> Any:
    """The extractor that has this state; frozen encoders come from the backbone.

    Raises:
        KeyError, TypeError, ValueError: this is no such state.
    """
    restore: Callable[[Mapping[str, Any], Mapping[str, np.ndarray], Backbone], Any] = _RESTORED[facts["kind"]]
    return restore(facts, arrays, backbone)


def _tfidf(features: TfIdf) -> State:
    vectorizer = features._vectorizer
    # In the order of the columns, so that the list alone says which word has which column.
    words = sorted(vectorizer.vocabulary_, key=vectorizer.vocabulary_.get)
    return {"by_character": features._by_character, "vocabulary": words}, {"idf": vectorizer.idf_}


def _restored_tfidf(facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray], backbone: Any) -> TfIdf:
    by_character = bool(facts["by_character"])
    units = {"analyzer": "char_wb", "ngram_range": NGRAMS} if by_character else {}
    vocabulary = {str(word): i for i, word in enumerate(facts["vocabulary"])}
    vectorizer = sklearn_text.TfidfVectorizer(
        vocabulary=vocabulary, sublinear_tf=True, dtype=np.float32, **units
    )
    # Of its own type: a product of other precision would have other bits.
    vectorizer.idf_ = arrays["idf"]
    return TfIdf(_by_character=by_character, _vectorizer=vectorizer)


def _standardised(features: Standardised) -> State:
    facts = {"length": features._length}
    if isinstance(features._scaler, _Scaler):
        arrays = {"mean": features._scaler.mean, "deviation": features._scaler.deviation}
        arrays["coded"] = features._coded.astype(np.uint8)
    else:
        arrays = {"scale": features._scaler.scale_}
    if features._encoder is not None:
        arrays |= {f"codes {i}": codes for i, codes in enumerate(features._encoder.categories_)}
    return facts, arrays


def _restored_standardised(
    facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray], backbone: Any
) -> Standardised:
    features = Standardised(_length=float(facts["length"]))
    if "scale" in arrays:
        scaler = preprocessing.MaxAbsScaler()
        # What `fit` would set.
        scaler.scale_ = scaler.max_abs_ = arrays["scale"]
        scaler.n_features_in_ = len(arrays["scale"])
        features._scaler = scaler
        return features
    features._scaler = _Scaler(arrays["mean"], arrays["deviation"])
    features._coded = arrays["coded"].astype(bool)
    if features._coded.any():
        codes = [arrays[f"codes {i}"] for i in range(int(features._coded.sum()))]
        encoder = preprocessing.OneHotEncoder(
            categories=codes, handle_unknown="ignore", sparse_output=False, dtype=np.float32
        )
        # The categories are given, so that fitting only takes note of them.
        features._encoder = encoder.fit(np.array([[each[0] for each in codes]], dtype=np.float32))
    return features


def _token_ids(features: TokenIds) -> State:
    words = sorted(features._vocabulary, key=features._vocabulary.__getitem__)
    facts = {
        "by_character": features._by_character,
        "max_tokens": features.max_tokens,
        "vocabulary": words,
    }
    return facts, {} if features._table is None else {"vectors": features._table.numpy()}


def _restored_token_ids(
    facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray], backbone: Any
) -> TokenIds:
    # The first two numbers are those of padding and of unknown words.
    vocabulary = {str(word): i for i, word in enumerate(facts["vocabulary"], start=2)}
    table = torch.from_numpy(arrays["vectors"]) if "vectors" in arrays else None
    return TokenIds(
        max_tokens=int(facts["max_tokens"]),
        _by_character=bool(facts["by_character"]),
        _vocabulary=vocabulary,
        _table=table,
    )


def _embedded_texts(features: EmbeddedTexts) -> State:
    return ({"words": None}, {}) if features.words is None else _with_words(*_tfidf(features.words))


def _with_words(facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> State:
    return {"words": facts}, arrays


def _restored_embedded_texts(
    facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray], backbone: Backbone
) -> EmbeddedTexts:
    # The encoder is found by the backbone's spec, since its weights are not of our training.
    features = backbone.features("text")
    assert isinstance(features, EmbeddedTexts)
    words = None if facts["words"] is None else _restored_tfidf(facts["words"], arrays, backbone)
    return EmbeddedTexts(features.encoder, words)


#: Class of an extractor → its state.
_SAVED: dict[type, Callable[[Any], State]] = {
    TfIdf: _tfidf,
    Standardised: _standardised,
    TokenIds: _token_ids,
    EmbeddedTexts: _embedded_texts,
    # The tokenizer of a pretrained model is not fitted.
    TokenisedTexts: lambda features: ({}, {}),
}
#: Name of the class → the extractor that has a state.
_RESTORED: dict[str, Callable[..., Any]] = {
    "TfIdf": _restored_tfidf,
    "Standardised": _restored_standardised,
    "TokenIds": _restored_token_ids,
    "EmbeddedTexts": _restored_embedded_texts,
    "TokenisedTexts": lambda facts, arrays, backbone: backbone.features("text"),
}
