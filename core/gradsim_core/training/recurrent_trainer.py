"""Training of recurrent networks as Python calls it: one network at a time, in compiled kernels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core.activations import Activation
from gradsim_core.linear.products import padded

from . import recurrent
from .compiled import CompiledTrainer
from .costs import COSTS
from .descent import Rule
from .recurrent import RecurrentWork, Sequences, allocate, recurrent_network


class RecurrentParameters(NamedTuple):
    """Writable views of the parameters of one network."""

    U: np.ndarray  # (width, symbols)
    W: np.ndarray  # (width, width)
    b: np.ndarray  # (width,)
    V: np.ndarray  # (symbols, width)
    c: np.ndarray  # (symbols,)


class RecurrentTrainer(CompiledTrainer):
    """Trains simple recurrent networks of one shape and activation, which read symbols and answer with one.

    Parameters
    ----------
    symbols : int
        Number of different symbols, both to read and to answer.
    width : int
        Neurons of the state.
    activation : Activation
        From `resolve_activation` (a row of the table).
    dtype : {"float32", "float64"}
        Precision of parameters, states and errors.
    interpret : bool
        Run the kernels in the Python interpreter instead of compiling them: slow, for tests.
    """

    def __init__(
        self, symbols: int, width: int, activation: Activation, dtype: str = "float32", interpret: bool = False
    ):
        super().__init__(recurrent.build, activation, COSTS["softmax"], dtype, interpret)
        self.network = recurrent_network(symbols, width, activation.alpha)

    def parameters(self) -> np.ndarray:
        """Zeros for the parameters of one network, or for their velocity; `views` shows its matrices."""
        return self._aligned(self.network.stop)

    def views(self, parameters: np.ndarray) -> RecurrentParameters:
        """The matrices and biases in flat parameters, or in a gradient."""
        net = self.network
        size, outputs = padded(net.width), padded(net.symbols)
        inner = parameters[: net.readout].reshape(-1, size)[:, : net.width]
        outer = parameters[net.readout : net.stop].reshape(-1, outputs)[:, : net.symbols]
        K = net.symbols
        return RecurrentParameters(inner[:K].T, inner[K:-1].T, inner[-1], outer[:-1].T, outer[-1])

    def _arrays(self, sequences: Sequences, start: np.ndarray | None) -> RecurrentWork:
        """This thread's arrays, with the state before the first step set to `start`, or to 0."""
        net, (samples, steps) = self.network, sequences.symbols.shape[-2:]
        work = self._work(allocate, net, samples, steps)
        block = work.x[: samples * padded(net.width)].reshape(samples, -1)
        block[:, : net.width] = 0 if start is None else start
        return work

    def _checked(self, symbols: np.ndarray, targets: np.ndarray) -> Sequences:
        """Symbols and targets as kernels take them; checked here, because kernels do not check indices."""
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
            Its `batch` is not used: `symbols` holds the batches. U, W and V decay.
        parameters, velocity : arrays from `parameters()`
            Changed in place.
        symbols : int array (steps, samples, T)
            One batch for each step.
        targets : int array (steps, samples)
            The right answer after the last symbol.
        start : array (samples, width), optional
            State before the first symbol, instead of 0.

        Returns
        -------
        float64 array (steps, 3)
            Of every batch before its step: mean cost, fraction of wrong answers, length of the unclipped gradient.

        Raises
        ------
        ValueError
            If the shapes do not match, or a symbol is not in 0 .. symbols - 1.
        """
        sequences = self._checked(symbols, targets)
        history, work = np.zeros((len(symbols), 3)), self._arrays(sequences, start)
        self._run(recurrent.build_descent, self.network, rule, parameters, velocity, sequences, work, history)
        return history

    def back_propagate(
        self, parameters: np.ndarray, symbols: np.ndarray, targets: np.ndarray, start: np.ndarray | None = None
    ) -> tuple[np.ndarray, float, float, np.ndarray]:
        """Propagate the errors of one batch back through time, without training.

        Parameters
        ----------
        parameters : array from `parameters()`
        symbols : int array (samples, T)
        targets : int array (samples,)
        start : array (samples, width), optional
            State before the first symbol, instead of 0.

        Returns
        -------
        gradient : array, laid out as the parameters
            Of the mean cost.
        cost, error : float
            Mean cost, fraction of wrong answers.
        lengths : float64 array (samples, T)
            |delta_t| of each sample's own cost; column t - 1 is step t. Squares are summed in float64, so lengths below
            about 1e-160 are 0.

        Raises
        ------
        ValueError
            If the shapes do not match, or a symbol is not in 0 .. symbols - 1.
        """
        sequences = self._checked(symbols, targets)
        lengths, work = np.zeros(sequences.symbols.shape), self._arrays(sequences, start)
        cost, error = self._run(recurrent.build_measurement, self.network, parameters, sequences, work, lengths)
        return work.gradient.copy(), cost, error, lengths
