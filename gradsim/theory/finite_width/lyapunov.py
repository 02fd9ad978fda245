"""Lyapunov exponents of products of Gaussian matrices, exact at every width."""

from __future__ import annotations

import numpy as np
from scipy.special import digamma

from gradsim.theory.averages.functions import Array
from gradsim.theory.errors import check_count, check_sigma_w


def lyapunov_exponents(width: int, sigma_w: float = 1.0) -> Array:
    """Return the Lyapunov exponents of linear networks with Gaussian weights, falling.

    They are (ln(2 sigma_w^2 / N) + digamma((N - i + 1) / 2)) / 2, i = 1 .. N. Also at finite depth they are the means
    of `lyapunov` of `gradsim.jacobian`, since the diagonal of a QR factor has independent chi-distributed elements.

    Parameters
    ----------
    width
        N.
    sigma_w
        Weight standard deviation times sqrt(N).

    Returns
    -------
    float64 array (width,)

    Raises
    ------
    SweepError
        For an argument that is not valid.

    References
    ----------
    Newman 1986 (doi:10.1007/BF01464284).

    Examples
    --------
    >>> lyapunov_exponents(2).round(6)
    array([-0.288608, -0.981755])
    """
    width, sigma_w = check_count("width", width), check_sigma_w(sigma_w)
    index = np.arange(width, 0, -1)
    found: Array = 0.5 * (np.log(2.0 * sigma_w**2 / width) + digamma(0.5 * index))
    return found
