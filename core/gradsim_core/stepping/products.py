"""Products of matrices of many networks: A B^T and C B.

Not by BLAS, whose threads wait for each other where a machine is busy: with two of them, networks of width 256 took 34
times as long. These bits depend on no library, thread or processor.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, aligned
from gradsim_core.linear.inner import inner
from gradsim_core.linear.products import Matrix, multiply
from gradsim_core.linear.rows import stored


def inner_kernel(networks, rows, columns, width, a, b, out):
    """Compute A B^T of each network; rows of A and B are padded to `width`."""
    for i in range(networks):
        left, right = Matrix(a, i * rows * width, width, 1), Matrix(b, i * columns * width, width, 1)
        inner(left, right, Matrix(out, i * rows * columns, columns, 1), rows, columns, width)


def multiply_kernel(networks, c, b, out, rows, terms):
    """Compute C B of each network; C is a matrix of any strides, and rows of B are padded."""
    for i in range(networks):
        left = Matrix(c.array, c.start + i * rows * terms, c.row, c.column)
        right = Matrix(b.array, i * terms * b.row, b.row, 1)
        multiply(left, right, Matrix(out, i * rows * b.row, b.row, 1), rows, b.row, terms)


@jit.once
def _kernel(function: Any) -> Any:
    return jit.compile_kernel(function)


def _padded(a: np.ndarray) -> np.ndarray:
    """Rows with zeros up to whole tiles, contiguous."""
    width = stored(a.shape[-1])
    if width == a.shape[-1]:
        return np.ascontiguousarray(a)
    out = np.zeros((*a.shape[:-1], width), a.dtype)
    out[..., : a.shape[-1]] = a
    return out


def inner_products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return A B^T of each network.

    Parameters
    ----------
    a, b : arrays (networks, i, n), (networks, j, n)
        Of one precision.

    Returns
    -------
    array (networks, i, j)
    """
    (networks, rows, _), columns = a.shape, b.shape[1]
    a, b = _padded(a), _padded(b)
    size = networks * rows * columns
    out = aligned(max(size, LANES), a.dtype)
    _kernel(inner_kernel)(networks, rows, columns, a.shape[2], a.reshape(-1), b.reshape(-1), out)
    return out[:size].reshape(networks, rows, columns)


def combinations(c: np.ndarray, b: np.ndarray, transposed: bool = False) -> np.ndarray:
    """Return C B of each network, or C^T B.

    Parameters
    ----------
    c, b : arrays (networks, i, j), (networks, j, n); if transposed, c is (networks, j, i)
        Of one precision.

    Returns
    -------
    array (networks, i, n)
    """
    networks, terms, n = b.shape
    rows = c.shape[2] if transposed else c.shape[1]
    strides = (1, rows) if transposed else (terms, 1)
    b = _padded(b)
    out = np.empty((networks, rows, b.shape[2]), b.dtype)
    left = Matrix(np.ascontiguousarray(c).reshape(-1), 0, *strides)
    _kernel(multiply_kernel)(networks, left, Matrix(b.reshape(-1), 0, b.shape[2], 1), out.reshape(-1), rows, terms)
    return np.ascontiguousarray(out[:, :, :n])


jit.register_leaves(__name__, inline=False)
