"""An activation on every number of every row, and a gate, for rows of any size: the steps of a layer, row by row."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, aligned, load, store
from gradsim_core.scaling.per_vector import bring_in_reach, largest, settle
from gradsim_core.schedules.along_neurons import activate, multiply_by_slope

from .scaled import accumulate, measure, power


class Row(NamedTuple):
    """Arrays of one row, as long as the longest, under the names that `schedules.along_neurons` uses."""

    h: np.ndarray
    slope: np.ndarray
    x: np.ndarray
    y: np.ndarray
    delta: np.ndarray
    live: np.ndarray  # 1 up to the row's numbers, then 0


def row_of(width: int, dtype: np.dtype) -> Row:
    """New arrays."""
    return Row(*(aligned(width, dtype) for _ in Row._fields))


def begin(row, width, n):
    """The arrays for a row of n numbers, stored in `width`."""
    for k in range(width):
        row.live[k] = 1.0 if k < n else 0.0
    return Row(row.h[:width], row.slope[:width], row.x[:width], row.y[:width], row.delta[:width], row.live[:width])


def take(array, start, out):
    """Copy array[start:] to a whole array."""
    for k in range(0, len(out), LANES):
        store(out, k, load(array, start + k))


def put(values, array, start):
    """Copy a whole array to array[start:]."""
    for k in range(0, len(values), LANES):
        store(array, start + k, load(values, k))


def evaluate(neuron, array, start, exponent, row):
    """Compute phi and phi' at array[start:], in units of 2^exponent, in row.x and row.slope; the exponent of x."""
    take(array, start, row.h)
    shift = 0 if exponent == 0 else bring_in_reach(row.h, 0, len(row.h), exponent)
    found, _ = activate(neuron, row, 0, shift)
    return found


def activate_rows(neuron, h, x, count, n, scratch):
    """Compute x = phi(h), zero in the padding, where phi(0) need not be."""
    row = begin(scratch, h.row, n)
    for i in range(count):
        x.exponents[i] = evaluate(neuron, h.array, h.start + i * h.row, h.exponents[i], row)
        put(row.x, x.array, x.start + i * x.row)
    measure(x, count)


def activate_backward(neuron, h, error, out, count, n, scratch):
    """Compute phi'(h) error; the padding stays zero."""
    row = begin(scratch, h.row, n)
    for i in range(count):
        evaluate(neuron, h.array, h.start + i * h.row, h.exponents[i], row)
        take(error.array, error.start + i * error.row, row.y)
        out.exponents[i], _ = multiply_by_slope(neuron, row, 0, error.exponents[i])
        put(row.delta, out.array, out.start + i * out.row)
    measure(out, count)


def product(a, b, start, out):
    """Multiply a whole array by b[start:]."""
    for k in range(0, len(a), LANES):
        store(out, k, load(a, k) * load(b, start + k))


def gate(neuron, both, z, count, n, scratch):
    """Compute z = phi(g) u, where a row of `both` has two parts, g and u (Shazeer 2020, arXiv:2002.05202)."""
    row = begin(scratch, z.row, n)
    for i in range(count):
        start = both.start + i * both.row
        exponent = evaluate(neuron, both.array, start, both.exponents[i], row)
        product(row.x, both.array, start + z.row, row.y)
        put(row.y, z.array, z.start + i * z.row)
        z.exponents[i] = exponent + both.exponents[i]
    measure(z, count)


def gate_backward(neuron, both, error, out, count, n, scratch):
    """Compute the errors of g and u, phi'(g) u error and phi(g) error; the padding stays zero."""
    row = begin(scratch, error.row, n)
    for i in range(count):
        start, at = both.start + i * both.row, out.start + i * out.row
        exponent = evaluate(neuron, both.array, start, both.exponents[i], row)
        take(error.array, error.start + i * error.row, row.y)
        product(row.x, row.y, 0, row.x)
        of_u = settle(row.x, 0, len(row.x), exponent + error.exponents[i], largest(row.x, 0, len(row.x)))
        product(row.y, both.array, start + error.row, row.y)
        of_g, _ = multiply_by_slope(neuron, row, 0, error.exponents[i] + both.exponents[i])
        join(row, of_g, of_u, out, i, at)
    measure(out, count)


def join(row, of_g, of_u, out, i, at):
    """Write the errors of g and u as two parts of one row, in the larger of their units."""
    common = max(of_g, of_u)
    if largest(row.delta, 0, len(row.delta)) == 0.0:
        common = of_u
    elif largest(row.x, 0, len(row.x)) == 0.0:
        common = of_g
    for k in range(0, 2 * len(row.x), LANES):
        store(out.array, at + k, load(row.x, 0) * 0.0)
    accumulate(out.array, at, row.delta, 0, len(row.x), power(of_g - common))
    accumulate(out.array, at + len(row.x), row.x, 0, len(row.x), power(of_u - common))
    out.exponents[i] = common


jit.register_leaves(__name__, inline=False)
