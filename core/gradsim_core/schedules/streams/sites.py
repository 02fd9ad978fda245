"""Where a branch leaves the stream: a norm and the activation, forward, and again for the backward pass.

The vector x of a stream, with an exponent, becomes what a matrix meets: x, norm(x), phi(x), phi(norm(x)) or
norm(phi(x)).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import (
    LANES,
    anywhere,
    convert,
    fma,
    halves,
    join,
    load,
    load_four,
    splat,
    store,
    store_four,
)
from gradsim_core.scaling import per_lane
from gradsim_core.scaling.per_lane import is_extreme
from gradsim_core.schedules.side_by_side import rows

from .norms import keep_norm, norm_of, sum_up
from .numbers import (
    EXPONENT,
    SEEN,
    SEEN_EXPONENT,
    SQUARE,
    TOTAL,
    Seen,
    item,
    keep,
    level_of,
    limit,
    number,
)


class Site(NamedTuple):
    """What happens to the stream where a matrix meets it: a norm, the activation, a norm."""

    before: bool
    activates: bool
    after: bool


class Activated(NamedTuple):
    """Arrays of one layer, (rows, 16), flat, under the names that `per_lane` uses."""

    h: np.ndarray
    x: np.ndarray
    slope: np.ndarray
    g: np.ndarray


@jit.outlined
def enter(neuron, cell, layer, work, site):
    """Compute what the matrix above a layer of the stream meets; keeps its `Seen`, which is returned."""
    start, exponent = layer * rows(cell.width) * LANES, item(work, layer, EXPONENT)
    square, zero = item(work, layer, SQUARE), splat(load(work.error, 0), 0.0)
    mean, scale = zero, splat(exponent, 1.0)
    if site.before:
        moments = convert(item(work, layer, TOTAL), zero), square
        norm = norm_of(work.stream, start, cell.width, work.form, moments, exponent)
        keep_norm(work, layer, norm)
        square, exponent = norm.share * cell.width, exponent - norm.unit
        mean, scale = norm.mean, norm.inverse
    if site.activates:
        far = anywhere((exponent != 0.0) | (per_lane.placed(level_of(square, 0.0), limit(zero)) != 0.0))
        found = zero
        if not far:
            found = activate_stream(neuron, work, layer, cell.width, (mean, convert(scale, zero)), site.after)
            far = is_extreme(found, neuron.has_tails[0])
        work.far[layer] = far
        if far:
            found, exponent = activate_far(neuron, work, layer, cell.width, (mean, scale), (square, exponent))
        square = convert(found, 1.0)
    if site.after:
        at = place(work, layer, cell.width)
        moments = sum_up(work.activated.x, at, cell.width) if work.form.centred else zero, square
        norm = norm_of(work.activated.x, at, cell.width, work.form, moments, exponent)
        keep_norm(work, layer, norm)
        square, exponent = norm.share * cell.width, exponent - norm.unit
    keep(work, layer, SEEN, square)
    keep(work, layer, SEEN_EXPONENT, exponent)
    return Seen(square, exponent)


@jit.inlined
def joined(array, i, mean, scale):
    """(x - mean) scale of four neurons as one vector, so that their four chains of operations overlap."""
    a, b, c, d = load_four(array, i)
    return join(join((a - mean) * scale, (b - mean) * scale), join((c - mean) * scale, (d - mean) * scale))


@jit.inlined
def quarters(values):
    """The four neurons that are one vector, in pairs."""
    first, second = halves(values)
    return halves(first), halves(second)


@jit.inlined
def store_joined(array, i, values):
    """Write four neurons that are one vector."""
    (a, b), (c, d) = quarters(values)
    store_four(array, i, a, b, c, d)


def place(work, layer, width):
    """Where a layer begins in `activated.x` and `activated.slope`."""
    return layer * rows(width) * LANES if work.remembers[0] else 0


def clear_padding(array, start, width):
    """Write zeros beyond the width."""
    for i in range(start + width * LANES, start + rows(width) * LANES, LANES):
        store(array, i, splat(load(array, i), 0.0))


def activate_stream(neuron, work, layer, width, norm, stored):
    """Compute a = phi((x - mean) scale), and phi' if it is remembered; returns |a|^2. `stored`: whether a is needed."""
    (mean, scale), stored = norm, stored or work.remembers[0]
    at, start, full = place(work, layer, width), layer * rows(width) * LANES, width // 4 * 4 * LANES
    x = work.activated.x
    a = b = c = d = splat(mean, 0.0)
    for i in range(0, full, 4 * LANES):
        h = joined(work.stream, start + i, mean, scale)
        (p, q), (r, s) = quarters(neuron.phi(h, neuron.alpha))
        if stored:
            store_four(x, at + i, p, q, r, s)
        if work.remembers[0]:
            store_joined(work.activated.slope, at + i, neuron.dphi(h, neuron.alpha))
        a, b, c, d = fma(p, p, a), fma(q, q, b), fma(r, r, c), fma(s, s, d)
    if width % 4 != 0:
        h = joined(work.stream, start + full, mean, scale)
        store_joined(x, at + full, neuron.phi(h, neuron.alpha))
        store_joined(work.activated.slope, at + full, neuron.dphi(h, neuron.alpha))
        clear_padding(x, at, width)
        clear_padding(work.activated.slope, at, width)
        p, q, r, s = load_four(x, at + full)
        a, b, c, d = fma(p, p, a), fma(q, q, b), fma(r, r, c), fma(s, s, d)
    return (a + b) + (c + d)


@jit.outlined
def activate_far(neuron, work, layer, width, norm, seen):
    """As `activate_stream` and `slopes_of_stream`, in any range; returns |a|^2 and the exponent of a."""
    (mean, scale), (square, exponent), start = norm, seen, layer * rows(width) * LANES
    shift = per_lane.placed(level_of(square, exponent), limit(mean))
    factor = number(exponent - shift, scale, mean)
    for i in range(0, width * LANES, LANES):
        store(work.activated.h, i, (load(work.stream, start + i) - mean) * factor)
    at = place(work, layer, width)
    found = per_lane.activate_any_range(neuron, width, work.activated, at, shift)
    clear_padding(work.activated.x, at, width)
    clear_padding(work.activated.slope, at, width)
    return found


jit.register_leaves(__name__, inline=True)
