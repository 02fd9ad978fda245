"""Matrices with drawn entries, of any law with independent ones: the alternative to lazy ones.

Entries are drawn forward and again backward, from the same counters, some rows of the matrix at a time, so none is
stored longer than that.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import aligned
from gradsim_core.lazy.untied import Shape, fill_row
from gradsim_core.linear.inner import gram, inner
from gradsim_core.linear.products import Matrix, multiply
from gradsim_core.linear.rows import add_scaled, rows_of
from gradsim_core.linear.triangular import padded
from gradsim_core.rng.draws import Source
from gradsim_core.rng.philox import TAPE_WEIGHT

PANEL = 64
"""Rows of the matrix that are drawn at a time."""


class DrawnWork(NamedTuple):
    """Scratch of a thread for matrices of the largest shape of a network."""

    panel: Matrix  # (PANEL, the largest width_in)
    product: Matrix  # (count, the largest width_in)
    of_x: np.ndarray  # float64 (count, padded(count)), a Gram matrix
    of_delta: np.ndarray


def work_of(shape: Shape, dtype: np.dtype) -> DrawnWork:
    """New scratch."""
    size = shape.count * padded(shape.count)
    panel, product = rows_of(PANEL, shape.width_in, dtype), rows_of(shape.count, shape.width_in, dtype)
    return DrawnWork(panel, product, aligned(size, np.float64), aligned(size, np.float64))


@jit.outlined
def draw_panel(draw, source, shape, deviation, first, rows, panel):
    """Draw rows `first` .. first + rows - 1 of a matrix."""
    part_width = shape.width_in // shape.parts_in
    for i in range(rows):
        for part in range(shape.parts_in):
            row = Matrix(panel.array, i * shape.width_in + part * part_width, part_width, 1)
            fill_row(draw, source, (first + i) * shape.parts_in + part, shape.n_in, deviation, row)


@jit.outlined
def forward(draw, source, shape, deviation, x, h, work):
    """Compute rows H = X W^T; `h` is zero when it begins. Arguments are those of `lazy.untied.forward`."""
    cell, network, layer, _ = source
    panel, width = Matrix(work.panel.array, 0, shape.width_in, 1), shape.width_out // shape.parts_out
    for part in range(shape.parts_out):
        for j in range(0, shape.n_out, PANEL):
            rows = min(PANEL, shape.n_out - j)
            weights = Source(cell, network, layer, TAPE_WEIGHT)
            draw_panel(draw, weights, shape, deviation, part * shape.n_out + j, rows, panel)
            answer = Matrix(h.array, h.start + part * width + j, h.row, 1)
            inner(x, panel, answer, shape.count, rows, shape.width_in)


@jit.outlined
def backward(draw, source, shape, deviation, x, delta, y, work):
    """Compute rows Y = D W, and the Gram matrices of X and D; `y` is zero when it begins."""
    cell, network, layer, _ = source
    panel, width = Matrix(work.panel.array, 0, shape.width_in, 1), shape.width_out // shape.parts_out
    product = Matrix(work.product.array, 0, shape.width_in, 1)
    for part in range(shape.parts_out):
        for j in range(0, shape.n_out, PANEL):
            rows = min(PANEL, shape.n_out - j)
            weights = Source(cell, network, layer, TAPE_WEIGHT)
            draw_panel(draw, weights, shape, deviation, part * shape.n_out + j, rows, panel)
            errors = Matrix(delta.array, delta.start + part * width + j, delta.row, 1)
            multiply(errors, panel, product, shape.count, shape.width_in, rows)
            add_scaled(y, product, 1.0, shape.count, shape.width_in)
    size = padded(shape.count)
    gram(x, Matrix(work.of_x, 0, size, 1), shape.count, shape.width_in)
    gram(delta, Matrix(work.of_delta, 0, size, 1), shape.count, shape.width_out)


jit.register_leaves(__name__, inline=True)
