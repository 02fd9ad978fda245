"""All singular values of a product of matrices, by QR factors in log space: of any depth, large and small ones.

The product of the layers so far is J = Q diag(e^logs) U, where Q has orthonormal columns, and U is unit upper
triangular, or a permutation of it, with rows of moderate size. One more layer A gives A Q = Q' R, and

    A J = Q' diag(R_ii e^logs_i) U' U,    U'_ij = R_ij e^logs_j / (R_ii e^logs_i).

As logs fall with i, U' tends to the identity, and nothing overflows. So products of random matrices are "graded":
this is the stratification of determinant quantum Monte Carlo (Loh et al. 1992; Tomás et al. 2012,
doi:10.1109/IPDPS.2012.37). Rows are sorted by size before each factorisation, which keeps the digits of small ones
(Cox and Higham 1998). Where logs do not fall, columns are sorted first. Rows of zeros, and columns that depend on
others to rounding, are left out: what remains is the rank.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gradsim.spectra.forward import Array, Diagonal
from gradsim_core import jit
from gradsim_core.linear.rows import rows_of, stored
from gradsim_core.linear.singular_values import orthogonalise

Indices = npt.NDArray[np.intp]

_DISORDER = 3.0  # logs may rise by so much without a loss of digits
_PASSES = 2  # of LQ before Jacobi: each brings U nearer to the identity, and saves two sweeps
_DEPENDENT = 64.0 * np.finfo(np.float64).eps


class Product:
    """The product of the layers so far.

    Parameters
    ----------
    width
        N, of square matrices.

    Attributes
    ----------
    logs
        ln of the diagonal (rank,).
    exponents
        Sum over layers of ln |R_ii| (N,) of QR factors whose columns keep their order; -inf for a column that depends
        on those before it. The Lyapunov exponents are these over L.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.logs, self.exponents = np.zeros(width), np.zeros(width)
        self._frame, self._rows = np.eye(width), np.eye(width)
        self._labels = np.arange(width)
        self._ordered: tuple[Array, Indices] | None = None  # frame and labels in order, once columns were sorted

    @property
    def rank(self) -> int:
        """How many singular values are not 0."""
        return len(self.logs)

    def multiply(self, weight: Array, diagonal: Diagonal) -> None:
        """Multiply from the left by D W, or by W where the values of D are ones."""
        if not self.rank:
            return
        columns = _falling(self.logs)
        if self._ordered is None and (np.diff(columns) < 0).any():
            self._ordered = self._frame, self._labels
        self._frame, r, place = _step(self._frame[:, columns], weight, diagonal)
        columns = columns[place]
        grown = np.log(np.diagonal(r)) + diagonal.shift
        self._rows = _unit_rows(r, self.logs[columns]) @ self._rows[columns]
        self.logs = self.logs[columns[: len(r)]] + grown
        if self._ordered is None:
            self._labels = self._count(self._labels[columns], grown)
        else:
            frame, r, place = _step(self._ordered[0], weight, diagonal)
            self._ordered = frame, self._count(self._ordered[1][place], np.log(np.diagonal(r)) + diagonal.shift)

    def _count(self, labels: Indices, grown: Array) -> Indices:
        """Add to the exponents; return the labels of the columns that are left."""
        self.exponents[labels[: len(grown)]] += grown
        self.exponents[labels[len(grown) :]] = -np.inf
        return labels[: len(grown)]

    def log_singular_values(self) -> Array:
        """ln of all singular values (N,), falling; -inf for those that are exactly 0."""
        logs, rows = self.logs, self._rows
        for _ in range(_PASSES if self.rank else 0):
            order = _falling(logs)
            r = np.asarray(np.linalg.qr(rows[order].T, mode="r"))
            rows, logs = _unit_rows(r, logs[order]), logs[order] + np.log(np.abs(np.diagonal(r)))
        found = np.full(self.width, -np.inf)
        found[: self.rank] = np.sort(_jacobi(rows, logs))[::-1]
        return found


def _falling(logs: Array) -> Indices:
    """An order in which logs fall, or the given one if it is near enough."""
    highest_after = np.maximum.accumulate(logs[::-1])[::-1]
    return np.arange(len(logs)) if (highest_after - logs <= _DISORDER).all() else np.argsort(-logs, kind="stable")


def _unit_rows(r: Array, logs: Array) -> Array:
    """U' of an upper triangular factor R diag(e^logs), whose rows are divided by their diagonal."""
    with np.errstate(under="ignore", over="ignore", invalid="ignore"):
        unit = np.exp(logs[None, :] - logs[: len(r), None]) * (r / np.diagonal(r)[:, None])
    return np.triu(unit)


def _step(frame: Array, weight: Array, diagonal: Diagonal) -> tuple[Array, Array, Indices]:
    """Q and R of D W times a frame, with a positive diagonal, and the order of the columns.

    Columns that depend on earlier ones to rounding are the last ones, and have no row in R.
    """
    image = diagonal.values[:, None] * (weight @ frame)
    size = np.abs(image).max(axis=1)
    order = np.argsort(-size, kind="stable")[: np.count_nonzero(size)]
    image, tolerance = image[order], _DEPENDENT * frame.shape[1] * size[order]
    place = np.arange(frame.shape[1])
    while True:
        q, r = np.linalg.qr(image[:, place])
        dependent = np.abs(np.diagonal(r)) <= tolerance[: len(r)]
        count = len(r) - int(dependent.sum())
        if not dependent[:count].any():
            break
        moved = np.flatnonzero(dependent)
        place = np.concatenate([np.delete(place, moved), place[moved]])
    signs = np.sign(np.diagonal(r)[:count])
    found = np.zeros((len(frame), count))
    found[order] = q[:, :count] * signs
    return found, r[:count] * signs[:, None], place


def _jacobi(rows: Array, logs: Array) -> Array:
    """ln of the singular values of diag(e^logs) rows, by one-sided Jacobi."""
    count, width = rows.shape
    matrix = rows_of(max(count, 1), stored(width), np.dtype(np.float64))
    matrix.array.reshape(-1, matrix.row)[:count, :width] = rows
    found = np.array(logs)
    jit.compiled(orthogonalise)(matrix, found)
    return found
