"""Training as Python calls it: one replica at a time, in compiled kernels; callers run replicas on threads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradsim_core.activations import Activation
from gradsim_core.linear.products import padded
from gradsim_core.operations.standardise import NORMALISATIONS

from . import descent, passes
from .compiled import CompiledTrainer
from .costs import Cost
from .descent import COST, ERROR, FIRST_LENGTH, Replica, Rule
from .layout import TrainingSet, Work, allocate, network


class Trainer(CompiledTrainer):
    """Trains networks of one shape, activation and cost.

    Parameters
    ----------
    widths : sequence of int
        Inputs, hidden layers, outputs.
    activation, cost : Activation, Cost
        From `resolve_activation` (a row of the table) and `resolve_cost`.
    normalisation : {"none", "batch", "layer"}
        Of the preactivations of every hidden layer.
    residual : bool
        Whether a hidden layer as wide as the hidden layer below adds x of that layer to its own.
    dtype : {"float32", "float64"}
        Precision of parameters, data and activations.
    interpret : bool
        Run the kernels in the Python interpreter instead of compiling them: slow, for tests.
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
        super().__init__(passes.build, activation, cost, dtype, interpret)
        self.network = network(widths, activation.alpha, NORMALISATIONS.index(normalisation), residual)
        self.layers = len(widths) - 1

    def parameters(self) -> np.ndarray:
        """Zeros for the parameters of one replica; `layout.views` shows its weights, biases and gains."""
        return self._aligned(int(self.network.first[-1]))

    def replica(self, parameters: np.ndarray) -> Replica:
        """A replica that starts at `parameters`, which are copied."""
        return Replica(self._aligned(parameters), self.parameters(), parameters)

    def data(self, images: np.ndarray, targets: np.ndarray) -> TrainingSet:
        """Images (samples, inputs) and targets (samples, outputs) as kernels take them: flat and padded."""
        rows = np.zeros((len(targets), padded(targets.shape[1])), self.dtype)
        rows[:, : targets.shape[1]] = targets
        return TrainingSet(self._aligned(images), self._aligned(rows))

    def _arrays(self, samples: int) -> Work:
        return self._work(allocate, tuple(self.network.widths), samples)

    def descend(self, rule: Rule, replica: Replica, data: TrainingSet, order: np.ndarray) -> np.ndarray:
        """Train one replica, in place, for as many epochs as `order` has rows.

        Parameters
        ----------
        rule : Rule
        replica : Replica
            From `replica`; changed in place.
        data : TrainingSet
            From `data`.
        order : int64 array (epochs, samples)
            The order in which an epoch takes the samples; not used if a batch is the whole set.

        Returns
        -------
        float64 array (epochs + 1, 2 + 3 L)
            Of the whole training set, before each epoch and at the end: cost, fraction of wrong answers, then
            |dC/db^l|, |dC/dW^l| and |W^l - W_0^l|, each of all layers.
        """
        history = np.zeros((len(order) + 1, FIRST_LENGTH + 3 * self.layers))
        samples = len(data.images) // int(self.network.widths[0])
        self._run(descent.build, self.network, rule, replica, data, order, self._arrays(samples), history)
        return history

    def gradient(self, parameters: np.ndarray, data: TrainingSet) -> tuple[np.ndarray, float, float]:
        """Gradient of the mean cost of all data, laid out as the parameters; that cost; fraction of wrong answers."""
        samples = len(data.images) // int(self.network.widths[0])
        replica = Replica(parameters, parameters, parameters)
        history = self.descend(Rule(samples, 0.0), replica, data, np.zeros((0, samples), np.int64))
        return self._arrays(samples).gradient.copy(), history[0, COST], history[0, ERROR]
