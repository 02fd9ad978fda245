"""The architectures of the table are real networks: with the completed matrices autograd finds every number."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core.architectures import ARCHITECTURES, Network, writers
from gradsim_core.architectures.table import program_of
from gradsim_core.parameters import Params
from gradsim_core.tapes.tape import TIED
from tests.core.architectures.kinds import convolutions, costs, embeddings, every_norm, name_of, options, recurrent
from tests.core.tapes import networks

torch = pytest.importorskip("torch")
ALL = [*every_norm(), *options(), *costs(), *recurrent(), *convolutions(), *embeddings()]
CELL = Params(np.uint64(0), 3, 16, 1.2, 0.3)
PHI = {"gelu": torch.nn.functional.gelu, "relu": torch.relu}
TOLERANCE = 1e-10


def autograd(network, work, program, name):
    """The tensors of the network in PyTorch, after their backward pass."""
    from tests.core.tapes.pytorch import Tensors

    matrices = networks.completed(program, work, 0, np.random.default_rng(5))
    inputs, biases = networks.numbers(work.values, program, 0), networks.biases(program, work)
    rng, draws = np.random.default_rng(6), networks.draws(program, work)
    tied = networks.completed_ties(program, work, rng) + networks.completed_embedding(program, work, 0, rng)
    tensors = Tensors(inputs, matrices, PHI[name], biases, tied, draws)
    output = ARCHITECTURES[network.architecture].write(tensors, network, CELL)
    output = writers.outputs(tensors, network, output)
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
            if right is None:  # of token ids
                assert (v, network.embedding == "none") == (0, False)
                continue
            expected = right.detach().numpy()
            limit = TOLERANCE * max(np.abs(expected).max(), 1e-3)
            np.testing.assert_allclose(networks.numbers(found, program, v), expected, rtol=0, atol=limit)
    if not ARCHITECTURES[network.architecture].tied:
        gradients = networks.gradients(work)[: -1 if network.embedding == "tied" else None]  # E has no record
        for gradient, w in zip(gradients, tensors.matrices, strict=True):
            np.testing.assert_allclose(gradient, float(w.grad.square().sum()), rtol=1e-9)


def test_every_time_step_adds_to_the_gradient_of_a_tied_matrix():
    """The share of a step is sum over sequences of delta^t x^(t-1)T; all shares add up to PyTorch's gradient."""
    network = Network("recurrent", inputs=2)
    program = program_of(network, CELL)
    work = networks.run(program, "gelu")
    tensors = autograd(network, work, program, "gelu")
    w, shares = tensors.tied["W"], []
    for step, found in zip(program.steps[program.steps[:, 0] == TIED], networks.gradients(work), strict=True):
        share = tensors.values[step[3]].grad.T @ tensors.values[step[1]].detach()
        np.testing.assert_allclose(found, float(share.square().sum()), rtol=1e-9)
        shares.append(share)
    x = torch.tensor(networks.numbers(work.values, program, 0))
    w = w.clone().requires_grad_()
    for step in range(CELL.depth):
        h = x @ w.T + torch.tensor(networks.biases(program, work)[step])
        x = torch.nn.functional.gelu(h)
    (x * torch.tensor(networks.numbers(work.errors, program, program.output))).sum().backward()
    np.testing.assert_allclose(sum(shares), w.grad, rtol=1e-9, atol=1e-12)
