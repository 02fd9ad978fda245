"""The table of initialisations that people use, and what they give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import sqrt

import pandas as pd

from gradsim.analysis.summaries import DECADE
from gradsim.recommendation.samples import Networks, Sample
from gradsim_core.activations import Activation, resolve_activation

COLUMNS = [
    "preset", "source", "sigma_w", "sigma_b", "law", "decades", "decades_low", "decades_high", "live_share",
    "dead_fraction",
]  # fmt: skip
_NETWORKS = 100  # most presets miss by decades, which few networks show


@dataclass(frozen=True)
class Preset:
    """An initialisation by its name.

    Attributes
    ----------
    name, source
        As users know it, and where it is defined.
    sigma_w
        Of an activation, in layers as wide as they are deep in neurons (fan_in = fan_out); None where it has none.
    sigma_b
        Of a width.
    law
        Gaussian for all independent weights, whose distribution matters by 1/width only.
    """

    name: str
    source: str
    sigma_w: Callable[[str | Activation], float | None]
    sigma_b: Callable[[int], float] = lambda width: 0.0
    law: str = "gaussian"


def torch_gain(activation: str | Activation) -> float | None:
    """Return what ``torch.nn.init.calculate_gain`` gives for an activation; None where it knows none."""
    found = resolve_activation(activation)
    if not found.built_in:
        return None
    slope = found.alpha if found.name.startswith("leaky_relu") else 0.0
    gains = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": sqrt(2.0), "selu": 0.75}
    return sqrt(2.0 / (1.0 + slope**2)) if slope else gains.get(found.name)


PRESETS = (
    Preset("He", "arXiv:1502.01852", lambda activation: sqrt(2.0)),
    Preset("Xavier, LeCun", "Glorot & Bengio 2010; LeCun et al. 1998", lambda activation: 1.0),
    Preset("orthogonal", "arXiv:1312.6120", lambda activation: 1.0, law="orthogonal"),
    Preset("PyTorch default", "torch.nn.Linear", lambda activation: 1 / sqrt(3.0), lambda width: 1 / sqrt(3.0 * width)),
    Preset("PyTorch gain", "torch.nn.init.calculate_gain", torch_gain),
)


def compare(networks: Networks) -> pd.DataFrame:
    """Return a row per preset: the median gain in decades of the norm, with its interval, and the networks lost.

    Parameters
    ----------
    networks
        Which networks; their law and sigma_b are replaced by the presets'.
    """
    rows, known = [], dict[tuple[float, float, str], Sample]()
    for preset in PRESETS:
        sigma_w, sigma_b = preset.sigma_w(networks.activation), preset.sigma_b(networks.width)
        if sigma_w is None:
            continue
        key = (sigma_w, sigma_b, preset.law)
        if key not in known:
            known[key] = replace(networks, law=preset.law, sigma_b=sigma_b).sample(sigma_w, _NETWORKS)
        sample = known[key]
        low, high = (end / DECADE for end in sample.median_interval())
        found = (sample.decades, low, high, sample.live_share, sample.dead_fraction)
        rows.append((preset.name, preset.source, sigma_w, sigma_b, preset.law, *found))
    return pd.DataFrame(rows, columns=COLUMNS)
