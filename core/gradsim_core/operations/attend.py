"""Softmax attention of several heads: every token takes a mean of values, with weights from queries and keys.

A = softmax(scale Q K^T), out = A V for each head, causal or not (Vaswani et al. 2017, arXiv:1706.03762). A row of
`parts` has the queries of all heads, their keys, their values: 3 H parts of d numbers; a row of the answer has H parts.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.elementary import exp
from gradsim_core.lanes import LANES, aligned, fma, lane_max, lane_sum, load, maximum, splat, store
from gradsim_core.linear.inner import inner
from gradsim_core.linear.products import Matrix, multiply
from gradsim_core.linear.rows import stored


class Heads(NamedTuple):
    """The shape of an attention: heads of d numbers, the factor of the scores, and whether tokens see later ones."""

    count: int
    d: int
    scale: float
    causal: bool


class Attention(NamedTuple):
    """Arrays of one attention over T tokens: the weights of all heads, kept for the backward pass, and scratch."""

    weights: np.ndarray  # (heads, T, stored(T)), flat
    errors: np.ndarray  # (T, stored(T)), flat


def attention_of(heads: Heads, tokens: int, dtype: np.dtype) -> Attention:
    """New arrays."""
    size = tokens * stored(tokens)
    return Attention(aligned(heads.count * size, dtype), aligned(size, dtype))


def part_of(rows, number, width):
    """One part of every row, which is `width` long as it is stored."""
    return Matrix(rows.array, rows.start + number * width, rows.row, 1)


def softmax_row(a, start, live, size, scale):
    """Replace the first `live` numbers of a row by exp(scale a) / sum of these, the others by 0."""
    for j in range(live, size):
        a[start + j] = -math.inf
    top = splat(load(a, start), -math.inf)
    for k in range(0, size, LANES):
        top = maximum(load(a, start + k) * scale, top)
    top, total = splat(top, lane_max(top)), splat(top, 0.0)
    for k in range(0, size, LANES):
        value = exp(load(a, start + k) * scale - top)
        store(a, start + k, value)
        total = total + value
    factor = 1.0 / splat(total, lane_sum(total))
    for k in range(0, size, LANES):
        store(a, start + k, load(a, start + k) * factor)


def softmax_row_backward(a, start, e, at, size, scale):
    """Replace the errors of a row of weights by those of the scores: scale a (e - sum of a e)."""
    total = splat(load(e, at), 0.0)
    for k in range(0, size, LANES):
        total = fma(load(a, start + k), load(e, at + k), total)
    mean = splat(total, lane_sum(total))
    for k in range(0, size, LANES):
        store(e, at + k, load(a, start + k) * (load(e, at + k) - mean) * scale)


@jit.outlined
def attend(heads, parts, out, tokens, attention):
    """Compute the answer of all heads.

    Parameters
    ----------
    heads : Heads
    parts : Matrix
        (T, 3 H parts of d).
    out : Matrix
        (T, H parts of d), is written.
    tokens : int
        T.
    attention : Attention
        Its weights are written.
    """
    width, size = out.row // heads.count, stored(tokens)
    for h in range(heads.count):
        weights = Matrix(attention.weights, h * tokens * size, size, 1)
        queries, keys = part_of(parts, h, width), part_of(parts, heads.count + h, width)
        inner(queries, keys, weights, tokens, tokens, width)
        for i in range(tokens):
            live = i + 1 if heads.causal else tokens
            softmax_row(attention.weights, weights.start + i * size, live, size, heads.scale)
        multiply(weights, part_of(parts, 2 * heads.count + h, width), part_of(out, h, width), tokens, width, tokens)


@jit.outlined
def attend_backward(heads, parts, error, out, tokens, attention):
    """Compute the errors of queries, keys and values from those of the answer; takes what `attend` takes."""
    width, size = error.row // heads.count, stored(tokens)
    e = Matrix(attention.errors, 0, size, 1)
    for h in range(heads.count):
        start = h * tokens * size
        query, key, value = h, heads.count + h, 2 * heads.count + h
        of_head = part_of(error, h, width)
        transposed = Matrix(attention.weights, start, 1, size)
        multiply(transposed, of_head, part_of(out, value, width), tokens, width, tokens)
        inner(of_head, part_of(parts, value, width), e, tokens, tokens, width)
        for i in range(tokens):
            softmax_row_backward(attention.weights, start + i * size, attention.errors, i * size, size, heads.scale)
        multiply(e, part_of(parts, key, width), part_of(out, query, width), tokens, width, tokens)
        transposed = Matrix(attention.errors, 0, 1, size)
        multiply(transposed, part_of(parts, query, width), part_of(out, key, width), tokens, width, tokens)


jit.register_leaves(__name__, inline=True)
