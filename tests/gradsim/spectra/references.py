"""Oracles of the spectra: products in many digits, PyTorch's autograd, and completed matrices."""

from __future__ import annotations

import mpmath as mp
import numpy as np


def exact_logs(factors, digits=60):
    """ln of the singular values of a product, factors applied first to last, in many digits; -inf for 0."""
    with mp.workdps(digits):
        product = mp.eye(factors[0].shape[1])
        for factor in factors:
            product = mp.matrix(factor.tolist()) * product
        values = mp.eigsy(product.T * product, eigvals_only=True)
        floor = mp.mpf(10) ** (-digits / 2) * max(abs(value) for value in values)
        logs = [float(mp.log(value) / 2) if value > floor else -np.inf for value in values]
    return np.sort(logs)[::-1]


def layer_factors(activation, weights):
    """D_l W_l of every layer, from `gradsim.weights` and the pair (phi, phi') of an activation, by plain NumPy."""
    x, found = weights.x0, []
    for w, b in zip(weights.W, weights.b, strict=True):
        h = w @ x + b
        found.append(activation.derivative(h)[:, None] * w)
        x = activation(h)
    return found


def product_of(factors):
    product = np.eye(factors[0].shape[1])
    for factor in factors:
        product = factor @ product
    return product


def rows(matrix, count, n):
    """The first rows of a core's matrix, without padding."""
    return np.array(matrix.array.reshape(-1, matrix.row)[:count, :n])


def completed(lazy, rng):
    """An explicit matrix that answers every query as a lazy one did (`gradsim_core.lazy.tied`, the lemma)."""
    known, n = lazy._known, lazy._n
    r, t = known.sizes
    q, a = rows(known.right.basis, r, n), rows(known.right.images, r, n)
    if lazy._haar:
        rest_in, rest_out = complement(q), complement(a)
        turn = np.linalg.qr(rng.standard_normal((n - r, n - r)))[0] if r < n else np.zeros((0, 0))
        return lazy._deviation * (a.T @ q + rest_out.T @ turn @ rest_in)
    u, b = rows(known.left.basis, t, n), rows(known.left.images, t, n)
    fresh = lazy._deviation * rng.standard_normal((n, n))
    fresh -= u.T @ (u @ fresh)
    fresh -= (fresh @ q.T) @ q
    return a.T @ q + u.T @ b - u.T @ (u @ a.T) @ q + fresh


def complement(basis):
    """Orthonormal rows across a basis."""
    return np.linalg.svd(basis, full_matrices=True)[2][len(basis) :]


def completed_jacobian(network, rng):
    """J of a lazy network after all its queries, and the largest deviation of its slopes from a plain forward pass."""
    return product_of(
        [
            np.exp(each.shift) * each.values[:, None] * completed(matrix, rng)
            for matrix, each in zip(network._matrices, network.diagonals, strict=True)
        ]
    )
