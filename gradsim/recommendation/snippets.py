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
    architecture
        plain, convolution or recurrent.
    sigma_u
        Of the inputs' weights of a recurrent network; 0 if it has none.
    """

    law: str
    sigma_w: float
    sigma_b: float
    width: int
    architecture: str = "plain"
    sigma_u: float = 0.0

    @property
    def scale(self) -> str:
        """sigma_w squared, as a scale of the variance."""
        return f"{self.sigma_w**2:.6g}"


_CUT = 0.8796256610342398  # std of a normal law that is cut at 2

BY_STD: dict[str, Callable[[str, str], str]] = {
    "gaussian": lambda weight, std: f"nn.init.normal_({weight}, std={std})",
    "uniform": lambda weight, std: f"nn.init.uniform_({weight}, -(3**0.5) * {std}, 3**0.5 * {std})",
    "truncated_normal": lambda weight, std: (
        f"nn.init.trunc_normal_({weight}, std={std} / {_CUT:.6f}, a=-2 * {std} / {_CUT:.6f}, b=2 * {std} / {_CUT:.6f})"
    ),
}
"""Lines for PyTorch that draw a weight of a standard deviation, by the law."""


def _torch(weights: Weights) -> str | None:
    if weights.architecture == "recurrent":
        return _torch_recurrent(weights)
    convolution = weights.architecture == "convolution"
    fan_in = "module.weight[0].numel()" if convolution else "module.in_features"
    std = f"{weights.sigma_w:.6g} / {fan_in}**0.5"
    cut = f"{weights.sigma_w / _CUT:.6g} / {fan_in}**0.5"  # before the normal law is cut at 2
    lines = {
        "gaussian": f"nn.init.normal_(module.weight, std={std})",
        "uniform": f"bound = {sqrt(3.0) * weights.sigma_w:.6g} / {fan_in}**0.5\n"
        "        nn.init.uniform_(module.weight, -bound, bound)",
        "truncated_normal": f"std = {cut}\n        nn.init.trunc_normal_(module.weight, 0.0, std, -2 * std, 2 * std)",
        "orthogonal": f"nn.init.orthogonal_(module.weight, gain={weights.sigma_w:.6g})",
    }
    if weights.law not in lines:
        return None
    bias = f"nn.init.normal_(module.bias, std={weights.sigma_b:.6g})" if weights.sigma_b else (
        "nn.init.zeros_(module.bias)"
    )  # fmt: skip
    kinds = "(nn.Conv1d, nn.Conv2d)" if convolution else "nn.Linear"
    return f"""from torch import nn

for module in model.modules():
    if isinstance(module, {kinds}):
        {lines[weights.law]}
        if module.bias is not None:
            {bias}
"""


def _torch_recurrent(weights: Weights) -> str | None:
    """Of nn.RNN, whose two biases are added."""
    if weights.law not in BY_STD:
        return None
    inputs = BY_STD[weights.law]("weight", f"{weights.sigma_u:.6g} / weight.shape[1] ** 0.5")
    bias = f"nn.init.normal_(weight, std={weights.sigma_b:.6g})" if weights.sigma_b else "nn.init.zeros_(weight)"
    return f"""from torch import nn

for name, weight in model.named_parameters():
    if "weight_hh" in name:
        std = {weights.sigma_w:.6g} / weight.shape[1] ** 0.5
        {BY_STD[weights.law]("weight", "std")}
    elif "weight_ih" in name:
        {inputs if weights.sigma_u else "pass  # sigma_u is not given"}
    elif "bias_hh" in name:
        {bias}
    elif "bias_ih" in name:
        nn.init.zeros_(weight)
"""


def _flax(weights: Weights) -> str | None:
    if weights.architecture != "plain":
        return None
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
    if weights.architecture != "plain":
        return None
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
"""What writes a snippet, by the name of the framework; it returns None where it knows no such law or network."""


def snippet(framework: str, weights: Weights) -> str | None:
    """Return code for a framework that sets such weights; None where it knows no such law or network.

    Raises
    ------
    SweepError
        For an unknown framework.
    """
    check_framework(framework)
    return FRAMEWORKS[framework](weights)


def check_framework(framework: str) -> None:
    """Refuse an unknown framework with :class:`SweepError`."""
    if framework not in FRAMEWORKS:
        remedy = suggestion(framework, FRAMEWORKS)
        raise SweepError("framework", framework, f"one of {', '.join(FRAMEWORKS)}", remedy)
