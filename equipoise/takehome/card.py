"""The model card: what a model was fitted on, how, and what to expect of it, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What the scores of a card are called.
TITLES = {"map": "mean average precision", "macro_f1": "macro-F1", "micro_f1": "micro-F1"}
_DECISIONS = {
    "tuned": "a label is predicted where its probability exceeds the label's own threshold, fitted on out-of-fold predictions",
    "fixed": "a label is predicted where its probability exceeds 0.5",
    "own": "labels are decided by the strategy's own rule",
}


def card(facts: Mapping[str, Any]) -> str:
    """The text of `README.md` of a saved model."""
    title = f"# {facts['strategy']} on {facts['backbone']}, fitted on {facts['dataset']}"
    # What a reader needs first: how to use it, on what it rests, and what to expect.
    parts = [
        title,
        f"A multilabel classifier written by `equipoise fit`. {facts['choice']}",
        "## Use",
        "```\nequipoise predict --model THIS_FOLDER --dataset new.csv --out predictions.csv\n```",
        '```python\nimport equipoise\n\nmodel = equipoise.load_model("THIS_FOLDER")\n'
        f"model.predict({_example(facts)})  # 0/1, one column for each of model.labels\n```",
        "## Data",
        _data(facts),
        "## Expected scores",
        _expected(facts),
        _by_label(facts),
        "## How it was fitted",
        _settings(facts),
        "## Files",
        "`model.json` holds the same facts for programs, with the SHA-256 of every other file; `weights.safetensors` the "
        "networks; `features.json` and `features.safetensors` the feature extractor, whose vocabulary is words of the training "
        "texts; `decision.safetensors` thresholds, and for some strategies scores and labels of training rows on which "
        "their decisions are fitted. Nothing here is code or a pickle.",
    ]
    return "\n\n".join(parts) + "\n"


def _example(facts: Mapping[str, Any]) -> str:
    return '["a text"]' if facts["input"] == "text" else f"rows  # (n, {facts['columns']}) numbers"


def _data(facts: Mapping[str, Any]) -> str:
    what = "texts" if facts["input"] == "text" else f"rows of {facts['columns']} numbers"
    inputs = facts["table"]["inputs"]
    columns = f", from the column{'s' * (len(inputs) > 1)} {', '.join(inputs)}" if inputs else ""
    labels = f"{len(facts['labels'])} labels"
    return (
        f"{facts['rows']} {what}{columns}, with {labels}. SHA-256 of the data: `{facts['dataset_sha256']}`."
    )


def _expected(facts: Mapping[str, Any]) -> str:
    expected = facts["expected"]
    scores = "\n".join(f"| {TITLES[name]} | {_score(value)} |" for name, value in expected["scores"].items())
    return f"{expected['source']}\n\n| score | value |\n|---|---|\n{scores}"


def _by_label(facts: Mapping[str, Any]) -> str:
    """A line for each label: its rows, its threshold, and what to expect of it."""
    # A mean over labels hides the rare ones, which are often those that matter.
    f1 = facts["expected"]["f1_by_label"]
    # Not every decision is one by thresholds.
    thresholds = facts["thresholds"] or [None] * len(f1)
    lines = [
        f"| {_cell(label)} | {positives} | {_number(threshold)} | {_score(value)} |"
        for label, positives, threshold, value in zip(
            facts["labels"], facts["positives"], thresholds, f1, strict=True
        )
    ]
    head = "By label (F1 from the inner folds, a threshold as a probability):\n\n| label | training rows | threshold | F1 |\n"
    return head + "|---|---|---|---|\n" + "\n".join(lines)


def _settings(facts: Mapping[str, Any]) -> str:
    params = "\n".join(f"- {name}: {_number(value)}" for name, value in facts["params"].items())
    settings = ", ".join(f"{name} {value}" for name, value in facts["settings"].items())
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        f"Decision: {_DECISIONS[facts['decision']]}.\n\nHyperparameters:\n\n{params}\n\n"
        f"Settings: {settings}; seed {facts['seed']}.\n\n"
        f"Versions: {versions}. Fitted {facts['created']}."
    )


def _cell(text: str) -> str:
    # A bar or a line break in the name of a label would end the cell of the table.
    return " ".join(text.replace("|", "\\|").split())


def _score(value: float | None) -> str:
    # JSON has no NaN, so that an undefined score is None.
    return "–" if value is None else f"{value:.3f}"


def _number(value: Any) -> str:
    """A setting or a threshold, which may be much smaller than .001; a decision without thresholds has none."""
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
