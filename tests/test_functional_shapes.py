"""Losses as plain functions refuse tensors of a wrong shape in one line."""

from __future__ import annotations

import pytest
import torch

from equipoise import EquipoiseError, loss_of


@pytest.mark.parametrize(
    ("logits", "targets"),
    [
        ((), ()),
        ((3,), (3,)),
        ((), (2, 3)),
        ((2, 3), ()),
        ((2, 4), (2, 4)),
        ((1, 2, 3), (1, 2, 3)),
        ((2, 3), (3, 3)),
    ],
)
@pytest.mark.parametrize("name", ["none", "asl"])
def test_any_shape_but_rows_by_labels_is_refused(
    name: str, logits: tuple[int, ...], targets: tuple[int, ...]
) -> None:
    loss = loss_of(name, n_pos=[5, 3, 1], n_rows=10)
    with pytest.raises(EquipoiseError) as caught:
        loss(torch.zeros(logits), torch.zeros(targets))
    assert str(caught.value) == f"logits and targets must both be (rows, 3); got {logits} and {targets}"


def test_no_rows_are_rows() -> None:
    assert loss_of("none", n_pos=[5, 3, 1], n_rows=10)(torch.zeros(0, 3), torch.zeros(0, 3)).shape == (0, 3)
