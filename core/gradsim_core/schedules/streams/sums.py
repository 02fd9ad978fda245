"""Networks without branches: the error of h is known by |delta|^2 and z . delta, and its vector is not needed.

The error of what the matrix above meets is a combination of that and of g, and the factors of both need sums over all
neurons. So one pass keeps the sums of all products that |delta|^2 and z . delta are made of. With a the activation and
y its error, of_g g + of_a a:

* where a norm n of h comes before the activation, delta = (u - mean(u) - n (u . n) / N) inverse and
  h . delta = floor (u . n), with u = phi' y;
* where it comes after it, delta = phi' (of_g (g - mean(g)) + of_a (a - mean(a))).

Where these sums have no digits left, or are out of range, the vector is computed after all.
"""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.lanes import LANES, anywhere, convert, fma, load, select, splat
from gradsim_core.laws import standard
from gradsim_core.rng.draws import fill_from
from gradsim_core.scaling.per_lane import is_extreme, scaled
from gradsim_core.schedules.one_pass import FEW
from gradsim_core.schedules.side_by_side import rows

from .norms import kept_norm, through_norm
from .numbers import (
    ERROR_ALONG,
    ERROR_EXPONENT,
    ERROR_SQUARE,
    INVERSE_OF_Z,
    SEEN_EXPONENT,
    item,
    keep,
    level_of,
    unit_at,
)
from .sites import joined, place, store_joined

_LEAST = 2.0**-8  # of a sum of squares, what must be left where digits cancel


@jit.inlined
def add_before(sums, a, slope, g, x):
    """Where a norm comes first, x being h - mean: the sums of u x, v x, u, v, u u, u v and v v, one neuron added.

    Here and below, u = phi' g and v = phi' a.
    """
    u_x, v_x, total_u, total_v, u_u, u_v, v_v, none, _ = sums
    u, v = slope * g, slope * a
    u_x, v_x, total_u, total_v = fma(u, x, u_x), fma(v, x, v_x), total_u + u, total_v + v
    return u_x, v_x, total_u, total_v, fma(u, u, u_u), fma(u, v, u_v), fma(v, v, v_v), none, none


@jit.inlined
def add_after(sums, a, slope, g, h):
    """Where it comes last, a being without its mean: the sums of u h, v h, s h, u u, u v, v v, u s, v s and s s.

    s is phi'.
    """
    u_h, v_h, s_h, u_u, u_v, v_v, u_s, v_s, s_s = sums
    u, v, s = slope * g, slope * a, slope
    u_h, v_h, s_h, u_u, u_v = fma(u, h, u_h), fma(v, h, v_h), fma(s, h, s_h), fma(u, u, u_u), fma(u, v, u_v)
    return u_h, v_h, s_h, u_u, u_v, fma(v, v, v_v), fma(u, s, u_s), fma(v, s, v_s), fma(s, s, s_s)


def sum_through_slopes(neuron, source, work, layer, site):
    """Draw g and compute a and phi' again; returns a . g, the sum of g and those of `add_before` or `add_after`.

    Where a norm comes last, a is taken without its mean; else the sum of g is 0.

    Drawing, activating and summing are separate loops over a few neurons, since one loop would not fit the registers.
    """
    width, arrays, norm = source.cell.width, work.activated, kept_norm(work, layer)
    zero, start, at = splat(norm.mean, 0.0), layer * rows(width) * LANES, place(work, layer, width)
    mean, scale = (norm.mean, convert(norm.inverse, zero)) if site.before else (zero, splat(zero, 1.0))
    mean_a = norm.mean if site.after else zero
    sums, inner, total = (zero, zero, zero, zero, zero, zero, zero, zero, zero), zero, zero
    for first in range(0, rows(width) // 4, FEW):
        count, base = min(FEW, rows(width) // 4 - first), first * 4 * LANES
        live = min(count * 4, width - first * 4) * LANES
        fill_from(standard, source, first, count, work.few[0], work.words, arrays.g, base)
        values, slopes, j, k = arrays.x, arrays.slope, at + base, at + base
        if not work.remembers[0]:
            values, slopes, j, k = work.few, work.few, 0, count * 4 * LANES
            for i in range(0, live, 4 * LANES):
                h = joined(work.stream, start + base + i, mean, scale)
                store_joined(work.few, i, neuron.phi(h, neuron.alpha))
                store_joined(work.few, k + i, neuron.dphi(h, neuron.alpha))
        for i in range(0, live, LANES):
            a, slope, g = load(values, j + i) - mean_a, load(slopes, k + i), load(arrays.g, base + i)
            x, inner = load(work.stream, start + base + i) - mean, fma(a, g, inner)
            if site.before:
                sums = add_before(sums, a, slope, g, x)
            else:
                sums, total = add_after(sums, a, slope, g, x), total + g
    return inner, total, sums


def leave_by_sums(neuron, cell, layer, work, site, y, products):
    """Keep what is known of the error of h at a layer; returns whether the sums had the digits.

    y is the error of what the matrix above meets, a `Combination`.
    """
    if site.before:
        square, size, along, exponent = error_before(cell, layer, work, y, products.sums)
        u_u, v_v = products.sums[4], products.sums[6]
    else:
        square, size, along, exponent = error_after(cell, layer, work, y, products)
        u_u, v_v = products.sums[3], products.sums[5]
    has_tail, zero = neuron.has_tails[1], size * 0.0
    unknown = select(square >= size * _LEAST, zero, splat(zero, 1.0))  # also where a sum has overflowed
    if is_extreme(u_u, has_tail) or is_extreme(v_v, False) or is_extreme(size, has_tail) or anywhere(unknown > 0.0):
        return False
    unit = unit_at(level_of(square, 0.0), 100.0)
    keep(work, 0, ERROR_SQUARE, scaled(unit * -2.0, square))
    keep(work, 0, ERROR_ALONG, scaled(-unit, along) * item(work, layer, INVERSE_OF_Z))
    keep(work, 0, ERROR_EXPONENT, exponent + unit)
    return True


def error_before(cell, layer, work, y, sums):
    """|delta|^2, the size of its terms, h . delta and their exponent, where a norm comes before the activation."""
    norm, width = kept_norm(work, layer), cell.width
    u_x, v_x, total_u, total_v, u_u, u_v, v_v, _, _ = sums
    product = fma(convert(u_x, 1.0), y.of_g, convert(v_x, 1.0) * y.of_x) * norm.inverse
    total = fma(convert(total_u, 1.0), y.of_g, convert(total_v, 1.0) * y.of_x)
    size = convert(u_u, 1.0) * (y.of_g * y.of_g) + convert(v_v, 1.0) * (y.of_x * y.of_x)
    cross, inverse_square = convert(u_v, 1.0) * (y.of_g * y.of_x), norm.inverse * norm.inverse
    removed = product * product * (2.0 - norm.share) / width
    if work.form.centred:
        removed = removed + total * total / width
    square = fma(cross, 2.0, size) - removed
    return square * inverse_square, size * inverse_square, product * norm.floor, y.exponent - norm.unit


def error_after(cell, layer, work, y, products):
    """The same where it comes after the activation."""
    error = through_norm(cell, work, kept_norm(work, layer), y, item(work, layer, SEEN_EXPONENT), products)
    u_h, v_h, s_h, u_u, u_v, v_v, u_s, v_s, s_s = products.sums
    p, q = error.of_g, error.of_x
    r = convert(error.mean_g, 1.0) * -p
    along = fma(convert(u_h, 1.0), p, fma(convert(v_h, 1.0), q, convert(s_h, 1.0) * r))
    size = fma(convert(u_u, 1.0), p * p, fma(convert(v_v, 1.0), q * q, convert(s_s, 1.0) * (r * r)))
    cross = fma(convert(u_v, 1.0), p * q, fma(convert(u_s, 1.0), p * r, convert(v_s, 1.0) * (q * r)))
    return fma(cross, 2.0, size), size, along, error.exponent


jit.register_leaves(__name__, inline=True)
