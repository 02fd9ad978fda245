"""The simulator: one compiled kernel per activation, weight law and schedule, and the method that runs a block.

A block is one call, which releases the GIL; callers spread blocks over a thread pool. The numbers depend neither on
which networks share a block nor on the order in which blocks run.
"""

from __future__ import annotations

import math
import threading
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from gradsim_core import jit, laws
from gradsim_core.activations import ACTIVATIONS, Activation, own
from gradsim_core.architectures import METHODS, PLAIN, Network, choose_schedule
from gradsim_core.architectures.network import widths_of
from gradsim_core.caching.digest import Digest
from gradsim_core.elementary import log_64
from gradsim_core.lanes import LANES
from gradsim_core.laws import WeightLaw
from gradsim_core.parameters import Params, Slopes, Weights
from gradsim_core.results import quantities
from gradsim_core.results.of_inputs import FIRST, OF_INPUTS, write_logarithms
from gradsim_core.scaling.per_vector import no_tail
from gradsim_core.schedules.table import Schedule
from gradsim_core.tapes.schedule import with_given

DTYPES = ("float32", "float64")
_thread = threading.local()


def _part(depth: int) -> int:
    """Networks in a part: so few that their sums stay in the cache, and whole groups."""
    return max(2**16 // depth // LANES, 1) * LANES


@cache
def _log(width: int) -> float:
    """ln N by our own logarithm, which gives the same bits on every machine."""
    return float(log_64(np.float64(width)))


@jit.once
def _kernel(activation: Activation, law: WeightLaw, build: Any, name: str, digest: Digest | None) -> Any:
    """Build the block kernel. Parameters of activation and law are run-time numbers, so a family compiles once.

    A kernel contains the values that a user's functions see while they are compiled. So it is kept by their digest, and
    functions that the user compiled are compiled again. On disk, the symbols of those could be mistaken for others.
    """
    phi, dphi, tails = activation.phi, activation.dphi, (activation.log_phi or no_tail, activation.log_dphi or no_tail)
    if digest is None:
        return jit.compile_kernel(build(phi, dphi, *tails, law))
    for dispatcher in digest.dispatchers:
        if dispatcher.overloads:
            dispatcher.recompile()
    phi, dphi = (own.by_lane(function, f"{name}_{digest.text}") for name, function in (("phi", phi), ("dphi", dphi)))
    body = build(phi, dphi, *tails, law)
    body.__qualname__ = f"{body.__qualname__}_{digest.text}"
    identity = f"{name} {law.name} {digest.text}"
    return jit.compile_kernel(body, disk_cache=not digest.dispatchers, identity=identity)


@jit.once
def _plain_kernel(activation: Activation, law: WeightLaw, schedule: Schedule) -> Any:
    """The block kernel for the interpreter."""
    phi, dphi = activation.phi, activation.dphi
    if not activation.built_in:
        phi, dphi = own.by_lane(phi, None), own.by_lane(dphi, None)
    return schedule.build(phi, dphi, activation.log_phi or no_tail, activation.log_dphi or no_tail, law)


def _interpreted(function: Any) -> Any:
    """A function that runs `function` in the interpreter; overflow is data, so NumPy does not warn."""

    def call(*arguments: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*arguments)

    return call


def _slopes(activation: Activation) -> Slopes:
    """The slopes that kernels use beyond the reach of the activation; NaN where phi is not linear."""
    missing = (math.nan, math.nan)
    at_zero = float(activation(0.0))
    zero = activation.slope_zero
    if zero is None and at_zero == 0.0:
        # No slopes are given: take those beside 0. If phi is flat or curved there, it has no linear regime.
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
        From `resolve_activation` and `resolve_law`.
    dtype : {"float32", "float64"}
        Precision of weights and vectors; quantities are always float64.
    method : str
        Name of a row of `METHODS`.
    network : Network
        The kind of network.
    of_inputs : tuple of str
        Names of rows of `OF_INPUTS` that are recorded, too.
    given : float array (inputs, numbers), optional
        Inputs of all networks, of a kind of network with an `input_file`.
    interpret : bool
        Run the kernels in the Python interpreter instead of compiling them: slow, for tests.

    Raises
    ------
    ValueError
        Unknown method or precision, or an activation or a law that the method cannot sample.
    """

    def __init__(
        self,
        activation: Activation,
        law: WeightLaw,
        dtype: str = "float32",
        method: str = "explicit",
        *,
        network: Network = PLAIN,
        of_inputs: tuple[str, ...] = (),
        given: np.ndarray | None = None,
        interpret: bool = False,
    ):
        if method not in METHODS or dtype not in DTYPES:
            raise ValueError(f"method {method!r}, dtype {dtype!r}: allowed are {tuple(METHODS)} and {DTYPES}.")
        if not METHODS[method].serves(activation, law):
            found = f"activation {activation.name!r} with weight law {law.name!r}"
            raise ValueError(f"{found}: method {method!r} is {METHODS[method].needs}.")
        self.activation, self.law, self.dtype, self.method = activation, law, np.dtype(dtype), method
        self.network, self._of_inputs = network, [list(OF_INPUTS).index(name) for name in of_inputs]
        self._given = given
        self._rows = FIRST + (len(OF_INPUTS) if of_inputs else 0)  # of sums
        self._slopes = _slopes(activation)
        self._family = activation if not activation.built_in else ACTIVATIONS[activation.name.split("(")[0]]
        self._interpret = interpret
        self._digest = None if activation.built_in or interpret else activation.digest
        self._call = _interpreted if interpret else jit.compiled

    @property
    def slopes(self) -> Slopes:
        """How phi behaves beyond the reach of the kernels."""
        return self._slopes

    @property
    def recorded(self) -> int:
        """How many quantities `block` returns."""
        return len(quantities.QUANTITIES) + len(self._of_inputs)

    def params(self, key: int, depth: int, width: int, sigma_w: float, sigma_b: float = 0.0) -> Params:
        """A cell as kernels take it. `key` is its 64-bit random key; the parameters of activation and law are added."""
        return Params(
            np.uint64(key),
            depth,
            width,
            float(sigma_w),
            float(sigma_b),
            float(self.activation.alpha),
            float(self.law.value),
        )

    def schedule(self, cell: Params) -> Schedule:
        """The schedule that runs a cell; ValueError if none does."""
        return choose_schedule(
            self.method, self.law, cell.depth, cell.width, network=self.network, pairs=bool(self._of_inputs)
        )

    def _work(self, cell: Params) -> Any:
        """This thread's arrays, reused from block to block: new pages cost as much time as the numbers in them."""
        schedule = self.schedule(cell)
        key = schedule, self._rows, cell._replace(key=np.uint64(0)), self.dtype, self.law
        if getattr(_thread, "key", None) != key:
            _thread.key = _thread.work = _thread.sums = None
            _thread.work = schedule.allocate(cell, self.dtype, self.law)
            if self._given is not None:
                _thread.work = with_given(_thread.work, self._given)
            _thread.sums = np.zeros((2, self._rows * _part(cell.depth) * cell.depth + LANES))
            _thread.key = key
        return _thread.work

    def _run(self, cell: Params, first: int, work: Any, sums: np.ndarray, exponents: np.ndarray) -> None:
        """Run the kernel on networks from `first` on; writes `sums` and `exponents` (3, count, depth)."""
        family = laws.LAWS[self.law.name.split("(")[0]]
        schedule = self.schedule(cell)
        if self._interpret:
            run = _interpreted(_plain_kernel(self._family, family, schedule))
        else:
            run = _kernel(self._family, family, schedule.build, schedule.name, self._digest)
        run(cell, self._slopes, first, work, sums, exponents)

    def block(
        self, cell: Params, first: int, count: int, values: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Simulate networks first .. first + count - 1.

        Parameters
        ----------
        cell : Params
            From `params`.
        first, count : int
            Number of the first network, and how many.
        values : float64 array (quantities, count, depth), optional
            Output array. Passing the array of an earlier block saves the time that new memory pages take.

        Returns
        -------
        values : float64 array (quantities, count, depth)
            The quantities in the order of `QUANTITIES`, natural logarithms; dead is -inf, non-finite is NaN.
        status : int8 array (count,)
            0 live, 1 dead in some layer, 2 non-finite in some layer.
        """
        recorded = len(quantities.QUANTITIES)
        values = np.empty((recorded + len(self._of_inputs), count, cell.depth)) if values is None else values
        status, work = np.empty(count, np.int8), self._work(cell)
        part = _part(cell.depth)
        edges = [first, *range(first - first % LANES + part, first + count, part), first + count]
        for start, stop in pairwise(edges):
            shape = self._rows, stop - start, cell.depth
            (sums, exponents), size = _thread.sums, math.prod(shape)
            self._run(cell, start, work, sums[:size].reshape(shape), exponents[:size].reshape(shape))
            self._write_of_inputs(_thread.sums, values[recorded:, start - first : stop - first])
            out = values[:recorded].reshape(-1), start - first, status[start - first : stop - first]
            self._call(quantities.kernel())(sums, exponents, cell.depth, _log(cell.width * self.network.inputs), *out)
        if self.network.layers:
            self._take_mean(values, cell)
        return values, status

    def _take_mean(self, values: np.ndarray, cell: Params) -> None:
        """Turn mean squares over the width of the cell into those over the neurons of each layer."""
        names = list(quantities.QUANTITIES)
        widths = widths_of(self.network, cell.depth, cell.width)[1:]
        logs = np.array([_log(n) for n in widths])
        values[names.index("log_q")] += _log(cell.width) - logs
        values[names.index("log_gain")] += logs[-1] - logs

    def _write_of_inputs(self, sums: np.ndarray, values: np.ndarray) -> None:
        """Write the quantities of several inputs, (quantities, count, depth), from the rows of a part."""
        for row, value in zip(self._of_inputs, values, strict=True):
            found = np.empty(value.size)
            numbers, exponents = sums[:, (FIRST + row) * value.size :]
            self._call(write_logarithms)(numbers, exponents, list(OF_INPUTS.values())[row].factor, found)
            value[...] = found.reshape(value.shape)

    def weights(self, cell: Params, network: int) -> Weights:
        """Input, weights, biases and readout of one network, exactly as simulated; explicit method only.

        Raises
        ------
        ValueError
            If the method draws no weights.
        """
        schedule, work, sums = self.schedule(cell), self._work(cell), np.zeros((3, 1, cell.depth))
        if schedule.read_back is None:
            raise ValueError(f"{schedule.name!r} keeps no weights: use method 'explicit', and a plain network.")
        self._run(cell, network, work, sums, np.zeros_like(sums))
        return schedule.read_back(cell, network, work, self.law, self._call)
