"""The derivative by a weight of the first layer of a small fully connected network, as a sum over all paths."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from gradsim.lessons.experiments.single_neurons import slope
from gradsim.training import Data, Recipe, trainer_for
from gradsim_core.training.layout import views

Array = NDArray[np.float64]

HIDDEN = (2, 3, 3)
"""Neurons of the hidden layers; two inputs and one output."""
INPUTS, TARGET = np.array([0.6, -0.3]), 0.0


def draw(seed: int) -> tuple[list[Array], list[Array]]:
    """Return weights (fan_out, fan_in) and biases (fan_out,) of every layer, from N(0, 1)."""
    widths, rng = (len(INPUTS), *HIDDEN, 1), np.random.default_rng([seed, 3])
    weights = [rng.normal(size=(above, below)) for below, above in pairwise(widths)]
    return weights, [rng.normal(size=width) for width in widths[1:]]


def sum_over_paths(weights: list[Array], biases: list[Array]) -> pd.DataFrame:
    """List the paths from each weight of the first layer to the cost C = (a - y)^2 / 2, with the product along each.

    dC/dw^1_jk = sum over paths j -> m -> ... -> output of a^0_k s'(z^1_j) w^2_mj s'(z^2_m) ... s'(z^L) (a^L - y).

    Returns
    -------
    DataFrame
        A row per (to, input, path): to = j and input = k name the weight, `path` its neurons from layer 1 on, counted
        from 1, `product` the path's share of the derivative, and `backprop` the derivative by the compiled
        back-propagation, which the shares of a weight add up to.
    """
    slopes, a = [], INPUTS
    for w, b in zip(weights, biases, strict=True):
        z = w @ a + b
        slopes.append(slope(z))
        a = special.expit(z)
    exact, rows = _back_propagate(weights, biases), []
    for j, k in np.ndindex(weights[0].shape):
        for later in product(*(range(len(b)) for b in biases[1:])):
            path = (j, *later)
            share = INPUTS[k] * (a[later[-1]] - TARGET)
            for layer, neuron in enumerate(path):
                share *= slopes[layer][neuron]
                if layer > 0:
                    share *= weights[layer][neuron, path[layer - 1]]
            name = " → ".join(str(neuron + 1) for neuron in path)
            rows.append((j + 1, k + 1, name, share, exact[j, k]))
    return pd.DataFrame(rows, columns=["to", "input", "path", "product", "backprop"])


def totals(table: pd.DataFrame) -> pd.DataFrame:
    """Return the sum over paths and the back-propagated derivative of each weight: columns product, backprop."""
    return table.groupby(["to", "input"]).agg({"product": "sum", "backprop": "first"})


def _back_propagate(weights: list[Array], biases: list[Array]) -> Array:
    """Return dC/dW of the first layer from the compiled core in float64."""
    recipe = Recipe(hidden=HIDDEN, cost="quadratic", epochs=0, replicas=1, dtype="float64")
    data = Data(INPUTS[None], np.array([[TARGET]]))
    trainer = trainer_for(recipe, data)
    parameters = trainer.parameters()
    for layer, (w, b, _) in enumerate(views(trainer.network, parameters)):
        w[:], b[:] = weights[layer], biases[layer]
    gradient, _, _ = trainer.gradient(parameters, trainer.data(*data))
    return np.array(views(trainer.network, gradient)[0][0], np.float64)
