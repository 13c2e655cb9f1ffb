"""Gradients of the losses, and `loss_of`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

import equipoise
from equipoise import EquipoiseError
from equipoise.catalog.functional import loss_names

from .shared.losses import N_POS, N, Y, Z


def test_asl_without_the_focus_gradient_has_the_same_value_and_another_gradient() -> None:
    z = torch.from_numpy(Z).requires_grad_()
    y = torch.from_numpy(Y)
    both = [equipoise.loss_of("asl", N_POS, N, focus_gradient=f)(z, y) for f in (True, False)]
    first, second = (torch.autograd.grad(loss.sum(), z)[0] for loss in both)
    assert torch.equal(both[0], both[1])
    assert not torch.allclose(first, second)
    focus = torch.where(y > 0, 1 - z.sigmoid(), (z.sigmoid() - 0.05).clamp(min=0) ** 4).detach()
    slope = torch.where(y > 0, z.sigmoid() - 1, z.sigmoid() * (1 - z.sigmoid()) / (1.05 - z.sigmoid()))
    assert torch.allclose(second, focus * slope * ((z.sigmoid() > 0.05) | (y > 0)), atol=1e-12)


@pytest.mark.parametrize("name", ["none", *loss_names()])
def test_gradients(name: str) -> None:
    rng = np.random.default_rng(5)
    y = torch.from_numpy((rng.random((6, 4)) < [0.8, 0.4, 0.2, 0.0]).astype(float))
    z = torch.from_numpy(rng.normal(scale=2, size=(6, 4))).requires_grad_()
    for progress in (0.0, 1.0):
        loss = equipoise.loss_of(name, np.array([400, 100, 20, 0]), N)
        assert gradcheck(lambda x, f=loss, t=progress: f(x, y, progress=t), (z,))


def test_loss_of_says_what_would_be_right() -> None:
    with pytest.raises(EquipoiseError, match="did you mean 'focal'"):
        equipoise.loss_of("fcoal", N_POS, N)
    with pytest.raises(EquipoiseError, match="did you mean 'gamma'"):
        equipoise.loss_of("focal", N_POS, N, gama=1.0)
    with pytest.raises(EquipoiseError, match=r"'ml_ros' has no loss of its own; those that do: apl, asl, "):
        equipoise.loss_of("ml_ros", N_POS, N)
    with pytest.raises(EquipoiseError, match=r"within 0\.\.n_rows = 300"):
        equipoise.loss_of("asl", N_POS, 300)
    with pytest.raises(EquipoiseError, match=r"must both be \(rows, 4\); got \(3, 5\) and \(3, 4\)"):
        equipoise.loss_of("asl", N_POS, N)(torch.zeros(3, 5), torch.zeros(3, 4))
