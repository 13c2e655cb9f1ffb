"""Extremely randomised trees by scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.contracts.estimator import EstimatorBackbone
from equipoise.contracts.hyperparameters import tunable
from equipoise.core.lazy import lazy

if TYPE_CHECKING:
    from sklearn import ensemble
else:
    ensemble = lazy("sklearn.ensemble")


@dataclass(frozen=True)
class ExtraTrees(EstimatorBackbone):
    """A forest of extremely randomised trees for each label; its probability is the mean share of positives in the leaves."""

    name: ClassVar[str] = "extra_trees"
    reference: ClassVar[str] = (
        "Geurts, Ernst & Wehenkel 2006, Extremely randomized trees, Machine Learning, DOI 10.1007/s10994-006-6226-1"
    )

    trees: int = 100
    # Rows in a leaf, at least; then the share of the features that are tried at each node.
    min_leaf: int = tunable(1, low=1, high=16, log=True, at_least=1)
    max_share: float = tunable(0.1, low=0.02, high=1.0, log=True, above=0, at_most=1)

    def estimator(self, seed: int) -> Any:
        # scikit-learn takes seeds of 32 bits only.
        return ensemble.ExtraTreesClassifier(
            self.trees, min_samples_leaf=self.min_leaf, max_features=self.max_share, random_state=seed % 2**31
        )
