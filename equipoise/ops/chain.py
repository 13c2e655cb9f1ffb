"""Forward and backward passes of operations that follow one another, without autograd.

A step of a small network takes less than a millisecond, of which autograd's graph is a third. In a chain, every operation works
on the result of the one before, so the way back is the same list from its end.
"""

from __future__ import annotations

import threading
from typing import Any

import torch
from torch import Tensor


class Chain:
    """Records the operations that run within a `with` block; `backward` then writes the gradients of their parameters.

    Only operations that go through `apply` are recorded. Parameters are those with a `GradientBuffer`.
    """

    def __init__(self) -> None:
        self._links: list[tuple[Any, _Link]] = []
        self._last: Tensor | None = None
        self._no_grad = torch.no_grad()

    def __enter__(self) -> Chain:
        self._no_grad.__enter__()
        _active.chain = self
        return self

    def __exit__(self, *error: Any) -> None:
        _active.chain = None
        self._no_grad.__exit__(*error)

    def follow(self, function: Any, first: Any, *rest: Any) -> Tensor:
        """Run an operation on the result of the one before (or, as the first one, on anything)."""
        if self._links and first is not self._last:
            raise RuntimeError("an operation does not follow the one before it: set `chained = False`")
        link = _Link(bool(self._links))
        out: Tensor = function.forward(link, first, *rest)
        self._links.append((function, link))
        self._last = out
        return out

    @torch.no_grad()
    def backward(self, logits: Tensor, grad: Tensor) -> None:
        """Write the gradients of all parameters, from that of the logits, the last result of the chain."""
        if logits is not self._last:
            raise RuntimeError("the logits are not the last operation's result: set `chained = False`")
        onward: Tensor | None = grad
        for function, link in reversed(self._links):
            onward = function.backward(link, onward)[0]


class _Link:
    """What a backward pass needs of its forward pass, in place of autograd's context."""

    def __init__(self, needs_first: bool) -> None:
        # Gradients in parameters go into their buffers, those in constants nowhere.
        self.needs_input_grad = (needs_first,)
        self.saved_tensors: tuple[Tensor, ...] = ()

    def save_for_backward(self, *tensors: Tensor) -> None:
        self.saved_tensors = tensors

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Nothing to do: without a graph, nobody holds the old values."""


class _Active(threading.local):
    chain: Chain | None = None


_active = _Active()


def apply(function: Any, *arguments: Any) -> Any:
    """Run an operation, an `autograd.Function`: within a chain as its next link, else through autograd."""
    chain = _active.chain
    return function.apply(*arguments) if chain is None else chain.follow(function, *arguments)


def will_go_back() -> bool:
    """Whether a backward pass will follow, in a chain or through autograd."""
    return _active.chain is not None or torch.is_grad_enabled()
