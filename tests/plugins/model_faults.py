"""Tasks, score maps and decisions with one fault each, and correct twins. `fault` names the check that must find it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equipoise.contracts.strategy import Strategy
from equipoise.contracts.tasks import Task, majority_vote, merge_columns


class Planted(Strategy):
    """Common to all of this file."""

    reference = "planted for the tests, 2026"
    fault = ""


def tasker(name, fault, tasks=None, merge=None, vote=None, **more):
    """A strategy with these hooks; one task a label where none is given."""
    each = lambda Y, ctx: [Task((j,)) for j in range(Y.shape[1])]  # noqa: E731
    body = {"tasks": lambda self, Y, ctx: (tasks or each)(Y, ctx)}
    if merge is not None:
        body["merge"] = lambda self, tasks, logits, ctx: merge(tasks, logits, ctx)
    if vote is not None:
        body["vote"] = lambda self, tasks, logits, ctx: vote(tasks, logits, ctx)
    return _made(name, fault, body, more)


def mapper(name, fault, hook, fit):
    """A strategy whose `adjust` or `decide` is `fit(logits, Y, ctx)`."""
    return _made(name, fault, {hook: lambda self, z, Y, ctx: fit(z, Y, ctx)}, {})


def _made(name, fault, body, more):
    named = {
        "__doc__": "A model with a fault planted in it.",
        "__module__": __name__,
        "name": name,
        "fault": fault,
    }
    return dataclass(frozen=True)(type(name, (Planted,), named | body | more))


def halves(Y, ctx):
    """Two overlapping groups of labels, the first on some rows only, with repeats."""
    labels = range(Y.shape[1])
    some = ctx.rng.integers(0, len(Y), len(Y))
    return [Task(tuple(labels), rows=some), Task(tuple(labels[::2])), Task(tuple(labels[1::2]) or (0,))]


def shifted(z, Y, ctx):
    means = z.mean(0)
    return lambda x: x - means


def above(z, Y, ctx):
    threshold = float(np.median(z))
    return lambda x: x > threshold


RIGHT = [
    tasker("right_halves", "", halves),
    tasker("right_sets", "", lambda Y, ctx: [Task(tuple(range(Y.shape[1])), classes=np.unique(Y, axis=0))]),
    tasker(
        "right_chain",
        "",
        lambda Y, ctx: [Task((j,), label_inputs=tuple(range(j))) for j in range(Y.shape[1])],
    ),
    tasker(
        "right_votes",
        "",
        halves,
        None,
        lambda tasks, logits, ctx: majority_vote(tasks, logits, len(ctx.n_pos)),
    ),
    mapper("right_shift", "", "adjust", shifted),
    mapper("right_threshold", "", "decide", above),
]


def _reversed(tasks, logits, ctx):
    return np.concatenate(logits, 1)[:, ::-1]


def _over_rows(tasks, logits, ctx):
    joined = merge_columns(tasks, logits, len(ctx.n_pos))
    return joined - 3.0 * np.median(joined, axis=0) * (len(joined) > 5)


def _probabilities(tasks, logits, ctx):
    return 1.0 / (1.0 + np.exp(-merge_columns(tasks, logits, len(ctx.n_pos))))


def _merge_in_place(tasks, logits, ctx):
    for z in logits:
        z *= 2.0
    return merge_columns(tasks, logits, len(ctx.n_pos))


def _minority(tasks, logits, ctx):
    return ~majority_vote(tasks, logits, len(ctx.n_pos))


def _above_the_mean(tasks, logits, ctx):
    joined = merge_columns(tasks, logits, len(ctx.n_pos))
    return joined > np.minimum(joined.mean(0), 0.0)


def _vote_in_place(tasks, logits, ctx):
    for z in logits:
        z *= 2.0
    return majority_vote(tasks, logits, len(ctx.n_pos))


def _writes(z, Y, ctx):
    def apply(x):
        x -= 1.0
        return x

    return apply


def _rank(z, Y, ctx):
    return lambda x: x - np.quantile(x, 0.7, axis=0)


def _share(z, Y, ctx):
    rate = Y.mean(0)
    return lambda x: x >= np.array([np.quantile(x[:, j], 1 - rate[j]) for j in range(x.shape[1])])


def _fit_in_place(z, Y, ctx):
    z -= z.mean(0)
    return lambda x: x


def _numbered(z, Y, ctx):
    return lambda x: x > np.arange(x.shape[1]) / 3


def _random_cut(z, Y, ctx):
    cut = np.random.default_rng().normal()
    return lambda x: x > cut


def _odds(z, Y, ctx):
    """A label without positives has no log-odds."""
    with np.errstate(all="ignore"):
        shift = np.log(Y.mean(0) / (1 - Y.mean(0)))
    return lambda x: x - shift


FAULTY = [
    tasker("label_missing", "tasks", lambda Y, ctx: [Task((j,)) for j in range(max(1, Y.shape[1] - 1))]),
    tasker("label_unknown", "tasks", lambda Y, ctx: [Task((j,)) for j in range(1, Y.shape[1] + 1)]),
    tasker(
        "row_out_of_range",
        "tasks",
        lambda Y, ctx: [Task(tuple(range(Y.shape[1])), rows=np.arange(1, len(Y) + 1))],
    ),
    tasker(
        "no_rows",
        "tasks",
        lambda Y, ctx: [Task((j,), rows=np.flatnonzero(Y[:, j])) for j in range(Y.shape[1])],
    ),
    tasker(
        "given_too_early",
        "tasks",
        lambda Y, ctx: [Task((j,), label_inputs=tuple(range(j + 1, Y.shape[1]))) for j in range(Y.shape[1])],
    ),
    tasker("classes_twice", "tasks", lambda Y, ctx: [Task(tuple(range(Y.shape[1])), classes=Y)]),
    tasker("not_exclusive", "tasks", exclusive=True),
    tasker("no_tasks", "shapes", lambda Y, ctx: tuple(Task((0,)) for _ in ()) if len(Y) else None),
    tasker("merge_reversed", "merge", None, _reversed, needs=frozenset({"labels"})),
    tasker("merge_over_rows", "merge", None, _over_rows),
    tasker("merge_probabilities", "merge", None, _probabilities),
    tasker("merge_narrow", "shapes", None, lambda tasks, logits, ctx: logits[0]),
    tasker("merge_in_place", "in_place", None, _merge_in_place),
    tasker("votes_for_the_others", "vote", None, None, _minority),
    tasker("votes_over_rows", "vote", None, None, _above_the_mean),
    tasker("votes_as_numbers", "shapes", None, None, lambda *args: _minority(*args).astype(float)),
    tasker("vote_in_place", "in_place", None, None, _vote_in_place),
    _made("votes_without_tasks", "vote", {"vote": lambda self, *args: majority_vote(*args)}, {}),
    tasker(
        "tasks_in_place", "in_place", lambda Y, ctx: (Y.sort(axis=0), [Task(tuple(range(Y.shape[1])))])[1]
    ),
    tasker(
        "unseeded_tasks",
        "deterministic",
        lambda Y, ctx: [Task((int(j),)) for j in np.random.default_rng().permutation(Y.shape[1])],
    ),
    mapper("quantile_of_test_rows", "leak", "adjust", _rank),
    mapper("share_of_test_rows", "leak", "decide", _share),
    mapper("map_in_place", "in_place", "adjust", _writes),
    mapper("fit_in_place", "in_place", "decide", _fit_in_place),
    mapper("map_changes_shape", "shapes", "decide", lambda z, Y, ctx: lambda x: (x > 0).any(1)),
    mapper("map_of_numbers", "shapes", "decide", lambda z, Y, ctx: lambda x: (x > 0).astype(int)),
    mapper("not_a_map", "shapes", "adjust", lambda z, Y, ctx: z),
    mapper("odds_of_nothing", "finite", "adjust", _odds),
    mapper("column_numbers", "columns", "decide", _numbered),
    mapper("random_cut", "deterministic", "decide", _random_cut),
    mapper(
        "two_folds_needed", "raises", "decide", lambda z, Y, ctx: (z[ctx.folds == 1][0], above(z, Y, ctx))[1]
    ),
]
globals().update({cls.__name__: cls for cls in [*RIGHT, *FAULTY]})
