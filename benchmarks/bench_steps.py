"""Times a training step of every strategy and every backbone in the registry, plugins included, as the engine runs it.

The lanes are those that a small cell asks for first: all trials of a batch on all folds, after the strategy's hooks on the data,
with its sampling weights and its tasks. The loss runs in lanes or through vmap, as in a sweep. Strategies train an mlp.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import small_cells as small
import torch

from equipoise.catalog.backbones import get_backbone
from equipoise.ops.device import repeatable

#: Gradient steps of all lanes that count as one call.
STEPS = 2


def step_of(strategy: str, backbone: str, timed: Callable[..., None], device: torch.device) -> None:
    """Time some steps of the first population of a cell; skip what does not fit together, with its reason."""
    cell, why = small.cell_of(strategy, backbone, device.type, small.MANY_LANES)
    if cell is None:
        pytest.skip(why)
    with repeatable(device):
        request = small.first_request(cell)
        populations, lanes = small.populations(request, device), len(request.lanes)

        def work() -> None:
            for population in populations:
                population.advance(STEPS)

        timed(
            work,
            group="steps",
            rows=STEPS * lanes * request.batch_size,
            device=device,
            labels=request.lanes[0].targets.shape[1],
            lanes=lanes,
            unit=f"{STEPS} steps of {lanes} lanes of {backbone}",
            data=cell.dataset,
        )


@pytest.mark.parametrize("strategy", small.names("strategy"))
def test_strategy(timed: Callable[..., None], device: torch.device, strategy: str) -> None:
    step_of(strategy, "mlp", timed, device)


@pytest.mark.parametrize("backbone", [n for n in small.names("backbone") if get_backbone(n).gradient])
def test_backbone(timed: Callable[..., None], device: torch.device, backbone: str) -> None:
    step_of("none", backbone, timed, device)
