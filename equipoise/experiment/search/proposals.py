"""Proposes the settings that a search tries: first the same draws for every strategy, then Optuna's TPE.

A search of T trials tries `shared(T)` = ⌈T / 2⌉ settings that do not depend on the strategy; the first are the defaults.
The others are proposed by a tree-structured Parzen estimator (TPE: Bergstra, Bardenet, Bengio & Kégl 2011, Algorithms for
hyper-parameter optimization, NeurIPS 24) from the scores of all trials before.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.contracts.hyperparameters import Tunable
from equipoise.core.lazy import lazy
from equipoise.core.seeds import seed_of, stream

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.study import Study
else:
    optuna = lazy("optuna")

Role = tuple[object, ...]
#: Candidates from which TPE takes the best. With Optuna's 24, the best is mostly an end of the range while few trials are known.
#: Regret on 150 quadratics of three parameters after 8, 16 and 32 trials: 24 candidates .030, .012, .0036; 4 candidates .026,
#: .011, .0037; the joint estimator .028, .012, .0027; random search .029, .018, .011.
_CANDIDATES = 4


def shared(trials: int) -> int:
    """How many of the trials of a search are the same for every strategy."""
    return -(-trials // 2)


def batches(trials: int, size: int) -> Iterator[int]:
    """Sizes of the batches in which trials are proposed; no batch holds shared and other trials.

    So TPE knows the scores of all shared trials when it proposes for the first time.
    """
    for half in (shared(trials), trials - shared(trials)):
        for start in range(0, half, size):
            yield min(size, half - start)


def shared_draw(role: Role, name: str, spec: Tunable, trial: int) -> Any:
    """The value of one parameter in one shared trial; the default in trial 0.

    It depends only on the role, the parameter and the number of the trial, not on the other parameters of the search nor on
    its length.

    The draws of a parameter cover its range evenly: for every k, the first 2^k of them, the default included, lie in different
    ones of 2^k equal parts of the range, in a random order for each parameter. That is a nested Latin hypercube (Qian 2009,
    DOI 10.1093/biomet/asp045). Independent uniform draws would leave a third of the parts empty, and three of them (as in the
    usual search of 8 trials) would miss the upper half of the learning rates in one split of eight. In a Sobol sequence, a
    parameter's draws would depend on the number of parameters before it.
    """
    if trial == 0:
        return spec.default
    # The smallest level whose 2^level draws include this trial is the number of binary digits of its number.
    return value_at(spec, _positions(role, name, position_of(spec), trial.bit_length())[trial])


def _positions(role: Role, name: str, first: float, level: int) -> tuple[float, ...]:
    """Positions in [0, 1) of the first 2^level draws; `first` is the position of the default."""
    if level == 0:
        return (first,)
    earlier = _positions(role, name, first, level - 1)
    parts = 2**level
    # Each earlier draw occupies one of the parts, twice as many and half as wide; the new draws fill the free ones.
    free = np.setdiff1d(np.arange(parts), [int(u * parts) for u in earlier])
    rng = stream("shared draw", *role, name, level)
    return (*earlier, *((rng.permutation(free) + rng.random(len(free))) / parts).tolist())


def position_of(spec: Tunable, value: Any = None) -> float:
    """The position of a value in its range, in [0, 1); without a value, that of the default."""
    value = spec.default if value is None else value
    if spec.choices is not None:
        return (spec.choices.index(value) + 0.5) / len(spec.choices)
    low, high = _ends(spec)
    scaled = math.log(value) if spec.log else float(value)
    # Below 1, since the upper end of the range belongs to its last part.
    return min(max((scaled - low) / (high - low), 0.0), math.nextafter(1.0, 0.0)) if high > low else 0.5


def value_at(spec: Tunable, u: float) -> Any:
    """The value at position u, in [0, 1), of a range."""
    if spec.choices is not None:
        return spec.choices[int(u * len(spec.choices))]
    assert spec.low is not None
    assert spec.high is not None
    low, high = _ends(spec)
    value = math.exp(low + u * (high - low)) if spec.log else low + u * (high - low)
    whole = isinstance(spec.default, int)
    return min(max(round(value) if whole else value, spec.low), spec.high)


def _ends(spec: Tunable) -> tuple[float, float]:
    """The ends of the range on its scale, linear or logarithmic."""
    assert spec.low is not None
    assert spec.high is not None
    # Half a unit more on each side: after rounding, the lowest and the highest whole number are as likely as the others.
    half = 0.5 if isinstance(spec.default, int) else 0.0
    low, high = spec.low - half, spec.high + half
    return (math.log(low), math.log(high)) if spec.log else (low, high)


def stream_names(space: Iterable[str]) -> dict[str, str]:
    """For each hyperparameter of a strategy, such as "focal.gamma", the name of its random stream, here "gamma".

    Without the strategy's name, so that two strategies which are the same at some settings try the same values there. Of equal
    names in a composition, the later ones get a number.
    """
    names: dict[str, str] = {}
    count: Counter[str] = Counter()
    for name in space:
        field = name.rpartition(".")[2]
        count[field] += 1
        names[name] = field if count[field] == 1 else f"{field} {count[field]}"
    return names


def new_study(
    shared_space: Mapping[str, Tunable],
    own_space: Mapping[str, Tunable],
    role: Role,
    trials: int,
    pruner: Any = None,
    streams: Mapping[str, str] | None = None,
) -> tuple[Study, Callable[[], Any]]:
    """An Optuna study to be maximised, and a function that proposes its next trial.

    Args:
        shared_space: the parameters that every strategy has.
        own_space: the parameters of this strategy; they keep their defaults in the shared trials.
        trials: the length of the search, half of which is enqueued.
        streams: for some parameters, the name of the random stream, if it is not the parameter's.
    """
    streams = streams or {}
    # By default, Optuna logs a line for every study.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize", sampler=_sampler(role, streams), pruner=pruner or optuna.pruners.NopPruner()
    )
    defaults = {name: spec.default for name, spec in own_space.items()}
    for trial in range(shared(trials)):
        drawn = {
            name: shared_draw(role, streams.get(name, name), spec, trial)
            for name, spec in shared_space.items()
        }
        study.enqueue_trial({**drawn, **defaults})
    space = {name: _distribution(spec) for name, spec in {**shared_space, **own_space}.items()}
    return study, lambda: study.ask(space)


def _sampler(role: Role, streams: Mapping[str, str]) -> BaseSampler:
    """TPE for each parameter separately, with a random stream for each parameter and trial.

    So a parameter without any effect does not change the proposals for the others, nor a bit of the search; with the joint
    estimator (`multivariate`) it would. Trials of a batch that are not scored yet count as bad ones (`constant_liar`), so that
    the proposals of one batch keep away from each other.
    """
    # The class is defined here because its base is imported with Optuna, which takes long and is needed by few commands.
    from optuna.samplers import BaseSampler, TPESampler

    class SeparateTPE(BaseSampler):
        # An empty joint space: Optuna then asks `sample_independent` for each parameter.
        def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, BaseDistribution]:
            return {}

        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
            return {}

        def sample_independent(
            self, study: Any, trial: Any, param_name: str, param_distribution: BaseDistribution
        ) -> Any:
            # NumPy's RandomState, which Optuna uses, takes seeds of 32 bits.
            name = streams.get(param_name, param_name)
            seed = seed_of("search", *role, name, trial.number) % 2**32
            tpe = TPESampler(
                seed=seed,
                # The shared trials have come before, so there is no need for random ones.
                n_startup_trials=1,
                n_ei_candidates=_CANDIDATES,
                multivariate=False,
                constant_liar=True,
            )
            return tpe.sample_independent(study, trial, param_name, param_distribution)

    return SeparateTPE()


def _distribution(spec: Tunable) -> BaseDistribution:
    """The range as Optuna describes it."""
    distributions = optuna.distributions
    if spec.choices is not None:
        return distributions.CategoricalDistribution(spec.choices)
    assert spec.low is not None
    assert spec.high is not None
    if isinstance(spec.default, int):
        return distributions.IntDistribution(int(spec.low), int(spec.high), log=spec.log)
    return distributions.FloatDistribution(spec.low, spec.high, log=spec.log)
