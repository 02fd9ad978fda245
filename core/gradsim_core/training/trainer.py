"""The compiled side of training as Python calls it: one replica at a time; threads are the caller's."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache

import numpy as np

from gradsim_core import jit
from gradsim_core.activations import ACTIVATIONS, Activation
from gradsim_core.lanes import aligned

from . import descent, passes
from .costs import COSTS, Cost
from .descent import COST, ERROR, FIRST_LENGTH, Replica, Rule
from .layout import Work, allocate, network
from .normalisation import NORMALISATIONS
from .products import padded

_thread = threading.local()


@cache
def _kernel(activation: Activation, cost: Cost, interpret: bool):
    compare = passes.build_comparison(cost.error, cost.normalised)
    functions = passes.build(activation.phi, activation.dphi, compare)
    if not interpret:
        for function in (compare, *functions):
            jit.make_closure_compilable(function, activation.name, cost.name)
    body = descent.build(functions[-1])
    return body if interpret else jit.compile_kernel(body)


class Trainer:
    """Trains networks of one shape, activation and cost.

    Parameters
    ----------
    widths : sequence of int
        Inputs, hidden layers, outputs.
    activation, cost : Activation, Cost
        From `resolve_activation` (of the table), `resolve_cost`.
    normalisation : {"none", "batch", "layer"}
        Of the preactivations of every hidden layer.
    residual : bool
        Whether hidden layers as wide as the one below add it.
    dtype : {"float32", "float64"}
    interpret : bool
        Run the same text in the Python interpreter: slow, for tests.
    """

    def __init__(
        self,
        widths: Sequence[int],
        activation: Activation,
        cost: Cost,
        *,
        normalisation: str = "none",
        residual: bool = False,
        dtype: str = "float32",
        interpret: bool = False,
    ):
        self.network = network(widths, activation.alpha, NORMALISATIONS.index(normalisation), residual)
        self.dtype, self.layers = np.dtype(dtype), len(widths) - 1
        family = ACTIVATIONS[activation.name.split("(")[0]]
        self._kernel = _kernel(family, COSTS[cost.name], interpret)

    def parameters(self) -> np.ndarray:
        """Zeros for the parameters of one replica; `layout.views` shows its weights, biases and gains."""
        return aligned(int(self.network.first[-1]), self.dtype)

    def replica(self, parameters: np.ndarray) -> Replica:
        """A replica at its start, which is copied."""
        start = self.parameters()
        start[:] = parameters
        return Replica(start, self.parameters(), parameters)

    def data(self, images: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images (samples, inputs) and targets (samples, outputs) as the kernel takes them."""
        rows = np.zeros((len(targets), padded(targets.shape[1])), self.dtype)
        rows[:, : targets.shape[1]] = targets
        return tuple(self._flat(array) for array in (images, rows))

    def _flat(self, array: np.ndarray) -> np.ndarray:
        flat = aligned(array.size, self.dtype)
        flat[:] = array.ravel()
        return flat

    def _work(self, samples: int) -> Work:
        """The arrays of this thread, kept from call to call."""
        what = tuple(self.network.widths), samples, self.dtype
        if getattr(_thread, "what", None) != what:
            _thread.work, _thread.what = allocate(self.network, samples, self.dtype), what
        return _thread.work

    def descend(
        self, rule: Rule, replica: Replica, data: tuple[np.ndarray, np.ndarray], order: np.ndarray
    ) -> np.ndarray:
        """Train one replica, in place, for as many epochs as `order` has rows.

        Returns
        -------
        float64 array (epochs + 1, 2 + 3 L)
            Of the whole training set before each epoch, and at the end: cost, share of wrong answers, and of every
            layer |dC/db^l|, |dC/dW^l| and |W^l - W_0^l|.
        """
        history = np.zeros((len(order) + 1, FIRST_LENGTH + 3 * self.layers))
        samples = len(data[0]) // int(self.network.widths[0])
        with np.errstate(all="ignore"):
            self._kernel(self.network, rule, replica, *data, order, self._work(samples), history)
        return history

    def gradient(self, parameters: np.ndarray, data: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, float, float]:
        """Gradient of the mean cost over all of the data, as the parameters lie; cost, and share of wrong answers."""
        samples = len(data[0]) // int(self.network.widths[0])
        replica = Replica(parameters, parameters, parameters)
        history = self.descend(Rule(samples, 0.0), replica, data, np.zeros((0, samples), np.int64))
        return self._work(samples).gradient.copy(), history[0, COST], history[0, ERROR]
