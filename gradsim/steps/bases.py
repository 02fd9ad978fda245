"""Orthonormal bases that grow by blocks of rows, for many networks at a time.

Arrays are (networks, rows, n). A row that adds no direction is masked: it becomes a zero row of the basis. So rows that
are zero, equal, or more than their length need no case of their own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

MASKED = {"float32": 2e-6, "float64": 1e-12}
"""A row is masked if what it adds to the basis is below this part of its length: it is lost in rounding."""

_LOST = 0.5  # part of a unit row that is left by the second pass, or the first one has kept rounding only


def transposed(a: Array) -> Array:
    """Return the transposes of the matrices."""
    return np.swapaxes(a, -1, -2)


def lengths(rows: Array) -> Array:
    """Return the lengths of all rows, (networks, rows, 1)."""
    found: Array = np.sqrt(np.vecdot(rows, rows))[..., None]
    return found


def split(x: Array, basis: Array) -> tuple[Array, Array, Array]:
    """Write rows as x = c basis + r added, with orthonormal or zero rows `added` across the basis.

    Two passes of block Gram-Schmidt, so that rows that are nearly in the span lose no orthogonality.

    Parameters
    ----------
    x : array (networks, count, n)
    basis : array (networks, rows, n)
        Orthonormal or zero rows.

    Returns
    -------
    c, r, added : arrays (networks, count, rows), (networks, count, count), (networks, count, n)
    """
    c, r, added = _one_pass(x, basis, MASKED[x.dtype.name] * lengths(x))
    again, rest, added = _one_pass(added, basis, np.full_like(x[..., :1], _LOST))
    return c + r @ again, r @ rest, added


def _one_pass(x: Array, basis: Array, least: Array) -> tuple[Array, Array, Array]:
    """One pass of `split`; a row whose rest is not above `least` (networks, count, 1) is masked."""
    c = x @ transposed(basis)
    rest = x - c @ basis
    count = x.shape[1]
    r, along_row = np.zeros((len(x), count, count), x.dtype), np.empty_like(rest)
    for j in range(count):
        row = rest[:, j : j + 1]
        size = lengths(row)
        live = size > least[:, j : j + 1]
        row *= np.where(live, 1.0 / np.where(live, size, 1.0), 0.0).astype(x.dtype)
        r[:, j, j] = np.where(live, size, 0.0)[:, 0, 0]
        later = rest[:, j + 1 :]
        r[:, j + 1 :, j] = np.vecdot(later, row)
        later -= np.multiply(r[:, j + 1 :, j, None], row, out=along_row[:, j + 1 :])
    return c, r, rest
