"""Weight matrices of many networks that meet rows of vectors again and again, and are trained in between.

Rows are vectors: x is answered by x W^T, an error delta by delta W, and the gradient is delta^T x. Gradient descent
keeps every matrix in the form

    W = a W_0 + L^T S R

where R and L are orthonormal bases of the rows seen forward and backward. Gradient and velocity are matrices in the
same coordinates, with the same norm. W_0, of independent normal entries of deviation s, stays lazy: only its products
with R and L are drawn (`gradsim_core.stepping`). The law is that of conditional probability, whatever the order
of the queries, since each depends on earlier answers alone.

Six rounds of 8 rows from each side, one core of Zen 5, float64: at width 1,024 2.4 ms, where `lazy.tied`, row by row,
takes 3.7, and NumPy with BLAS, in the same blocks, 7.8; at 4,096 10, 16 and 22 ms; at 65,536 0.21, 0.55 and 0.31 s.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gradsim.steps.draws import Draws
from gradsim_core.stepping.blocks import work_of
from gradsim_core.stepping.products import combinations, inner_products
from gradsim_core.stepping.sides import Side

Array = NDArray[np.floating]

MASKED = {"float32": 2e-6, "float64": 1e-12}
"""A row adds no direction if its rest is at most this part of its length: it is lost in rounding."""

_CHUNK = 2**15  # numbers of a network


def frobenius(a: Array, b: Array | None = None) -> NDArray[np.float64]:
    """Return the norms of matrices, or of the differences of two, (networks,), summed in float64."""
    total = np.zeros(len(a))
    for part, other in _chunks(a, a if b is None else b):
        total += np.square(part if b is None else part - other, dtype=np.float64).sum(-1)
    return np.sqrt(total)


def products(a: Array, b: Array) -> NDArray[np.float64]:
    """Return the sums of the products of the entries of two matrices, (networks,), in float64."""
    total = np.zeros(len(a))
    for part, other in _chunks(a, b):
        total += np.multiply(part, other, dtype=np.float64).sum(-1)
    return total


def _chunks(a: Array, b: Array) -> Iterator[tuple[Array, Array]]:
    """Parts that stay in the cache: at width 10^6 new memory for whole squares took a fifth of the time of training."""
    first, second = (each.reshape(len(each), -1) for each in (a, b))
    for k in range(0, first.shape[1], _CHUNK):
        yield first[:, k : k + _CHUNK], second[:, k : k + _CHUNK]


class Trained:
    """A parameter under gradient descent: `update` in its own coordinates, and the share `kept` of the start.

    Parameters
    ----------
    start
        Zeros, or the parameter itself, which then is `update`.
    """

    def __init__(self, start: Array) -> None:
        self.update = start
        self.kept, self.stepped = 1.0, False
        self.gradient = self.first = self.velocity = np.zeros_like(start[:, :0])

    def see(self, gradient: Array) -> None:
        """Take a gradient; the first one is kept for comparison."""
        self.gradient = gradient
        if not self.first.size:
            self.first, self.velocity = gradient, np.zeros_like(gradient)

    def step(self, factor: Array, momentum: float, rate: float, decay: float) -> None:
        """Make a step: velocity = momentum velocity + factor gradient; W = decay W - rate velocity.

        Parameters
        ----------
        factor
            (networks,): below 1 where the gradient is clipped.
        """
        self.velocity *= momentum
        self.velocity += factor[:, None, None].astype(self.velocity.dtype) * self.gradient
        self.update *= decay
        self.update -= rate * self.velocity
        self.kept, self.stepped = self.kept * decay, True

    def norm(self) -> NDArray[np.float64]:
        """Return |dC/dW|, (networks,)."""
        return frobenius(self.gradient)

    def change(self) -> NDArray[np.float64]:
        """Return |dC/dW - dC/dW at step 0|, (networks,)."""
        return frobenius(self.gradient, self.first)

    def cosine(self) -> NDArray[np.float64]:
        """Return the cosine of the angle between dC/dW and that at step 0; NaN if one is zero."""
        lengths = frobenius(self.gradient) * frobenius(self.first)
        return products(self.gradient, self.first) / lengths


class DrawnMatrix(Trained):
    """A matrix that is drawn and stored, (networks, n, n)."""

    def __init__(self, draws: Draws, layer: int, n: int, deviation: float) -> None:
        drawn = draws.rows("weight", layer, 0, n, n)
        drawn *= drawn.dtype.type(deviation)
        super().__init__(drawn)

    def forward(self, x: Array) -> Array:
        """Return x W^T."""
        self._x = x
        return inner_products(x, self.update)

    def meet(self, delta: Array) -> None:
        """Take the errors, and so the gradient."""
        self._delta = delta
        self.see(combinations(delta, self._x, transposed=True))

    def backward(self) -> Array:
        """Return delta W."""
        return combinations(self._delta, self.update)


class FirstMatrix(Trained):
    """The first matrix: it meets the inputs only, and no error is asked for below it. W = a W_0 + update^T R."""

    def __init__(self, draws: Draws, n: int, count: int, deviation: float) -> None:
        self._draws, self._deviation = draws, deviation
        self.right = Side(len(draws.networks), count, n, draws.dtype)
        self._work = work_of(count, count, draws.dtype)
        super().__init__(np.zeros((len(draws.networks), count, n), draws.dtype))

    def forward(self, x: Array) -> Array:
        """Return x W^T; x is that of the first call at every step."""
        right, count = self.right, x.shape[1]
        if not right.count:
            self._r = right.split(x, MASKED[x.dtype.name], self._work).astype(x.dtype)
            right.draw_images(self._draws.source("forward", 1), count, right, self._deviation, self._work)
            right.count = count
        return combinations(self._r, x.dtype.type(self.kept) * right.images + self.update)

    def meet(self, delta: Array) -> None:
        """Take the errors, and so the gradient, of which the transpose is (networks, inputs, n) times R."""
        self.see(combinations(self._r, delta, transposed=True))


class LazyMatrix(Trained):
    """A matrix that is never drawn as a whole, (networks, n, n).

    Parameters
    ----------
    draws, layer
        Random numbers.
    n
        Width.
    count, room
        How many rows it meets from each side at a time, and in all.
    deviation
        s.
    """

    def __init__(self, draws: Draws, layer: int, n: int, count: int, room: int, deviation: float) -> None:
        self._draws, self._layer, self._deviation = draws, layer, deviation
        self.right, self.left = (Side(len(draws.networks), room, n, draws.dtype) for _ in range(2))
        self._work = work_of(count, room, draws.dtype)
        super().__init__(np.zeros((len(draws.networks), room, room)))

    def forward(self, x: Array) -> Array:
        """Return x W^T."""
        self._c = self._ask(x, self.right, self.left, "forward")
        return self._answer(self._c, self.right, self.left, np.swapaxes(self.update, 1, 2))

    def meet(self, delta: Array) -> None:
        """Take the errors, and so the gradient."""
        self._d = self._ask(delta, self.left, self.right, "backward")
        self.see(combinations(self._d, self._c, transposed=True))

    def backward(self) -> Array:
        """Return delta W."""
        return self._answer(self._d, self.left, self.right, self.update)

    def _ask(self, x: Array, own: Side, other: Side, role: str) -> Array:
        """Add what is new in rows x to a side, with images; the coordinates of x, (networks, count, room)."""
        coordinates: Array = own.split(x, MASKED[x.dtype.name], self._work)
        self.draw_images(own, other, x.shape[1], role)
        own.count += x.shape[1]
        return coordinates

    def draw_images(self, own: Side, other: Side, count: int, role: str) -> None:
        """Draw the images of the rows that have been added."""
        source = self._draws.source(role, self._layer)
        own.draw_images(source, count, other, self._deviation, self._work)

    def _answer(self, c: Array, own: Side, other: Side, update: Array) -> Array:
        """The product with rows of coordinates c."""
        trained = other.count if self.stepped else 0
        moved = combinations(c, update)[:, :, :trained]
        answer: Array = own.combine(self.kept * c[:, :, : own.count], other, moved, self._work)
        return answer
