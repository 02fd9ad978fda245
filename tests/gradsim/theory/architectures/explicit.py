"""The same networks with explicit matrices and biases, and gradients by PyTorch's autograd."""

from __future__ import annotations

import numpy as np
import torch

from tests.core.tapes.pytorch import Tensors
from tests.gradsim.theory.architectures.tapes import logarithms, write

PHI = {"relu": torch.relu, "gelu": torch.nn.functional.gelu, "tanh": torch.tanh}


class Explicit(Tensors):
    """Draws its matrices and biases as it goes."""

    def __init__(self, case, rng):
        self.rng = rng
        super().__init__(rng.standard_normal((case.count, case.n)), [], PHI[case.activation])

    def multiply(self, x, n, parts=1, sigma=1.0):
        fan_in = self.values[x].shape[1]
        self.matrices.append(torch.tensor(sigma * fan_in**-0.5 * self.rng.standard_normal((n * parts, fan_in))))
        made = super().multiply(x, n, parts, sigma)
        self.parts[made] = parts
        return made

    def derf(self, x):
        return self._made(torch.erf(0.5 * self.values[x]), 1)

    def shift(self, x, sigma):
        return self._made(self.values[x] + torch.tensor(sigma * self.rng.standard_normal(self.values[x].shape[1])), 1)


def measured_explicitly(case, seed=3):
    """As `measured`."""
    rng, squares = np.random.default_rng(seed), np.empty((case.networks, 2, case.depth))
    for network in range(case.networks):
        tensors = Explicit(case, rng)
        output, states = write(tensors, case)
        readout = torch.tensor(rng.standard_normal((case.count, case.n)))
        (tensors.values[output] * readout).sum().backward()
        for index, state in enumerate(states):
            value = tensors.values[state]
            squares[network, :, index] = [float(part.square().sum()) for part in (value.detach(), value.grad)]
    return logarithms(squares, case)
