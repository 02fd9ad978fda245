"""The architectures of the table are real networks: with the completed matrices autograd finds every number."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import gradsim as gs
from gradsim.errors import SweepError
from gradsim_core.architectures import ARCHITECTURES, Network, writers
from gradsim_core.architectures.network import COSTS, NORMALISATIONS, PLACEMENTS
from gradsim_core.architectures.table import program_of
from gradsim_core.parameters import Params
from gradsim_core.tapes.tape import MULTIPLY, TIED, UNEMBED
from tests.core.architectures import kinds
from tests.core.architectures.kinds import every_kind, name_of
from tests.core.tapes import networks

torch = pytest.importorskip("torch")
_OTHERS = kinds.options, kinds.outputs, kinds.recurrent, kinds.convolutions, kinds.shapes, kinds.embeddings
ALL = list(dict.fromkeys([*every_kind(), *(network for each in _OTHERS for network in each())]))
CELL = Params(np.uint64(0), 3, 16, 1.2, 0.3)
TOLERANCE = 1e-10


def autograd(network, work, program):
    """The tensors of the network in PyTorch, after their backward pass."""
    from tests.core.tapes.pytorch import Tensors

    matrices = networks.completed(program, work, 0, np.random.default_rng(5))
    inputs, biases = networks.numbers(work.values, program, 0), networks.biases(program, work)
    rng, draws = np.random.default_rng(6), networks.draws(program, work)
    tied = networks.completed_ties(program, work, rng) + networks.completed_embedding(program, work, 0, rng)
    tensors = Tensors(inputs, matrices, torch.nn.functional.gelu, biases, tied, draws)
    output = ARCHITECTURES[network.architecture].write(tensors, network, CELL)
    output = writers.outputs(tensors, network, output)
    cost_of(network.cost, tensors.values[output], torch.tensor(networks.readouts(program))).backward()
    return tensors


def cost_of(name, z, normals):
    """The cost, with the random readout, or targets made of the normals."""
    if name == "readout":
        return (z * normals).sum()
    if name == "shared":
        return z.sum()
    if name == "quadratic":
        return 0.5 * (z - normals).square().sum()
    if name == "softmax":
        return torch.nn.functional.cross_entropy(z, normals.argmax(1), reduction="sum")
    return torch.nn.functional.binary_cross_entropy_with_logits(z, (normals > 0).double(), reduction="sum")


def compare(network, planted=1.0):
    """Every value, every error and every weight gradient of a run, with autograd through the completed matrices.

    A cost's error times `planted` is planted: all errors are linear in it.
    """
    program = program_of(network, CELL)
    work = networks.run(program, "gelu")
    work.errors.numbers[:] *= planted
    work.gradients[:] *= planted**2
    tensors = autograd(network, work, program)
    for v, value in enumerate(tensors.values):
        for found, right in ((work.values, value), (work.errors, value.grad)):
            if right is None:  # of token ids
                assert (v, network.embedding == "none") == (0, False)
                continue
            expected = right.detach().numpy()
            limit = TOLERANCE * max(np.abs(expected).max(), 1e-3)
            np.testing.assert_allclose(networks.numbers(found, program, v), expected, rtol=0, atol=limit)
    untied = [w.grad for w in tensors.matrices]
    for kind, found in zip(kinds_of_matrices(program), networks.gradients(work), strict=True):
        if kind == MULTIPLY:
            np.testing.assert_allclose(found, float(untied.pop(0).square().sum()), rtol=1e-9)
    assert not untied


def kinds_of_matrices(program):
    """The kind of every step with a matrix, tied or not, in their order."""
    return [kind for kind in program.steps[:, 0] if kind in (MULTIPLY, TIED, UNEMBED)]


@pytest.mark.parametrize("network", ALL, ids=name_of)
def test_pathwise(network):
    compare(network)


def test_hidden_matrices_have_gradients():
    """So that the comparison of two gradients is one of more than rounding."""
    for network in every_kind():
        gradients = networks.gradients(networks.run(program_of(network, CELL), "gelu"))
        hidden = gradients if network.cost == "readout" else gradients[:-1]
        assert (hidden > 1e-6).all(), network


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_wrong_cost_is_seen(name, cost):
    """Planted: errors of the outputs that are wrong by a millionth."""
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        compare(Network(name, inputs=5, cost=cost), planted=1.0 + 1e-6)


def test_all_kinds_are_here():
    """Every architecture, norm, place and cost that a sweep may combine."""
    tested = {(each.architecture, each.normalisation, each.placement, each.cost) for each in ALL}
    for kind in itertools.product(ARCHITECTURES, NORMALISATIONS, PLACEMENTS, COSTS):
        assert (kind in tested) == allowed(*kind), kind


def allowed(architecture, normalisation, placement, cost):
    """Whether a sweep may have networks of a kind."""
    options = {"architecture": architecture, "normalisation": normalisation, "placement": placement, "cost": cost}
    try:
        gs.Sweep(activation="gelu", sigma_w=1.0, depth=3, width=16, networks=1, seed=1, inputs=5, **options)
    except SweepError:
        return False
    return True


def test_every_time_step_adds_to_the_gradient_of_a_tied_matrix():
    """The share of a step is sum over sequences of delta^t x^(t-1)T; all shares add up to PyTorch's gradient."""
    network = Network("recurrent", inputs=2)
    program = program_of(network, CELL)
    work = networks.run(program, "gelu")
    tensors = autograd(network, work, program)
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
