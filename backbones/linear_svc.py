"""Linear support vector machines by scikit-learn's LIBLINEAR."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from equipoise.contracts.estimator import EstimatorBackbone
from equipoise.contracts.hyperparameters import tunable
from equipoise.core.lazy import lazy

if TYPE_CHECKING:
    from sklearn import svm
else:
    svm = lazy("sklearn.svm")


@dataclass(frozen=True)
class LinearSVC(EstimatorBackbone):
    """A linear support vector machine for each label (squared hinge); its margins are the scores, and 0 decides."""

    name: ClassVar[str] = "linear_svc"
    reference: ClassVar[str] = (
        "Fan, Chang, Hsieh, Wang & Lin 2008, LIBLINEAR: a library for large linear classification, JMLR 9:1871-1874"
    )

    # Not called `C`, which in every backbone is the range of the penalty of the engine.
    c: float = tunable(1.0, low=0.001, high=100.0, log=True, above=0)

    def estimator(self, seed: int) -> Any:
        # With the default of 1000 iterations, LIBLINEAR may stop before it has converged.
        return svm.LinearSVC(C=self.c, random_state=seed % 2**31, max_iter=5000)
