"""What is told of pairs of inputs is what autograd finds, input by input, with the completed matrices."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core import simulator
from gradsim_core.activations import resolve_activation
from gradsim_core.architectures import ARCHITECTURES, Network, is_separable
from gradsim_core.architectures.table import program_of
from gradsim_core.laws import resolve_law
from gradsim_core.parameters import Params
from gradsim_core.results.of_inputs import FIRST, OF_INPUTS
from gradsim_core.results.quantities import QUANTITIES
from gradsim_core.simulator import Simulator
from gradsim_core.tapes import schedule
from gradsim_core.tapes.tape import PAIRS
from gradsim_core.tapes.work import Inputs
from tests.core.architectures.kinds import name_of
from tests.core.tapes import networks

torch = pytest.importorskip("torch")
CELL = Params(np.uint64(0), 3, 16, 1.2, 0.3)
KINDS = [
    Network(inputs=2),
    Network(inputs=4, input_correlation=0.999),
    Network(inputs=20, cost="shared"),
    Network("residual", inputs=5, normalisation="layer"),
    Network("residual2", inputs=4, gated=True, expansion=1.5, branch_scale=0.3, normalisation="rms", placement="post"),
    Network("residual2", inputs=3, normalisation="dyt", placement="sandwich"),
    Network("residual", inputs=6, normalisation="batch"),
    Network("transformer", inputs=5, heads=2, normalisation="layer"),
    Network("recurrent", inputs=4, sigma_u=0.4),
    Network("convolution", inputs=6),
]


def run(program, name="gelu"):
    """The arrays of a run with pairs, and ln of its rows."""
    activation = resolve_activation(name)
    rows = FIRST + len(OF_INPUTS)
    sums, exponents = np.zeros((2, rows, 1, len(program.layers)))
    builder = schedule.builder("conditional", schedule.RARE | {PAIRS})
    body = simulator._kernel(activation, resolve_law("gaussian"), builder, "tape", None)
    work = schedule.work_of(program, Inputs(), np.dtype(np.float64), "conditional", schedule.RARE | {PAIRS})
    if program.count == 4:
        work = (work[0], work[1], work[2]._replace(correlation=0.999))  # which makes cosines near 1
    body(networks.CELL._replace(alpha=activation.alpha), simulator._slopes(activation), 0, work, sums, exponents)
    with np.errstate(divide="ignore"):
        logs = np.log(sums[FIRST:, 0]) + 2 * exponents[FIRST:, 0] * np.log(2.0)
    return work[1], {name: row.factor * log for (name, row), log in zip(OF_INPUTS.items(), logs, strict=True)}


def mean_over_pairs(values):
    """The mean of a symmetric matrix off its diagonal."""
    count = len(values)
    return (values.sum() - np.trace(values)) / (count * (count - 1))


def one_minus_cosine(products):
    lengths = np.sqrt(np.diag(products))
    return mean_over_pairs(1.0 - products / np.outer(lengths, lengths))


def tensors_of(network, work, program):
    """The tensors of the network in PyTorch, and the cost of each input."""
    from tests.core.tapes.pytorch import Tensors

    matrices = networks.completed(program, work, 0, np.random.default_rng(5))
    tied, draws = networks.completed_ties(program, work, np.random.default_rng(6)), networks.draws(program, work)
    inputs, biases = networks.numbers(work.values, program, 0), networks.biases(program, work)
    tensors = Tensors(inputs, matrices, torch.nn.functional.gelu, biases, tied, draws)
    output = ARCHITECTURES[network.architecture].write(tensors, network, CELL)
    if network.cost == "shared":
        return tensors, tensors.values[tensors.multiply(output, 1)].sum(1)
    errors = torch.tensor(networks.numbers(work.errors, program, program.output))
    return tensors, (tensors.values[output] * errors).sum(1)


def expected_of_rows(tensors, layer):
    """What h and delta of a layer tell."""
    h, delta = tensors.values[layer].detach().numpy(), tensors.values[layer].grad.numpy()
    squares = ((h[:, None] - h[None]) ** 2).sum(2)
    return {
        "log_distance": np.sqrt(mean_over_pairs(squares)),
        "log_decorrelation": one_minus_cosine(h @ h.T),
        "log_delta_decorrelation": one_minus_cosine(delta @ delta.T),
    }


def expected_of_gradients(gradients, kernel):
    """What the gradients of a layer, a row for each input, and the kernel so far tell."""
    mean = gradients.mean(0)
    noise = ((gradients - mean) ** 2).sum() / (len(gradients) - 1)
    return {
        "log_gradient_decorrelation": one_minus_cosine(gradients @ gradients.T),
        "log_gradient_noise": noise,
        "log_noise_scale": noise / (mean**2).sum(),
        "log_ntk": np.trace(kernel) / len(kernel),
        "log_ntk_decorrelation": one_minus_cosine(kernel),
    }


def gradients_of(tensors, costs, first, last):
    """The weight gradients of each input, of matrices first .. last - 1, as rows."""
    found = []
    for cost in costs:
        each = torch.autograd.grad(cost, tensors.matrices[first:last], retain_graph=True)
        found.append(np.concatenate([g.numpy().ravel() for g in each]))
    return np.array(found)


@pytest.mark.parametrize("network", KINDS, ids=name_of)
def test_pairs_of_inputs(network):
    program = program_of(network, CELL)
    work, found = run(program)
    tensors, costs = tensors_of(network, work, program)
    costs.sum().backward(retain_graph=True)
    first, kernel = 0, 0.0
    for layer, (value, last) in enumerate(program.layers):
        expected = expected_of_rows(tensors, value)
        if is_separable(network):
            gradients = gradients_of(tensors, costs, first, last)
            kernel = kernel + gradients @ gradients.T
            expected |= expected_of_gradients(gradients, kernel)
        for name, number in expected.items():
            np.testing.assert_allclose(np.exp(found[name][layer]), number, rtol=1e-8, err_msg=name)
        first = last


def test_which_networks_have_gradients_of_single_inputs():
    assert [is_separable(network) for network in KINDS] == [True] * 6 + [False] * 4


def values(name="relu", *, sigma_w=1.4, network=None, depth=30, width=16):
    """All quantities of a few networks, by name."""
    network, names = network or Network(inputs=3), tuple(OF_INPUTS)
    made = Simulator(
        resolve_activation(name), resolve_law("gaussian"), "float32", "conditional", network=network, of_inputs=names
    )
    found, status = made.block(made.params(9, depth, width, sigma_w), 0, 20)
    return dict(zip([*QUANTITIES, *names], found, strict=True)), status


@pytest.mark.parametrize("k", [-60, 50])
def test_scales_pass_through(k):
    """relu: with 2^k sigma_w every layer multiplies by 2^k more; angles stay."""
    (usual, status), (scaled, _) = values(), values(sigma_w=1.4 * 2.0**k)
    live, layers = status == 0, np.arange(1, 31)
    assert live.sum() >= 10
    expected = dict.fromkeys(OF_INPUTS, 0.0 * layers) | {"log_distance": layers, "log_gradient_noise": 0 * layers + 58}
    for name in set(OF_INPUTS) - {"log_ntk"}:
        change = (scaled[name] - usual[name])[live] / np.log(2.0)
        np.testing.assert_allclose(change, np.broadcast_to(k * expected[name], change.shape), rtol=0, atol=3e-3)
    change = (scaled["log_ntk"] - usual["log_ntk"])[live] / np.log(2.0)
    np.testing.assert_allclose(change, np.full(change.shape, 58.0 * k), rtol=0, atol=3e-3)


def test_equal_inputs_differ_by_rounding_alone():
    equal, status = values(network=Network(inputs=3, input_correlation=1.0), depth=4)
    assert (equal["log_decorrelation"][status == 0] < -28.0).all()
    assert (equal["log_distance"][status == 0] < -12.0).all()


def test_dead_inputs_have_no_angles():
    dead, _ = values(depth=20, width=2)
    gone = dead["log_delta"][:, 0] == -np.inf
    assert gone.any()
    for name in ("log_delta_decorrelation", "log_gradient_decorrelation", "log_gradient_noise", "log_noise_scale"):
        assert (dead[name][gone, 0] == -np.inf).all(), name
