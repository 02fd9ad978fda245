"""Code that sets the weights, for three frameworks. Tests run each snippet and measure the weights that it makes."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import NamedTuple

from gradsim.errors import SweepError, suggestion


class Weights(NamedTuple):
    """What a snippet sets.

    Attributes
    ----------
    law
        Of the weights, without its parameter.
    sigma_w, sigma_b
        As numbers of six digits.
    width
        Number of neurons of a layer.
    """

    law: str
    sigma_w: float
    sigma_b: float
    width: int

    @property
    def scale(self) -> str:
        """sigma_w squared, as a scale of the variance."""
        return f"{self.sigma_w**2:.6g}"


def _torch(weights: Weights) -> str | None:
    std = f"{weights.sigma_w:.6g} / module.in_features**0.5"
    cut = f"{weights.sigma_w / 0.8796256610342398:.6g} / module.in_features**0.5"  # before the normal law is cut at 2
    lines = {
        "gaussian": f"nn.init.normal_(module.weight, std={std})",
        "uniform": f"bound = {sqrt(3.0) * weights.sigma_w:.6g} / module.in_features**0.5\n"
        "        nn.init.uniform_(module.weight, -bound, bound)",
        "truncated_normal": f"std = {cut}\n        nn.init.trunc_normal_(module.weight, 0.0, std, -2 * std, 2 * std)",
        "orthogonal": f"nn.init.orthogonal_(module.weight, gain={weights.sigma_w:.6g})",
    }
    if weights.law not in lines:
        return None
    bias = f"nn.init.normal_(module.bias, std={weights.sigma_b:.6g})" if weights.sigma_b else (
        "nn.init.zeros_(module.bias)"
    )  # fmt: skip
    return f"""from torch import nn

for module in model.modules():
    if isinstance(module, nn.Linear):
        {lines[weights.law]}
        if module.bias is not None:
            {bias}
"""


def _flax(weights: Weights) -> str | None:
    names = {"gaussian": "normal", "uniform": "uniform", "truncated_normal": "truncated_normal"}
    init = f'nn.initializers.variance_scaling({weights.scale}, "fan_in", "{names.get(weights.law)}")'
    if weights.law == "orthogonal":
        init = f"nn.initializers.orthogonal({weights.sigma_w:.6g})"
    elif weights.law not in names:
        return None
    bias = f"nn.initializers.normal({weights.sigma_b:.6g})" if weights.sigma_b else "nn.initializers.zeros"
    return f"""from flax import linen as nn

layer = nn.Dense(
    {weights.width},
    kernel_init={init},
    bias_init={bias},
)
"""


def _keras(weights: Weights) -> str | None:
    names = {"gaussian": "untruncated_normal", "uniform": "uniform", "truncated_normal": "truncated_normal"}
    init = f'keras.initializers.VarianceScaling({weights.scale}, "fan_in", "{names.get(weights.law)}")'
    if weights.law == "orthogonal":
        init = f"keras.initializers.Orthogonal({weights.sigma_w:.6g})"
    elif weights.law not in names:
        return None
    bias = f"keras.initializers.RandomNormal(stddev={weights.sigma_b:.6g})" if weights.sigma_b else '"zeros"'
    return f"""import keras

layer = keras.layers.Dense(
    {weights.width},
    kernel_initializer={init},
    bias_initializer={bias},
)
"""


FRAMEWORKS: dict[str, Callable[[Weights], str | None]] = {"pytorch": _torch, "flax": _flax, "keras": _keras}
"""What writes a snippet, by the name of the framework; it returns None where the framework has no such law."""


def snippet(framework: str, weights: Weights) -> str | None:
    """Return code for a framework that sets such weights; None where the framework has no such law.

    Raises
    ------
    SweepError
        For an unknown framework.
    """
    if framework not in FRAMEWORKS:
        remedy = suggestion(framework, FRAMEWORKS)
        raise SweepError("framework", framework, f"one of {', '.join(FRAMEWORKS)}", remedy)
    return FRAMEWORKS[framework](weights)
