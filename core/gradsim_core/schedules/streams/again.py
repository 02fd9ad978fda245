"""What a layer of the stream met on its way forward, computed again for the backward pass (see `sites`)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, convert, fma, load, load_four, splat, store, store_four
from gradsim_core.laws import standard
from gradsim_core.rng.draws import fill_from
from gradsim_core.schedules.one_pass import FEW
from gradsim_core.schedules.side_by_side import dot, fill, rows

from .norms import dot_of_four, kept_norm, sum_up
from .numbers import EXPONENT, SQUARE, item
from .sites import activate_far, clear_padding, joined, place, quarters, store_joined
from .sums import sum_through_slopes


class Products(NamedTuple):
    """Inner products of a layer that is met again, one number per network."""

    inner: np.ndarray  # what the matrix above meets . g, float64
    total: np.ndarray  # sum of g where it meets a norm, else 0, float64
    sums: tuple  # with branches, where an activation follows a norm: those of `with_products`; without: those of `sums`


@jit.inlined
def with_products(sums, u, v, x):
    """The sums of u x, v x, u and v, one neuron added."""
    u_x, v_x, total_u, total_v = sums
    return fma(u, x, u_x), fma(v, x, v_x), total_u + u, total_v + v


def in_one_pass(work, layer):
    """Whether the activation of a layer is in the ordinary range, so that sums over neurons will do."""
    return not work.far[layer]


def draw_through_slopes(neuron, source, work, layer, site):
    """Draw g and compute a = phi(h) and phi'(h) again: u = phi'(h) g and v = phi'(h) a are written over g and h.

    Drawing, activating and summing are separate loops over a few neurons, since one loop would not fit the registers.

    Returns
    -------
    inner : vector
        a . g.
    sums : tuple of four vectors
        Those of `with_products` where a norm precedes the activation, x without its mean; else 0.
    """
    width, arrays, norm = source.cell.width, work.activated, kept_norm(work, layer)
    start, zero = layer * rows(width) * LANES, splat(norm.mean, 0.0)
    mean, scale = (norm.mean, convert(norm.inverse, zero)) if site.before else (zero, splat(zero, 1.0))
    sums, inner = (zero, zero, zero, zero), zero
    values, slopes = (arrays.x, arrays.slope) if work.remembers[0] else (work.few, work.few)
    for first in range(0, rows(width) // 4, FEW):
        count, base = min(FEW, rows(width) // 4 - first), first * 4 * LANES
        live = min(count * 4, width - first * 4) * LANES
        fill_from(standard, source, first, count, work.few[0], work.words, arrays.g, base)
        j = k = start + base
        if not work.remembers[0]:
            j, k = 0, count * 4 * LANES
            for i in range(0, live, 4 * LANES):
                h = joined(work.stream, start + base + i, mean, scale)
                store_joined(work.few, i, neuron.phi(h, neuron.alpha))
                store_joined(work.few, k + i, neuron.dphi(h, neuron.alpha))
        for i in range(0, live, LANES):
            a, slope, g = load(values, j + i), load(slopes, k + i), load(arrays.g, base + i)
            u, v, inner = slope * g, slope * a, fma(a, g, inner)
            if site.before:
                sums = with_products(sums, u, v, load(work.stream, start + base + i) - mean)
            store(arrays.g, base + i, u)
            store(arrays.h, base + i, v)
    return inner, sums


def slopes_of_stream(neuron, work, start, width, mean, scale):
    """Compute a = phi((x - mean) scale) and phi' again into their arrays; returns a . g."""
    x, slope, g = work.activated.x, work.activated.slope, work.activated.g
    a = b = c = d = splat(mean, 0.0)
    for i in range(0, width * LANES, 4 * LANES):
        h = joined(work.stream, start + i, mean, scale)
        (p, q), (r, s) = quarters(neuron.phi(h, neuron.alpha))
        store_four(x, i, p, q, r, s)
        store_joined(slope, i, neuron.dphi(h, neuron.alpha))
        e, f, u, v = load_four(g, i)  # zero beyond the width
        a, b, c, d = fma(p, e, a), fma(q, f, b), fma(r, u, c), fma(s, v, d)
    clear_padding(x, 0, width)
    clear_padding(slope, 0, width)
    return (a + b) + (c + d)


@jit.outlined
def evaluate_again(neuron, layer, work, site, source):
    """Draw g from a source; compute a and phi' of a layer again where there is an activation; returns `Products`.

    If `in_one_pass`, these have been multiplied: see `draw_through_slopes` and `sums`. Else a, phi' and g are in their
    arrays.
    """
    width, g, norm = source.cell.width, work.activated.g, kept_norm(work, layer)
    start, zero = layer * rows(width) * LANES, splat(load(work.error, 0), 0.0)
    inner, total, sums = zero, zero, (zero, zero, zero, zero, zero, zero, zero, zero, zero)
    if not site.activates:
        draw_g(source, work)
        inner = dot(work.stream, start, g, 0, width)
    elif in_one_pass(work, layer):
        if work.form.skip:
            inner, (a, b, c, d) = draw_through_slopes(neuron, source, work, layer, site)
            sums = (a, b, c, d, zero, zero, zero, zero, zero)
        else:
            inner, total, sums = sum_through_slopes(neuron, source, work, layer, site)
    else:
        inner = evaluate_apart(neuron, source, work, layer, site)
    of_x = convert(inner, 1.0)
    if site.after and in_one_pass(work, layer):
        of_x = of_x * norm.inverse
    elif site.after or (site.before and not site.activates):
        if work.form.centred:
            total = sum_up(g, 0, width)
        of_x = fma(convert(norm.mean, 1.0), -convert(total, 1.0), of_x) * norm.inverse
    return Products(of_x, convert(total, 1.0), sums)


@jit.outlined
def evaluate_apart(neuron, source, work, layer, site):
    """Draw g and compute a and phi' again, each in its array; returns a . g."""
    width, arrays, norm = source.cell.width, work.activated, kept_norm(work, layer)
    at, zero = place(work, layer, width), splat(norm.mean, 0.0)
    if work.far[layer]:
        evaluate_far(neuron, source.cell, layer, work, site)
        draw_g(source, work)
        return dot(arrays.x, at, arrays.g, 0, width)
    draw_g(source, work)
    if work.remembers[0]:
        return dot_of_four(arrays.x, at, arrays.g, 0, width)
    mean, scale = (norm.mean, convert(norm.inverse, zero)) if site.before else (zero, splat(zero, 1.0))
    return slopes_of_stream(neuron, work, layer * rows(width) * LANES, width, mean, scale)


def draw_g(source, work):
    """Draw g at a layer of the stream."""
    cell, group, layer, role = source
    fill(cell, group, layer, role, work.words, work.activated.g, 0)


@jit.outlined
def evaluate_far(neuron, cell, layer, work, site):
    """Compute a and phi' of a layer again, in any range; overwrites g."""
    zero = splat(load(work.error, 0), 0.0)
    square, exponent = item(work, layer, SQUARE), item(work, layer, EXPONENT)
    mean, scale = zero, splat(exponent, 1.0)
    if site.before:
        norm = kept_norm(work, layer)
        mean, scale, exponent = norm.mean, norm.inverse, exponent - norm.unit
        square = norm.share * cell.width
    activate_far(neuron, work, layer, cell.width, (mean, scale), (square, exponent))


jit.register_leaves(__name__, inline=True)
