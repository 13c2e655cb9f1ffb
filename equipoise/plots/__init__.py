"""Pictures of the data and of results, as matplotlib figures.

Each function returns a `matplotlib.figure.Figure` that belongs to nobody: no pyplot, no global state, no
window (`CurveSheet` writes a file). Save it with `figure.savefig("name.png", dpi=150)`. Colours are Okabe and Ito's, told
apart by colour-blind readers; where two marks differ they differ in form as well.
"""

from equipoise.plots.curves import CurveSheet, pr_curves
from equipoise.plots.data import cooccurrence, label_distribution
from equipoise.plots.imbalance import imbalance_ratios
from equipoise.plots.labelsets import labelset_spectrum, labelset_upset
from equipoise.plots.results import comparison

__all__ = [
    "CurveSheet",
    "comparison",
    "cooccurrence",
    "imbalance_ratios",
    "label_distribution",
    "labelset_spectrum",
    "labelset_upset",
    "pr_curves",
]
