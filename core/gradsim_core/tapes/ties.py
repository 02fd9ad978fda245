"""Matrices that a tape uses again and again, as those of a recurrent network: lazy ones with bases that grow.

Every row is a query of `lazy.tied`. All uses of a matrix have its number, that of its first use.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, aligned
from gradsim_core.lazy.tied import Known, Side, ask
from gradsim_core.lazy.untied import Shape
from gradsim_core.linear.products import Matrix
from gradsim_core.linear.rows import row_of
from gradsim_core.rng.philox import LAZY_BACKWARD, LAZY_FORWARD


class Ties(NamedTuple):
    """What is known of all tied matrices of a network, by their numbers, and the scratch of their queries."""

    numbers: np.ndarray  # bases and images, flat, in the precision of the run
    places: np.ndarray  # int64 (uses, 4): where basis and images begin, from the right, and from the left
    rooms: np.ndarray  # int64 (uses, 2): how many rows each side may know
    sizes: np.ndarray  # int64 (uses, 2): how many it knows
    once: np.ndarray  # float64 (the largest room + 1,), like the next two
    again: np.ndarray
    shown: np.ndarray


def ties_of(shapes: list[Shape], uses: dict[int, int], dtype: np.dtype) -> Ties:
    """New arrays, for so many uses of each matrix by its number."""
    places, rooms = np.zeros((len(shapes), 4), np.int64), np.zeros((len(shapes), 2), np.int64)
    size = 0
    for number, count in uses.items():
        shape = shapes[number]
        rooms[number] = [min(count * shape.count, n) for n in (shape.n_in, shape.n_out)]
        for k, width in enumerate((shape.width_in, shape.width_out, shape.width_out, shape.width_in)):
            places[number, k] = size
            size += (int(rooms[number, k // 2]) + 1) * width  # the last row is scratch
    scratch = (aligned(max(int(rooms.max(initial=0)) + 1, LANES), np.float64) for _ in range(3))
    return Ties(aligned(max(size, LANES), dtype), places, rooms, np.zeros_like(rooms), *scratch)


def forget(ties):
    """Begin a network, of which nothing is known."""
    for m in range(len(ties.sizes)):
        ties.sizes[m, 0] = ties.sizes[m, 1] = 0


def known_at(ties, shape, m):
    """What is known of a matrix."""
    at, rooms, a = ties.places, ties.rooms, ties.numbers
    right = Matrix(a, at[m, 0], shape.width_in, 1), Matrix(a, at[m, 1], shape.width_out, 1)
    left = Matrix(a, at[m, 2], shape.width_out, 1), Matrix(a, at[m, 3], shape.width_in, 1)
    from_right = Side(right[0], right[1], shape.n_in, shape.n_out, rooms[m, 0], LAZY_FORWARD)
    from_left = Side(left[0], left[1], shape.n_out, shape.n_in, rooms[m, 1], LAZY_BACKWARD)
    return Known(from_right, from_left, ties.sizes[m], ties.once, ties.again, ties.shown)


@jit.outlined
def answer_rows(source, known, side, deviation, rows, answers, count):
    """Answer every row of a block: queries from the right (side 0), or from the left (1)."""
    for i in range(count):
        x, y = row_of(rows, i), row_of(answers, i)
        if side == 0:
            ask(source, known.right, known.left, 0, known, deviation, x, y)
        else:
            ask(source, known.left, known.right, 1, known, deviation, x, y)


jit.register_leaves(__name__, inline=False)
