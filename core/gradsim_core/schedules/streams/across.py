"""What is orthogonal to a vector of few neurons, without cancellation: 0 where only one of them is not 0."""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.lanes import LANES, absolute, convert, load, select, splat, store

from .norms import is_few, kept_norm, sum_up
from .numbers import SEEN, inverse, item
from .sites import place


def farthest_of(a, start, width, mean):
    """The index of the neuron that is farthest from the mean, one per lane."""
    largest, index = splat(mean, -1.0), splat(mean, 0.0)
    for i in range(width):
        size = absolute(load(a, start + i * LANES) - mean)
        index, largest = select(size > largest, splat(size, float(i)), index), select(size > largest, size, largest)
    return index


def remove_along(work, layer, width, site):
    """Replace g by what is orthogonal to a, and after a norm to its mean; a and g are those of `evaluate_apart`."""
    x, g, at, norm = work.activated.x, work.activated.g, place(work, layer, width), kept_norm(work, layer)
    zero = splat(norm.mean, 0.0)
    mean, square, mean_g = zero, item(work, layer, SEEN), zero
    if site.after:
        mean, square = norm.mean, square * inverse(norm.inverse * norm.inverse)
        mean_g = sum_up(g, 0, width) / width if work.form.centred else zero
    m = farthest_of(x, at, width, mean)
    # Less a common value, which a mean takes away: 0 where all others are equal, and small beside the mean of sigmoid.
    common = zero
    if site.after and work.form.centred and width > 1:
        common = select(m == 0.0, load(x, at + LANES), load(x, at))
    # What is left at neuron m is a sum over all others, since there the whole would cancel.
    square_of_rest, product_of_rest, a_m, g_m = zero, zero, zero, zero
    for i in range(width):
        a, d, is_m = load(x, at + i * LANES), load(g, i * LANES) - mean_g, m == float(i)
        a_m, g_m, rest = select(is_m, a, a_m), select(is_m, d, g_m), select(is_m, 0.0, a - common)
        square_of_rest, product_of_rest = square_of_rest + rest * (a - mean), product_of_rest + rest * d
    factor = convert(inverse(square), zero)
    along = ((a_m - common) * g_m + product_of_rest) * factor
    at_m = (g_m * square_of_rest - (a_m - mean) * product_of_rest) * factor
    left = splat(zero, 1.0)
    if site.after and is_few(work.form, width):
        left = select(factor > 0.0, zero, left)  # a - mean takes the only direction, unless it is 0
    for i in range(width):
        a, d, is_m = load(x, at + i * LANES), load(g, i * LANES) - mean_g, m == float(i)
        across = select(is_m & (factor > 0.0), at_m, d - (a - mean) * along)
        store(g, i * LANES, across * left)


jit.register_leaves(__name__, inline=False)
