"""The part of an error that is orthogonal to a vector, without cancellation: what a norm of few neurons lets through.

Behind a norm y = (v - mean) inverse, the error of v is inverse times the part of dC/dy across y (and across the vector
of ones, for layer norm), plus the part along y times epsilon / (variance + epsilon), about 1e-5. In a narrow network
one neuron may be all of v, and its error is the part along v alone: v . dC/dv, an inner product that matrices, relu and
norms conserve up to that factor. As a difference it would be rounding.
"""

from __future__ import annotations

from gradsim_core import jit

NARROW = 32
"""Vectors of so many numbers or fewer are narrow. Of N neurons of relu one alone is live with probability N / 2^N, in
wider layers less than 10^-8."""


def remove_along(v, e, n, centred):
    """Replace e by its part orthogonal to v, and to the vector of ones if centred; v then becomes v - mean.

    The element m where |v| is largest is (e_m R - v_m S) / |v|^2, with the sums R of v_j^2 and S of v_j e_j over the
    others: exactly 0 if the others are 0. Centred, e and v less their means are e' and b, m is where |b| is largest,
    and it is (e'_m R - b_m S) / |b|^2 with the sums R of (v_j - c) b_j and S of (v_j - c) e'_j. Any c will do: with
    another element of v it is exactly 0 if the others are equal, and no mean beside which b is small gets in.

    Parameters
    ----------
    v, e : float64 arrays
        The first n numbers are changed.
    n : int
    centred : bool

    Returns
    -------
    float
        |v|^2, or |b|^2. If it is 0 there is no direction, and e stays, or becomes e'.
    """
    m, mean, mean_e = 0, 0.0, 0.0
    if centred:
        mean = v[0]
        for j in range(n):  # from v[0] on, so that the mean of equal elements is each of them
            mean, mean_e = mean + (v[j] - v[0]) / n, mean_e + e[j] / n
    for j in range(n):
        m = j if abs(v[j] - mean) > abs(v[m] - mean) else m
    common = v[1 if m == 0 else 0] if centred and n > 1 else 0.0
    square, others, products = 0.0, 0.0, 0.0
    for j in range(n):
        e[j] -= mean_e
        b = v[j] - mean
        square += b * b
        if j != m:
            others += (v[j] - common) * b
            products += (v[j] - common) * e[j]
    factor = ((v[m] - common) * e[m] + products) / square if square != 0.0 else 0.0
    at_m = (e[m] * others - (v[m] - mean) * products) / square if square != 0.0 else e[m]
    nothing = n <= (2 if centred else 1) and square != 0.0  # all directions are taken
    for j in range(n):
        v[j] -= mean
        e[j] = 0.0 if nothing else at_m if j == m else e[j] - v[j] * factor
    return square


jit.register_leaves(__name__, inline=False)
