"""The table of initialisations that a matrix may have, and which of them fit it within its sampling error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isnan, log, sqrt
from typing import Any, NamedTuple

import pandas as pd
from scipy.stats import norm

from gradsim.checking.measurements import Measurements
from gradsim_core.architectures import PRESETS as CORE
from gradsim_core.architectures.presets import DOWN, HIDDEN, UP, torch_gain
from gradsim_core.architectures.presets import Matrix as CoreMatrix

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


_LAWS = {"uniform": ("uniform",), "gaussian": ("gaussian", "truncated_normal"), "orthogonal": ("orthogonal",)}
_ANY = ("uniform", "gaussian", "truncated_normal")


def _row(
    name: str,
    preset: str | None = None,
    kind: str = HIDDEN,
    *,
    needs: Callable[[Matrix], int] = lambda one: 1,
    fans: Callable[[Matrix], tuple[int, int]] = lambda one: (one.fan_in, one.fan_out),
    laws: tuple[str, ...] = (),
) -> Preset:
    """A row of the core's table, as the std of a matrix of a kind.

    Parameters
    ----------
    needs
        What must not be 0.
    fans
        Its fans, where they are not those of the matrix.
    """
    core = CORE[preset or name]
    sigma = core.sigma
    assert sigma is not None  # the rows below do not depend on the activation

    def std(one: Matrix) -> float:
        fan_in, fan_out = fans(one)
        if not needs(one) or fan_in <= 0:
            return float("nan")
        return sigma(CoreMatrix(kind, fan_in, fan_out, one.layer, one.layers, one.sums)) / sqrt(fan_in)

    return Preset(name, core.source, std, laws or _LAWS[core.law])


def _turned(one: Matrix) -> tuple[int, int]:
    return one.fan_out, one.fan_in


def _larger(one: Matrix) -> tuple[int, int]:
    larger = max(one.fan_in, one.fan_out)
    return larger, larger


def _tanh_gain(one: Matrix) -> float:
    return (torch_gain("tanh") or float("nan")) / sqrt(one.fan_in)


PRESETS = (
    _row("xavier_uniform"),
    _row("xavier_normal"),
    _row("he_uniform"),
    _row("he_normal"),
    _row("he_fan_out", "he_normal", fans=_turned, laws=_ANY),
    _row("lecun", "lecun_normal", laws=_ANY),
    _row("lecun_fan_out", "lecun_normal", fans=_turned, laws=_ANY),
    _row("pytorch_linear"),
    Preset("tanh_gain", "torch.nn.init.calculate_gain", _tanh_gain, _ANY),
    _row("orthogonal", fans=_larger),
    _row("gpt2", kind=UP),
    _row("gpt2_residual", "gpt2", DOWN, needs=lambda one: one.sums),
    _row("llama_block", "llama", DOWN, needs=lambda one: one.layer),
    _row("deepnorm", kind=DOWN, needs=lambda one: one.layers, laws=_ANY),
    Preset("ntk", CORE["ntk"].source, lambda one: 1.0, _LAWS["gaussian"]),
    Preset("mup_output", CORE["mup"].source, lambda one: 1.0 / one.fan_in, _ANY),
)
"""llama_block is std / sqrt(2 l) in block l. Three are no rows of the core: tanh_gain is a function of the activation;
ntk has entries of unit variance and divides in the forward pass; mup_output is of readouts, which the core lacks.
"""


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
    stds = {name: moments.std for name, moments in measured.moments.items()}
    matrices = {name: one for name, one in measured.parameters.items() if one.fan_in and 0.0 < stds[name] < inf}
    bound = float(norm.isf(0.5 * LEVEL / max(len(matrices) * len(PRESETS), 1)))
    rows: list[tuple[Any, ...]] = []
    for name in matrices:
        found = [_found(measured, name, preset, bound) for preset in PRESETS]
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


def _found(measured: Measurements, name: str, preset: Preset, bound: float) -> tuple[Any, ...]:
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
