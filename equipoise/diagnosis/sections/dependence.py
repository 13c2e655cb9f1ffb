"""Describes how strongly the labels depend on each other, in numbers and in words for newcomers."""

from __future__ import annotations

from typing import Any

from equipoise.contracts.dataset import Dataset
from equipoise.diagnosis.sections.conditional import conditional_section
from equipoise.diagnosis.sections.joint import joint_section
from equipoise.diagnosis.sections.pairs import LEVEL, pairs_section

NOTABLE = 0.01  # share of the log-loss; a smaller gain is negligible even if it is significant
SHOWN = 3  # pairs named in a sentence


def dependence_section(data: Dataset, seed: int, most_rows: int, most_labels: int) -> dict[str, Any]:
    """The dependence of pairs, of all labels jointly, and given the input, as plain data; `words` summarises it."""
    section: dict[str, Any] = {
        "pairs": pairs_section(data.Y, data.labels),
        "joint": joint_section(data.Y, seed),
        "conditional": conditional_section(data, seed, most_rows, most_labels),
    }
    section["verdict"] = verdict(section["pairs"], section["joint"], section["conditional"])
    section["words"] = words(section)
    return section


def verdict(pairs: dict[str, Any], joint: dict[str, Any], conditional: dict[str, Any]) -> str:
    """The result in one word, for programs: independent, explained, combinations, predictions or unknown.

    explained: the labels depend on each other, but not once the input is known. combinations: they depend on each other
    even given the input, which helps in predicting whole combinations but not single labels. predictions: the predictions
    of the other labels help to predict a label. unknown: this could not be tested.
    """
    if not conditional["tested"]:
        return "unknown" if pairs["found_holm"] else "independent"
    # The strongest statement that holds comes first: what helps with predicted labels also helps with true ones.
    if _is_notable(conditional["gain_predicted"]):
        return "predictions"
    if _is_notable(conditional["gain_true"]):
        return "combinations"
    return "explained" if pairs["found_holm"] or joint["p"] < LEVEL else "independent"


def _is_notable(gain: dict[str, float]) -> bool:
    """Whether the interval lies above 0 and the gain is not negligible."""
    return gain["low"] > 0 and gain["share"] >= NOTABLE


def words(section: dict[str, Any]) -> list[str]:
    """The section in sentences, the most important first."""
    conditional = section["conditional"]
    sentences = [_enough(section["verdict"], conditional)]
    if conditional["tested"]:
        sentences.append(_trio(conditional["log_loss_bits"]))
    return [*sentences, *_pairs(section["pairs"]), _joint(section["joint"])]


def _enough(verdict_: str, conditional: dict[str, Any]) -> str:
    """Whether one classifier per label is enough, in words."""
    if verdict_ == "unknown":
        return (
            "Labels depend on each other, but whether they still do once the input is known could not be tested: "
            f"{conditional['why']}."
        )
    if verdict_ == "independent":
        return "One classifier per label loses nothing measurable: the labels look independent."
    if verdict_ == "explained":
        return (
            "One classifier per label loses little here: labels depend on each other, but the input explains this; knowing "
            "a row's other labels as well would add nothing measurable."
        )
    true, predicted = conditional["gain_true"], conditional["gain_predicted"]
    if verdict_ == "combinations":
        return (
            "One classifier per label loses little here as long as each label is scored by itself: the other labels' "
            f"predictions save {_saving(predicted)}. But labels depend on each other even when the input is known (their true "
            f"values would save {_percent(true)}), so if the whole combination must be right, a model of combinations can be "
            "better: classifier chains or a label powerset."
        )
    return (
        "One classifier per label can be improved here: the other labels' predictions save "
        f"{_percent(predicted)} of its log-loss, and their true values would save {_percent(true)}. Models of several labels "
        "are worth trying: classifier chains, a label powerset, a shared network."
    )


def _saving(gain: dict[str, float]) -> str:
    """A negligible gain in words: nothing, or how little."""
    if gain["share"] < 0.0005:
        return "nothing of its log-loss"
    return f"{_percent(gain)} of its log-loss" + (", which may be chance" if gain["low"] <= 0 else "")


def _percent(gain: dict[str, float]) -> str:
    share = 100 * gain["share"]
    words = f"{share:.0f} %" if abs(share) >= 10 else f"{share:.1f} %"  # two significant digits are enough
    return "0 %" if words in ("0.0 %", "-0.0 %") else words.replace("-", "−")


def _trio(bits: dict[str, float]) -> str:
    return (
        f"Log-loss in bits per label: {bits['frequency_only']:.3f} from each label's frequency alone, "
        f"{bits['input']:.3f} from the input, {bits['input_and_predicted_others']:.3f} from the input and the predicted other "
        f"labels, {bits['input_and_true_others']:.3f} if the other labels were known."
    )


def _pairs(pairs: dict[str, Any]) -> list[str]:
    if not pairs["tested"]:
        return ["There is no pair of labels to compare: fewer than two of them vary."]
    count = f"{pairs['found_holm']} of {pairs['tested']} pairs of labels depend on each other (p < {LEVEL:g} after Holm)"
    if not pairs["found_holm"]:
        return [f"{count}."]
    sentences = [f"{count}: {pairs['together']} positively and {pairs['apart']} negatively."]
    if pairs["strongest_together"]:
        named = "; ".join(_together(pair) for pair in pairs["strongest_together"][:SHOWN])
        sentences.append(f"These labels go together: {named}.")
    if pairs["strongest_apart"]:
        named = "; ".join(_apart(pair) for pair in pairs["strongest_apart"][:SHOWN])
        sentences.append(f"These labels avoid each other: {named}.")
    return sentences


def _together(pair: dict[str, Any]) -> str:
    return (
        f"{pair['a']} and {pair['b']} ({pair['lift']:.1f} times as often as by chance, phi {pair['phi']:.2f})"
    )


def _apart(pair: dict[str, Any]) -> str:
    never = "never together" if pair["rows"] == 0 else f"{pair['lift']:.2f} times as often as by chance"
    return f"{pair['a']} and {pair['b']} ({never}, phi {pair['phi']:.2f})".replace("phi -", "phi −")


def _joint(joint: dict[str, Any]) -> str:
    if joint["p"] >= LEVEL:
        return "All labels together show no dependence either (total correlation, permutation test)."
    sentence = (
        f"All together the labels share {joint['corrected_bits']:.2f} bits of their {joint['sum_of_label_entropies_bits']:.2f}"
        f" ({100 * joint['share']:.0f} %; the total correlation of {joint['total_correlation_bits']:.2f} minus the "
        f"{joint['bias_bits']:.2f} that is due to chance)"
    )
    return sentence + (
        "; most labelsets occur only once, which are too few rows for this number: rely on the pairs instead."
        if joint["saturated"]
        else "."
    )
