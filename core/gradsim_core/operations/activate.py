"""An activation on every number of every row, and a gate: x = phi(h), z = phi(g) u."""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.lanes import LANES, load, store
from gradsim_core.linear.rows import row_of, store_live


def activate(phi, alpha, h, x, count, n):
    """Compute x = phi(h), zero in the padding, where phi(0) need not be."""
    for i in range(count):
        row = row_of(x, i)
        for k in range(0, x.row, LANES):
            store_live(row, k, n, phi(load(h.array, h.start + i * h.row + k), alpha))


def activate_backward(dphi, alpha, h, error, out, count):
    """Compute phi'(h) error; the padding stays zero."""
    for i in range(count):
        for k in range(0, h.row, LANES):
            slope = dphi(load(h.array, h.start + i * h.row + k), alpha)
            store(out.array, out.start + i * out.row + k, slope * load(error.array, error.start + i * error.row + k))


def gate(phi, alpha, both, z, count, n):
    """Compute z = phi(g) u, where a row of `both` has two parts, g and u (Shazeer 2020, arXiv:2002.05202)."""
    for i in range(count):
        row, start = row_of(z, i), both.start + i * both.row
        for k in range(0, z.row, LANES):
            value = phi(load(both.array, start + k), alpha) * load(both.array, start + z.row + k)
            store_live(row, k, n, value)


def gate_backward(phi, dphi, alpha, both, error, out, count):
    """Compute the errors of g and u, phi'(g) u error and phi(g) error; the padding stays zero."""
    for i in range(count):
        start, target = both.start + i * both.row, out.start + i * out.row
        for k in range(0, error.row, LANES):
            g, u = load(both.array, start + k), load(both.array, start + error.row + k)
            e = load(error.array, error.start + i * error.row + k)
            store(out.array, target + k, dphi(g, alpha) * u * e)
            store(out.array, target + error.row + k, phi(g, alpha) * e)


jit.register_leaves(__name__, inline=False)
