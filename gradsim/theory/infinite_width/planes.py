"""The mean field over a plane of sigma_w and sigma_b."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gradsim.theory.arrays import for_arrays
from gradsim.theory.infinite_width.fixed_point import MeanField, mean_field_and_chi_c
from gradsim_core.activations import Activation


def plane(activation: str | Activation, sigma_w: Any, sigma_b: Any = 0.0) -> pd.DataFrame:
    """Return the mean field at every pair of ``sigma_w`` and ``sigma_b``.

    Parameters
    ----------
    activation
        A name, a user's own activation, or a list of them.
    sigma_w
        Weight standard deviations times sqrt(fan_in), > 0; a number or an array of one axis.
    sigma_b
        Bias standard deviations, >= 0; a number or an array of one axis.

    Returns
    -------
    pandas.DataFrame
        A row per point: activation, sigma_w, sigma_b, q_star, c_star, chi_1, xi_q, xi_c, xi_grad, chi_c, reason.

    Raises
    ------
    SweepError
        For an argument that is not valid.

    Examples
    --------
    >>> plane("tanh", [0.9, 1.5], [0.0, 0.2])[["sigma_w", "sigma_b", "chi_1"]].round(4)
       sigma_w  sigma_b   chi_1
    0      0.9      0.0  0.8100
    1      0.9      0.2  0.6709
    2      1.5      0.0  1.1393
    3      1.5      0.2  1.1009
    """
    found: pd.DataFrame = _points(
        np.asarray(activation, object).reshape(-1, 1, 1),
        np.asarray(sigma_w, object).reshape(1, -1, 1),
        np.asarray(sigma_b, object).reshape(1, 1, -1),
    )
    return found


def _point(activation: str | Activation, sigma_w: float, sigma_b: float) -> tuple[float, ...]:
    field, chi_c = mean_field_and_chi_c(activation, sigma_w, sigma_b)
    return (*field, chi_c)


_points = for_arrays(_point, *MeanField._fields, "chi_c")
