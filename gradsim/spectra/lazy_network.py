"""The Jacobian of one network of the conditional method: products with it, without its matrices.

Every layer's matrix is lazy (`gradsim_core.lazy.tied`): it is known by its answers to the input of the forward pass and
to the vectors that it is multiplied with since, from the right and from the left. So products with J and its transpose
have exactly the law of those of a network whose matrices are drawn, in any number and in any order.
"""

from __future__ import annotations

import math

import numpy as np

from gradsim.spectra.forward import Array, Diagonal, Forward
from gradsim_core import jit
from gradsim_core.laws import gaussian
from gradsim_core.lazy import tied, untied
from gradsim_core.linear.products import Matrix
from gradsim_core.linear.rows import rows_of, stored
from gradsim_core.parameters import Params
from gradsim_core.rng.draws import Source
from gradsim_core.rng.philox import TAPE_BIAS, TAPE_INPUT, TAPE_READOUT
from gradsim_core.simulator import Simulator

_ROOM = 8  # vectors for which memory is taken at a time


class LazyMatrix:
    """One N x N matrix that answers products.

    Parameters
    ----------
    source
        Cell, network, and layer from 1.
    haar
        Whether it is `deviation` times a Haar matrix; else its entries are normal with this deviation.
    deviation
        The scale.
    """

    def __init__(self, source: Source, haar: bool, deviation: float) -> None:
        self._source, self._haar, self._deviation, self._n = source, haar, deviation, source.cell.width
        self._known = self._room(_ROOM)
        self._ask = jit.compiled(tied.ask_haar if haar else tied.ask)
        self._query, self._answer = (rows_of(1, stored(self._n), np.dtype(np.float64)) for _ in range(2))

    def _room(self, queries: int) -> tied.Known:
        known = tied.unknown(queries, self._n, self._n, np.dtype(np.float64))
        return tied.pairs_of(known) if self._haar else known

    def _grow(self) -> None:
        """Make room for more queries."""
        old, self._known = self._known, self._room(self._known.right.room + _ROOM)
        for before, now in zip(old[:2], self._known[:2], strict=True):
            for rows, copied in ((before.basis, now.basis), (before.images, now.images)):
                copied.array[: len(rows.array)] = rows.array
        self._known.sizes[:] = old.sizes

    def right(self, x: Array) -> Array:
        """W x."""
        return self._product(0, x)

    def left(self, u: Array) -> Array:
        """W^T u."""
        return self._product(1, u)

    def _product(self, side: int, x: Array) -> Array:
        if self._known.sizes.max() == self._known.right.room < self._n:
            self._grow()
        sides = self._known.right, self._known.left
        self._query.array[: self._n] = x
        self._ask(
            self._source, sides[side], sides[1 - side], side, self._known, self._deviation, self._query, self._answer
        )
        return np.array(self._answer.array[: self._n])


class LazyNetwork:
    """The Jacobian of one network after its forward pass.

    Parameters
    ----------
    simulator, cell
        The conditional simulator, and the cell.
    number
        Which network of the cell.
    last
        Whether J ends with the slopes of the last layer, J = D_L W_L ... D_1 W_1, or with W_L.

    Attributes
    ----------
    diagonals
        D of each layer.
    finite
        Whether all slopes are finite.
    """

    def __init__(self, simulator: Simulator, cell: Params, number: int, *, last: bool = True) -> None:
        law = simulator.law
        self._cell, self._number = cell, number
        self._matrices = [
            LazyMatrix(Source(cell, number, layer, 0), law.draw is None, law.deviation(cell))
            for layer in range(1, cell.depth + 1)
        ]
        forward = Forward(simulator.activation, simulator.slopes, self.normals(0, TAPE_INPUT))
        self.diagonals: list[Diagonal] = []
        for layer, matrix in enumerate(self._matrices, 1):
            bias = cell.sigma_b * self.normals(layer, TAPE_BIAS) if cell.sigma_b else np.zeros(1)
            self.diagonals.append(forward.step(matrix.right, bias))
        if not last:
            self.diagonals[-1] = Diagonal(np.ones(cell.width), 0.0, False)
        self.finite = all(np.isfinite(each.values).all() for each in self.diagonals)

    @property
    def rank(self) -> int:
        """Rank of J: with such matrices it is almost surely the least number of live neurons of a layer."""
        return min(each.live for each in self.diagonals)

    def start(self, number: int) -> Array:
        """Normals (N,) for a vector to start from, independent of the network."""
        return self.normals(number, TAPE_READOUT)

    def normals(self, layer: int, role: int) -> Array:
        """N standard normals of a role."""
        row = rows_of(1, stored(self._cell.width), np.dtype(np.float64))
        jit.compiled(_fill_normals)(Source(self._cell, self._number, layer, role), self._cell.width, row)
        return np.array(row.array[: self._cell.width])

    def right(self, v: Array) -> tuple[Array, float]:
        """J v as a unit vector and the logarithm of its length; -inf, and zeros, if it is 0."""
        log = 0.0
        for matrix, diagonal in zip(self._matrices, self.diagonals, strict=True):
            v, more = unit(diagonal.values * matrix.right(v))
            log += more + diagonal.shift
        return v, log

    def left(self, u: Array) -> tuple[Array, float]:
        """J^T u likewise."""
        log = 0.0
        for matrix, diagonal in zip(self._matrices[::-1], self.diagonals[::-1], strict=True):
            u, more = unit(matrix.left(diagonal.values * u))
            log += more + diagonal.shift
        return u, log

    def exponents(self, count: int) -> Array:
        """Sums over layers of ln R_ii (count,), of QR factors of the images of `count` random vectors."""
        frame = np.array([self.start(number) for number in range(count)])
        frame, _ = gram_schmidt(frame)
        total = np.zeros(count)
        for matrix, diagonal in zip(self._matrices, self.diagonals, strict=True):
            image = np.array([diagonal.values * matrix.right(row) for row in frame])
            frame, logs = gram_schmidt(image)
            total += logs + diagonal.shift
        return total


def _fill_normals(source: Source, n: int, row: Matrix) -> None:
    untied.fill_row(gaussian, source, 0, n, 1.0, row)


def unit(v: Array) -> tuple[Array, float]:
    """A vector divided by its length, and the logarithm of that."""
    size = float(np.linalg.norm(v))
    return (v / size, math.log(size)) if size > 0.0 else (v, -math.inf)


def gram_schmidt(rows: Array) -> tuple[Array, Array]:
    """Orthonormal rows and ln |R_ii|: every row twice; zeros and -inf for a row that is 0 or depends on others."""
    found, logs = np.zeros_like(rows), np.full(len(rows), -np.inf)
    for i, row in enumerate(rows):
        rest, size = row, float(np.linalg.norm(row))
        for _ in range(2):
            rest = rest - found[:i].T @ (found[:i] @ rest)
        if np.linalg.norm(rest) > 1e-13 * size:
            found[i], logs[i] = unit(rest)
    return found, logs
