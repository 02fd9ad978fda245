"""Intervals for the estimates of a sample: means, standard deviations, proportions and quantiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from gradsim.theory.averages.functions import ignoring_floating_point_errors

Array = NDArray[np.float64]
Interval = tuple[Array, Array]


@ignoring_floating_point_errors
def of_mean(mean: Array, se: Array, count: Array, level: float) -> Interval:
    """Return Student's interval of a mean; infinite with one value."""
    reach = np.where(count > 1, stdtrit(np.maximum(count - 1.0, 1.0), 0.5 + level / 2) * se, np.inf)
    return np.where(np.isnan(mean), np.nan, mean - reach), np.where(np.isnan(mean), np.nan, mean + reach)


@ignoring_floating_point_errors
def of_std(std: Array, kurtosis: Array, count: Array, level: float) -> Interval:
    """Return Bonett's interval of a standard deviation (2006, doi:10.1016/j.csda.2004.10.003).

    ``kurtosis`` is that of the sample around its median: 3 for a normal law. Of 50 values of a law with a long tail it
    covers 5 % less than it says, of 1,000 at most 1 %.
    """
    z = ndtri(0.5 + level / 2)
    factor = count / np.maximum(count - z, 0.5)
    reach = 0.5 * z * factor * np.sqrt(np.maximum(kurtosis - (count - 3.0) / count, 0.0) / (count - 1.0))
    middle = std * np.sqrt(factor)
    return middle * np.exp(-reach), middle * np.exp(reach)


@ignoring_floating_point_errors
def of_proportion(hits: Array, count: Array, level: float) -> Interval:
    """Return Wilson's interval of a proportion (1927, doi:10.1080/01621459.1927.10502953); NaN without a count."""
    z2 = ndtri(0.5 + level / 2) ** 2
    share = hits / count
    middle = (share + 0.5 * z2 / count) / (1.0 + z2 / count)
    reach = np.sqrt(z2 * (share * (1.0 - share) + 0.25 * z2 / count) / count) / (1.0 + z2 / count)
    known = count > 0
    low, high = np.where(hits == 0, 0.0, middle - reach), np.where(hits == count, 1.0, middle + reach)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


@ignoring_floating_point_errors
def of_rank(probability: Array, count: Array, level: float) -> Interval:
    """Return the probabilities whose sample quantiles enclose the population's, whatever the law.

    They lie ``z`` standard deviations of the binomial count on either side. Below 0 and above 1 there is no value left,
    and the interval is open on that side.
    """
    reach = ndtri(0.5 + level / 2) * np.sqrt(probability * (1.0 - probability) / count)
    return probability - reach, probability + reach
