"""One activation after another, as an activation: a norm that acts element by element is one."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradsim.theory.memory import kept
from gradsim_core.activations import Activation
from gradsim_core.activations.table import Row


@kept(64)
def composed(outer: Activation, inner: Activation) -> Activation:
    """Return outer(inner(h)); kinks of the outer one that the inner one reaches are found by halving panels."""

    def phi(h: Any, _: float) -> Any:
        return outer(inner(h))

    def dphi(h: Any, _: float) -> Any:
        return outer.derivative(inner(h)) * inner.derivative(h)

    return Row(f"{outer.name} of {inner.name}", phi, dphi, kinks=tuple(np.unique(inner.kinks)))
