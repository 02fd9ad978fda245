"""Chi-squares with any number of degrees of freedom, one per lane, by the method of Marsaglia and Tsang.

Source: Marsaglia and Tsang, "A simple method for generating gamma variables" (ACM TOMS 26, 2000),
doi:10.1145/358407.358414. With d = k / 2 - 1 / 3, t = z / (3 sqrt d) and z normal, 2 d (1 + t)^3 is accepted with
probability exp(-E), E = d (t^3 - 3 (ln(1 + t) - t + t^2 / 2)) = 3 d t^4 (1/4 - t/5 + t^2/6 - ..), which is small: a
look at d t^4 tells nearly always, and the logarithm is taken in float64, in which no digits that matter cancel.

Lanes that reject draw again from the next counter, the others keep what they have, so no number depends on the other
networks of a group.
"""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.elementary import expm1, log_64
from gradsim_core.lanes import absolute, anywhere, convert, maximum, select, splat, sqrt, to_float

from .normals import normal_pair
from .philox import random_words

_SURE = 1.3  # above 3 (1/4 - t/5 + t^2/6 - ..) for |t| <= 1/2


def chi_square_pair(source, index, first, second):
    """Two independent chi-squares per lane, with `first` and `second` degrees of freedom.

    Parameters
    ----------
    source : Source
    index : int
        Index of the counter; attempts after the first take index + 2^32, index + 2 2^32, ..
    first, second : vectors
        Whole numbers; below 1 the chi-square is 0.
    """
    cell, group, layer, role = source
    return chi_squares_from(random_words(cell.key, group, layer, role, index), source, index, first, second)


def chi_squares_from(words, source, index, first, second):
    """As `chi_square_pair`, from the words of its counter; the source serves further attempts."""
    cell, group, layer, role = source
    x, rejected, w, refused = propose_pair(words, first, second)
    attempt = 0
    while anywhere(rejected | refused):
        attempt += 1
        words = random_words(cell.key, group, layer, role, index + (attempt << 32))
        x_again, still_rejected, w_again, still_refused = propose_pair(words, first, second)
        x, rejected = select(rejected, x_again, x), rejected & still_rejected
        w, refused = select(refused, w_again, w), refused & still_refused
    return x, w


def propose_pair(words, first, second):
    """Two proposals from the four words of a counter, each with whether it is rejected."""
    a, b, c, d = words
    z, y = normal_pair(a, b, first)
    return *propose(first, z, c), *propose(second, y, d)


def propose(k, z, word):
    """A proposal for a chi-square with k degrees of freedom, and whether it is rejected."""
    d = maximum(k, 2.0) * 0.5 - 1.0 / 3.0
    t = z / (sqrt(d) * 3.0)
    u = absolute(to_float(word | 1, t)) * 2.0**-31
    square = t * t
    root = t + 1.0
    value = select(k > 1.5, d * 2.0 * root * root * root, select(k > 0.5, z * z, 0.0))
    unsure = (k > 1.5) & ((absolute(t) > 0.5) | (u < d * square * square * _SURE))
    if anywhere(unsure):
        unsure = unsure & rejects(d, t, u)
    return value, unsure


@jit.outlined
def rejects(d, t, u):
    """Whether u, uniform in (0, 1), is at most 1 - exp(-E), or 1 + t is not positive; in the precision of u."""
    d, t, level = convert(d, 1.0), convert(t, 1.0), convert(u, 1.0)
    root = t + 1.0
    log_root = log_64(select(root > 0.0, root, 1.0))
    exponent = d * (t * t * t - 3.0 * (log_root - t + 0.5 * t * t))
    accepted = (root > 0.0) & (level > -expm1(-exponent))
    return convert(select(accepted, splat(level, 0.0), 1.0), u) > 0.5


jit.register_leaves(__name__, inline=True)
