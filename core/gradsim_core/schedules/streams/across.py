"""What is orthogonal to a vector of few neurons, without cancellation: 0 where only one of them is not 0."""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.lanes import LANES, absolute, convert, load, select, splat, store
from gradsim_core.operations.across import NARROW

from .norms import is_few, kept_norm, sum_up
from .numbers import SEEN, inverse, item
from .sites import place


def is_narrow(form, width):
    """Whether what comes back along vectors is carried from layer to layer (see `narrow`)."""
    return not form.skip and width <= NARROW


def largest_of(a, start, width):
    """The index of the largest neuron, one per lane."""
    largest, index = splat(load(a, start), -1.0), splat(load(a, start), 0.0)
    for i in range(width):
        size = absolute(load(a, start + i * LANES))
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
    # With a_m the largest, the others alone make up the difference that would cancel there.
    index, rest, product, a_m, g_m = largest_of(x, at, width), zero, zero, zero, zero
    for i in range(width):
        a, d, own = load(x, at + i * LANES), load(g, i * LANES) - mean_g, index == float(i)
        a_m, g_m, other = select(own, a, a_m), select(own, d, g_m), select(own, 0.0, a)
        rest, product = rest + other * (a - mean), product + other * d
    factor = convert(inverse(square), zero)
    of_a = (a_m * g_m + product) * factor
    of_m = (g_m * rest - (a_m - mean) * product) * factor
    few = site.after and is_few(work.form, width)
    for i in range(width):
        a, d, own = load(x, at + i * LANES), load(g, i * LANES) - mean_g, index == float(i)
        across = select(own & (factor > 0.0), of_m, d - (a - mean) * of_a)
        store(g, i * LANES, zero if few else across)


jit.register_leaves(__name__, inline=False)
