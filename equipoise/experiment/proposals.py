"""The settings a search tries: the same draws of a parameter for every strategy first, then Optuna's TPE.

A search of T trials tries `shared(T)` = ⌈T / 2⌉ settings that do not depend on the strategy, the defaults being the first.
The others are proposed by a tree-structured Parzen estimator (TPE: Bergstra, Bardenet, Bengio & Kégl 2011, Algorithms for
hyper-parameter optimization, NeurIPS 24) that has been told of all trials before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.contracts.hyperparameters import Tunable
from equipoise.core.seeds import seed_of, stream

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.study import Study

Role = tuple[object, ...]
#: Candidates of which TPE takes the best. Of Optuna's 24, the best is mostly an end of the range while few trials are known.
#: Regret on quadratics of three parameters (150 of them) after 8, 16 and 32 trials: 24 candidates .030, .012, .0036; 4
#: candidates .026, .011, .0037; the joint estimator .028, .012, .0027; random search .029, .018, .011.
_CANDIDATES = 4


def shared(trials: int) -> int:
    """How many of so many trials are the same draws for every strategy."""
    return -(-trials // 2)


def batches(trials: int, size: int) -> Iterator[int]:
    """Sizes of the batches in which trials are asked for; none of them crosses from the shared half into the other.

    So the estimator has been told of every shared trial when it proposes for the first time.
    """
    for half in (shared(trials), trials - shared(trials)):
        for begun in range(0, half, size):
            yield min(size, half - begun)


def shared_draw(role: Role, name: str, spec: Tunable, trial: int) -> Any:
    """The value of one parameter in one shared trial; the default in trial 0.

    It depends on the role, the parameter and the number of the trial alone, never on what else is searched or how long.

    The trials of a parameter spread over its range: for every k, the first 2^k of them, the default included, lie in 2^k
    different of its 2^k equal parts, in an order that each parameter draws for itself. That is a nested Latin hypercube
    (Qian 2009, DOI 10.1093/biomet/asp045): independent uniform draws leave a third of the parts empty, and three of them
    (the usual search of 8 trials) miss the upper half of the learning rates once in eight splits. A Sobol sequence would
    tie a parameter's draws to how many dimensions come before it.
    """
    if trial == 0:
        return spec.default
    return value_at(spec, _positions(role, name, position_of(spec), trial.bit_length())[trial])


def _positions(role: Role, name: str, first: float, level: int) -> tuple[float, ...]:
    """Places in [0, 1) of the first 2^level trials, the first one being given."""
    if level == 0:
        return (first,)
    earlier = _positions(role, name, first, level - 1)
    parts = 2**level
    free = np.setdiff1d(np.arange(parts), [int(u * parts) for u in earlier])
    rng = stream("shared draw", *role, name, level)
    return (*earlier, *((rng.permutation(free) + rng.random(len(free))) / parts).tolist())


def position_of(spec: Tunable, value: Any = None) -> float:
    """Where a value (the default) lies in its range, in [0, 1)."""
    value = spec.default if value is None else value
    if spec.choices is not None:
        return (spec.choices.index(value) + 0.5) / len(spec.choices)
    low, high = _ends(spec)
    at = math.log(value) if spec.log else float(value)
    return min(max((at - low) / (high - low), 0.0), math.nextafter(1.0, 0.0)) if high > low else 0.5


def value_at(spec: Tunable, u: float) -> Any:
    """The value at a place u in [0, 1) of a range."""
    if spec.choices is not None:
        return spec.choices[int(u * len(spec.choices))]
    assert spec.low is not None
    assert spec.high is not None
    low, high = _ends(spec)
    value = math.exp(low + u * (high - low)) if spec.log else low + u * (high - low)
    whole = isinstance(spec.default, int)
    return min(max(round(value) if whole else value, spec.low), spec.high)


def _ends(spec: Tunable) -> tuple[float, float]:
    """The range on its scale; a whole number owns half a unit on each side, so that all are drawn alike."""
    assert spec.low is not None
    assert spec.high is not None
    half = 0.5 if isinstance(spec.default, int) else 0.0
    low, high = spec.low - half, spec.high + half
    return (math.log(low), math.log(high)) if spec.log else (low, high)


def new_study(
    shared_space: Mapping[str, Tunable],
    own_space: Mapping[str, Tunable],
    role: Role,
    trials: int,
    pruner: Any = None,
) -> tuple[Study, Callable[[], Any]]:
    """A study that is to be maximised, and what asks it for the next trial.

    Args:
        shared_space: parameters that every strategy has; own_space: those of this one, at their defaults in shared trials.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize", sampler=_sampler(role), pruner=pruner or optuna.pruners.NopPruner()
    )
    defaults = {name: spec.default for name, spec in own_space.items()}
    for trial in range(shared(trials)):
        drawn = {name: shared_draw(role, name, spec, trial) for name, spec in shared_space.items()}
        study.enqueue_trial({**drawn, **defaults})
    space = {name: _distribution(spec) for name, spec in {**shared_space, **own_space}.items()}
    return study, lambda: study.ask(space)


def _sampler(role: Role) -> BaseSampler:
    """TPE, each parameter by itself and with a random stream of its own in every trial.

    So a parameter that does nothing leaves the proposals of all others as they are, and with them every bit of the search;
    the joint estimator (`multivariate`) would let it into each of them. Trials of a batch that are not told yet count as
    bad ones (`constant_liar`), so that the proposals of one batch keep away from each other.
    """
    from optuna.samplers import BaseSampler, TPESampler

    class EachByItself(BaseSampler):
        def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, BaseDistribution]:
            return {}

        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
            return {}

        def sample_independent(
            self, study: Any, trial: Any, param_name: str, param_distribution: BaseDistribution
        ) -> Any:
            seed = seed_of("search", *role, param_name, trial.number) % 2**32
            tpe = TPESampler(
                seed=seed,
                n_startup_trials=1,
                n_ei_candidates=_CANDIDATES,
                multivariate=False,
                constant_liar=True,
            )
            return tpe.sample_independent(study, trial, param_name, param_distribution)

    return EachByItself()


def _distribution(spec: Tunable) -> BaseDistribution:
    from optuna import distributions as d

    if spec.choices is not None:
        return d.CategoricalDistribution(spec.choices)
    assert spec.low is not None
    assert spec.high is not None
    if isinstance(spec.default, int):
        return d.IntDistribution(int(spec.low), int(spec.high), log=spec.log)
    return d.FloatDistribution(spec.low, spec.high, log=spec.log)
