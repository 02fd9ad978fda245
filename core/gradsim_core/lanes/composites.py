"""Operations made of the primitives."""

from __future__ import annotations

from gradsim_core import jit

from .primitives import LANES, load, select, store


def minimum(a, b):
    """The smaller of two numbers; where either is NaN, b."""
    return select(a < b, a, b)


def maximum(a, b):
    """The larger of two numbers; where either is NaN, b."""
    return select(a > b, a, b)


def load_four(array, i):
    """Four consecutive vectors of an array, from index i on."""
    return load(array, i), load(array, i + LANES), load(array, i + 2 * LANES), load(array, i + 3 * LANES)


def store_four(array, i, a, b, c, d):
    """Write four vectors to an array consecutively, from index i on."""
    store(array, i, a)
    store(array, i + LANES, b)
    store(array, i + 2 * LANES, c)
    store(array, i + 3 * LANES, d)


jit.register_leaves(__name__, inline=True)
