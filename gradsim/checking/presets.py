"""The table of initialisations that a matrix may have, and which of them fit it within its sampling error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isnan, log, sqrt
from typing import Any, NamedTuple

import pandas as pd
from scipy.stats import norm

from gradsim.checking.measurements import Measurements

LEVEL = 1e-3
"""Probability that any matrix of a model is said not to fit the preset that it was drawn from."""

COLUMNS = [
    "parameter", "module", "layer", "preset", "source", "std", "std_se", "preset_std", "ratio", "z", "value_fits",
    "law", "law_fits", "fits",
]  # fmt: skip


class Matrix(NamedTuple):
    """What a preset depends on.

    Attributes
    ----------
    fan_in, fan_out
        Inputs of an output, outputs of an input.
    layer, layers
        Number of its block, from 1, and of blocks; 0 where it does not repeat.
    sums
        How many branches are added to the stream of its model; 0 without a stream.
    """

    fan_in: int
    fan_out: int
    layer: int
    layers: int
    sums: int


@dataclass(frozen=True)
class Preset:
    """An initialisation by name.

    Attributes
    ----------
    name, source
        As users know it, and where it is defined.
    std
        Standard deviation for a matrix; NaN where it has none.
    laws
        Names of the laws with which it is drawn.
    """

    name: str
    source: str
    std: Callable[[Matrix], float]
    laws: tuple[str, ...]


_UNIFORM, _NORMAL, _ANY = ("uniform",), ("gaussian", "truncated_normal"), ("uniform", "gaussian", "truncated_normal")


def _per(count: float) -> float:
    return 1.0 / sqrt(count) if count > 0 else float("nan")


def _glorot(one: Matrix) -> float:
    return sqrt(2.0) * _per(one.fan_in + one.fan_out)


def _deepnorm(one: Matrix) -> float:
    return _glorot(one) * (8.0 * one.layers) ** -0.25 if one.layers else float("nan")


PRESETS = (
    Preset("xavier_uniform", "Glorot & Bengio 2010", _glorot, _UNIFORM),
    Preset("xavier_normal", "Glorot & Bengio 2010", _glorot, _NORMAL),
    Preset("he_uniform", "arXiv:1502.01852", lambda one: sqrt(2.0) * _per(one.fan_in), _UNIFORM),
    Preset("he_normal", "arXiv:1502.01852", lambda one: sqrt(2.0) * _per(one.fan_in), _NORMAL),
    Preset("he_fan_out", "arXiv:1502.01852", lambda one: sqrt(2.0) * _per(one.fan_out), _ANY),
    Preset("lecun", "LeCun et al. 1998", lambda one: _per(one.fan_in), _ANY),
    Preset("lecun_fan_out", "LeCun et al. 1998", lambda one: _per(one.fan_out), _ANY),
    Preset("pytorch_linear", "torch.nn.Linear", lambda one: _per(3.0 * one.fan_in), _UNIFORM),
    Preset("tanh_gain", "torch.nn.init.calculate_gain", lambda one: 5.0 / 3.0 * _per(one.fan_in), _ANY),
    Preset("orthogonal", "arXiv:1312.6120", lambda one: _per(max(one.fan_in, one.fan_out)), ("orthogonal",)),
    Preset("gpt2", "Radford et al. 2019", lambda one: 0.02, _NORMAL),
    Preset("gpt2_residual", "Radford et al. 2019", lambda one: 0.02 * _per(one.sums), _NORMAL),
    Preset("llama_block", "arXiv:1908.11365", lambda one: 0.02 * _per(2.0 * one.layer), _NORMAL),
    Preset("deepnorm", "arXiv:2203.00555", _deepnorm, _ANY),
    Preset("ntk", "arXiv:1806.07572", lambda one: 1.0, _NORMAL),
    Preset("mup_output", "arXiv:2203.03466", lambda one: 1.0 / one.fan_in, _ANY),
)  # fmt: skip
"""llama_block is std / sqrt(2 l) in block l; ntk has entries of unit variance and divides in the forward pass."""


def compare(measured: Measurements) -> pd.DataFrame:
    """Return a row per matrix and preset whose standard deviation fits; the nearest preset where none does.

    Parameters
    ----------
    measured
        The networks.

    Returns
    -------
    pandas.DataFrame
        parameter, module, layer, preset, source; std and std_se, preset_std; ratio of the two, z of its logarithm;
        value_fits: \\|z\\| is within the bound that one of all comparisons exceeds by chance with probability `LEVEL`;
        law of the entries, law_fits: the preset draws from it; fits: both.
    """
    matrices = {name: one for name, one in measured.parameters.items() if one.fan_in and measured.moments[name].std}
    bound = float(norm.isf(0.5 * LEVEL / max(len(matrices) * len(PRESETS), 1)))
    rows: list[tuple[Any, ...]] = []
    for name in matrices:
        found = [_row(measured, name, preset, bound) for preset in PRESETS]
        known = [row for row in found if not isnan(row[8])]
        fitting = [row for row in known if row[10]]
        rows += fitting or [min(known, key=lambda row: abs(log(row[8])))]
    return pd.DataFrame(rows, columns=COLUMNS).astype(
        {"layer": "Int64", "value_fits": bool, "law_fits": bool, "fits": bool}
    )


def facts_of(measured: Measurements, name: str) -> Matrix:
    """Return what presets depend on, of a matrix."""
    one, place = measured.parameters[name], measured.parameter_places[name]
    layers = sum(other.family == place.family for other in measured.parameter_places.values())
    sums = max((len(stream.branches) for stream in measured.structure.streams), default=0)
    repeats = place.layer is not None
    return Matrix(one.fan_in, one.fan_out, place.layer or 0, layers if repeats else 0, sums)


def _row(measured: Measurements, name: str, preset: Preset, bound: float) -> tuple[Any, ...]:
    moments, one = measured.moments[name], measured.parameters[name]
    expected = preset.std(facts_of(measured, name))
    ratio, error = moments.std / expected, moments.relative_error()
    z = log(ratio) / error
    law = moments.law(LEVEL / len(measured.parameters))
    value_fits, law_fits = abs(z) <= bound, law in preset.laws
    return (
        name, one.module, measured.parameter_places[name].layer, preset.name, preset.source, moments.std,
        moments.std * error, expected, ratio, z, value_fits, law, law_fits, value_fits and law_fits,
    )  # fmt: skip
