"""Recurrent networks as Python calls them: one replica at a time; threads are the caller's."""

from __future__ import annotations

import threading
from functools import cache
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.activations import ACTIVATIONS, Activation
from gradsim_core.lanes import aligned

from . import passes
from .costs import COSTS
from .descent import Replica, Rule
from .products import padded
from .recurrent import RECURRENT_HISTORY, Recurrent, allocate_recurrent, build_recurrent, places

_thread = threading.local()


class RecurrentViews(NamedTuple):
    """Views of parameters, to read and to write: U (N, K), W (N, N), b (N,), V (K, N), c (K,)."""

    U: np.ndarray
    W: np.ndarray
    b: np.ndarray
    V: np.ndarray
    c: np.ndarray


class BackPropagated(NamedTuple):
    """What one pass through time gives.

    `gradient` is that of the mean cost; `deltas` (batch, T) are the lengths |dC/dh_t| of each sequence's own cost.
    """

    gradient: np.ndarray
    cost: float
    error: float
    deltas: np.ndarray


@cache
def _kernel(activation: Activation, interpret: bool):
    compare = passes.build_comparison(COSTS["softmax"].error, True)
    functions = build_recurrent(activation.phi, activation.dphi, compare)
    if interpret:
        return functions[-1]
    for function in (compare, *functions[:-1]):
        jit.make_compilable(function, inline=False)
    return jit.compile_kernel(functions[-1])


class RecurrentTrainer:
    """Trains recurrent networks that read symbols and answer with one.

    Parameters
    ----------
    symbols, width : int
        Symbols, which are inputs and outputs; neurons of the recurrent layer.
    activation : Activation
        From `resolve_activation` (of the table).
    dtype : {"float32", "float64"}
    interpret : bool
        Run the same text in the Python interpreter: slow, for tests.
    """

    def __init__(
        self, symbols: int, width: int, activation: Activation, *, dtype: str = "float32", interpret: bool = False
    ):
        self.network, self.dtype = Recurrent(symbols, width, float(activation.alpha)), np.dtype(dtype)
        self._kernel = _kernel(ACTIVATIONS[activation.name.split("(")[0]], interpret)

    def parameters(self) -> np.ndarray:
        """Zeros for the parameters of one replica."""
        return aligned(int(places(self.network)[-1]), self.dtype)

    def replica(self, parameters: np.ndarray) -> Replica:
        """A replica at its start, which is copied."""
        start = self.parameters()
        start[:] = parameters
        return Replica(start, self.parameters(), parameters)

    def views(self, parameters: np.ndarray) -> RecurrentViews:
        """Show the matrices in a flat array of parameters."""
        symbols, width, _ = self.network
        row, out = padded(width), padded(symbols)
        w, b, v, c, end = places(self.network)
        return RecurrentViews(
            parameters[:w].reshape(symbols, row)[:, :width].T,
            parameters[w:b].reshape(width, row)[:, :width].T,
            parameters[b : b + width],
            parameters[v:c].reshape(width, out)[:, :symbols].T,
            parameters[c:end][:symbols],
        )

    def descend(self, rule: Rule, replica: Replica, symbols: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Train one replica, in place: a step for every batch.

        Parameters
        ----------
        symbols : int array (batches, batch, T)
        targets : int array (batches, batch)

        Returns
        -------
        float64 array (batches, 3)
            Cost, share of wrong answers, and length of the gradient of every batch, before the step.
        """
        history = np.zeros((len(symbols), RECURRENT_HISTORY))
        work = self._work(symbols.shape[1], symbols.shape[2])
        rows = np.zeros((targets.size, padded(self.network.symbols)), self.dtype)
        rows[np.arange(targets.size), targets.ravel()] = 1
        symbols = np.ascontiguousarray(symbols, np.int64)
        with np.errstate(all="ignore"):
            self._kernel(self.network, rule, replica, symbols, rows.ravel(), work, history)
        return history

    def back_propagate(self, parameters: np.ndarray, symbols: np.ndarray, targets: np.ndarray) -> BackPropagated:
        """One pass over a batch, symbols (batch, T) and targets (batch,), that changes nothing."""
        replica = Replica(parameters, np.zeros_like(parameters), parameters)
        history = self.descend(Rule(len(symbols), 0.0), replica, symbols[None], targets[None])
        batch, steps = symbols.shape
        work = self._work(batch, steps)
        deltas = work.delta.astype(np.float64).reshape(steps, batch, -1) * batch
        cost, error, _ = history[0]
        return BackPropagated(work.gradient.copy(), float(cost), float(error), np.linalg.norm(deltas, axis=2).T)

    def _work(self, batch: int, steps: int):
        """The arrays of this thread, kept from call to call."""
        what = self.network, batch, steps, self.dtype
        if getattr(_thread, "what", None) != what:
            _thread.work, _thread.what = allocate_recurrent(self.network, batch, steps, self.dtype), what
        return _thread.work
