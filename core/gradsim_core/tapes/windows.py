"""Windows of neighbouring rows, which lie on a circle: what a convolution multiplies by its matrix."""

from __future__ import annotations

from gradsim_core import jit

from .parts import take_parts, write_scaled
from .scaled import Rows, add_row, clear, measure


@jit.outlined
def open_windows(x, y, count, taps):
    """Write rows i - taps // 2 .. as the parts of row i, in the largest of their units."""
    for i in range(count):
        unit, found = 0, False
        for j in range(taps):
            k = neighbour(i, j, count, taps)
            if x.squares[k] != 0.0:
                unit, found = max(unit, x.exponents[k]) if found else x.exponents[k], True
        for j in range(taps):
            write_scaled(x, neighbour(i, j, count, taps), y.array, y.start + i * y.row + j * x.row, unit)
        y.exponents[i] = unit
    measure(y, count)


def neighbour(i, j, count, taps):
    """The row that part j of row i shows."""
    return (i + j - taps // 2) % count


@jit.outlined
def open_windows_backward(error, out, part, count, taps):
    """Add up the errors of every row in all windows; `part` is scratch of the shape of `out`."""
    clear(out, count)
    for j in range(taps):
        take_parts(error, j * out.row, part, count)
        for i in range(count):
            k = neighbour(i, j, count, taps)
            if part.squares[i] != 0.0:
                add_row(out, k, part.array, part.start + i * part.row, part.exponents[i], 1.0)
                if out.squares[k] == 0.0:
                    out.squares[k] = part.squares[i]  # not zero any more: units of further parts adjust to it
    measure(out, count)


def spare_like(work, rows):
    """Further scratch rows of the same shape."""
    return Rows(work.spare, 0, rows.row, work.spare_units, work.spare_squares)


jit.register_leaves(__name__, inline=False)
