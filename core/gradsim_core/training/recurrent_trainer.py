"""The compiled recurrent network as Python calls it; threads are the caller's."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core.activations import Activation

from . import recurrent
from .compiled import CompiledTrainer
from .costs import COSTS
from .descent import Rule
from .products import padded
from .recurrent import RecurrentWork, Sequences, allocate, recurrent_network


class RecurrentParameters(NamedTuple):
    """Views of the parameters of one network, to read and to write."""

    U: np.ndarray  # (width, symbols)
    W: np.ndarray  # (width, width)
    b: np.ndarray  # (width,)
    V: np.ndarray  # (symbols, width)
    c: np.ndarray  # (symbols,)


class RecurrentTrainer(CompiledTrainer):
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
        super().__init__(recurrent.build, activation, COSTS["softmax"], dtype, interpret)
        self.network = recurrent_network(symbols, width, activation.alpha)

    def parameters(self) -> np.ndarray:
        """Zeros for the parameters of one network, or for their velocity; `views` shows them."""
        return self._aligned(self.network.stop)

    def views(self, parameters: np.ndarray) -> RecurrentParameters:
        """The matrices and biases of flat parameters, or of a gradient."""
        net = self.network
        size, outputs = padded(net.width), padded(net.symbols)
        inner = parameters[: net.readout].reshape(-1, size)[:, : net.width]
        outer = parameters[net.readout : net.stop].reshape(-1, outputs)[:, : net.symbols]
        K = net.symbols
        return RecurrentParameters(inner[:K].T, inner[K:-1].T, inner[-1], outer[:-1].T, outer[-1])

    def _arrays(self, sequences: Sequences, start: np.ndarray | None) -> RecurrentWork:
        """The arrays of this thread, with the state before the first step."""
        net, (samples, steps) = self.network, sequences.symbols.shape[-2:]
        work = self._work(allocate, net, samples, steps)
        block = work.x[: samples * padded(net.width)].reshape(samples, -1)
        block[:, : net.width] = 0 if start is None else start
        return work

    def _checked(self, symbols: np.ndarray, targets: np.ndarray) -> Sequences:
        """Symbols and targets as the kernel takes them: it looks rows up without asking whether they exist."""
        symbols, targets = (np.ascontiguousarray(array, np.int64) for array in (symbols, targets))
        if targets.shape != symbols.shape[:-1] or not symbols.shape[-1]:
            raise ValueError(f"symbols {symbols.shape}: targets must be {symbols.shape[:-1]}, got {targets.shape}")
        for name, array in (("symbols", symbols), ("targets", targets)):
            if array.size and not 0 <= array.min() <= array.max() < self.network.symbols:
                raise ValueError(f"{name} must be 0 .. {self.network.symbols - 1}")
        return Sequences(symbols, targets)

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
        sequences = self._checked(symbols, targets)
        history, work = np.zeros((len(symbols), 3)), self._arrays(sequences, start)
        self._run(recurrent.build_descent, self.network, rule, parameters, velocity, sequences, work, history)
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
        sequences = self._checked(symbols, targets)
        lengths, work = np.zeros(sequences.symbols.shape), self._arrays(sequences, start)
        cost, error = self._run(recurrent.build_measurement, self.network, parameters, sequences, work, lengths)
        return work.gradient.copy(), cost, error, lengths
