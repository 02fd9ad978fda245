"""What the initialisations that people use give in place of a recommended sigma_w."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from gradsim.analysis.summaries import DECADE
from gradsim.recommendation.samples import Networks, Sample
from gradsim_core.architectures import PLAIN, PRESETS
from gradsim_core.architectures.network import matrix_of
from gradsim_core.architectures.presets import HIDDEN, torch_gain

COLUMNS = [
    "preset", "source", "sigma_w", "sigma_b", "law", "decades", "decades_low", "decades_high", "live_share",
    "dead_fraction",
]  # fmt: skip
_NETWORKS = 100  # most presets miss by decades, which few networks show


class _Row(NamedTuple):
    """A row of the comparison.

    Attributes
    ----------
    name
        As users know it.
    preset
        The row of the core's table that it shows; None for the gain of PyTorch, a function of the activation.
    source
        Where it is defined, if not where the core's row says.
    law
        Gaussian for all independent weights, whose distribution matters by 1/width only.
    """

    name: str
    preset: str | None
    source: str | None = None
    law: str = "gaussian"


_ROWS = (
    _Row("He", "he_normal"),
    _Row(
        "Xavier, LeCun", "xavier_normal", "; ".join(PRESETS[name].source for name in ("xavier_normal", "lecun_normal"))
    ),
    _Row("orthogonal", "orthogonal", law="orthogonal"),
    _Row("PyTorch default", "pytorch_linear"),
    _Row("PyTorch gain", None, "torch.nn.init.calculate_gain"),
)


def _sigmas(row: _Row, networks: Networks) -> tuple[float | None, float]:
    """sigma_w and sigma_b of a row; sigma_w is None where it has none."""
    if row.preset is None:
        return torch_gain(networks.activation), 0.0
    preset, one = PRESETS[row.preset], matrix_of(networks.network, HIDDEN, networks.depth, networks.width)
    return (preset.sigma(one) if preset.sigma else None), preset.sigma_b(one)


def compare(networks: Networks) -> pd.DataFrame:
    """Return a row per preset: the median gain in decades of the norm, with its interval, and the networks lost.

    Parameters
    ----------
    networks
        Which networks; their law and sigma_b are replaced by the presets'.
    """
    rows, known = [], dict[tuple[float, float, str], Sample]()
    for row in _ROWS:
        sigma_w, sigma_b = _sigmas(row, networks)
        if sigma_w is None or (row.law == "orthogonal" and networks.network != PLAIN):
            continue
        key = (sigma_w, sigma_b, row.law)
        if key not in known:
            known[key] = replace(networks, law=row.law, sigma_b=sigma_b).sample(sigma_w, _NETWORKS)
        sample = known[key]
        low, high = (end / DECADE for end in sample.median_interval())
        found = (sample.decades, low, high, sample.live_share, sample.dead_fraction)
        source = row.source or PRESETS[str(row.preset)].source
        rows.append((row.name, source, sigma_w, sigma_b, row.law, *found))
    return pd.DataFrame(rows, columns=COLUMNS)
