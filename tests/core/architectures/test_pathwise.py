"""The architectures of the table are real networks: with the completed matrices autograd finds every number."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core.architectures import ARCHITECTURES
from gradsim_core.architectures.table import program_of
from gradsim_core.parameters import Params
from tests.core.architectures.kinds import costs, every_norm, name_of, options
from tests.core.tapes import networks

torch = pytest.importorskip("torch")
ALL = [*every_norm(), *options(), *costs()]
CELL = Params(np.uint64(0), 3, 16, 1.2, 0.3)
PHI = {"gelu": torch.nn.functional.gelu, "relu": torch.relu}
TOLERANCE = 1e-10


def autograd(network, work, program, name):
    """The tensors of the network in PyTorch, after their backward pass."""
    from tests.core.tapes.pytorch import Tensors

    matrices = networks.completed(program, work, 0, np.random.default_rng(5))
    inputs, biases = networks.numbers(work.values, program, 0), networks.biases(program, work)
    tensors = Tensors(inputs, matrices, PHI[name], biases)
    output = ARCHITECTURES[network.architecture].write(tensors, network, CELL)
    if network.cost != "readout":
        output = tensors.multiply(output, network.outputs)
    errors = torch.tensor(networks.numbers(work.errors, program, program.output))
    cost_of(network.cost, tensors.values[output], errors).backward()
    return tensors


def cost_of(name, z, errors):
    """The cost, with the targets that the errors tell."""
    if name == "readout":
        return (z * errors).sum()
    if name == "shared":
        return z.sum()
    if name == "quadratic":
        return 0.5 * (z - (z - errors).detach()).square().sum()
    if name == "softmax":
        return torch.nn.functional.cross_entropy(z, errors.argmin(1), reduction="sum")
    return torch.nn.functional.binary_cross_entropy_with_logits(z, (errors < 0).double(), reduction="sum")


@pytest.mark.parametrize("network", ALL, ids=name_of)
def test_pathwise(network):
    name = "gelu"
    program = program_of(network, CELL)
    work = networks.run(program, name)
    tensors = autograd(network, work, program, name)
    for v, value in enumerate(tensors.values):
        for found, right in ((work.values, value), (work.errors, value.grad)):
            expected = right.detach().numpy()
            limit = TOLERANCE * max(np.abs(expected).max(), 1e-3)
            np.testing.assert_allclose(networks.numbers(found, program, v), expected, rtol=0, atol=limit)
    for gradient, w in zip(networks.gradients(work), tensors.matrices, strict=True):
        np.testing.assert_allclose(gradient, float(w.grad.square().sum()), rtol=1e-9)
