"""Histogram gradient boosting by scikit-learn."""

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
class GradientBoosting(EstimatorBackbone):
    """Boosted trees on binned features for each label. Sparse features of texts are made dense, which may take much memory."""

    name: ClassVar[str] = "gradient_boosting"
    reference: ClassVar[str] = (
        "Friedman 2001, Greedy function approximation: a gradient boosting machine, Annals of Statistics, DOI "
        "10.1214/aos/1013203451; histograms: Ke, Meng, Finley, Wang, Chen, Ma, Ye & Liu 2017, LightGBM: a highly efficient "
        "gradient boosting decision tree, NIPS 30"
    )
    # scikit-learn bins dense arrays only.
    dense: ClassVar[bool] = True

    iterations: int = 100
    # Not called `lr`, which in every backbone is the range for gradient steps.
    rate_of_learning: float = tunable(0.1, low=0.01, high=0.5, log=True, above=0)
    leaves: int = tunable(31, low=4, high=63, log=True, at_least=2)
    l2: float = tunable(1e-3, low=1e-6, high=10.0, log=True, at_least=0)

    def estimator(self, seed: int) -> Any:
        return ensemble.HistGradientBoostingClassifier(
            learning_rate=self.rate_of_learning,
            max_iter=self.iterations,
            max_leaf_nodes=self.leaves,
            l2_regularization=self.l2,
            # Early stopping would hold rows out, and strategies would differ in what they train on.
            early_stopping=False,
            random_state=seed % 2**31,
        )
