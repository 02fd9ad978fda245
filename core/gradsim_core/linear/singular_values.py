"""Singular values of a matrix D U, where D is diagonal, known by its logarithms, and U has rows of moderate condition.

One-sided Jacobi: pairs of rows are rotated until all are orthogonal; their lengths are the singular values. A rotation
works on the unscaled rows of U. With T = tan(angle) and t the ratio of the two elements of D, it needs T t and T / t,
and neither overflows, nor does either lose digits where t underflows. So every singular value has a relative error of
about u times the condition of U, however far D ranges (Demmel and Veselić 1992, doi:10.1137/0613074).
"""

from __future__ import annotations

import math

from gradsim_core import jit
from gradsim_core.lanes import LANES, fma, lane_sum, load, splat, store

from .rows import copy_row, norm, row_of

SWEEPS = 40
"""Most passes through all pairs: six to ten are usual."""
ORTHOGONAL = 2.0**-51
"""Cosine between two rows below which they are orthogonal."""


@jit.inlined
def squares(p, q, width):
    """|p|^2, |q|^2 and p . q of two rows."""
    x, y = load(p.array, p.start), load(q.array, q.start)
    a, b, c = x * x, y * y, x * y
    for k in range(LANES, width, LANES):
        x, y = load(p.array, p.start + k), load(q.array, q.start + k)
        a, b, c = fma(x, x, a), fma(y, y, b), fma(x, y, c)
    return lane_sum(a), lane_sum(b), lane_sum(c)


@jit.inlined
def rotate(p, q, onto_p, onto_q, cosine, width):
    """Replace p by cosine (p + onto_p q), and q by cosine (q - onto_q p)."""
    for k in range(0, width, LANES):
        x, y = load(p.array, p.start + k), load(q.array, q.start + k)
        store(p.array, p.start + k, fma(splat(x, onto_p), y, x) * cosine)
        store(q.array, q.start + k, fma(splat(x, -onto_q), x, y) * cosine)


def orthogonalise_pair(p, q, t, width):
    """Rotate two rows, of which the second has t <= 1 times the scale of the first; returns their cosine before."""
    a, b, c = squares(p, q, width)
    size = math.sqrt(a) * math.sqrt(b)
    if not abs(c) > ORTHOGONAL * size:
        return 0.0
    difference = a - b * t * t
    root = math.sqrt(difference * difference + 4.0 * c * c * t * t)
    if difference >= 0.0:
        over_t = 2.0 * c / (difference + root)
        slope = over_t * t
    else:  # t is then near 1, as rows have about length 1
        slope = 2.0 * c * t / (difference - root)
        over_t = slope / t
    rotate(p, q, slope * t, over_t, 1.0 / math.sqrt(1.0 + slope * slope), width)
    return abs(c) / size


def orthogonalise(rows, logs):
    """Compute the logarithms of the singular values of D U.

    Parameters
    ----------
    rows : Matrix
        U in float64, rows padded with zeros to a multiple of 16, none of them zero; overwritten.
    logs : float64 array (count,)
        ln D, one for each row, best in falling order; the singular values' logarithms are written here, unsorted.

    Returns
    -------
    float
        The largest cosine that the last sweep has found: 0 if all rows are orthogonal to rounding.
    """
    count, width, largest = len(logs), rows.row, 0.0
    for _ in range(SWEEPS):
        for i in range(count):
            row = row_of(rows, i)
            size = norm(row, width)
            copy_row(row, row, width, 1.0 / size)
            logs[i] += math.log(size)
        largest = 0.0
        for i in range(count - 1):
            for j in range(i + 1, count):
                if logs[i] >= logs[j]:
                    upper, lower, t = i, j, math.exp(logs[j] - logs[i])
                else:
                    upper, lower, t = j, i, math.exp(logs[i] - logs[j])
                largest = max(largest, orthogonalise_pair(row_of(rows, upper), row_of(rows, lower), t, width))
        if largest == 0.0:
            break
    return largest


jit.register_leaves(__name__, inline=False)
