"""Weight matrices of many networks that meet rows of vectors again and again, and are trained in between.

Rows are vectors: x is answered by x W^T, an error delta by delta W, and the gradient is delta^T x. Gradient descent
keeps every matrix in the form

    W = a W_0 + L^T S R

where R and L are orthonormal bases of the rows seen forward and backward. Gradient and velocity are matrices in the
same coordinates, with the same norm. W_0, of independent normal entries of deviation s, stays lazy: only its products
with R and L are drawn. A new direction q across R has the image

    q W_0^T = (q L_0^T) L + s g (I - L^T L),    L_0 = L W_0,  g a fresh standard normal:

along L it is what the errors have shown, across L it is free. Errors exchange the sides. The law is that of conditional
probability, whatever the order of the queries, since each depends on earlier answers alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gradsim.steps.bases import split, transposed
from gradsim.steps.draws import Draws

Array = NDArray[np.floating]


def frobenius(a: Array) -> NDArray[np.float64]:
    """Return the norms of matrices, (networks,), summed in float64."""
    found: NDArray[np.float64] = np.sqrt(np.square(a, dtype=np.float64).sum((-2, -1)))
    return found


class Trained:
    """A parameter under gradient descent: `update` in its own coordinates, and the share `kept` of the start.

    Parameters
    ----------
    start
        Zeros, or the parameter itself, which then is `update`.
    """

    def __init__(self, start: Array) -> None:
        self.update = start
        self.kept = 1.0
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
        kind = self.update.dtype.type
        self.velocity = kind(momentum) * self.velocity + factor[:, None, None].astype(kind) * self.gradient
        self.update = kind(decay) * self.update - kind(rate) * self.velocity
        self.kept *= decay

    def norm(self) -> NDArray[np.float64]:
        """Return |dC/dW|, (networks,)."""
        return frobenius(self.gradient)

    def change(self) -> NDArray[np.float64]:
        """Return |dC/dW - dC/dW at step 0|, (networks,)."""
        return frobenius(self.gradient - self.first)

    def cosine(self) -> NDArray[np.float64]:
        """Return the cosine of the angle between dC/dW and that at step 0; NaN if one is zero."""
        product = np.multiply(self.gradient, self.first, dtype=np.float64).sum((-2, -1))
        found: NDArray[np.float64] = product / (frobenius(self.gradient) * frobenius(self.first))
        return found


class DrawnMatrix(Trained):
    """A matrix that is drawn and stored, (networks, n, n)."""

    def __init__(self, draws: Draws, layer: int, n: int, deviation: float) -> None:
        drawn = draws.rows("weight", layer, 0, n, n)
        drawn *= drawn.dtype.type(deviation)
        super().__init__(drawn)

    def forward(self, x: Array) -> Array:
        """Return x W^T."""
        self._x = x
        return x @ transposed(self.update)

    def meet(self, delta: Array) -> None:
        """Take the errors, and so the gradient."""
        self._delta = delta
        self.see(transposed(delta) @ self._x)

    def backward(self) -> Array:
        """Return delta W."""
        answer: Array = self._delta @ self.update
        return answer


class FirstMatrix(Trained):
    """The first matrix: it meets the inputs only, and no error is asked for below it. W = a W_0 + update R."""

    def __init__(self, draws: Draws, n: int, deviation: float) -> None:
        self._draws, self._n, self._deviation = draws, n, deviation
        self.basis = self.images = np.zeros((len(draws.networks), 0, n), draws.dtype)
        super().__init__(self.basis)

    def forward(self, x: Array) -> Array:
        """Return x W^T; x is that of the first call at every step."""
        if not self.basis.size:
            _, self._r, self.basis = split(x, self.basis)
            self.images = self._draws.rows("forward", 1, 0, x.shape[1], self._n)
            self.images *= self.images.dtype.type(self._deviation)
            self.images *= _live(self.basis)
            self.update = np.zeros_like(self.images)
        answer: Array = self._r @ (x.dtype.type(self.kept) * self.images + self.update)
        return answer

    def meet(self, delta: Array) -> None:
        """Take the errors, and so the gradient, which is the transpose of (networks, inputs, n) times R."""
        self.see(transposed(self._r) @ delta)


class Side:
    """What is known of a lazy matrix from one side: orthonormal or zero rows, and their images."""

    def __init__(self, networks: int, room: int, n: int, dtype: np.dtype[np.floating]) -> None:
        self.rows, self.images = (np.zeros((networks, room, n), dtype) for _ in range(2))
        self.count = 0

    @property
    def known(self) -> tuple[Array, Array]:
        """The rows that are in use, and their images."""
        return self.rows[:, : self.count], self.images[:, : self.count]

    def add(self, rows: Array, images: Array) -> None:
        """Append rows."""
        stop = self.count + rows.shape[1]
        self.rows[:, self.count : stop], self.images[:, self.count : stop] = rows, images
        self.count = stop


class LazyMatrix(Trained):
    """A matrix that is never drawn as a whole, (networks, n, n).

    Parameters
    ----------
    draws, layer
        Random numbers.
    n
        Width.
    room
        How many rows it may meet from each side.
    deviation
        s.
    """

    def __init__(self, draws: Draws, layer: int, n: int, room: int, deviation: float) -> None:
        self._draws, self._layer, self._deviation = draws, layer, deviation
        self.right, self.left = (Side(len(draws.networks), room, n, draws.dtype) for _ in range(2))
        super().__init__(np.zeros((len(draws.networks), room, room), draws.dtype))

    def forward(self, x: Array) -> Array:
        """Return x W^T."""
        self._c = self._ask(x, self.right, self.left, "forward")
        return self._answer(self._c, self.right, self.left, transposed(self.update))

    def meet(self, delta: Array) -> None:
        """Take the errors, and so the gradient."""
        self._d = self._ask(delta, self.left, self.right, "backward")
        self.see(transposed(self._d) @ self._c)

    def backward(self) -> Array:
        """Return delta W."""
        return self._answer(self._d, self.left, self.right, self.update)

    def _ask(self, x: Array, own: Side, other: Side, role: str) -> Array:
        """Add what is new in rows x to a side, with images; the coordinates of x, (networks, count, room)."""
        (basis, _), count = own.known, x.shape[1]
        c, r, added = split(x, basis)
        own.add(added, self.image(added, own, other, role))
        coordinates = np.zeros((*x.shape[:2], self.update.shape[1]), x.dtype)
        coordinates[:, :, : own.count - count], coordinates[:, :, own.count - count : own.count] = c, r
        return coordinates

    def image(self, added: Array, own: Side, other: Side, role: str) -> Array:
        """Draw the images of directions across all that the side knows."""
        drawn = self._draws.rows(role, self._layer, own.count, added.shape[1], added.shape[2])
        drawn *= drawn.dtype.type(self._deviation)
        drawn *= _live(added)
        basis, images = other.known
        drawn += (added @ transposed(images) - drawn @ transposed(basis)) @ basis
        return drawn

    def _answer(self, c: Array, own: Side, other: Side, update: Array) -> Array:
        """The product with rows of coordinates c."""
        (_, images), (basis, _) = own.known, other.known
        moved = (c @ update)[:, :, : other.count]
        answer: Array = (c.dtype.type(self.kept) * c[:, :, : own.count]) @ images
        if self.velocity.size:  # else nothing has been trained
            answer += moved @ basis
        return answer


def _live(rows: Array) -> Array:
    """1 for a row of a basis, 0 for a masked one: (networks, rows, 1)."""
    live: Array = (np.abs(rows).max(-1, keepdims=True) > 0).astype(rows.dtype)
    return live
