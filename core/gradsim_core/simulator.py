"""The CPU schedule: compiled kernels by activation and weight law, and blocks of networks run through them.

A block is a call that releases the GIL; callers spread blocks over a thread pool. Which networks share a block, and
in which order blocks run, changes no number.
"""

from __future__ import annotations

import math
import threading
from functools import cache
from itertools import pairwise
from types import ModuleType
from typing import NamedTuple

import numpy as np

from gradsim_core import jit, laws
from gradsim_core.activations import ACTIVATIONS, Activation
from gradsim_core.elementary import log_64
from gradsim_core.lanes import LANES, lane_count, lane_get, lane_set
from gradsim_core.laws import WeightLaw
from gradsim_core.parameters import Params
from gradsim_core.results import quantities
from gradsim_core.scaling.per_vector import no_tail
from gradsim_core.schedules import conditional, explicit, narrow
from gradsim_core.schedules.explicit import Slopes

DTYPES = ("float32", "float64")
METHODS = ("explicit", "conditional")
NARROW, NARROW_STORE = 28, 2**24
"""Up to this width, and this many stored weights, explicit networks run sixteen side by side."""
_thread = threading.local()


class Weights(NamedTuple):
    """One network as simulated: x0 (N,), W (L, N, N), b (L, N), v (N,)."""

    x0: np.ndarray
    W: np.ndarray
    b: np.ndarray
    v: np.ndarray


def _part(depth: int) -> int:
    """Networks whose sums stay in the cache; whole groups, so that parts do not cut what runs side by side."""
    return max(2**15 // depth // LANES, 1) * LANES


@cache
def _log(width: int) -> float:
    """ln N, to the bit the same everywhere."""
    return float(log_64(np.float64(width)))


def _by_lane(function, interpret: bool):
    """A user's scalar function, lane by lane in float64."""
    scalar = function if interpret else jit.user_function(function)

    def apply(h, alpha):
        out = h
        for i in range(lane_count(h)):
            out = lane_set(out, i, scalar(float(lane_get(h, i))))
        return out

    return apply


def schedule(method: str, law: WeightLaw, depth: int, width: int) -> ModuleType:
    """The module whose kernel runs a cell, and whose `allocate` makes its arrays."""
    if method == "conditional":
        return conditional
    fits = width <= NARROW and depth * width**2 * LANES <= NARROW_STORE
    # Weights with zeros have to be watched, and reflections drawn, one network at a time.
    return narrow if fits and law.draw is not None and not law.has_zeros else explicit


def group_size(method: str, law: WeightLaw, depth: int, width: int) -> int:
    """How many networks run side by side: blocks had best begin at multiples of it."""
    return 1 if schedule(method, law, depth, width) is explicit else LANES


def numbers_kept(method: str, law: WeightLaw, depth: int, width: int) -> int:
    """How many numbers a thread keeps of networks that run side by side: weights, where drawn, and vectors."""
    layer = 3 * width if method == "conditional" else width**2 + 3 * width
    return group_size(method, law, depth, width) * depth * layer


@cache
def _kernel(activation: Activation, law: WeightLaw, module: ModuleType, interpret: bool):
    """The block kernel. Parameters of activation and law are run-time numbers, so that a family compiles once."""
    own = not activation.built_in
    phi, dphi = activation.phi, activation.dphi
    if own:
        phi, dphi = (jit.make_compilable(_by_lane(function, interpret)) for function in (phi, dphi))
    body = module.build(phi, dphi, activation.log_phi or no_tail, activation.log_dphi or no_tail, law)
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
        # No slopes are given: those beside 0, unless it is flat or bent there, when no linear regime exists.
        below, above, *nearby = activation.derivative([-1e-300, 1e-300, -1e-200, 1e-200])
        straight = nearby == [below, above] and (below != 0.0 or above != 0.0)
        zero = (below, above) if straight else None
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
        self._slopes = _slopes(activation)
        self._family = activation if not activation.built_in else ACTIVATIONS[activation.name.split("(")[0]]
        self._interpret = interpret
        self._call = _interpreted if interpret else jit.compiled

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

    def _schedule(self, cell: Params) -> ModuleType:
        return schedule(self.method, self.law, cell.depth, cell.width)

    def _work(self, cell: Params):
        """The arrays of this thread, kept from block to block: fresh pages cost as much as the numbers in them."""
        what = self._schedule(cell), cell._replace(key=0), self.dtype, self.law
        if getattr(_thread, "what", None) != what:
            _thread.what = _thread.work = _thread.sums = None
            _thread.work = self._schedule(cell).allocate(cell, self.dtype, self.law)
            _thread.sums = np.zeros((2, 3 * _part(cell.depth) * cell.depth + LANES))
            _thread.what = what
        return _thread.work

    def _run(self, cell: Params, first: int, work, sums, exponents) -> None:
        run = _kernel(self._family, laws.LAWS[self.law.name.split("(")[0]], self._schedule(cell), self._interpret)
        (_interpreted(run) if self._interpret else run)(cell, self._slopes, first, work, sums, exponents)

    def block(
        self, cell: Params, first: int, count: int, values: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Simulate networks first .. first + count - 1.

        Parameters
        ----------
        values : float64 array (4, count, depth), optional
            Where to write: who is done with a block before the next saves the time that fresh pages take.

        Returns
        -------
        values : float64 array (4, count, depth)
            The quantities of `QUANTITIES`, natural logarithms; dead is -inf, non-finite NaN.
        status : int8 array (count,)
            0 alive, 1 dead in some layer, 2 non-finite.
        """
        values = np.empty((4, count, cell.depth)) if values is None else values
        status, work = np.empty(count, np.int8), self._work(cell)
        part = _part(cell.depth)
        edges = [first, *range(first - first % LANES + part, first + count, part), first + count]
        for start, stop in pairwise(edges):
            shape = 3, stop - start, cell.depth
            (sums, exponents), size = _thread.sums, math.prod(shape)
            self._run(cell, start, work, sums[:size].reshape(shape), exponents[:size].reshape(shape))
            out = values.reshape(-1), start - first, status[start - first : stop - first]
            self._call(quantities.finish)(sums, exponents, cell.depth, _log(cell.width), *out)
        return values, status

    def weights(self, cell: Params, network: int) -> Weights:
        """Input, weights, biases and readout of one network, exactly as simulated; explicit method only."""
        module, work, dims = self._schedule(cell), self._work(cell), np.zeros((3, 1, cell.depth))
        self._run(cell, network, work, dims, dims.copy())
        matrices = module.matrices(cell, network, work, self.law)
        vectors = np.zeros((cell.depth + 2, cell.width), self.dtype)
        self._call(module.draw_vectors)(cell, network, work, vectors)
        return Weights(vectors[0], matrices, vectors[1:-1], vectors[-1])
