"""Between the two matrices of a block: the first matrix and the activation, as a layer of `conditional`.

Nothing here persists, so that the inner products of `one_pass` suffice for the backward pass. Where they do not, the
vectors are drawn again from their counters.
"""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.lanes import LANES, absolute, anywhere, convert, fma, load, maximum, splat, sqrt, store
from gradsim_core.parameters import Params
from gradsim_core.rng.draws import Source
from gradsim_core.rng.philox import STREAM_INNER_BACKWARD, STREAM_INNER_FORWARD
from gradsim_core.scaling import per_lane
from gradsim_core.scaling.per_lane import is_extreme
from gradsim_core.scaling.per_vector import dphi_tail
from gradsim_core.schedules import one_pass
from gradsim_core.schedules.side_by_side import dot, fill

from .numbers import (
    INNER,
    INNER_BIAS_SHARE,
    INNER_EXPONENT,
    INNER_SCALE,
    INNER_SHARE,
    INNER_SHIFT,
    Seen,
    along_weights,
    item,
    keep,
    level,
    limit,
    multiply,
    number,
    transpose,
    unit_at,
)


def of_width(cell, width):
    """The cell with another width."""
    return Params(cell.key, cell.depth, width, cell.sigma_w, cell.sigma_b, cell.alpha, cell.law_parameter)


def run_inner(neuron, cell, group, layer, work, seen):
    """Run the first matrix of a block and the activation; returns what the second matrix meets."""
    like, width = splat(load(work.error, 0), 0.0), work.form.inner
    product = multiply(seen, work.first_weight, work.bias)
    shift = per_lane.placed(level(product.v, product.exponent), limit(like))
    scale = number(product.exponent - shift, product.v, like)
    keep(work, layer, INNER_SCALE, convert(scale, 1.0))
    keep(work, layer, INNER_SHIFT, shift)
    keep(work, layer, INNER_SHARE, product.share)
    keep(work, layer, INNER_BIAS_SHARE, product.bias_share)
    square, exponent, far = like, splat(shift, 0.0), anywhere(shift != 0.0)
    if not far:
        sources = Source(cell, group, layer, STREAM_INNER_FORWARD), Source(cell, group, layer, STREAM_INNER_BACKWARD)
        sums = one_pass.sums_of(neuron, sources, width, work, scale)
        square, _ = one_pass.keep_sums(work, layer, sums, scale)
        far = is_extreme(square, neuron.has_tails[0])
    work.inner_far[layer] = far
    if far:
        draw_inner(of_width(cell, width), group, layer, work)
        square, exponent = per_lane.activate_any_range(neuron, width, work.between, 0, shift)
    keep(work, layer, INNER, convert(square, 1.0))
    keep(work, layer, INNER_EXPONENT, exponent)
    return Seen(convert(square, 1.0), exponent)


@jit.outlined
def draw_inner(cell, group, layer, work):
    """Draw h of a layer again; the cell has the width of the layer."""
    arrays, scale = work.between, convert(item(work, layer, INNER_SCALE), load(work.error, 0))
    fill(cell, group, layer, STREAM_INNER_FORWARD, work.words, arrays.h, 0)
    for i in range(0, cell.width * LANES, LANES):
        store(arrays.h, i, load(arrays.h, i) * scale)


@jit.outlined
def evaluate_inner(neuron, cell, group, layer, work):
    """Compute h, a, phi' and g of a layer again; the cell has the width of the layer."""
    arrays = work.between
    draw_inner(cell, group, layer, work)
    if work.inner_far[layer]:
        per_lane.activate_any_range(neuron, cell.width, arrays, 0, item(work, layer, INNER_SHIFT))
    else:
        for i in range(0, cell.width * LANES, LANES):
            h = load(arrays.h, i)
            store(arrays.x, i, neuron.phi(h, neuron.alpha))
            store(arrays.slope, i, neuron.dphi(h, neuron.alpha))
    fill(cell, group, layer, STREAM_INNER_BACKWARD, work.words, arrays.g, 0)


@jit.outlined
def products_again(neuron, cell, group, layer, work, y):
    """|delta|^2, z . delta and their exponent, from the vectors of `evaluate_inner`, which it overwrites."""
    arrays, size = work.between, cell.width * LANES
    square = splat(y.of_g, 0.0)
    for i in range(0, size, LANES):
        error = fma(load(arrays.x, i), y.of_x, load(arrays.g, i) * y.of_g)
        delta = load(arrays.slope, i) * error
        store(arrays.g, i, error)
        store(arrays.x, i, delta)
        square = fma(delta, delta, square)
    exponent = splat(convert(square, 1.0), 0.0)
    if is_extreme(square, neuron.has_tails[1]):
        h, slope, error, delta = arrays.h[:size], arrays.slope[:size], arrays.g[:size], arrays.x[:size]
        square, exponent = per_lane.rescue(dphi_tail(neuron), h, slope, error, delta, square, exponent)
    fill(cell, group, layer, STREAM_INNER_FORWARD, work.words, arrays.g, 0)
    return square, dot(arrays.x, 0, arrays.g, 0, cell.width), exponent


def run_inner_backward(neuron, cell, group, layer, work, error):
    """Run the second matrix, the activation and the first matrix backward.

    Returns
    -------
    error : tuple of three vectors
        |e|^2, z' . e and exponent of the error e of the product of the first matrix.
    gradient, exponent : vectors
        |.|^2 of the weight gradient of the second matrix, in units of 4^exponent.
    """
    inner_cell, seen = (
        of_width(cell, work.form.inner),
        Seen(item(work, layer, INNER), item(work, layer, INNER_EXPONENT)),
    )
    length, norm, again = sqrt(error.square), sqrt(seen.square), work.inner_far[layer]
    inner = one_pass.kept(work, layer, one_pass.X_G)
    if again:
        evaluate_inner(neuron, inner_cell, group, layer, work)
        inner = dot(work.between.x, 0, work.between.g, 0, inner_cell.width)
    y = transpose(length, error.along, norm, convert(inner, 1.0), work.weight, error.exponent)
    top = level(maximum(absolute(y.of_g), absolute(y.of_x) * norm), y.exponent)
    unit = unit_at(top, limit(inner))
    of_g, of_x = number(y.exponent - unit, y.of_g, inner), number(y.exponent - unit, y.of_x, inner)
    combination, k = one_pass.Combination(of_g, of_x), splat(unit, 0.0)
    square = along = splat(of_g, 0.0)
    if not again:
        square, along, accurate = one_pass.products_from_sums(work, layer, combination)
        again = not accurate or is_extreme(square, neuron.has_tails[1])
        if again:
            evaluate_inner(neuron, inner_cell, group, layer, work)
    if again:
        square, along, k = products_again(neuron, inner_cell, group, layer, work, combination)
    square, along = convert(square, 1.0), convert(along, 1.0)
    shares = item(work, layer, INNER_SHARE), item(work, layer, INNER_BIAS_SHARE)
    along = along_weights(cell, group, layer, sqrt(square), along, shares)
    return (square, along, unit + k), error.square * seen.square, error.exponent + seen.exponent


jit.register_leaves(__name__, inline=True)
