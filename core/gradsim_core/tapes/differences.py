"""Inputs carried as the first one and the differences of the others from it.

Two inputs that converge agree in all digits long before their distance has stopped to shrink. So the rows of a value
are x_0, x_1 - x_0, x_2 - x_0 …, each with an exponent of its own. Matrices and branches are linear and take them as
they are; an activation needs phi(h + e) - phi(h) without cancellation. Before the backward pass the inputs themselves
are restored.
"""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.lanes import LANES, absolute, anywhere, load, select, splat, store
from gradsim_core.linear.inner import gram
from gradsim_core.linear.products import Matrix
from gradsim_core.linear.triangular import padded
from gradsim_core.results.of_inputs import DECORRELATION, DISTANCE
from gradsim_core.scaling.per_vector import bring_in_reach, reach
from gradsim_core.schedules.along_neurons import known

from .elementwise import begin, evaluate, put, take
from .pairs import not_negative, write
from .scaled import add_row, measure, power
from .steps import plain, rows_at, seen_at
from .tape import MULTIPLY

_FAR = 2.0**-6  # from here on differences of phi lose six bits at most
_CURVED = 4.0  # phi' that changes faster than this has a kink
_NEAR = 2.0**-18  # below, changes of phi' may be rounding, and no two inputs have a kink between them
_NODE = 0.3872983346207417  # sqrt(3/20): Gauss-Legendre with three points


def take_differences(x, count):
    """Subtract the first row from all others."""
    for i in range(1, count):
        add_row(x, i, x.array, x.start, x.exponents[0], -1.0)
    measure(x, count)


def mean_slope(neuron, a, b):
    """The mean of phi' between a and b, by three points: exact to the seventh power of b - a."""
    middle, half = 0.5 * (a + b), _NODE * (b - a)
    outer = neuron.dphi(middle - half, neuron.alpha) + neuron.dphi(middle + half, neuron.alpha)
    return outer * (5.0 / 18.0) + neuron.dphi(middle, neuron.alpha) * (8.0 / 18.0)


def divided_difference(neuron, h, e):
    """(phi(h + e) - phi(h)) / e; where phi may have a kink at 0 the mean of phi' is taken on either side."""
    end, size = h + e, absolute(e)
    crossing = (h > 0.0) & (end <= 0.0) | (h <= 0.0) & (end > 0.0)
    found = mean_slope(neuron, select(crossing, 0.0, h), end)
    if anywhere(crossing):
        share = select(crossing, -h, 0.0) / select(crossing, e, 1.0)
        found = select(crossing, share * mean_slope(neuron, h, splat(h, 0.0)) + (1.0 - share) * found, found)
    here = neuron.dphi(h, neuron.alpha)
    kink = absolute(neuron.dphi(end, neuron.alpha) - here) > _CURVED * size * (1.0 + absolute(here))
    direct = (size >= _FAR) | kink & (size > _NEAR) & (absolute(h) > size)
    if anywhere(direct):
        change = neuron.phi(end, neuron.alpha) - neuron.phi(h, neuron.alpha)
        found = select(direct, change / select(direct, e, 1.0), found)
    return found


@jit.outlined
def activate_differences(neuron, h, x, count, n, scratch):
    """Compute x = phi(h) of the first row, and phi(h_0 + e) - phi(h_0) of the others; zero in the padding."""
    row = begin(scratch, h.row, n)
    x.exponents[0] = evaluate(neuron, h.array, h.start, h.exponents[0], row)
    put(row.x, x.array, x.start)
    take(h.array, h.start, row.h)
    shift = 0 if h.exponents[0] == 0 else bring_in_reach(row.h, 0, len(row.h), h.exponents[0])
    linear = 1.0
    if shift != 0 and (shift > 0 or neuron.slopes.through_zero):
        linear = known(neuron.slopes.infinity) if shift > 0 else known(neuron.slopes.zero)
    for i in range(1, count):
        unit, start = power(min(h.exponents[i] - shift, 2 * reach(row.h))), i * h.row  # a larger e only has a sign
        for k in range(0, h.row, LANES):
            e = load(h.array, h.start + start + k)
            slope = divided_difference(neuron, load(row.h, k), e * splat(e, unit)) * splat(e, linear)
            store(x.array, x.start + start + k, select(load(row.live, k) > 0.0, e * slope, 0.0))
        x.exponents[i] = h.exponents[i]
    measure(x, count)


def unit_of_differences(rows, count):
    """The largest exponent of differences that are not zero, and whether there are some."""
    unit, found = 0, False
    for i in range(1, count):
        if rows.squares[i] != 0.0:
            unit = max(unit, rows.exponents[i]) if found else rows.exponents[i]
            found = True
    return unit, found


@jit.outlined
def compare(rows, g, count, powers):
    """The means of |h_a - h_b|^2 and of 1 - c over pairs, with their exponents, from rows and their inner products g.

    With n_a = |h_a|, 1 - c = (|h_a - h_b|^2 - (n_a - n_b)^2) / (2 n_a n_b); n_a - n_b comes from differences, too.
    """
    size, (unit, found) = padded(count), unit_of_differences(rows, count)
    away = unit - rows.exponents[0] if found and rows.squares[0] != 0.0 else 0
    scale, distance, angle, pairs = power(min(away, 300)), 0.0, 0.0, 0
    for i in range(count):
        powers[i] = rows.exponents[i] - unit if i > 0 and rows.squares[i] != 0.0 else 0
    for a in range(count):
        p = power(powers[a]) if a > 0 else 0.0
        of_a = g[0] + (2.0 * g[a] * p + g[a * size + a] * p * p * scale) * scale
        for b in range(a):
            q = power(powers[b]) if b > 0 else 0.0
            of_b = g[0] + (2.0 * g[b] * q + g[b * size + b] * q * q * scale) * scale
            d = g[a * size + a] * p * p + g[b * size + b] * q * q - 2.0 * g[a * size + b] * p * q
            longer = 2.0 * (g[a] * p - g[b] * q) + (g[a * size + a] * p * p - g[b * size + b] * q * q) * scale
            distance += not_negative(d)
            if of_a > 0.0 and of_b > 0.0:
                lengths = not_negative(of_a) ** 0.5, not_negative(of_b) ** 0.5
                longer /= lengths[0] + lengths[1]
                angle += not_negative(d - longer * longer) / (2.0 * lengths[0] * lengths[1])
                pairs += 1
    return distance / (count * (count - 1) / 2), unit, angle / max(pairs, 1), away


@jit.outlined
def record_differences(program, work, out, n):
    """Record distances and angles of the preactivations of every layer, while differences are at hand."""
    count = program.count
    products = Matrix(work.drawn.of_x, 0, padded(count), 1)
    for layer in range(len(program.layers)):
        h = rows_at(work.values, program, program.layers[layer, 0])
        gram(plain(h), products, count, h.row)
        distance, unit, angle, of_angle = compare(h, products.array, count, work.powers)
        write(out, DISTANCE, n, layer, distance, unit)
        write(out, DECORRELATION, n, layer, angle, of_angle)


@jit.outlined
def restore(program, work, lazy):
    """Turn differences back into inputs, in all values and in what lazy matrices keep of them."""
    count, size = program.count, padded(program.count)
    for v in range(len(program.values)):
        rows = rows_at(work.values, program, v)
        for i in range(count):
            work.differences[v, i] = rows.exponents[i]
        for i in range(1, count):
            add_row(rows, i, rows.array, rows.start, rows.exponents[0], 1.0)
        measure(rows, count)
    for step in range(len(program.steps)):
        if lazy and program.steps[step, 0] == MULTIPLY:
            source = program.steps[step, 1]
            x, r = rows_at(work.values, program, source), seen_at(program, work, program.steps[step, 4]).r
            old = work.differences[source]
            for b in range(1, count):
                first, own = power(old[0] - x.exponents[b]), power(old[b] - x.exponents[b])
                for k in range(count):
                    r[k * size + b] = r[k * size] * first + r[k * size + b] * own


jit.register_leaves(__name__, inline=False)
