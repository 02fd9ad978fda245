"""Chains of single sigmoid neurons, z = w a + b and a = s(z): used by several lessons."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from gradsim.training import Data, Recipe, trainer_for
from gradsim_core.training.layout import views

Array = NDArray[np.float64]


def slope(z: Array) -> Array:
    """Return s'(z) = s(z) (1 - s(z)), computed as s(z) s(-z), which does not cancel."""
    return np.asarray(special.expit(z) * special.expit(-z))


def width(w: Array) -> Array:
    """Return the width of the interval of a in which |w s'(w a + b)| >= 1, for any b: 0 for |w| <= 4.

    s(1 - s) >= 1/|w| holds for |z| <= z0 = ln(|w| (1 + sqrt(1 - 4/|w|)) / 2 - 1), and z = w a + b: 2 z0 / |w|.
    """
    size = np.maximum(np.abs(w), 4.0)
    return np.asarray(2 / size * np.log(size * (1 + np.sqrt(1 - 4 / size)) / 2 - 1))


def back_propagate(w: Array, b: Array, a0: float, target: float) -> tuple[Array, Array]:
    """Return dC/dw and dC/db of every layer, C = (a_L - target)^2 / 2, from the compiled core in float64."""
    recipe = Recipe(hidden=(1,) * (len(w) - 1), cost="quadratic", epochs=0, replicas=1, dtype="float64")
    data = Data(np.array([[a0]]), np.array([[target]]))
    trainer = trainer_for(recipe, data)
    parameters = trainer.parameters()
    for layer, (weights, biases, _) in enumerate(views(trainer.network, parameters)):
        weights[:], biases[:] = w[layer], b[layer]
    gradient, _, _ = trainer.gradient(parameters, trainer.data(*data))
    parts = views(trainer.network, gradient)
    return np.array([weights[0, 0] for weights, _, _ in parts]), np.array([biases[0] for _, biases, _ in parts])
