"""Networks without branches that have a norm before the activation: an error is known by two numbers, and not stored.

With n the norm of h, u = phi'(n) y and y a combination of g and phi(n),

    delta = (u - mean(u) - n (u . n) / N) inverse,    h . delta = floor (u . n),

so that |delta|^2 and z . delta follow from sums over neurons, where they leave enough digits.
"""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.lanes import LANES, anywhere, convert, fma, load, splat
from gradsim_core.laws import standard
from gradsim_core.rng.draws import fill_from
from gradsim_core.scaling.per_lane import is_extreme, scaled
from gradsim_core.schedules.one_pass import FEW
from gradsim_core.schedules.side_by_side import rows

from .norms import kept_norm
from .numbers import ERROR_ALONG, ERROR_EXPONENT, ERROR_SQUARE, INVERSE_OF_Z, item, keep, level_of, unit_at
from .sites import joined, place, store_joined

_DIGITS = 2.0**-8  # of |u|^2, what may cancel


@jit.inlined
def add_products(sums, u, v, x):
    """The sums of u x, v x, u, v, u u, u v and v v, one neuron added."""
    u_x, v_x, total_u, total_v, u_u, u_v, v_v = sums
    return (
        fma(u, x, u_x), fma(v, x, v_x), total_u + u, total_v + v, fma(u, u, u_u), fma(u, v, u_v), fma(v, v, v_v)
    )  # fmt: skip


def sum_through_slopes(neuron, source, work, layer):
    """As `again.draw_through_slopes` where a norm comes first, for the sums of `add_products` alone."""
    width, arrays, norm = source.cell.width, work.activated, kept_norm(work, layer)
    zero, mean = splat(norm.mean, 0.0), norm.mean
    scale, start, at = convert(norm.inverse, zero), layer * rows(width) * LANES, place(work, layer, width)
    sums, inner = (zero, zero, zero, zero, zero, zero, zero), zero
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
            a, slope, g = load(values, j + i), load(slopes, k + i), load(arrays.g, base + i)
            inner = fma(a, g, inner)
            sums = add_products(sums, slope * g, slope * a, load(work.stream, start + base + i) - mean)
    return inner, sums


def leave_by_sums(neuron, cell, layer, work, y, sums):
    """Keep what is known of the error of h at a layer; returns whether the sums had the digits.

    y is the error of what the matrix above meets, a `Combination` of that and of g.
    """
    norm, width = kept_norm(work, layer), cell.width
    u_x, v_x, total_u, total_v, u_u, u_v, v_v = sums
    product = fma(convert(u_x, 1.0), y.of_g, convert(v_x, 1.0) * y.of_x) * norm.inverse
    total = fma(convert(total_u, 1.0), y.of_g, convert(total_v, 1.0) * y.of_x)
    cross = fma(convert(u_u, 1.0), y.of_g, convert(u_v, 1.0) * (y.of_x * 2.0))
    square = fma(cross, y.of_g, convert(v_v, 1.0) * (y.of_x * y.of_x))
    along = product * product * (2.0 - norm.share) / width
    left = square - along - (total * total / width if work.form.centred else total * 0.0)
    if is_extreme(u_u, neuron.has_tails[1]) or anywhere(left < square * _DIGITS):
        return False
    left = left * (norm.inverse * norm.inverse)
    unit = unit_at(level_of(left, 0.0), 100.0)
    keep(work, 0, ERROR_SQUARE, scaled(unit * -2.0, left))
    keep(work, 0, ERROR_ALONG, scaled(-unit, product * norm.floor) * item(work, layer, INVERSE_OF_Z))
    keep(work, 0, ERROR_EXPONENT, y.exponent - norm.unit + unit)
    return True


jit.register_leaves(__name__, inline=True)
