"""How dependent the labels are, in numbers and then in words a newcomer understands."""

from __future__ import annotations

from typing import Any

from equipoise.contracts.dataset import Dataset
from equipoise.diagnosis.sections.conditional import conditional_section
from equipoise.diagnosis.sections.joint import joint_section
from equipoise.diagnosis.sections.pairs import LEVEL, pairs_section

NOTABLE = 0.01  # share of the log-loss below which a gain, real or not, is not worth a word
SHOWN = 3  # pairs named in the words


def dependence_section(data: Dataset, seed: int, most_rows: int, most_labels: int) -> dict[str, Any]:
    """Pairs, all labels together, and what is left once the input is known; `words` sums up."""
    found: dict[str, Any] = {
        "pairs": pairs_section(data.Y, data.labels),
        "joint": joint_section(data.Y, seed),
        "conditional": conditional_section(data, seed, most_rows, most_labels),
    }
    found["verdict"] = verdict(found["pairs"], found["joint"], found["conditional"])
    found["words"] = words(found)
    return found


def verdict(pairs: dict[str, Any], joint: dict[str, Any], conditional: dict[str, Any]) -> str:
    """One word for programs: independent, explained, combinations, predictions or unknown.

    explained: labels depend, but not once the input is known; combinations: they do, beyond the input, in a way that
    only right combinations can profit from; predictions: the other labels' predictions help every label's own.
    """
    if not conditional["tested"]:
        return "unknown" if pairs["found_holm"] else "independent"
    if _real(conditional["gain_predicted"]):
        return "predictions"
    if _real(conditional["gain_true"]):
        return "combinations"
    return "explained" if pairs["found_holm"] or joint["p"] < LEVEL else "independent"


def _real(gain: dict[str, float]) -> bool:
    """The interval lies above 0 and the gain is not negligible."""
    return gain["low"] > 0 and gain["share"] >= NOTABLE


def words(found: dict[str, Any]) -> list[str]:
    """What the section comes to, most important first."""
    conditional = found["conditional"]
    said = [_enough(found["verdict"], conditional)]
    if conditional["tested"]:
        said.append(_trio(conditional["log_loss_bits"]))
    return [*said, *_pairs(found["pairs"]), _joint(found["joint"])]


def _enough(verdict_: str, conditional: dict[str, Any]) -> str:
    """Is one classifier per label enough?"""
    if verdict_ == "unknown":
        return (
            "Labels depend on each other, but whether that is left once the input is known could not be tested: "
            f"{conditional['why']}."
        )
    if verdict_ == "independent":
        return "One classifier per label loses nothing that could be measured: the labels look independent."
    if verdict_ == "explained":
        return (
            "One classifier per label loses little here: labels depend on each other, but the input already explains "
            "it; knowing a row's other labels as well would tell nothing more that could be measured."
        )
    true, predicted = conditional["gain_true"], conditional["gain_predicted"]
    if verdict_ == "combinations":
        return (
            "One classifier per label loses little here as long as each label is scored by itself: the other labels' "
            f"predictions save {_saving(predicted)}. But "
            f"even with the input known, labels hang together (their true values would save {_percent(true)}), so where the "
            "whole combination must be right, a model of combinations can win: chains, labelsets."
        )
    return (
        "One classifier per label leaves something here: the other labels' predictions save "
        f"{_percent(predicted)} of its log-loss, and their true values would save {_percent(true)}. Models that look at "
        "several labels are worth trying: chains, labelsets, a shared network."
    )


def _saving(gain: dict[str, float]) -> str:
    """Of a gain that is not worth a model: nothing, or how little."""
    if gain["share"] < 0.0005:
        return "nothing of its log-loss"
    return f"{_percent(gain)} of its log-loss" + (", which may be chance" if gain["low"] <= 0 else "")


def _percent(gain: dict[str, float]) -> str:
    share = 100 * gain["share"]
    words = f"{share:.0f} %" if abs(share) >= 10 else f"{share:.1f} %"
    return "0 %" if words in ("0.0 %", "-0.0 %") else words.replace("-", "−")


def _trio(bits: dict[str, float]) -> str:
    return (
        f"Log-loss in bits per label: {bits['frequency_only']:.3f} when each label's frequency is guessed, "
        f"{bits['input']:.3f} with the input known, {bits['input_and_predicted_others']:.3f} with the other labels "
        f"predicted too, {bits['input_and_true_others']:.3f} were they known for certain."
    )


def _pairs(pairs: dict[str, Any]) -> list[str]:
    if not pairs["tested"]:
        return ["There is no pair of labels to compare: fewer than two of them vary."]
    many = (
        f"{pairs['found_holm']} of {pairs['tested']} pairs of labels depend on each other (Holm, {LEVEL:g})"
    )
    if not pairs["found_holm"]:
        return [f"{many}."]
    said = [f"{many}: {pairs['together']} go together, {pairs['apart']} avoid each other."]
    if pairs["strongest_together"]:
        named = "; ".join(_together(pair) for pair in pairs["strongest_together"][:SHOWN])
        said.append(f"These labels go together: {named}.")
    if pairs["strongest_apart"]:
        named = "; ".join(_apart(pair) for pair in pairs["strongest_apart"][:SHOWN])
        said.append(f"These labels avoid each other: {named}.")
    return said


def _together(pair: dict[str, Any]) -> str:
    return (
        f"{pair['a']} and {pair['b']} ({pair['lift']:.1f} times as often as by chance, phi {pair['phi']:.2f})"
    )


def _apart(pair: dict[str, Any]) -> str:
    never = "never together" if pair["rows"] == 0 else f"{pair['lift']:.2f} times as often as by chance"
    return f"{pair['a']} and {pair['b']} ({never}, phi {pair['phi']:.2f})".replace("phi -", "phi −")


def _joint(joint: dict[str, Any]) -> str:
    if joint["p"] >= LEVEL:
        return "All labels taken together, no dependence shows either (total correlation, permutation test)."
    said = (
        f"All together the labels share {joint['corrected_bits']:.2f} bits of their {joint['sum_of_label_entropies_bits']:.2f}"
        f" ({100 * joint['share']:.0f} %; total correlation {joint['total_correlation_bits']:.2f} less the "
        f"{joint['bias_bits']:.2f} that chance alone gives)"
    )
    return said + (
        "; most labelsets occur once: too few rows for this number, go by the pairs."
        if joint["saturated"]
        else "."
    )
