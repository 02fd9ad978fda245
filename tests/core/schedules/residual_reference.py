"""Residual networks x' = x + alpha V phi(W y + b) in plain NumPy: with explicit weights, and by lengths and angles.

Both give the quantities of a simulator, (4, networks, depth), and the status of each network. phi has the slopes
`below` and `above` on both sides of 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

EPSILON = 1e-5


class Kind(NamedTuple):
    """A kind of residual networks.

    `placement` is "none" without norms, else that of an rms norm; sigma_v is that of V, and sigma_w if it is 0.
    """

    width: int
    inner: int
    depth: int
    alpha: float = 0.9
    sigma_w: float = 1.3
    sigma_v: float = 0.0
    sigma_b: float = 0.0
    below: float = 0.0
    above: float = 1.0
    placement: str = "none"

    @property
    def deviations(self):
        """Of the entries of W and V."""
        return self.sigma_w / self.width**0.5, (self.sigma_v or self.sigma_w) / self.inner**0.5

    @property
    def before(self):
        return self.placement in ("pre", "sandwich")

    @property
    def output(self):
        return self.placement in ("sandwich", "output")

    @property
    def after(self):
        return self.placement == "post"


def quantities(kind, q, delta, gradient):
    """From |x^l|^2, |delta^l|^2 and |dC/dW^l|^2, lists over layers; and the status."""
    with np.errstate(divide="ignore"):
        q, delta, gradient = (np.log(np.array(each).T) for each in (q, delta, gradient))
    values = np.array([delta / 2, gradient / 2, q - np.log(kind.width), delta - delta[:, -1:]])
    return values, np.isneginf(delta).any(axis=1).astype(int)


# With explicit weights.


def square(x):
    return (x**2).sum(axis=1)


def root_mean_square(x):
    """As a column."""
    return np.sqrt(square(x) / x.shape[1] + EPSILON)[:, None]


def backward_through_norm(x, error):
    """The error of x, from that of y = x / r."""
    r = root_mean_square(x)
    y = x / r
    return (error - y * (y * error).mean(axis=1, keepdims=True)) / r


def explicit(rng, networks, kind):
    """Draw all weights."""
    x = rng.standard_normal((networks, kind.width))
    (s, s_last), weights = kind.deviations, []
    for _ in range(kind.depth):
        W = s * rng.standard_normal((networks, kind.inner, kind.width))
        V = s_last * rng.standard_normal((networks, kind.width, kind.inner))
        weights.append((W, V, kind.sigma_b * rng.standard_normal((networks, kind.inner))))
    return propagate(kind, x, weights, rng.standard_normal((networks, kind.width)) / np.sqrt(kind.width))


def propagate(kind, x, weights, readout):
    """Quantities and status of networks with given inputs, readouts, and (W, V, b) of every block."""
    blocks, q, delta, gradient = [], [], [], []
    for W, V, b in weights:
        y = x / root_mean_square(x) if kind.before else x
        h = np.einsum("nij,nj->ni", W, y) + b
        slope = np.where(h > 0, kind.above, kind.below)
        branch = np.einsum("nij,nj->ni", V, slope * h)
        added = branch / root_mean_square(branch) if kind.output else branch
        whole = x + kind.alpha * added
        blocks.append((x, y, W, V, h, slope, branch, whole))
        x = whole / root_mean_square(whole) if kind.after else whole
        q.append(square(x))
    error = backward_through_norm(x, readout) if kind.before else readout
    for x, y, W, V, h, slope, branch, whole in reversed(blocks):
        delta.append(square(error))
        error = backward_through_norm(whole, error) if kind.after else error
        e = kind.alpha * error
        e = backward_through_norm(branch, e) if kind.output else e
        u = slope * np.einsum("nij,ni->nj", V, e)
        gradient.append(square(e) * square(slope * h) + square(u) * square(y))
        through = np.einsum("nij,ni->nj", W, u)
        error = error + (backward_through_norm(x, through) if kind.before else through)
    return quantities(kind, q, delta[::-1], gradient[::-1])


# By lengths and angles.


def chi_square(rng, freedom):
    """0 where there is no freedom."""
    return np.where(freedom > 0, rng.chisquare(np.maximum(freedom, 1)), 0.0)


def norm_of(kind, length):
    """r of a vector, and what its backward pass multiplies along it besides 1 / r."""
    r = np.sqrt(length**2 / kind.width + EPSILON)
    return r, EPSILON / r**2


def by_lengths(rng, networks, kind):
    """Draw no vector: x is known by its length, its error by the component along x and by the length across."""
    n, N, normal = kind.inner, kind.width, lambda: rng.standard_normal(networks)
    s_first, s = kind.deviations
    chi = lambda freedom: chi_square(rng, np.broadcast_to(freedom, networks))  # noqa: E731
    x, blocks, q, delta, gradient = np.sqrt(chi(N)), [], [], [], []
    for _ in range(kind.depth):
        before = norm_of(kind, x) if kind.before else (1.0, 1.0)
        y = x / before[0]
        v = np.sqrt((s_first * y) ** 2 + kind.sigma_b**2)
        K = rng.binomial(n, 0.5, networks)
        p, m = v * np.sqrt(chi(K)), v * np.sqrt(chi(n - K))
        f = np.hypot(kind.above * p, kind.below * m)
        branch = s * f * normal(), s * f * np.sqrt(chi(N - 1))  # V f along x, and across it
        output = norm_of(kind, np.hypot(*branch)) if kind.output else (1.0, 1.0)
        whole = x + kind.alpha * branch[0] / output[0], kind.alpha * branch[1] / output[0]
        above = np.hypot(*whole)
        after = norm_of(kind, above) if kind.after else (1.0, 1.0)
        blocks.append((x, y, v, K, p, m, f, branch, whole, before, output, after))
        x = above / after[0]
        q.append(x**2)
    along, across = normal() / np.sqrt(N), np.sqrt(chi(N - 1) / N)
    if kind.before:
        along, across = along * norm_of(kind, x)[1] / norm_of(kind, x)[0], across / norm_of(kind, x)[0]
    for _x, y, v, K, p, m, f, branch, whole, before, output, after in reversed(blocks):
        delta.append(along**2 + across**2)
        along, across = along * after[1] / after[0], across / after[0]
        # From beside x' into the plane of x and x', with the axes x and what is across it: any direction across x'.
        z, rest = normal(), chi(N - 2)
        in_plane, outside = across * z / np.sqrt(z**2 + rest), across * np.sqrt(rest / (z**2 + rest))
        cosine, sine = whole / np.hypot(*whole)
        of_x, of_branch = along * cosine - in_plane * sine, along * sine + in_plane * cosine
        # The error of the branch V f, beside it.
        size = np.hypot(*branch) + (f == 0)
        a, b = branch[0] / size, branch[1] / size
        e, e_across = kind.alpha * (a * of_x + b * of_branch), kind.alpha * np.hypot(a * of_branch - b * of_x, outside)
        e, e_across = e * output[1] / output[0], e_across / output[0]
        e_square = e**2 + e_across**2
        # V^T e along f, and in the plane of p and m across f; then u = phi' V^T e along p, along m, and the rest.
        y_f, y_across = e * size / (f + (f == 0)), s * np.sqrt(e_square) * normal() * (p * m > 0)
        cosine, sine = kind.above * p / (f + (f == 0)), kind.below * m / (f + (f == 0))
        u_p = kind.above * (cosine * y_f - sine * y_across) * (K > 0)
        u_m = kind.below * (sine * y_f + cosine * y_across) * (n > K)
        rest = s**2 * e_square * (kind.above**2 * chi(K - 1) + kind.below**2 * chi(n - K - 1))
        u = np.sqrt(u_p**2 + u_m**2 + rest)
        gradient.append(e_square * f**2 + u**2 * y**2)
        # W y = h - b is known from h up to a normal number along u.
        share, of_bias = s_first * y / v, kind.sigma_b / v
        product = share * (share * (p * u_p + m * u_m) + of_bias * v * u * normal())
        through, deviation = product / y, s_first * u * (N > 1)
        through, deviation = through * before[1] / before[0], deviation / before[0]
        # What comes through the branch has any direction across x.
        along = of_x + through
        across = np.sqrt((np.hypot(of_branch, outside) + deviation * normal()) ** 2 + deviation**2 * chi(N - 2))
    return quantities(kind, q, delta[::-1], gradient[::-1])
