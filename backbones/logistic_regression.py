"""Logistic regression by scikit-learn: the reference for the backbone `linear`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.contracts.estimator import EstimatorBackbone
from equipoise.contracts.hyperparameters import tunable
from equipoise.core.lazy import lazy

if TYPE_CHECKING:
    from sklearn import linear_model
else:
    linear_model = lazy("sklearn.linear_model")


@dataclass(frozen=True)
class LogisticRegression(EstimatorBackbone):
    """L2-penalised logistic regression of each label, solved to convergence; `c` is scikit-learn's C."""

    name: ClassVar[str] = "logistic_regression"
    reference: ClassVar[str] = (
        "Pedregosa et al. 2011, Scikit-learn: machine learning in Python, JMLR 12:2825-2830; Fan, Chang, Hsieh, Wang & Lin "
        "2008, LIBLINEAR: a library for large linear classification, JMLR 9:1871-1874"
    )

    separate_labels: ClassVar[bool] = True

    # Not called `C`, as in `linear_svc`.
    c: float = tunable(1.0, low=0.01, high=1000.0, log=True, above=0)

    def estimator(self, seed: int) -> Any:
        # The default of 100 iterations may end before convergence. The solver draws no random numbers and needs no seed.
        return linear_model.LogisticRegression(C=self.c, max_iter=1000)
