"""Softmax attention under a causal mask: means over sampled weights.

Tokens see different numbers of others, so that no integral over one or two variables gives the means. They are those of
a fixed sample of scores, made from the same normal numbers at every block, each with its negative.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim.theory.averages.functions import Array

_SEED = 2604
_VALUES = 2**18  # of all sampled weights


class Attention(NamedTuple):
    """Attention of T tokens.

    Attributes
    ----------
    products
        (T, T) mean products of the tokens.
    w2
        Variance of a weight times fan_in, of queries, keys and values.
    """

    products: Array
    w2: float

    def weights(self) -> Array:
        """Samples of the weights, (n, T, T): scores have the covariance w2 products of queries, times that of keys."""
        size, vectors = np.linalg.eigh(self.products)
        root = (vectors * np.sqrt(np.maximum(size, 0.0))) @ vectors.T
        half = self.w2 * root @ _normals(len(size)) @ root
        visible = np.tril(np.ones((len(size), len(size)), dtype=bool))
        scores = np.where(visible, np.concatenate([half, -half]), -np.inf)
        powers = np.exp(scores - scores.max(-1, keepdims=True))
        return np.asarray(powers / powers.sum(-1, keepdims=True))

    def answers(self) -> Array:
        """Mean products of the answers."""
        a = self.weights()
        return np.asarray(self.w2 * (a @ self.products @ a.transpose(0, 2, 1)).mean(0))

    def errors(self, errors: Array) -> Array:
        """Mean products of the tokens' errors from those of the answers, by values, queries and keys.

        Those of scores are A_ij (e_i.v_j - sum over k of A_ik e_i.v_k), in which errors e and values v are independent.
        """
        a, s = self.weights(), self.products
        t = a.transpose(0, 2, 1)
        y, g = a @ s, errors * s  # y: means of products with the visible tokens
        z = y @ t
        squares = a @ (y**2).transpose(0, 2, 1)
        queries = (a @ (s * s) @ t - squares - squares.transpose(0, 2, 1) + z**2).mean(0) * errors
        crossed = ((t @ g) * y.transpose(0, 2, 1)) @ a
        keys = (s * (t @ g @ a) - crossed - crossed.transpose(0, 2, 1) + t @ (g * z) @ a).mean(0)
        return np.asarray(self.w2 * ((t @ errors @ a).mean(0) + self.w2**2 * (queries + keys)))


def _normals(tokens: int) -> Array:
    count = max(32, _VALUES // (2 * tokens**2))
    return np.random.default_rng(_SEED).standard_normal((count, tokens, tokens))
