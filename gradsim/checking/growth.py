"""How activations and gradients grow along repeated blocks: exponential and power laws, with errors over seeds."""

from __future__ import annotations

from math import exp
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t as student

from gradsim.checking.blocks import FEWEST
from gradsim.checking.measurements import Array, Measurements

CONFIDENCE = 0.95
COLUMNS = [
    "place", "quantity", "blocks", "networks", "law", "exponent", "se", "ci_low", "ci_high", "residual", "better",
    "factor", "factor_low", "factor_high",
]  # fmt: skip


class Fit(NamedTuple):
    """An exponent: mean over networks, its standard error and interval, and the rms residual of the mean profile."""

    exponent: float
    se: float
    low: float
    high: float
    residual: float


def fit(profiles: Array, coordinates: npt.NDArray[np.float64]) -> Fit:
    """Fit a line to the profile of each network, by least squares.

    Parameters
    ----------
    profiles : (networks, blocks)
        ln mean square.
    coordinates : (blocks,)
        The block's number for an exponential, its logarithm for a power law.

    Examples
    --------
    >>> fit(np.array([[0.0, 1.0, 2.0], [0.0, 1.2, 2.4]]), np.arange(1.0, 4.0)).exponent
    1.1
    """
    centred = coordinates - coordinates.mean()
    profiles = profiles - profiles[:, :1]  # constant ones have slope zero exactly
    slopes = profiles @ centred / (centred @ centred)
    mean = profiles.mean(0)
    exponent = float(slopes.mean())
    rest = mean - mean.mean() - exponent * centred
    return Fit(exponent, *interval(slopes)[1:], float(np.sqrt(np.square(rest).mean())))


def interval(values: Array) -> tuple[float, float, float, float]:
    """Return mean, standard error and 95 % interval (Student's t over networks) of a number that each network has."""
    mean = float(values.mean())
    if len(values) < 2:
        return mean, float("nan"), float("nan"), float("nan")
    se = float(values.std(ddof=1) / np.sqrt(len(values)))
    half = float(student.isf(0.5 * (1.0 - CONFIDENCE), len(values) - 1)) * se
    return mean, se, mean - half, mean + half


def growth(measured: Measurements) -> pd.DataFrame:
    """Return the growth along streams and along repeated modules, a row per law.

    Returns
    -------
    pandas.DataFrame
        place ("stream 1", or names with ``*``), quantity ("activation" or "gradient"), blocks, networks; law
        ("exponential": exponent is d ln(mean square) / d block; "power": d ln(mean square) / d ln(block)), exponent,
        se, ci_low, ci_high; residual: rms of ln mean square about the fit; better: whether it is the smaller of the
        two; factor by which the mean square changes from the first block to the last, with its interval.
    """
    rows: list[tuple[object, ...]] = []
    for (place, quantity), profiles in _profiles(measured).items():
        if profiles.shape[1] < FEWEST or not np.isfinite(profiles).all():
            continue
        number = np.arange(1.0, profiles.shape[1] + 1.0)
        fits = {"exponential": fit(profiles, number), "power": fit(profiles, np.log(number))}
        least = min(one.residual for one in fits.values())
        change, _, low, high = interval(profiles[:, -1] - profiles[:, 0])
        for law, one in fits.items():
            rows.append(
                (place, quantity, profiles.shape[1], len(profiles), law, *one, one.residual == least,
                 *(_factor(end) for end in (change, low, high)))
            )  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS).astype({"place": str, "better": bool})


def _factor(change: float) -> float:
    return exp(min(change, 700.0))


def _profiles(measured: Measurements) -> dict[tuple[str, str], Array]:
    """ln mean square (networks, blocks) of each stream and each family of modules."""
    found = {}
    for number, stream in enumerate(measured.structure.streams, 1):
        indices = [branch.number for branch in stream.branches]
        found[f"stream {number}", "activation"] = measured.sums[:, indices, 2]
        found[f"stream {number}", "gradient"] = measured.sums[:, indices, 3]
    families: dict[str, list[tuple[int, str]]] = {}
    for name, place in measured.module_places.items():
        if place.layer is not None:
            families.setdefault(place.family, []).append((place.layer, name))
    for family, members in families.items():
        names = [name for _, name in sorted(members)]
        for quantity, values in (("activation", measured.outputs), ("gradient", measured.gradients)):
            if all(name in values for name in names):
                found[family, quantity] = np.stack([values[name] for name in names], axis=1)
    return found
