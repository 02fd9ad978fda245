"""What stands for the layers of a tape, recorded after a network has run."""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.parameters import SUM_DELTA, SUM_H, SUM_X

from .scaled import power, total
from .steps import rows_at


def record(out, kind, n, layer, square, exponent):
    """Write a sum of squares and its exponent, of a layer counted from 0."""
    sums, exponents = out
    sums[kind, n, layer], exponents[kind, n, layer] = square, exponent


@jit.outlined
def record_layers(program, work, out, n):
    """Record |h^l|^2, |delta^l|^2 and, in the place of |x^(l-1)|^2, |dC/dW^l|^2 / |delta^l|^2 of every layer."""
    first = 0
    for layer in range(len(program.layers)):
        value, last = program.layers[layer, 0], program.layers[layer, 1]
        square, unit = total(rows_at(work.values, program, value), program.count)
        record(out, SUM_H, n, layer, square, unit)
        delta, of_delta = total(rows_at(work.errors, program, value), program.count)
        record(out, SUM_DELTA, n, layer, delta, of_delta)
        gradient, unit = sum_of_gradients(work, first, last)
        ratio = gradient / delta if delta != 0.0 else delta
        record(out, SUM_X, n, layer, ratio, unit - of_delta)
        first = last


def sum_of_gradients(work, first, last):
    """The sum of squares of several weight gradients, and its exponent."""
    top, found, square = 0, False, 0.0
    for index in range(first, last):
        if work.gradients[index] != 0.0:
            top = max(top, work.gradient_units[index]) if found else work.gradient_units[index]
            found = True
    for index in range(first, last):
        if work.gradients[index] != 0.0:
            square += work.gradients[index] * power(2 * (work.gradient_units[index] - top))
    return square, top


jit.register_leaves(__name__, inline=False)
