"""Texts in scripts without spaces between words: recognised on the training texts, and read by characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from equipoise.backbones.linear import Linear
from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.datasets import load_dataset
from equipoise.contracts.analyzer import character_pairs, words, words_hardly_repeat
from equipoise.contracts.features import TfIdf, TokenIds
from equipoise.core.errors import EquipoiseError
from equipoise.ops.inputs import Sparse, Tokens

#: Words that say nothing, and words of which each belongs to one label.
WORDS: dict[str, tuple[str, str]] = {
    "chinese": (
        "我们 今天 已经 可以 需要 一个 问题 时候 因为 所以 大家 明天 公司 客户 文件 会议 邮件 报告 项目 请问 收到 关于 非常 感谢",
        "数据库 服务器 价格 合同 假期",
    ),
    "japanese": (
        "私たち は 今日 の 会議 で 新しい 資料 を 確認 しました お願い します 明日 です お客様 から メール が 届き ました",
        "データベース サーバー 値段 契約書 休暇",
    ),
    "thai": (
        "เรา วันนี้ ได้ ต้องการ ปัญหา เวลา เพราะ ทุกคน พรุ่งนี้ บริษัท ลูกค้า เอกสาร ประชุม อีเมล รายงาน โครงการ กรุณา เกี่ยวกับ ขอบคุณ",
        "ฐานข้อมูล เซิร์ฟเวอร์ ราคา สัญญา วันหยุด",
    ),
}
TRAIN = 400


def generated(language: str, between: str = "", rows: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Texts of 10 to 15 words, and labels (rows, 5): whether a label's word is among them."""
    rng = np.random.default_rng(0)
    filler, topics = (part.split() for part in WORDS[language])
    Y = (rng.random((rows, len(topics))) < 0.2).astype(np.uint8)
    texts = np.empty(rows, dtype=object)
    for i, own in enumerate(Y):
        chosen = [topic for topic, there in zip(topics, own, strict=True) if there]
        chosen += rng.choice(filler, rng.integers(10, 16)).tolist()
        texts[i] = between.join(rng.permutation(chosen).tolist())
    return texts, Y


def counts(inputs: Any) -> np.ndarray:
    """Features (n, d) as an array; of tokens, how often each occurs."""
    if isinstance(inputs, Sparse):
        return inputs.matrix.toarray()
    assert isinstance(inputs, Tokens)
    return np.stack([np.bincount(ids, minlength=inputs.width)[1:] for ids in inputs.ids.numpy()])


def mean_average_precision(features: TfIdf | TokenIds, texts: np.ndarray, Y: np.ndarray) -> float:
    """Of a logistic regression for each label, on the rows behind the first 400."""
    features.fit(texts[:TRAIN])
    X = counts(features.transform(texts))
    scores: Sequence[np.ndarray] = [
        LogisticRegression(C=100.0).fit(X[:TRAIN], y[:TRAIN]).decision_function(X[TRAIN:]) for y in Y.T
    ]
    return float(average_precision_score(Y[TRAIN:], np.stack(scores, 1)))


@pytest.mark.parametrize("kind", [TfIdf, TokenIds])
@pytest.mark.parametrize("language", WORDS)
def test_texts_without_spaces_are_read_by_characters(language: str, kind: type[TfIdf | TokenIds]) -> None:
    texts, Y = generated(language)
    by_word = mean_average_precision(kind(analyzer="word"), texts, Y)
    automatic = kind()
    found = mean_average_precision(automatic, texts, Y)
    assert "characters" in automatic.note
    assert found > 0.99
    # Python's \w breaks Thai at vowel signs, which often leaves a piece that stands for a word.
    assert by_word < (0.85 if language == "thai" else 0.25)


@pytest.mark.parametrize("language", WORDS)
def test_texts_that_were_cut_into_words_are_read_by_words(language: str) -> None:
    texts, _ = generated(language, between=" ")
    assert not words_hardly_repeat(texts)
    assert words_hardly_repeat(generated(language)[0])


def test_a_few_foreign_words_change_nothing() -> None:
    english = ["please send the contract to the customer before the meeting", "the server is down again"] * 50
    assert not words_hardly_repeat([*english, "今天我们已经收到客户的文件"])
    assert not words_hardly_repeat([])
    assert not words_hardly_repeat([""])


def test_words_that_never_repeat_are_read_by_characters_whatever_the_script() -> None:
    rng = np.random.default_rng(0)
    sequences = ["".join(rng.choice(list("ACGT"), 30)) for _ in range(250)]
    assert words_hardly_repeat(sequences)
    assert not words_hardly_repeat(sequences[:100]), "too few to say so"


def test_only_training_texts_decide() -> None:
    english, chinese = ["the same few words"] * 20, generated("chinese")[0].tolist()
    fitted = TfIdf().fit(english)
    assert fitted.note == ""
    assert fitted.transform(chinese).width == TfIdf(analyzer="word").fit(english).transform(chinese).width


@pytest.mark.parametrize("name", ["design-emails[rows=300]", "enron-email"])
def test_english_features_are_those_of_words(name: str, request: pytest.FixtureRequest) -> None:
    """Bit for bit what they were before there was a choice."""
    real = name == "enron-email"
    texts = load_dataset(name, data_dir=request.getfixturevalue("data_dir") if real else None).X[:300]
    plain = TfidfVectorizer(max_features=5000, min_df=2, sublinear_tf=True, dtype=np.float32)
    expected = plain.fit_transform(texts).sorted_indices()
    made = TfIdf().fit(texts).transform(texts)
    assert isinstance(made, Sparse)
    assert (made.values.numpy() == expected.data).all()
    assert (made.indices.numpy() == expected.indices).all()
    ids, by_word = (TokenIds(analyzer=a).fit(texts).transform(texts) for a in ("auto", "word"))
    assert isinstance(ids, Tokens)
    assert isinstance(by_word, Tokens)
    assert (ids.ids == by_word.ids).all()


def test_pairs_of_characters() -> None:
    assert character_pairs("数据库 OK!\u597d") == ["数据", "据库", "ok", "好"]
    assert character_pairs("ที่") == ["ที", "ี่"], "signs above a letter belong to it"
    assert words("It's 2 o'clock") == ["it", "s", "2", "o", "clock"]


def test_the_choice_is_an_option_of_the_backbones() -> None:
    features = get_backbone("linear[analyzer=char]").features("text")
    assert isinstance(features, TfIdf)
    assert "characters" in features.fit(["some words", "some more"]).note
    assert get_backbone("lstm").spec == "lstm"
    for wrong in (lambda: get_backbone("lstm[analyzer=letters]"), lambda: Linear(analyzer="letters")):
        with pytest.raises(EquipoiseError, match="analyzer must be one of auto, word, char"):
            wrong()
