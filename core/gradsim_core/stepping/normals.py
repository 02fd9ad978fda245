"""Standard normals for rows of many networks, each from counters of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import aligned
from gradsim_core.laws import gaussian
from gradsim_core.lazy.untied import fill_row
from gradsim_core.linear.products import Matrix
from gradsim_core.linear.rows import stored
from gradsim_core.parameters import Params
from gradsim_core.rng.draws import Source


def fill_networks(source, networks, first_row, rows, n, out):
    """Fill rows first_row .. of `networks` networks, from `source.network` on, with standard normals."""
    cell, network, layer, role = source
    width = out.row
    for i in range(networks):
        own = Source(cell, network + i, layer, role)
        for j in range(rows):
            row = Matrix(out.array, (i * rows + j) * width, width, 1)
            fill_row(gaussian, own, first_row + j, n, 1.0, row)


@jit.once
def _kernel() -> Any:
    return jit.compile_kernel(fill_networks)


def normal_rows(
    key: int, networks: range, layer: int, role: int, rows: range, n: int, dtype: np.dtype, *, interpret: bool = False
) -> np.ndarray:
    """Draw rows of standard normals: a pure function of (key, network, layer, role, row, n).

    Parameters
    ----------
    key : int
        64 bits.
    networks, rows : range
        Numbers of the networks and of the rows, in steps of 1.
    layer, role : int
        As in `draws.Source`.
    n : int
        Numbers in a row.
    dtype : dtype
        Precision; float32 numbers are those of float64, rounded.
    interpret : bool
        Run in the Python interpreter: slow, for tests.

    Returns
    -------
    array (networks, rows, n)
    """
    width, count = stored(n), len(networks) * len(rows)
    out = aligned(count * width, dtype)
    source = Source(Params(np.uint64(key), 0, n, 1.0, 0.0), networks.start, layer, role)
    run = fill_networks if interpret else _kernel()
    with np.errstate(all="ignore"):
        run(source, len(networks), rows.start, len(rows), n, Matrix(out, 0, width, 1))
    return np.ascontiguousarray(out.reshape(len(networks), len(rows), width)[:, :, :n])


jit.register_leaves(__name__, inline=False)
