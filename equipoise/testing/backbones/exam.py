"""The examination of one backbone: its features and parameters in each world, and forward passes as the engine makes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.contracts.backbone import Backbone
from equipoise.contracts.features import TfIdf, TokenIds
from equipoise.contracts.strategy import Strategy
from equipoise.core.errors import one_line
from equipoise.engine.lanes import Lane, Trained
from equipoise.engine.predict import forward, predict
from equipoise.engine.train import TrainingCost, train
from equipoise.ops.device import repeatable
from equipoise.ops.dropout import Dropout
from equipoise.ops.inputs import Dense, Inputs, Sparse, TokenBatch, Tokens, fed_to
from equipoise.ops.parameters import Parameters
from equipoise.ops.sparse import SparseBatch, SparseRows
from equipoise.testing.backbones.worlds import TRAIN, BackboneWorld, backbone_worlds
from equipoise.testing.exam import Stopped, Watched
from equipoise.testing.findings import Findings

#: What to do where features of texts are asked for numbers, and where a parameter is indexed with all of `x`.
TEXTS = 'a backbone that reads texts only declares accepts = frozenset({"text"})'
IDS = "x holds `ids` and `lengths`: index a parameter with x.ids, not with x"
CPU = torch.device("cpu")
#: Rows of a batch; a multiple of 32, as in training.
BATCH = 32


@dataclass(eq=False)
class BackboneExam(Watched):
    """A backbone, the findings about it, and what its hooks returned.

    Attributes:
        results: (hook, world) → arrays, for comparison with another process.
    """

    backbone: Backbone
    findings: Findings = field(default_factory=lambda: Findings("backbone"))
    results: dict[tuple[str, str], Any] = field(default_factory=dict)
    _inputs: dict[str, Inputs] = field(default_factory=dict)

    def advice(self, hook: str, world: str, error: Exception) -> str:
        # In a world of texts the same features work, so they are made for texts only.
        kind = next((w.kind for w in backbone_worlds() if w.name == world), "")
        reads_texts = hook == "features" and kind == "numeric" and "text" in self.backbone.accepts
        return TEXTS if reads_texts and isinstance(self.backbone.features(kind), TokenIds | TfIdf) else ""

    @property
    def stacks(self) -> bool:
        """Whether `forward` takes all lanes at once."""
        return self.backbone.stacks(CPU)

    @property
    def most_lanes(self) -> int:
        """How many lanes the checks train and predict side by side: 32, unless the backbone says fewer."""
        return min(32, self.backbone.lanes_at_once or 32)

    def inputs(self, world: BackboneWorld) -> Inputs:
        """The features of all rows of a world, fitted on its training rows."""
        if world.name not in self._inputs:
            self._inputs[world.name] = self.run(
                "features", world.name, lambda: transformed(self.backbone, world)
            )
        return self._inputs[world.name]

    def init(self, world: BackboneWorld, seed: int = 0, outputs: int | None = None) -> dict[str, Tensor]:
        """The initial parameters of a lane."""
        generator, width = torch.Generator().manual_seed(seed), self.inputs(world).width
        params: dict[str, Tensor] = self.run(
            "init", world.name, lambda: self.backbone.init(width, outputs or world.n_labels, generator)
        )
        return params

    def rows(self, world: BackboneWorld, rows: Tensor, inputs: Inputs | None = None) -> Any:
        """`x` of rows (K, B), as the engine gathers them."""
        return fed_to(inputs or self.inputs(world), self.stacks).gather(rows)

    def logits(
        self,
        world: BackboneWorld,
        lanes: Sequence[Mapping[str, Tensor]],
        rows: Tensor,
        dropout: Dropout | None = None,
        inputs: Inputs | None = None,
        method: str = "forward",
    ) -> Tensor:
        """Logits (K, B, L) of lanes with these parameters for rows (K, B)."""
        x, params = self.rows(world, rows, inputs), Parameters.of(lanes, CPU)

        def compute() -> Tensor:
            try:
                with torch.no_grad():
                    return forward(self.backbone, params, x, dropout, method=method)
            except Exception as error:
                problem = f"{self.described(x, params)}: {one_line(error)}"
                tokens = isinstance(x, TokenBatch) and isinstance(error, IndexError | TypeError)
                self.findings.note("raises", method, world.name, problem, IDS if tokens else "")
                raise Stopped from error

        out: Tensor = self.run(method, world.name, compute)
        return out

    def described(self, x: Any, params: Parameters) -> str:
        """What `forward` was given, in words."""
        given, own = (x, params.stacked) if self.stacks else (x[0], params.lane(0))
        shapes = ", ".join(f"{name} {tuple(p.shape)}" for name, p in list(own.items())[:6])
        return f"with x = {form_of(given)} and the parameters {shapes}"

    def train(self, world: BackboneWorld, lanes: Sequence[Lane]) -> list[Trained]:
        """Train lanes side by side, as the engine does it."""
        out: list[Trained] = self.run("training", world.name, lambda: self.fit(world, lanes))
        return out

    def fit(self, world: BackboneWorld, lanes: Sequence[Lane]) -> list[Trained]:
        """The same without a watch; raises what the engine or the backbone raises."""
        with repeatable(CPU):
            return train(lanes, self.inputs(world), batch_size=BATCH, device=CPU, cost=TrainingCost())

    def lane(self, world: BackboneWorld, k: int = 0, steps: int = 3, **more: Any) -> Lane:
        """A lane that learns the training rows of a world; lanes of different numbers differ in their random streams."""
        Y = world.Y[:TRAIN]
        settings: dict[str, Any] = {
            "index": np.arange(TRAIN),
            "targets": Y,
            "n_pos": Y.sum(0, dtype=np.int64),
            "n_rows": TRAIN,
            "strategy": Strategy(),
            "backbone": self.backbone,
            "lr": float(self.backbone.lr.default),
            "l2": 0.0,
            "role": ("backbone kit", k),
            "steps": steps,
        }
        return Lane(**(settings | more))

    def predicted(
        self, world: BackboneWorld, trained: Sequence[Trained], counts: Sequence[int]
    ) -> list[np.ndarray]:
        """The logits of trained lanes for the first rows of a world, each lane for its own number of them."""
        rows = [np.arange(count) for count in counts]
        out: list[np.ndarray] = self.run(
            "predict", world.name, lambda: predict(trained, self.inputs(world), rows, CPU)
        )
        return out

    def set_dropout(self, rate: float) -> Backbone:
        """The backbone with another dropout rate, if it has such a field."""
        has_field = any(f.name == "dropout" for f in dataclasses.fields(self.backbone))
        changed: dict[str, Any] = {"dropout": rate} if has_field else {}
        return dataclasses.replace(self.backbone, **changed)


def transformed(backbone: Backbone, world: BackboneWorld) -> Inputs:
    """The features of all rows of a world, fitted on its training rows.

    Raises:
        TypeError: they are in none of the known forms.
    """
    extractor = backbone.features(world.kind)
    fitted = extractor.fit(world.X[:TRAIN], None)
    if fitted is None:
        raise TypeError("`fit` of the features returns None; it must return the fitted extractor, e.g. self")
    inputs = fitted.transform(world.X)
    if not isinstance(inputs, Dense | Sparse | Tokens):
        raise TypeError(
            f"`transform` of the features returns {type(inputs).__name__}; "
            "it must be Dense.of(array), Sparse.of(matrix) or Tokens(ids, lengths, width)"
        )
    if len(inputs) != world.Y.shape[0]:
        raise TypeError(f"`transform` of the features returns {len(inputs)} rows for {world.Y.shape[0]}")
    return inputs


def form_of(x: Any) -> str:
    """The form of `x` in words."""
    if isinstance(x, SparseBatch | SparseRows):
        return "sparse rows, which take x @ weight only"
    if isinstance(x, TokenBatch):
        return f"token ids {tuple(x.ids.shape)} with lengths {tuple(x.lengths.shape)}"
    return f"dense rows {tuple(x.shape)}" + (
        ", padded with columns of zeros for `affine`" if x.dim() == 3 else ""
    )
