"""Pictures of the data and of results, as matplotlib figures.

Each function returns an independent `matplotlib.figure.Figure`: pyplot is not used, so there is no global state and no
window opens (`CurveSheet` writes a file). Save a figure with `figure.savefig("name.png", dpi=150)`. The colours are those of
Okabe and Ito, which colour-blind readers can tell apart; marks that differ in colour also differ in form.
"""

from equipoise.plots.curves import CurveSheet, pr_curves
from equipoise.plots.data import cooccurrence, label_distribution
from equipoise.plots.effects import effect_sizes
from equipoise.plots.imbalance import imbalance_ratios
from equipoise.plots.labelsets import labelset_spectrum, labelset_upset
from equipoise.plots.rankings import cost_quality, critical_difference
from equipoise.plots.results import comparison

__all__ = [
    "CurveSheet",
    "comparison",
    "cooccurrence",
    "cost_quality",
    "critical_difference",
    "effect_sizes",
    "imbalance_ratios",
    "label_distribution",
    "labelset_spectrum",
    "labelset_upset",
    "pr_curves",
]
