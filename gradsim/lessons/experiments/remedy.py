"""Remedies for vanishing and exploding gradients: ways to build and train a deep network, and what theory predicts."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np

from gradsim.activations import find_activation
from gradsim.lessons.images import load_images
from gradsim.theory import mean_field
from gradsim.theory.averages.moments import moments
from gradsim.training import Recipe

DEPTH, WIDTH, BATCH = 10, 30, 10


class Remedy(NamedTuple):
    """A way to build and train a deep network: one row of the table and of the picture."""

    activation: str
    start: str
    extra: str = ""

    @property
    def name(self) -> str:
        """Name in the tables: "activation/start" or "activation/start/extra"."""
        return "/".join(part for part in self if part)

    @property
    def plain(self) -> bool:
        """Whether mean-field theory applies: neither residual branches nor normalisation."""
        return self.extra in ("", "clip")

    def recipe(self, epochs: int = 0, eta: float = 0.1, replicas: int = 1, seed: int = 1) -> Recipe:
        """Return the recipe that trains it."""
        return Recipe(
            hidden=(WIDTH,) * DEPTH, activation=self.activation, start=self.start, residual=self.extra == "residual",
            normalisation=self.extra if self.extra in ("layer", "batch") else "none",
            clip=1.0 if self.extra == "clip" else np.inf, batch=BATCH, epochs=epochs, eta=eta, replicas=replicas,
            seed=seed,
        )  # fmt: skip


REFERENCE = Remedy("sigmoid", "normal")
ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "selu", "gelu")
STARTS = ("default", "xavier", "he", "critical")
EXTRAS = ("residual", "layer", "batch", "clip")
REMEDIES = (
    REFERENCE,
    *(Remedy(activation, start) for activation, start in product(ACTIVATIONS, STARTS)),
    *(Remedy("sigmoid", "normal", extra) for extra in EXTRAS),
    *(Remedy("tanh", "xavier", extra) for extra in EXTRAS),
    *(Remedy("relu", "he", extra) for extra in EXTRAS),
)
QUICK = (
    REFERENCE, Remedy("sigmoid", "normal", "residual"), Remedy("sigmoid", "normal", "batch"), Remedy("tanh", "default"),
    Remedy("tanh", "xavier"), Remedy("tanh", "critical"), Remedy("relu", "default"), Remedy("relu", "he"),
    Remedy("relu", "he", "clip"),
)  # fmt: skip


def growth_at_rest(remedy: Remedy) -> float:
    """Return chi_1^(-1/2) at the fixed point q* of the hidden layers, or NaN where mean field does not apply."""
    if not remedy.plain:
        return np.nan
    sigma_w, sigma_b = remedy.recipe().spreads(WIDTH, WIDTH)[1] * (WIDTH**0.5, 1)
    return float(mean_field(remedy.activation, sigma_w=sigma_w, sigma_b=sigma_b).chi_1 ** -0.5)


def growth_of_images(remedy: Remedy) -> float:
    """Return the growth per layer with q followed from the images, or NaN where mean field does not apply.

    With <x^2> the mean square of the pixels, q^1 = sigma_w^2 <x^2> + sigma_b^2 and q^(l+1) = sigma_w^2 E[phi^2] +
    sigma_b^2; |delta^l|^2 = chi^l |delta^(l+1)|^2 with chi^l = sigma_w^2 E[phi'^2] at q^l (arXiv:1611.01232). As a
    factor, the growth is the mean of -ln(chi^l) / 2 over l = 1 .. L - 1. Ten layers are too few for q to reach q*.
    """
    if not remedy.plain:
        return np.nan
    data = load_images()
    inputs, outputs = data.images.shape[1], data.targets.shape[1]
    variances = remedy.recipe().spreads(inputs, outputs) ** 2
    table = moments(find_activation(remedy.activation))
    q = inputs * variances[0, 0] * float(np.mean(data.images.astype(np.float64) ** 2)) + variances[0, 1]
    gain = 0.0
    for of_weights, of_biases in variances[1:DEPTH]:
        forward, backward = (WIDTH * of_weights * np.exp(moment) for moment in table.log_moments(np.log(q)))
        gain += float(np.log(backward))
        q = float(forward + of_biases)
    return float(np.exp(-gain / 2 / (DEPTH - 1)))
