"""A weight matrix that is never drawn: samples h' = W x in the forward pass, then y = W^T delta given x and h'.

For normal entries and Haar matrices; `conditional` has the formulas. `work` is a `conditional.ConditionalWork`. Its
vectors are stored as [layer][neuron][lane], and `start` is where those of a layer begin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gradsim_core import jit
from gradsim_core.lanes import LANES, fma, load, select, splat, sqrt, store
from gradsim_core.rng.normals import normal_pair
from gradsim_core.rng.philox import GROUP_BIAS, GROUP_FORWARD, random_words

from .one_pass import BIAS_SHARE, INVERSE_NORM, SCALE, SHARE, Combination, backward_source, keep, kept
from .side_by_side import dot, fill, rows


class Matrix(NamedTuple):
    """How a weight matrix is sampled: with independent normal entries, or as a Haar matrix."""

    orthogonal: bool  # whether it is a Haar matrix
    draw: Callable  # draws z or u of a layer
    preactivations: Callable  # computes h into work.h
    combine: Callable  # y at the layer below


def inverse(v):
    """1 / v, or 0 where v is 0."""
    return select(v == 0.0, 0.0, 1.0 / v)


def widen(cell, layer, work, scale, scale_b):
    """v with h = v z, which is kept with r and t; `scale` and `scale_b` are the deviations of W x and of the bias."""
    v = scale
    if cell.sigma_b > 0.0:
        v = sqrt(fma(scale, scale, scale_b * scale_b))
        keep(work, layer, SHARE, scale * inverse(v))
        keep(work, layer, BIAS_SHARE, scale_b * inverse(v))
    keep(work, layer, SCALE, v)
    return v


def draw_gaussian(cell, group, layer, work, start, scale, scale_b):
    """Draw z of a layer into work.z; returns v, where h = v z."""
    fill(cell, group, layer, GROUP_FORWARD, work.words, work.z, start)
    return widen(cell, layer, work, scale, scale_b)


def draw_orthogonal(cell, group, layer, work, start, scale, scale_b):
    """Draw u of a layer into work.z and h into work.h; returns 1, the factor from work.h to h."""
    fill(cell, group, layer, GROUP_FORWARD, work.words, work.z, start)
    factor = inverse(sqrt(dot(work.z, start, work.z, start, cell.width)))
    for i in range(start, start + cell.width * LANES, LANES):
        store(work.z, i, load(work.z, i) * factor)
    keep(work, layer, SCALE, scale)
    keep(work, layer, BIAS_SHARE, scale_b)
    preactivations_orthogonal(cell, group, layer, work, start)
    return splat(scale, 1.0)


def preactivations_gaussian(cell, group, layer, work, start):
    """Write h of a layer into work.h, in units of 2^shift."""
    scale = kept(work, layer, SCALE)
    for i in range(0, cell.width * LANES, LANES):
        store(work.h, i, load(work.z, start + i) * scale)


def preactivations_orthogonal(cell, group, layer, work, start):
    """Write h of a layer into work.h, in units of 2^shift."""
    if cell.sigma_b == 0.0:
        preactivations_gaussian(cell, group, layer, work, start)
        return
    fill(cell, group, layer, GROUP_BIAS, work.words, work.h, 0)
    scale, scale_b = kept(work, layer, SCALE), kept(work, layer, BIAS_SHARE)
    for i in range(0, cell.width * LANES, LANES):
        store(work.h, i, fma(load(work.h, i), scale_b, load(work.z, start + i) * scale))


def fill_backward(cell, group, layer, work):
    """Draw g of a layer into work.g; at the last layer g is the readout."""
    _, _, source_layer, role = backward_source(cell, group, layer)
    fill(cell, group, source_layer, role, work.words, work.g, 0)


def combine_gaussian(cell, group, layer, work, square, along, inner):
    """The `Combination` y / s at the layer below, for normal entries.

    Parameters
    ----------
    cell : Params
    group, layer : int
        `layer` is the layer of delta.
    work : ConditionalWork
    square, along : vectors
        |delta|^2 and z . delta of this layer.
    inner : vector
        x . g of the layer below.
    """
    length, inverse_norm = sqrt(square), kept(work, layer - 1, INVERSE_NORM)
    if cell.sigma_b > 0.0:
        a, b, _, _ = random_words(cell.key, group, layer, GROUP_BIAS, 0)
        fresh, _ = normal_pair(a, b, length)
        along = fma(kept(work, layer, SHARE), along, kept(work, layer, BIAS_SHARE) * length * fresh)
    return Combination(length, fma(length, -(inner * inverse_norm), along) * inverse_norm)


def combine_orthogonal(cell, group, layer, work, square, along, inner):
    """The `Combination` y / sigma_w at the layer below, for Haar matrices; without g if the width is 1 and x not 0."""
    inverse_norm, start = kept(work, layer - 1, INVERSE_NORM), (layer - 2) * rows(cell.width) * LANES
    inner = inner * inverse_norm
    projected = splat(square, 0.0)
    for i in range(0, cell.width * LANES, LANES):
        rest = fma(load(work.x, start + i), -(inner * inverse_norm), load(work.g, i))
        projected = fma(rest, rest, projected)
    along = select(inverse_norm > 0.0, along, 0.0)
    across = fma(along, -along, square)
    length = sqrt(select(across > 0.0, across, 0.0)) * inverse(sqrt(projected))
    if cell.width == 1:
        length = select(inverse_norm > 0.0, 0.0, length)
    return Combination(length, fma(length, -inner, along) * inverse_norm)


def sampler_of(law):
    """The fields of `Matrix` for a weight law, as a tuple, since the functions are captured by the kernel's closure."""
    if law.draw is None:
        return True, draw_orthogonal, preactivations_orthogonal, combine_orthogonal
    return False, draw_gaussian, preactivations_gaussian, combine_gaussian


jit.register_leaves(__name__, inline=False)
