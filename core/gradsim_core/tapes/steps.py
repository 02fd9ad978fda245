"""The operations of a tape on rows of any size, forward and backward; those on single rows are in `elementwise`."""

from __future__ import annotations

import math

from gradsim_core import jit
from gradsim_core.lanes import LANES, load, store
from gradsim_core.laws import gaussian
from gradsim_core.lazy import untied
from gradsim_core.lazy.untied import Seen, Shape
from gradsim_core.linear.inner import gram
from gradsim_core.linear.products import Matrix
from gradsim_core.linear.rows import stored
from gradsim_core.linear.triangular import padded
from gradsim_core.operations import attend, standardise
from gradsim_core.operations.standardise import EPSILON
from gradsim_core.rng.draws import Source
from gradsim_core.rng.philox import TAPE_BIAS, TAPE_INPUT
from gradsim_core.scaling.per_vector import rescale

from . import drawn
from .scaled import Rows, add_row, align, clear, copy, measure, power
from .tape import BATCH, LAYER
from .ties import answer_rows, known_at
from .work import Block

_PART = 20  # octaves of the unit of epsilon that go into errors; the rest goes into their exponents


def rows_at(field, program, value):
    """The rows of a value, in a `Field` of values or of errors."""
    v = program.values
    return Rows(field.numbers, v[value, 0], v[value, 1], field.exponents[value], field.squares[value])


def scratch_like(work, rows):
    """Scratch rows of the same shape."""
    return Rows(work.scratch, 0, rows.row, work.units[0], work.squares)


def plain(rows):
    """Rows as `linear` takes them."""
    return Matrix(rows.array, rows.start, rows.row, 1)


def shape_at(program, index):
    """The `Shape` of a matrix."""
    s = program.shapes[index]
    return Shape(s[0], s[1], s[2], s[3], s[4], s[5], s[6])


def seen_at(program, work, index):
    """What a matrix keeps."""
    shape, size = shape_at(program, index), program.count * padded(program.count)
    q = Matrix(work.bases, work.places[index, 0], shape.width_in, 1)
    z = Matrix(work.normals, work.places[index, 1], shape.width_out, 1)
    return Seen(q, z, work.factors[index * size : (index + 1) * size])


def raise_exponents(source, target, count, k):
    """Give rows the exponents of others, plus k; and measure them."""
    for i in range(count):
        target.exponents[i] = source.exponents[i] + k
    measure(target, count)


@jit.outlined
def multiply_lazy(origin, program, work, index, x, y):
    """Run a lazy matrix forward."""
    deviation, seen = program.deviations[index], seen_at(program, work, index)
    untied.forward(origin, shape_at(program, index), deviation, plain(x), plain(y), seen, work.lazy)
    raise_exponents(x, y, program.count, program.powers[index])


@jit.outlined
def multiply_lazy_backward(origin, program, work, index, x, error, out):
    """Run a lazy matrix backward; writes the square of its weight gradient."""
    deviation, seen = program.deviations[index], seen_at(program, work, index)
    shape, count, size = shape_at(program, index), program.count, padded(program.count)
    square = untied.backward(origin, shape, deviation, plain(error), plain(out), seen, work.lazy)
    unit, ordinary = common_unit(x, error, count, work.powers)
    if not ordinary:
        for b in range(count):
            factor = power(work.powers[b])
            for i in range(count):
                work.lazy.triangle[i * size + b] *= factor
        square = untied.weight_gradient(seen.r, work.lazy.triangle, count, work.lazy)
    work.gradients[index], work.gradient_units[index] = square, unit
    raise_exponents(error, out, count, program.powers[index])


@jit.outlined
def common_unit(x, error, count, powers):
    """The largest exponent of the products of the rows, in `powers` how far each is below, and whether all are 0."""
    unit, found, ordinary = 0, False, True
    for i in range(count):
        powers[i] = x.exponents[i] + error.exponents[i]
        ordinary = ordinary and powers[i] == 0
        if x.squares[i] != 0.0 and error.squares[i] != 0.0:
            unit = max(unit, powers[i]) if found else powers[i]
            found = True
    for i in range(count):
        live = x.squares[i] != 0.0 and error.squares[i] != 0.0
        powers[i] = powers[i] - unit if live else 0
    return unit, ordinary


@jit.outlined
def multiply_tied(origin, program, work, index, number, x, y):
    """Run a tied lazy matrix forward."""
    shape = shape_at(program, index)
    known = known_at(work.ties, shape, number)
    answer_rows(origin, known, 0, program.deviations[index], plain(x), plain(y), program.count)
    raise_exponents(x, y, program.count, program.powers[index])


@jit.outlined
def multiply_tied_backward(origin, program, work, index, number, x, error, out):
    """Run a tied lazy matrix backward; writes the square of what this use adds to its weight gradient."""
    shape, count = shape_at(program, index), program.count
    known, size = known_at(work.ties, shape, number), padded(program.count)
    answer_rows(origin, known, 1, program.deviations[index], plain(error), plain(out), count)
    gram(plain(x), Matrix(work.drawn.of_x, 0, size, 1), count, shape.width_in)
    gram(plain(error), Matrix(work.drawn.of_delta, 0, size, 1), count, shape.width_out)
    keep_gradient(work, index, x, error, count)
    raise_exponents(error, out, count, program.powers[index])


def keep_gradient(work, index, x, error, count):
    """Write the square of a weight gradient, from the Gram matrices of its two sides."""
    size, (unit, ordinary), square = padded(count), common_unit(x, error, count, work.powers), 0.0
    for i in range(count):
        for j in range(count):
            both = work.drawn.of_x[i * size + j] * work.drawn.of_delta[i * size + j]
            square += both if ordinary else both * power(work.powers[i]) * power(work.powers[j])
    work.gradients[index], work.gradient_units[index] = max(square, 0.0), unit


def multiply_drawn(draw, origin, program, work, index, x, y):
    """Run a matrix forward whose entries are drawn."""
    clear(y, program.count)
    shape = shape_at(program, index)
    drawn.forward(draw, origin, shape, program.deviations[index], plain(x), plain(y), work.drawn)
    raise_exponents(x, y, program.count, program.powers[index])


def multiply_drawn_backward(draw, origin, program, work, index, x, error, out):
    """Run such a matrix backward; writes the square of its weight gradient."""
    clear(out, program.count)
    shape, count, deviation = shape_at(program, index), program.count, program.deviations[index]
    drawn.backward(draw, origin, shape, deviation, plain(x), plain(error), plain(out), work.drawn)
    keep_gradient(work, index, x, error, count)
    raise_exponents(error, out, count, program.powers[index])


@jit.outlined
def draw_rows(origin, program, i, y):
    """Draw rows of standard normal numbers."""
    cell, network, _, _ = origin
    source, n = Source(cell, network, 2 + program.steps[i, 4], TAPE_INPUT), program.values[program.steps[i, 3], 2]
    untied.fill_rows(gaussian, source, program.count, n, 1, 1.0, plain(y))
    for b in range(program.count):
        y.exponents[b] = 0
    measure(y, program.count)


@jit.outlined
def shift(origin, program, work, i, x, y, rows):
    """Add a bias to the first rows: to all, or to the first where others are differences."""
    cell, network, _, _ = origin
    source, target = Source(cell, network, program.steps[i, 4], TAPE_BIAS), program.steps[i, 3]
    n, parts = program.values[target, 2], program.values[target, 3]
    copy(x, y, program.count)
    untied.fill_rows(gaussian, source, 1, n, parts, program.factors[i], Matrix(work.spare, 0, y.row, 1))
    for b in range(rows):
        add_row(y, b, work.spare, 0, 0, 1.0)
    measure(y, program.count)


def mark_live(live, n, width):
    """Write ones up to n, zeros beyond."""
    for k in range(width):
        live[k] = 1.0 if k < n else 0.0


def ordinary_part(exponent):
    """What of an exponent is within the reach of a norm's epsilon: below it, epsilon outweighs the variance."""
    return max(exponent, -40)


@jit.outlined
def normalise(program, work, i, x, y):
    """Run a norm forward: y is a copy of x that is normalised in place."""
    count, n, mode = program.count, program.values[program.steps[i, 1], 2], program.steps[i, 5]
    copy(x, y, count)
    if mode == BATCH:
        align(y, count)
    inverse, units = work.inverses[program.steps[i, 4]], work.units[1 + program.steps[i, 4]]
    for b in range(count):
        units[b] = ordinary_part(y.exponents[b])
        y.exponents[b] -= units[b]
    if mode == BATCH:
        epsilon = EPSILON * power(-2 * units[0])
        standardise.standardise_columns(y.array, Block(y.start, count, y.row, n), inverse, epsilon)
    else:
        mark_live(work.live, n, y.row)
        for b in range(count):
            epsilon, block = EPSILON * power(-2 * units[b]), Block(y.start + b * y.row, 1, y.row, n)
            if mode == LAYER:
                standardise.standardise_rows(y.array, block, work.live, inverse[b:], epsilon)
            else:
                standardise.scale_rows(y.array, block, inverse[b:], epsilon)
    measure(y, count)


@jit.outlined
def normalise_backward(program, work, i, y, error, out):
    """Compute the errors of the question of a norm from those of its answer y."""
    count, n, mode = program.count, program.values[program.steps[i, 1], 2], program.steps[i, 5]
    copy(error, out, count)
    if mode == BATCH:
        align(out, count)
    inverse, units = work.inverses[program.steps[i, 4]], work.units[1 + program.steps[i, 4]]
    copy_true(y, work.spare, count)
    mark_live(work.live, n, y.row)
    if mode == BATCH and count == 2:
        part = min(units[0], _PART)
        standardise.standardise_two_backward(out.array, out.row, inverse, EPSILON * power(-2 * part))
        for b in range(count):
            out.exponents[b] -= 2 * (units[b] - part)
    elif mode == BATCH:
        standardise.standardise_columns_backward(out.array, work.spare, Block(0, count, y.row, n), inverse)
    elif mode == LAYER:
        standardise.standardise_rows_backward(out.array, work.spare, Block(0, count, y.row, n), work.live, inverse)
    else:
        standardise.scale_rows_backward(out.array, work.spare, Block(0, count, y.row, n), inverse)
    for b in range(count):
        out.exponents[b] -= units[b]
    measure(out, count)


def copy_true(rows, out, count):
    """Copy rows to a whole array, each in the unit 1."""
    for k in range(0, count * rows.row, LANES):
        store(out, k, load(rows.array, rows.start + k))
    for i in range(count):
        if rows.exponents[i] != 0:
            rescale(out, i * rows.row, (i + 1) * rows.row, min(max(rows.exponents[i], -2000), 2000))


def heads_at(program, i, unit):
    """The `Heads` of step i, with scores of rows in units of 2^unit: beyond 2^30 the softmax has saturated."""
    target = program.steps[i, 3]
    scale = program.factors[i] * math.ldexp(1.0, 2 * min(max(unit, -40), 30))
    return attend.Heads(program.values[target, 3], program.values[target, 2], scale, program.steps[i, 5] != 0)


def attention_at(program, work, i, heads):
    """The arrays of the attention of step i."""
    size = heads.count * program.count * stored(program.count)
    index = program.steps[i, 4]
    return attend.Attention(work.weights[index * size : (index + 1) * size], work.attention.errors)


@jit.outlined
def attend_rows(program, work, i, x, y):
    """Run an attention forward."""
    unit = align(x, program.count)
    heads = heads_at(program, i, unit)
    attend.attend(heads, plain(x), plain(y), program.count, attention_at(program, work, i, heads))
    for b in range(program.count):
        y.exponents[b] = unit
    measure(y, program.count)


@jit.outlined
def attend_rows_backward(program, work, i, x, error, out):
    """Run an attention backward."""
    unit, of_error = align(x, program.count), align(error, program.count)
    heads = heads_at(program, i, unit)
    attend.attend_backward(
        heads, plain(x), plain(error), plain(out), program.count, attention_at(program, work, i, heads)
    )
    for b in range(program.count):
        out.exponents[b] = of_error
    measure(out, program.count)


jit.register_leaves(__name__, inline=False)
