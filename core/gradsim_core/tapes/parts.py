"""Parts of rows: those of two values put behind each other, and taken apart again."""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.lanes import LANES, load, splat, store

from .scaled import measure, power


@jit.outlined
def join_rows(x, other, y, count):
    """Write the parts of two values behind each other, each pair of rows in the larger of their units."""
    for i in range(count):
        at, unit = y.start + i * y.row, x.exponents[i] if x.squares[i] != 0.0 else other.exponents[i]
        if other.squares[i] != 0.0:
            unit = max(unit, other.exponents[i])
        write_scaled(x, i, y.array, at, unit)
        write_scaled(other, i, y.array, at + x.row, unit)
        y.exponents[i] = unit
    measure(y, count)


def write_scaled(rows, i, array, at, unit):
    """Write a row in units of 2^unit."""
    start, factor = rows.start + i * rows.row, power(min(rows.exponents[i] - unit, 0))
    for k in range(0, rows.row, LANES):
        value = load(rows.array, start + k)
        store(array, at + k, value * splat(value, factor))


@jit.outlined
def take_parts(rows, offset, out, count):
    """Write those parts of rows that begin at an offset, and are as long as the rows of `out`."""
    for i in range(count):
        start, at = rows.start + i * rows.row + offset, out.start + i * out.row
        for k in range(0, out.row, LANES):
            store(out.array, at + k, load(rows.array, start + k))
        out.exponents[i] = rows.exponents[i]
    measure(out, count)


jit.register_leaves(__name__, inline=False)
