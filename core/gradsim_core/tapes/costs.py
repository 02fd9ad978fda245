"""The costs of a tape, as the errors of what it ends with.

By default that is x, and C = sum of v . x, with a random v of its own for every row. For other costs the tape ends
with a matrix into k outputs z, and C is a sum over rows::

    shared      z, for one output: C = sum of v . x, with the same v for all rows
    quadratic   |z - y|^2 / 2, with random normal targets y
    sigmoid     -sum of [y ln a + (1 - y) ln(1 - a)], a = 1 / (1 + e^-z), with random targets 0 and 1
    softmax     -ln of the softmax of z at a random class

Targets are made of standard normals t, k for every row: t itself, whether t > 0, and the class of the largest t.
"""

from __future__ import annotations

import math

from gradsim_core import jit
from gradsim_core.elementary import exp, log, log_logistic
from gradsim_core.lanes import LANES, lane_max, lane_sum, load, maximum, splat, store
from gradsim_core.laws import gaussian
from gradsim_core.lazy.untied import fill_rows
from gradsim_core.linear.products import Matrix
from gradsim_core.rng.draws import Source
from gradsim_core.rng.philox import TAPE_READOUT

from .scaled import add_row, clear, copy, measure

READOUT, SHARED, QUADRATIC, SIGMOID, SOFTMAX = range(5)
_LARGEST = 40  # log2 of the unit of outputs, beyond which errors are those of this unit
_TINY = 10.0  # -ln of errors that get a unit of their own


@jit.outlined
def fill_errors(origin, cost, z, e, count, n, targets):
    """Write the errors of the outputs z, rows of n numbers; `targets` is scratch of as many."""
    source = Source(origin.cell, origin.network, 0, TAPE_READOUT)
    clear(e, count)
    if cost == SHARED:
        for i in range(count):
            e.array[e.start + i * e.row] = 1.0
    else:
        fill_rows(gaussian, source, count, n, 1, 1.0, Matrix(targets, 0, e.row, 1))
    if cost == QUADRATIC:
        copy(z, e, count)
        for i in range(count):
            add_row(e, i, targets, i * e.row, 0, -1.0)
    elif cost == SIGMOID:
        sigmoid_errors(z, e, count, n, targets)
    elif cost == SOFTMAX:
        softmax_errors(z, e, count, n, targets)
    measure(e, count)


def write_true(z, i, e):
    """Write row i of z in the unit 1, or 2^40 if it is larger, to the errors."""
    factor = math.ldexp(1.0, min(max(z.exponents[i], -1000), _LARGEST))
    for k in range(0, z.row, LANES):
        value = load(z.array, z.start + i * z.row + k)
        store(e.array, e.start + i * e.row + k, value * splat(value, factor))


def scale_to(unit):
    """ln of 2^unit."""
    return unit * math.log(2.0)


def unit_of(top):
    """The unit of a row of errors whose largest has the logarithm `top`: 0, unless it is tiny or there is none."""
    return math.floor(top / math.log(2.0)) if -math.inf < top < -_TINY else 0


def largest_of(array, start, size):
    """The largest of some numbers."""
    top = load(array, start)
    for k in range(0, size, LANES):
        top = maximum(load(array, start + k), top)
    return float(lane_max(top))


@jit.outlined
def sigmoid_errors(z, e, count, n, targets):
    """a - y for every output: with t = 2 y - 1 it is -t / (1 + e^(t z)), whose logarithm is known."""
    for i in range(count):
        write_true(z, i, e)
        start = e.start + i * e.row
        for k in range(n):
            if targets[i * e.row + k] > 0.0:
                e.array[start + k] = -e.array[start + k]
        for k in range(0, e.row, LANES):
            store(e.array, start + k, log_logistic(load(e.array, start + k)))
        for k in range(n, e.row):
            e.array[start + k] = -math.inf
        exponentiate(e, i)
        for k in range(n):
            if targets[i * e.row + k] > 0.0:
                e.array[start + k] = -e.array[start + k]


@jit.outlined
def softmax_errors(z, e, count, n, targets):
    """The softmax p of every row, less 1 at its class: there it is minus the sum of the others."""
    for i in range(count):
        write_true(z, i, e)
        start, chosen = e.start + i * e.row, 0
        for k in range(n, e.row):
            e.array[start + k] = -math.inf
        log_softmax(e, start)
        for k in range(1, n):
            if targets[i * e.row + k] > targets[i * e.row + chosen]:
                chosen = k
        e.array[start + chosen] = -math.inf
        exponentiate(e, i)
        others = 0.0
        for k in range(n):
            others += e.array[start + k]
        e.array[start + chosen] = -others


def log_softmax(e, start):
    """Replace a row by the logarithms of its softmax."""
    top = largest_of(e.array, start, e.row)
    total = splat(load(e.array, start), 0.0)
    for k in range(0, e.row, LANES):
        value = load(e.array, start + k)
        total = total + exp(value - splat(value, top))
    log_total = log(splat(total, lane_sum(total)))
    for k in range(0, e.row, LANES):
        value = load(e.array, start + k)
        store(e.array, start + k, value - splat(value, top) - log_total)


def exponentiate(e, i):
    """Replace the logarithms in a row by the numbers, in a unit that keeps tiny ones."""
    start = e.start + i * e.row
    unit = unit_of(largest_of(e.array, start, e.row))
    for k in range(0, e.row, LANES):
        value = load(e.array, start + k)
        store(e.array, start + k, exp(value - splat(value, scale_to(unit))))
    e.exponents[i] = unit


jit.register_leaves(__name__, inline=False)
