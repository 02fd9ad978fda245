"""The compiled recurrent network as Python calls it; threads are the caller's."""

from __future__ import annotations

import threading
from functools import cache
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.activations import ACTIVATIONS, Activation
from gradsim_core.lanes import aligned

from . import passes, recurrent
from .costs import COSTS
from .descent import Rule
from .products import padded
from .recurrent import RecurrentWork, allocate, recurrent_network

_thread = threading.local()


class RecurrentParameters(NamedTuple):
    """Views of the parameters of one network, to read and to write."""

    U: np.ndarray  # (width, symbols)
    W: np.ndarray  # (width, width)
    b: np.ndarray  # (width,)
    V: np.ndarray  # (symbols, width)
    c: np.ndarray  # (symbols,)


@cache
def _propagate(activation: Activation, interpret: bool):
    softmax = COSTS["softmax"]
    compare = passes.build_comparison(softmax.error, softmax.normalised)
    functions = recurrent.build(activation.phi, activation.dphi, compare)
    if not interpret:
        for function in (compare, *functions):
            jit.make_closure_compilable(function, activation.name, softmax.name)
    return functions[-1]


@cache
def _kernel(build, activation: Activation, interpret: bool):
    body = build(_propagate(activation, interpret))
    return body if interpret else jit.compile_kernel(body)


class RecurrentTrainer:
    """Trains simple recurrent networks of one shape and activation, which name a symbol after reading some.

    Parameters
    ----------
    symbols : int
        How many there are to read, and to answer.
    width : int
        Neurons of the state.
    activation : Activation
        From `resolve_activation`, of the table.
    dtype : {"float32", "float64"}
    interpret : bool
        Run the same text in the Python interpreter: slow, for tests.
    """

    def __init__(
        self, symbols: int, width: int, activation: Activation, dtype: str = "float32", interpret: bool = False
    ):
        self.network = recurrent_network(symbols, width, activation.alpha)
        self.dtype = np.dtype(dtype)
        self._family, self._interpret = ACTIVATIONS[activation.name.split("(")[0]], interpret

    def parameters(self) -> np.ndarray:
        """Zeros for the parameters of one network, or for their velocity; `views` shows them."""
        return aligned(self.network.stop, self.dtype)

    def views(self, parameters: np.ndarray) -> RecurrentParameters:
        """The matrices and biases of flat parameters, or of a gradient."""
        net = self.network
        size, outputs = padded(net.width), padded(net.symbols)
        inner = parameters[: net.readout].reshape(-1, size)[:, : net.width]
        outer = parameters[net.readout : net.stop].reshape(-1, outputs)[:, : net.symbols]
        K = net.symbols
        return RecurrentParameters(inner[:K].T, inner[K:-1].T, inner[-1], outer[:-1].T, outer[-1])

    def _work(self, samples: int, steps: int, start: np.ndarray | None) -> RecurrentWork:
        """The arrays of this thread, kept from call to call, with the state before the first step."""
        net, what = self.network, (self.network, samples, steps, self.dtype)
        if getattr(_thread, "what", None) != what:
            _thread.work, _thread.what = allocate(net, samples, steps, self.dtype), what
        block = _thread.work.x[: samples * padded(net.width)].reshape(samples, -1)
        block[:, : net.width] = 0 if start is None else start
        return _thread.work

    def _checked(self, symbols: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Symbols and targets as the kernel takes them: it looks rows up without asking whether they exist."""
        symbols, targets = (np.ascontiguousarray(array, np.int64) for array in (symbols, targets))
        if targets.shape != symbols.shape[:-1] or not symbols.shape[-1]:
            raise ValueError(f"symbols {symbols.shape}: targets must be {symbols.shape[:-1]}, got {targets.shape}")
        for name, array in (("symbols", symbols), ("targets", targets)):
            if array.size and not 0 <= array.min() <= array.max() < self.network.symbols:
                raise ValueError(f"{name} must be 0 .. {self.network.symbols - 1}")
        return symbols, targets

    def descend(
        self,
        rule: Rule,
        parameters: np.ndarray,
        velocity: np.ndarray,
        symbols: np.ndarray,
        targets: np.ndarray,
        start: np.ndarray | None = None,
    ) -> np.ndarray:
        """Train one network, in place: one step of descent for every batch.

        Parameters
        ----------
        rule : Rule
            Its `batch` is not used: batches are what `symbols` holds. U, W and V decay.
        parameters, velocity : arrays as `parameters()` makes them
        symbols : int array (steps, samples, T)
            A fresh batch for each step.
        targets : int array (steps, samples)
            The right answer after the last symbol.
        start : array (samples, width), optional
            State before the first symbol, instead of 0.

        Returns
        -------
        float64 array (steps, 3)
            Of every batch before its step: cost, share of wrong answers, length of the gradient before it is cut.

        Raises
        ------
        ValueError
            Shapes that do not fit, or a symbol that does not exist.
        """
        symbols, targets = self._checked(symbols, targets)
        history, work = np.zeros((len(symbols), 3)), self._work(*symbols.shape[1:], start)
        kernel = _kernel(recurrent.build_descent, self._family, self._interpret)
        with np.errstate(all="ignore"):
            kernel(self.network, rule, parameters, velocity, symbols, targets, work, history)
        return history

    def back_propagate(
        self, parameters: np.ndarray, symbols: np.ndarray, targets: np.ndarray, start: np.ndarray | None = None
    ) -> tuple[np.ndarray, float, float, np.ndarray]:
        """Follow the errors of one batch back through time.

        Parameters
        ----------
        symbols : int array (samples, T)
        targets : int array (samples,)
        start : array (samples, width), optional
            State before the first symbol, instead of 0.

        Returns
        -------
        gradient : array as the parameters
            Of the mean cost.
        cost, error : float
            Mean cost, share of wrong answers.
        lengths : float64 array (samples, T)
            |delta_t| of each sample's own cost; column t - 1 is step t. Squares are summed in float64: what is below
            1e-160 counts as 0.

        Raises
        ------
        ValueError
            Shapes that do not fit, or a symbol that does not exist.
        """
        symbols, targets = self._checked(symbols, targets)
        lengths, work = np.zeros(symbols.shape), self._work(*symbols.shape, start)
        kernel = _kernel(recurrent.build_measurement, self._family, self._interpret)
        with np.errstate(all="ignore"):
            cost, error = kernel(self.network, parameters, symbols, targets, work, lengths)
        return work.gradient.copy(), cost, error, lengths
