"""What is told of pairs of inputs: their distances and angles, forward and backward, and the angles of their gradients.

The weight gradient of one input is the outer product of its delta and its x, so that inner products of two gradients
are products of inner products, K_ab = (delta_a . delta_b) (x_a . x_b), of which no gradient is formed.
"""

from __future__ import annotations

import math

from gradsim_core import jit
from gradsim_core.linear.inner import gram
from gradsim_core.linear.products import Matrix
from gradsim_core.linear.triangular import padded
from gradsim_core.results.of_inputs import (
    DECORRELATION,
    DELTA_DECORRELATION,
    DISTANCE,
    FIRST,
    GRADIENT_DECORRELATION,
    GRADIENT_NOISE,
    NOISE_SCALE,
    NTK,
    NTK_DECORRELATION,
)

from .scaled import power
from .steps import common_unit, plain, rows_at
from .tape import MULTIPLY


def write(out, kind, n, layer, number, exponent):
    """Write a number and its exponent, of a layer counted from 0."""
    sums, exponents = out
    sums[FIRST + kind, n, layer], exponents[FIRST + kind, n, layer] = number, exponent


def not_negative(x):
    """The number, or 0 for what rounding has made negative; NaN stays."""
    return 0.0 if x < 0.0 else x


def one_minus_cosine(products, count):
    """The mean of 1 - c over pairs whose vectors are not zero, from inner products; 0 if there is none."""
    size, total, pairs = padded(count), 0.0, 0
    for i in range(count):
        for j in range(i):
            both = products[i * size + i] * products[j * size + j]
            if both > 0.0:
                total += 1.0 - products[i * size + j] / math.sqrt(both)
                pairs += 1
            else:
                total += 0.0 * both  # NaN is not hidden
    return not_negative(total) / max(pairs, 1)


def square_distance(rows, products, count, powers):
    """The mean of |h_a - h_b|^2 over pairs, and its exponent."""
    size, top, found, total = padded(count), 0, False, 0.0
    for i in range(count):
        if rows.squares[i] != 0.0:
            top = max(top, rows.exponents[i]) if found else rows.exponents[i]
            found = True
    for i in range(count):
        powers[i] = rows.exponents[i] - top if rows.squares[i] != 0.0 else 0
    for i in range(count):
        for j in range(i):
            p, q = power(powers[i]), power(powers[j])
            square = products[i * size + i] * p * p + products[j * size + j] * q * q
            total += not_negative(square - 2.0 * products[i * size + j] * p * q)
    return total / (count * (count - 1) / 2), top


def add_products(out, of_out, found, products, of_products, count):
    """Add inner products in units of 4^of_products to those in units of 4^of_out; the unit of the sum."""
    size = padded(count)
    unit = max(of_out, of_products) if found else of_products
    old, new = power(2 * (of_out - unit)) if found else 0.0, power(2 * (of_products - unit))
    for i in range(count):
        for j in range(count):
            k = i * size + j
            out[k] = old * out[k] + new * products[k] if found else new * products[k]
    return unit


def add_matrix(program, work, step, found, unit):
    """Add the products of one matrix to those of its layer: whether there are some, and their unit."""
    count, size = program.count, padded(program.count)
    x = rows_at(work.values, program, program.steps[step, 1])
    error = rows_at(work.errors, program, program.steps[step, 3])
    of_x, of_delta = work.drawn.of_x, work.drawn.of_delta
    gram(plain(x), Matrix(of_x, 0, size, 1), count, x.row)
    gram(plain(error), Matrix(of_delta, 0, size, 1), count, error.row)
    top, _ = common_unit(x, error, count, work.powers)
    for i in range(count):
        for j in range(count):
            of_x[i * size + j] *= of_delta[i * size + j] * power(work.powers[i]) * power(work.powers[j])
    return True, add_products(work.pairs.layer, unit, found, of_x, top, count)


def record_gradients(work, out, n, layer, count, unit):
    """Write what the products of the gradients of a layer, in units of 4^unit, tell."""
    size, trace, total = padded(count), 0.0, 0.0
    for i in range(count):
        trace += work.pairs.layer[i * size + i]
        for j in range(count):
            total += work.pairs.layer[i * size + j]
    of_mean = not_negative(total) / (count * count)
    noise = not_negative(trace - count * of_mean) / (count - 1)
    write(out, GRADIENT_DECORRELATION, n, layer, one_minus_cosine(work.pairs.layer, count), 0)
    write(out, GRADIENT_NOISE, n, layer, noise, unit)
    write(out, NOISE_SCALE, n, layer, noise / of_mean if of_mean != 0.0 else 0.0, 0)


def record_kernel(work, out, n, layer, count, unit):
    """Write what the NTK up to a layer tells."""
    size, trace = padded(count), 0.0
    for i in range(count):
        trace += work.pairs.kernel[i * size + i]
    write(out, NTK, n, layer, trace / count, unit)
    write(out, NTK_DECORRELATION, n, layer, one_minus_cosine(work.pairs.kernel, count), 0)


@jit.outlined
def record_pairs(program, work, out, n, only_backward):
    """Record, of every layer, what is told of pairs of inputs."""
    count, step, of_kernel = program.count, 0, 0
    products = Matrix(work.drawn.of_x, 0, padded(count), 1)
    for layer in range(len(program.layers)):
        h = rows_at(work.values, program, program.layers[layer, 0])
        delta = rows_at(work.errors, program, program.layers[layer, 0])
        if not only_backward:
            gram(plain(h), products, count, h.row)
            square, exponent = square_distance(h, products.array, count, work.powers)
            write(out, DISTANCE, n, layer, square, exponent)
            write(out, DECORRELATION, n, layer, one_minus_cosine(products.array, count), 0)
        gram(plain(delta), products, count, delta.row)
        write(out, DELTA_DECORRELATION, n, layer, one_minus_cosine(products.array, count), 0)
        found, unit = False, 0
        while step < len(program.steps) and program.steps[step, 3] <= program.layers[layer, 0]:
            if work.pairs.separable and program.steps[step, 0] == MULTIPLY:
                found, unit = add_matrix(program, work, step, found, unit)
            step += 1
        if found:
            record_gradients(work, out, n, layer, count, unit)
            of_kernel = add_products(work.pairs.kernel, of_kernel, layer > 0, work.pairs.layer, unit, count)
            record_kernel(work, out, n, layer, count, of_kernel)


jit.register_leaves(__name__, inline=False)
