"""The CPU schedule: compiled kernels by activation and weight law, and blocks of networks run through them.

A block is a call that releases the GIL; callers spread blocks over a thread pool. Which networks share a block, and
in which order blocks run, changes no number.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from . import conditional, dense, explicit, jit, laws, orthogonal, quantities
from .activations import ACTIVATIONS, Activation
from .elementary import log_64
from .explicit import Slopes, Work
from .lanes import LANES, aligned, lane_get, lane_set
from .laws import WeightLaw
from .params import Params
from .range_safe import no_tail

DTYPES = ("float32", "float64")
METHODS = {"explicit": explicit, "conditional": conditional}


class Weights(NamedTuple):
    """One network as simulated: x0 (N,), W (L, N, N), b (L, N), v (N,)."""

    x0: np.ndarray
    W: np.ndarray
    b: np.ndarray
    v: np.ndarray


def padded(n: int) -> int:
    """n rounded up to whole vectors."""
    return -(-n // LANES) * LANES


def _by_lane(function, interpret: bool):
    """A user's scalar function, lane by lane in float64."""
    scalar = function if interpret else jit.user_function(function)

    def apply(h, alpha):
        out = h
        for i in range(LANES):
            out = lane_set(out, i, scalar(float(lane_get(h, i))))
        return out

    return apply


@cache
def _kernel(activation: Activation, law: WeightLaw, method: str, interpret: bool):
    """The block kernel. Parameters of activation and law are run-time numbers, so that a family compiles once."""
    own = not activation.built_in
    phi, dphi = activation.phi, activation.dphi
    if own:
        phi, dphi = (jit.make_compilable(_by_lane(function, interpret)) for function in (phi, dphi))
    body = METHODS[method].build(phi, dphi, activation.log_phi or no_tail, activation.log_dphi or no_tail, law)
    return body if interpret else jit.compile_kernel(body, disk_cache=not own)


def _interpreted(function):
    def call(*arguments):
        with np.errstate(all="ignore"):
            return function(*arguments)

    return call


def _slopes(activation: Activation) -> Slopes:
    missing = (math.nan, math.nan)
    at_zero = float(activation(0.0))
    zero = activation.slope_zero
    if zero is None and at_zero == 0.0:
        # A user's own pair: its slopes beside 0, unless it is flat there, when no linear regime exists.
        below, above = activation.derivative([-1e-300, 1e-300])
        zero = (below, above) if below != 0.0 or above != 0.0 else None
    pair = lambda slopes: missing if slopes is None else (float(slopes[0]), float(slopes[1]))  # noqa: E731
    return Slopes(pair(zero), pair(activation.slope_inf), at_zero == 0.0, activation.tail_sign)


class Simulator:
    """Runs blocks of networks of one activation, weight law, precision and method.

    Parameters
    ----------
    activation, law : Activation, WeightLaw
        From `resolve_activation`, `resolve_law`.
    dtype : {"float32", "float64"}
    method : {"explicit", "conditional"}
    interpret : bool
        Run the same text in the Python interpreter: slow, for tests.
    """

    def __init__(
        self,
        activation: Activation,
        law: WeightLaw,
        dtype: str = "float32",
        method: str = "explicit",
        *,
        interpret: bool = False,
    ):
        if method not in METHODS or dtype not in DTYPES:
            raise ValueError(f"method {method!r}, dtype {dtype!r}: allowed are {tuple(METHODS)} and {DTYPES}.")
        if method == "conditional" and not law.conditional:
            raise ValueError(f"weight law {law.name!r} cannot be sampled conditionally.")
        self.activation, self.law, self.dtype, self.method = activation, law, np.dtype(dtype), method
        self._layout = orthogonal if law.draw is None else dense
        self._slopes = _slopes(activation)
        family = activation if not activation.built_in else ACTIVATIONS[activation.name.split("(")[0]]
        run = _kernel(family, laws.LAWS[law.name.split("(")[0]], method, interpret)
        self._call = _interpreted if interpret else jit.compiled
        self._run = _interpreted(run) if interpret else run

    def params(self, key: int, depth: int, width: int, sigma_w: float, sigma_b: float = 0.0) -> Params:
        """The cell as the kernel takes it."""
        return Params(
            np.uint64(key),
            depth,
            width,
            float(sigma_w),
            float(sigma_b),
            float(self.activation.alpha),
            float(self.law.value),
        )

    def _work(self, cell: Params) -> Work | conditional.Work:
        row = padded(cell.width)
        empty = lambda n: aligned(n, self.dtype)  # noqa: E731
        live = empty(row)
        live[: cell.width] = 1
        draw = cell.sigma_w * (1.0 if self.law.draw is None else self.law.spread / math.sqrt(cell.width))
        if self.method == "conditional":
            return conditional.allocate(cell, self.dtype, draw)
        scalars = np.array([draw, cell.sigma_b, 1.0 / math.sqrt(cell.width)], self.dtype)
        weights = empty(cell.depth * self._layout.storage(cell.width))
        words = aligned(dense.AHEAD * dense.TILE, np.int32)
        return Work(weights, words, empty(cell.depth * row), empty(row), empty(row), empty(row), live, scalars)

    def block(self, cell: Params, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Simulate networks first .. first + count - 1.

        Returns
        -------
        values : float64 array (4, count, depth)
            The quantities of `QUANTITIES`, natural logarithms; dead is -inf, non-finite NaN.
        status : int8 array (count,)
            0 alive, 1 dead in some layer, 2 non-finite.
        """
        values, status, work = np.empty((4, count, cell.depth)), np.empty(count, np.int8), self._work(cell)
        # A part at a time, whose sums stay in the cache; parts do not cut groups of sixteen networks.
        part = max(2**15 // cell.depth // LANES, 1) * LANES
        edges = [first, *range(first - first % LANES + part, first + count, part), first + count]
        for start, stop in pairwise(edges):
            out = values[:, start - first : stop - first], status[start - first : stop - first]
            self._run_part(cell, start, stop - start, work, *out)
        return values, status

    def _run_part(self, cell: Params, first: int, count: int, work, values, status) -> None:
        size, shape = 3 * count * cell.depth, (3, count, cell.depth)
        sums, exponents = np.ones(padded(size)), np.zeros(padded(size))
        self._run(cell, self._slopes, first, work, sums[:size].reshape(shape), exponents[:size].reshape(shape))
        self._call(quantities.take_logarithms)(sums, exponents)
        log_width = float(log_64(np.float64(cell.width)))
        self._call(quantities.finish)(sums[:size].reshape(shape), cell.width, log_width, values, status)

    def weights(self, cell: Params, network: int) -> Weights:
        """Input, weights, biases and readout of one network, exactly as simulated; explicit method only."""
        work, row = self._work(cell), padded(cell.width)
        dims = np.zeros((3, 1, cell.depth))
        self._run(cell, self._slopes, network, work, dims, dims.copy())
        matrices = [self._layout.matrix(work.weights, layer, cell.width) for layer in range(1, cell.depth + 1)]
        vectors = np.zeros((cell.depth + 2, row), self.dtype)
        self._call(explicit.draw_vectors)(cell, network, work.live, work.scalars, vectors)
        vectors = vectors[:, : cell.width]
        return Weights(vectors[0], np.array(matrices), vectors[1:-1], vectors[-1])
