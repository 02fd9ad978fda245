"""A weight matrix that is never drawn: h' = W x going forward, then y = W^T delta given what was seen of it.

Normal entries and Haar matrices; `conditional` has the formulas. `work` is a `conditional.ConditionalWork`. Vectors lie
in it as [layer][neuron][lane], and `start` is where those of a layer begin.
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
    """How a weight matrix is sampled: independent normal entries, or a Haar matrix."""

    orthogonal: bool
    draw: Callable
    preactivations: Callable
    combine: Callable


def inverse(v):
    """1 / v, and 0 for 0."""
    return select(v == 0.0, 0.0, 1.0 / v)


def widen(cell, layer, work, scale, scale_b):
    """v, so that h = v z: normal biases only widen the scale, see above."""
    v = scale
    if cell.sigma_b > 0.0:
        v = sqrt(fma(scale, scale, scale_b * scale_b))
        keep(work, layer, SHARE, scale * inverse(v))
        keep(work, layer, BIAS_SHARE, scale_b * inverse(v))
    keep(work, layer, SCALE, v)
    return v


def draw_gaussian(cell, group, layer, work, start, scale, scale_b):
    """z, so that h = v z; returns v."""
    fill(cell, group, layer, GROUP_FORWARD, work.words, work.z, start)
    return widen(cell, layer, work, scale, scale_b)


def draw_orthogonal(cell, group, layer, work, start, scale, scale_b):
    """u into work.z and h into work.h; returns the scale of work.h, 1."""
    fill(cell, group, layer, GROUP_FORWARD, work.words, work.z, start)
    unit = inverse(sqrt(dot(work.z, start, work.z, start, cell.width)))
    for i in range(start, start + cell.width * LANES, LANES):
        store(work.z, i, load(work.z, i) * unit)
    keep(work, layer, SCALE, scale)
    keep(work, layer, BIAS_SHARE, scale_b)
    preactivations_orthogonal(cell, group, layer, work, start)
    return splat(scale, 1.0)


def preactivations_gaussian(cell, group, layer, work, start):
    """h into work.h, in units of the layer's power of two."""
    scale = kept(work, layer, SCALE)
    for i in range(0, cell.width * LANES, LANES):
        store(work.h, i, load(work.z, start + i) * scale)


def preactivations_orthogonal(cell, group, layer, work, start):
    """h into work.h, in units of the layer's power of two."""
    if cell.sigma_b == 0.0:
        preactivations_gaussian(cell, group, layer, work, start)
        return
    fill(cell, group, layer, GROUP_BIAS, work.words, work.h, 0)
    scale, scale_b = kept(work, layer, SCALE), kept(work, layer, BIAS_SHARE)
    for i in range(0, cell.width * LANES, LANES):
        store(work.h, i, fma(load(work.h, i), scale_b, load(work.z, start + i) * scale))


def fill_backward(cell, group, layer, work):
    """The g of y at a layer into work.g; at the last layer y is the readout."""
    _, _, source_layer, role = backward_source(cell, group, layer)
    fill(cell, group, source_layer, role, work.words, work.g, 0)


def combine_gaussian(cell, group, layer, work, square, along, inner):
    """y / s = of_g g + of_x x at the layer below, given |delta|^2, `along` = z . delta and `inner` = x . g."""
    length, inverse_norm = sqrt(square), kept(work, layer - 1, INVERSE_NORM)
    if cell.sigma_b > 0.0:
        a, b, _, _ = random_words(cell.key, group, layer, GROUP_BIAS, 0)
        fresh, _ = normal_pair(a, b, length)
        along = fma(kept(work, layer, SHARE), along, kept(work, layer, BIAS_SHARE) * length * fresh)
    return Combination(length, fma(length, -(inner * inverse_norm), along) * inverse_norm)


def combine_orthogonal(cell, group, layer, work, square, along, inner):
    """The same with y / sigma_w; where x is the only direction there is, none of g."""
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
    """The functions of `Matrix` for a weight law: whether it is orthogonal, draw, preactivations, combine."""
    if law.draw is None:
        return True, draw_orthogonal, preactivations_orthogonal, combine_orthogonal
    return False, draw_gaussian, preactivations_gaussian, combine_gaussian


jit.register_leaves(__name__, inline=False)
