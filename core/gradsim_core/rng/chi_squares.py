"""Pairs of chi-squares with any number of degrees of freedom, one pair per lane, by the method of Marsaglia and Tsang.

Source: Marsaglia and Tsang, "A simple method for generating gamma variables" (ACM TOMS 26, 2000),
doi:10.1145/358407.358414. With d = k / 2 - 1 / 3, t = z / (3 sqrt d) and z normal, 2 d (1 + t)^3 is accepted with
probability exp(-E), E = d (t^3 - 3 (ln(1 + t) - t + t^2 / 2)) = 3 d t^4 (1/4 - t/5 + t^2/6 - ..), which is small.

A pair is accepted as a whole, with the product of both probabilities. So it takes two words, which make two normals,
and a few more bits: with the eight that normals leave, they are the first of the uniform number u that decides.
Comparing them with a bound on E, of order d t^4, nearly always decides; else the next counter has more bits, and the
logarithm is taken in float64, in which no digits that matter cancel.

Lanes that reject draw again from that counter, the others keep what they have, so no number depends on the other
networks of a group.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.elementary import expm1, log_64
from gradsim_core.lanes import absolute, anywhere, convert, fma, maximum, select, splat, sqrt, to_float

from .counts import SPARE
from .normals import normal_pair
from .philox import random_words

_SURE = 0.75, 1.05  # 0.75 + 1.05 |t| is above 3 (1/4 - t/5 + t^2/6 - ..) for |t| <= 1/2
_LEFT = 8  # bits of the second word that normals leave
_BITS = SPARE + _LEFT  # of u at first


class Proposal(NamedTuple):
    """A chi-square that may be accepted: t = 0 where it is certain to be."""

    value: np.ndarray
    d: np.ndarray
    t: np.ndarray


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
    a, b, c, _ = random_words(cell.key, group, layer, role, index)
    return chi_squares_from((a, b, c), source, index, first, second)


def chi_squares_from(words, source, index, first, second):
    """As `chi_square_pair`, from two random words and the lowest bits of a third one."""
    cell, group, layer, role = source
    x, w, u = propose_pair(words, first, second)
    value, other, unsure = x.value, w.value, is_unsure(x, w, u)
    attempt = 0
    while anywhere(unsure):
        attempt += 1
        a, b, c, more = random_words(cell.key, group, layer, role, index + (attempt << 32))
        rejected = unsure & rejects(x.d, x.t, w.d, w.t, u, more)
        x, w, u = propose_pair((a, b, c), first, second)
        value, other = select(rejected, x.value, value), select(rejected, w.value, other)
        unsure = rejected & is_unsure(x, w, u)
    return value, other


def propose_pair(words, first, second):
    """Two proposals and, as a whole number, the first bits of u."""
    radius, angle, spare = words
    z, y = normal_pair(radius, angle, first)
    return propose(first, z), propose(second, y), (spare & (1 << SPARE) - 1) << _LEFT | angle & (1 << _LEFT) - 1


def propose(k, z):
    """A proposal for a chi-square with k degrees of freedom."""
    d = maximum(k, 2.0) * 0.5 - 1.0 / 3.0
    t = z / (sqrt(d) * 3.0)
    root = t + 1.0
    value = select(k > 1.5, d * 2.0 * root * root * root, select(k > 0.5, z * z, 0.0))
    return Proposal(value, d, select(k > 1.5, t, 0.0))


def is_unsure(x, w, u):
    """Whether the first bits of u do not tell that it is above 1 - exp(-E), E of both."""
    of_x, of_w = absolute(x.t), absolute(w.t)
    bound = bound_of(x.d, of_x) + bound_of(w.d, of_w)
    return (to_float(u, x.t) < bound * 2.0**_BITS) | (maximum(of_x, of_w) > 0.5)


def bound_of(d, t):
    """What E of a proposal does not exceed, given |t| <= 1/2."""
    square = t * t
    return d * square * square * fma(t, _SURE[1], _SURE[0])


@jit.outlined
def rejects(d, t, other_d, other_t, u, more):
    """Whether u, with more bits, is at most 1 - exp(-E), E of both, or one of 1 + t is not positive."""
    like, t, other_t = t, convert(t, 1.0), convert(other_t, 1.0)
    low = to_float(more | 1, t)
    level = (to_float(u, t) + select(low < 0.0, low + 2.0**32, low) * 2.0**-32) * 2.0**-_BITS
    exponent = energy(convert(d, 1.0), t) + energy(convert(other_d, 1.0), other_t)
    accepted = (t > -1.0) & (other_t > -1.0) & (level > -expm1(-exponent))
    return convert(select(accepted, splat(level, 0.0), 1.0), like) > 0.5


def energy(d, t):
    """E of a proposal, where 1 + t is positive."""
    root = t + 1.0
    return d * (t * t * t - 3.0 * (log_64(select(root > 0.0, root, 1.0)) - t + 0.5 * t * t))


jit.register_leaves(__name__, inline=True)
