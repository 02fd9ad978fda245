"""The backward pass of networks with norms of narrow rows (see `operations.across`): v . dC/dv of every value v.

These inner products are carried beside the errors, each with an exponent of its own, since they fall far below the
errors that rows hold. Matrices conserve them, activations do up to h phi'(h) - phi(h), norms up to a factor. Where an
error comes back through an activation or a norm, its part along the vector is the one that the inner product tells.
"""

from __future__ import annotations

import math

from gradsim_core import jit
from gradsim_core.lanes import LANES, convert, fma, lane_sum, load, splat
from gradsim_core.operations.across import remove_along
from gradsim_core.operations.standardise import EPSILON
from gradsim_core.schedules.along_neurons import multiply_by_slope

from .elementwise import begin, evaluate
from .scaled import add_row, clear, measure, power
from .steps import rows_at
from .tape import ACTIVATE, ADD, BATCH, JOIN, LAYER, MULTIPLY, SQUASH, STANDARDISE, TIED, WINDOW

_ORDINARY = 20  # octaves beside 1 of rows whose exponent is 0


def inner(a, i, b, j, size):
    """The inner product of a[i:] and b[j:], in float64."""
    total = splat(convert(load(a, i), 1.0), 0.0)
    for k in range(0, size, LANES):
        total = fma(convert(load(a, i + k), 1.0), convert(load(b, j + k), 1.0), total)
    return lane_sum(total)


def add_scaled(a, number, exponent):
    """The sum of a number and its exponent, and number 2^exponent."""
    if number == 0.0:
        return a
    own = a[1] if a[0] != 0.0 else exponent
    unit = max(own, exponent)
    total, k = math.frexp(a[0] * power(own - unit) + number * power(exponent - unit))
    return total, unit + k


def is_larger(a, b):
    """Whether a number and its exponent are larger than another one; neither is negative."""
    if a[0] == 0.0 or b[0] == 0.0:
        return a[0] > b[0]
    unit = max(a[1], b[1])
    return a[0] * power(a[1] - unit) > b[0] * power(b[1] - unit)


def add_product(products, value, b, number, exponent):
    """Add number 2^exponent to the inner product of row b of a value."""
    old = products.numbers[value, b], products.exponents[value, b]
    products.numbers[value, b], products.exponents[value, b] = add_scaled(old, number, exponent)


@jit.outlined
def begin_products(program, work):
    """Set all inner products to 0, and that of the output to what its errors tell."""
    for v in range(len(program.values)):
        for b in range(program.count):
            work.products.numbers[v, b], work.products.exponents[v, b] = 0.0, 0
    z, e = rows_at(work.values, program, program.output), rows_at(work.errors, program, program.output)
    add_inner(work.products, program.output, z, e, 0, 1.0, program.count)


def add_inner(products, value, rows, error, offset, factor, count):
    """Add the inner products of rows with parts of errors, from an offset on, times a factor."""
    for b in range(count):
        number = inner(
            rows.array, rows.start + b * rows.row, error.array, error.start + b * error.row + offset, rows.row
        )
        add_product(products, value, b, factor * number, rows.exponents[b] + error.exponents[b])


@jit.outlined
def carry_products(program, work, i, x, error, out):
    """Carry inner products backward through step i, which adds `out` to the errors of x, and has the errors `error`."""
    kind, source, other, target = program.steps[i, 0], program.steps[i, 1], program.steps[i, 2], program.steps[i, 3]
    products, count = work.products, program.count
    if kind in (MULTIPLY, TIED) or (kind == WINDOW and count == 1):
        for b in range(count):
            add_product(products, source, b, products.numbers[target, b], products.exponents[target, b])
    elif not (kind in (ACTIVATE, SQUASH) or (kind == STANDARDISE and program.steps[i, 5] != BATCH)):
        add_inner(products, source, x, out, 0, 1.0, count)
    if kind in (ADD, JOIN):
        offset = x.row if kind == JOIN else 0
        add_inner(products, other, rows_at(work.values, program, other), error, offset, program.factors[i], count)


def split(products, v, error, b, n, centred):
    """Write row b of v, and the part of its errors that is across, to scratch; returns |v|^2, in units of v."""
    for j in range(v.row):
        products.vector[j] = v.array[v.start + b * v.row + j]
        products.across[j] = error.array[error.start + b * error.row + j]
    return remove_along(products.vector, products.across, n, centred)


def write_row(numbers, factor, exponent, out, size):
    """Write float64 numbers times a factor, in units of 2^exponent; the unit that they get: 0 in the ordinary range."""
    top = 0.0
    for j in range(size):
        top = max(top, abs(numbers[j] * factor))
    unit = exponent
    if 0.0 < top < math.inf:
        k = exponent + math.frexp(top)[1]
        unit = 0 if abs(k) <= _ORDINARY else k
    scale = factor * power(min(exponent - unit, 1000))
    for j in range(size):
        out[j] = numbers[j] * scale
    return unit


def add_part(out, b, part, exponent, square):
    """Add a part of a row, in units of 2^exponent, to row b, whose unit adjusts if it has been zero so far."""
    if square != 0.0:
        add_row(out, b, part, 0, exponent, 1.0)
        out.squares[b] = square


@jit.outlined
def normalise_backward_narrow(program, work, i, x, error, out):
    """As `steps.normalise_backward` for a norm of rows, from the question x."""
    source, target, centred = program.steps[i, 1], program.steps[i, 3], program.steps[i, 5] == LAYER
    inverses, units = work.inverses[program.steps[i, 4]], work.units[1 + program.steps[i, 4]]
    products, n = work.products, program.values[source, 2]
    clear(out, program.count)
    for b in range(program.count):
        inverse, square = 1.0 * float(inverses[b]), split(products, x, error, b, n, centred)
        unit = write_row(products.across, inverse, error.exponents[b] - units[b], work.spare, x.row)
        add_part(out, b, work.spare, unit, inner(work.spare, 0, work.spare, 0, x.row))
        number = EPSILON * inverse * inverse * products.numbers[target, b]
        exponent = products.exponents[target, b] - 2 * units[b]
        add_product(products, source, b, number, exponent)
        if square != 0.0:
            unit = write_row(products.vector, number / square, exponent - x.exponents[b], work.spare, x.row)
            add_part(out, b, work.spare, unit, inner(work.spare, 0, work.spare, 0, x.row))
    measure(out, program.count)


def curvature(h, x, b, row, n):
    """The sum of e (h phi'(h) - phi(h)), e in row.y, and that of the sizes of its terms before they cancel.

    Both are in units of the larger of those of h and x = phi(h). Differences that are rounding are 0, so that relu and
    its like conserve inner products exactly.
    """
    unit = max(h.exponents[b], x.exponents[b])
    of_h, of_x = power(h.exponents[b] - unit), power(x.exponents[b] - unit)
    rounding, total, size = 2.0**-21 if h.array.itemsize == 4 else 2.0**-50, 0.0, 0.0
    for j in range(n):
        phi = of_x * float(x.array[x.start + b * x.row + j])
        linear = of_h * float(h.array[h.start + b * h.row + j]) * float(row.slope[j])
        if abs(linear - phi) > rounding * abs(phi):
            total += (linear - phi) * float(row.y[j])
            size += (abs(linear) + abs(phi)) * abs(float(row.y[j]))
    return total, size


@jit.outlined
def activate_backward_narrow(neuron, program, work, i, h, x, error, out):
    """As `elementwise.activate_backward`: phi'(h) times the part of the errors across x = phi(h), and that along it."""
    source, target, n = program.steps[i, 1], program.steps[i, 3], program.values[program.steps[i, 3], 2]
    products, row = work.products, begin(work.row, h.row, n)
    clear(out, program.count)
    for b in range(program.count):
        evaluate(neuron, h.array, h.start + b * h.row, h.exponents[b], row)
        square = split(products, x, error, b, n, False)
        number, exponent = products.numbers[target, b], products.exponents[target, b]
        carried, terms, direct, size = (number, exponent), (abs(number), exponent), (0.0, exponent), (0.0, exponent)
        for part in range(2):
            if part == 0:
                unit = write_row(products.across, 1.0, error.exponents[b], row.y, h.row)
            else:
                along = number / square if square != 0.0 else 0.0
                unit = write_row(products.vector, along, exponent - x.exponents[b], row.y, h.row)
            change, of_change = curvature(h, x, b, row, n)
            unit_of_change = unit + max(h.exponents[b], x.exponents[b])
            carried, terms = add_scaled(carried, change, unit_of_change), add_scaled(terms, of_change, unit_of_change)
            unit, of_delta = multiply_by_slope(neuron, row, 0, unit)
            product = inner(h.array, h.start + b * h.row, row.delta, 0, h.row)
            direct = add_scaled(direct, product, unit + h.exponents[b])
            size = add_scaled(size, math.sqrt(of_delta * h.squares[b]), unit + h.exponents[b])
            add_part(out, b, row.delta, unit, of_delta)
        # Of two sums for one number, that of the smaller terms has less rounding.
        number, exponent = direct if is_larger(terms, size) else carried
        add_product(products, source, b, number, exponent)
    measure(out, program.count)


jit.register_leaves(__name__, inline=False)
