"""The training kernel against NumPy, PyTorch's autograd and itself."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gradsim_core import jit
from gradsim_core.activations import resolve_activation
from gradsim_core.lanes import aligned
from gradsim_core.laws import resolve_law
from gradsim_core.linear import products
from gradsim_core.linear.products import Matrix, padded
from gradsim_core.operations.standardise import NORMALISATIONS
from gradsim_core.training.costs import COSTS, resolve_cost
from gradsim_core.training.descent import Rule
from gradsim_core.training.layout import views
from gradsim_core.training.start import draw_start, numbers, shuffled
from gradsim_core.training.trainer import Trainer
from tests import naive

TOLERANCE = 1e-10
# Compiled: every cost, normalisation and residual setting, on few kernels.
COMPILED = [
    ("sigmoid", "cross_entropy", "none", False), ("sigmoid", "cross_entropy", "batch", True),
    ("tanh", "softmax", "layer", True), ("relu", "quadratic", "layer", False), ("relu", "quadratic", "none", True),
]  # fmt: skip


class Case:
    """A small random network with random data."""

    def __init__(self, activation, cost, normalisation="none", residual=False, **options):
        self.words = activation, cost, normalisation, residual
        rng = np.random.default_rng(5)
        widths, samples = options.pop("widths", (9, 5, 5, 5, 4)), options.pop("samples", 11)
        self.trainer = Trainer(
            widths, resolve_activation(activation), resolve_cost(cost),
            normalisation=normalisation, residual=residual, **{"dtype": "float64"} | options,
        )  # fmt: skip
        self.parameters = self.trainer.parameters()
        for weights, biases, gains in self.views(self.parameters):
            weights[:] = rng.normal(size=weights.shape) * 1.5 / np.sqrt(weights.shape[1])
            biases[:], gains[:] = rng.normal(size=biases.shape), rng.normal(1, 0.3, size=gains.shape)
        self.images = rng.normal(size=(samples, widths[0]))
        self.targets = np.eye(widths[-1])[rng.integers(0, widths[-1], samples)]
        self.data = self.trainer.data(self.images, self.targets)

    def views(self, parameters):
        return views(self.trainer.network, parameters)

    def gradient(self):
        gradient, cost, error = self.trainer.gradient(self.parameters, self.data)
        return self.views(gradient), cost, error


def torch_cost(torch, words, layers, images, targets):
    """The same network and cost in PyTorch; `layers` are (W, b, gain)."""
    activation, cost, normalisation, residual = words
    function = torch.nn.functional
    phi = {"leaky_relu(0.2)": lambda h: function.leaky_relu(h, 0.2), "sin": torch.sin, "erf": torch.erf}.get(activation)
    phi = phi or getattr(function, activation, None) or getattr(torch, activation)
    x = images
    for number, (W, b, gain) in enumerate(layers):
        z = x @ W.T
        if number + 1 == len(layers):
            h = z + b
            break
        if normalisation == "layer":
            z = function.layer_norm(z, z.shape[1:]) * gain
        if normalisation == "batch":
            z = function.batch_norm(z, None, None, training=True) * gain
        above = phi(z + b)
        x = above + x if residual and number > 0 and x.shape == above.shape else above
    if cost == "softmax":
        return function.cross_entropy(h, targets), h
    if cost == "quadratic":
        return ((torch.sigmoid(h) - targets) ** 2).sum() / (2 * len(h)), h
    return function.binary_cross_entropy_with_logits(h, targets, reduction="sum") / len(h), h


def torch_leaves(torch, case):
    return [tuple(torch.tensor(np.array(part), requires_grad=True) for part in layer)
            for layer in case.views(case.parameters)]  # fmt: skip


def difference_from_torch(case):
    """Largest absolute difference of cost and gradient from autograd's in float64."""
    torch = pytest.importorskip("torch")
    leaves = torch_leaves(torch, case)
    cost, outputs = torch_cost(torch, case.words, leaves, torch.tensor(case.images), torch.tensor(case.targets))
    cost.backward()
    gradient, value, error = case.gradient()
    assert error == np.mean(outputs.detach().numpy().argmax(1) != case.targets.argmax(1))
    gaps = [abs(value - cost.item())]
    for layer, (ours, theirs) in enumerate(zip(gradient, leaves, strict=True), start=1):
        used = 3 if case.words[2] != "none" and layer < len(leaves) else 2
        gaps += [np.abs(a - b.grad.numpy()).max() for a, b in zip(ours[:used], theirs[:used], strict=True)]
    return max(gaps)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("cost", COSTS)
def test_gradient_interpreted_in_full(cost, normalisation, residual):
    for activation in ("sigmoid", "tanh", "relu", "leaky_relu(0.2)", "gelu", "selu", "softplus", "silu", "sin"):
        assert difference_from_torch(Case(activation, cost, normalisation, residual, interpret=True)) < TOLERANCE


@pytest.mark.parametrize("case", COMPILED, ids=lambda words: "-".join(map(str, words)))
def test_gradient_compiled(case):
    assert difference_from_torch(Case(*case)) < TOLERANCE
    assert difference_from_torch(Case(*case, widths=(50, 40, 40, 33, 17), samples=37)) < TOLERANCE


@pytest.mark.parametrize("cost", COSTS)
def test_gradient_against_numpy(cost):
    for activation in naive.PHI:
        case = Case(activation, cost, interpret=True)
        layers = case.views(case.parameters)
        weights, biases = [W for W, _, _ in layers], [b for _, b, _ in layers]
        value, expected = naive.cost_gradient(activation, cost, weights, biases, case.images, case.targets)
        gradient, got, _ = case.gradient()
        assert got == pytest.approx(value, rel=1e-12)
        for (W, b, _), (dW, db) in zip(gradient, expected, strict=True):
            np.testing.assert_allclose(W, dW, atol=TOLERANCE)
            np.testing.assert_allclose(b, db, atol=TOLERANCE)


def test_a_planted_error_is_caught():
    """Layer normalisation that forgets one of its two means differs by far more than the tolerance."""
    from gradsim_core.operations import standardise

    right = standardise.standardised_backward
    standardise.standardised_backward = lambda error, z, mean, product, inverse: (error - mean) * inverse
    try:
        assert difference_from_torch(Case("tanh", "softmax", "layer", interpret=True)) > 1e4 * TOLERANCE
    finally:
        standardise.standardised_backward = right


def clip(torch, parts, length):
    """To the length exactly: PyTorch's own adds 1e-6 to the length it divides by."""
    total = torch.linalg.vector_norm(torch.cat([part.grad.ravel() for part in parts]))
    for part in parts:
        part.grad *= min(1.0, length / total)


RULES = {
    "full": Rule(11, 0.5),
    "everything": Rule(4, 0.2, decay=0.01, momentum=0.9, clip=0.1),
}


@pytest.mark.parametrize("words", COMPILED[:3], ids=lambda words: "-".join(map(str, words)))
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_twenty_epochs_equal_pytorch(words, rule):
    torch = pytest.importorskip("torch")
    case = Case(*words)
    order = np.array([shuffled(3, 0, epoch, 11) for epoch in range(20)])
    replica = case.trainer.replica(case.parameters)
    history = case.trainer.descend(rule, replica, case.data, order)
    leaves = torch_leaves(torch, case)
    groups = [{"params": [W for W, _, _ in leaves], "weight_decay": rule.decay},
              {"params": [part for _, b, gain in leaves for part in (b, gain)]}]  # fmt: skip
    optimiser = torch.optim.SGD(groups, lr=rule.eta, momentum=rule.momentum)
    images, targets, costs = torch.tensor(case.images), torch.tensor(case.targets), []
    for epoch in range(20):
        costs.append(torch_cost(torch, words, leaves, images, targets)[0].item())
        for first in range(0, 11, rule.batch):
            rows = order[epoch, first : first + rule.batch] if rule.batch < 11 else slice(None)
            optimiser.zero_grad()
            torch_cost(torch, words, leaves, images[rows], targets[rows])[0].backward()
            if rule.clip < np.inf:
                clip(torch, [part for layer in leaves for part in layer if part.grad is not None], rule.clip)
            optimiser.step()
    np.testing.assert_allclose(history[:-1, 0], costs, rtol=1e-8)
    for ours, theirs in zip(case.views(replica.parameters), leaves, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b.detach().numpy(), atol=1e-8)


def test_history_measures_the_gradient_and_the_way():
    case = Case("sigmoid", "cross_entropy")
    replica = case.trainer.replica(case.parameters)
    history = case.trainer.descend(Rule(11, 0.3), replica, case.data, np.zeros((3, 0), np.int64))
    gradient, cost, error = case.gradient()
    layers = [np.linalg.norm(b) for _, b, _ in gradient] + [np.linalg.norm(W) for W, _, _ in gradient]
    np.testing.assert_allclose(history[0], [cost, error, *layers, 0, 0, 0, 0], rtol=1e-12)
    pairs = zip(case.views(replica.parameters), case.views(case.parameters), strict=True)
    way = [np.linalg.norm(end - start) for (end, _, _), (start, _, _) in pairs]
    np.testing.assert_allclose(history[-1, -4:], way, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products(dtype):
    """Odd shapes, the transpose of A, rows that tiles share: bit for bit the product of each row alone."""
    rng = np.random.default_rng(1)
    multiply = jit.compiled(products.multiply)
    for rows, columns, inner in itertools.product((1, 3, 4, 5, 9), (1, 32, 40), (1, 2, 17)):
        size = padded(columns)
        a, b, c, alone, turned = (
            aligned(n, dtype) for n in (rows * inner, inner * size, *[rows * size] * 2, rows * inner)
        )
        a[:], b[:] = rng.normal(size=a.size), rng.normal(size=b.size)
        turned[:] = a.reshape(rows, inner).T.ravel()
        multiply(Matrix(a, 0, inner, 1), Matrix(b, 0, size, 1), Matrix(c, 0, size, 1), rows, columns, inner)
        expected = a.reshape(rows, inner).astype(float) @ b.reshape(inner, size)
        np.testing.assert_allclose(c.reshape(rows, size), expected, atol={"float32": 1e-4, "float64": 1e-12}[dtype])
        for row in range(rows):
            out = Matrix(alone, row * size, size, 1)
            multiply(Matrix(turned, row, 1, rows), Matrix(b, 0, size, 1), out, 1, columns, inner)
        np.testing.assert_array_equal(alone, c)


def test_threads_change_no_bit():
    case = Case("sigmoid", "cross_entropy", dtype="float32")
    order = np.array([shuffled(3, 0, epoch, 11) for epoch in range(5)])

    def run(_):
        replica = case.trainer.replica(case.parameters)
        history = case.trainer.descend(Rule(4, 0.2, momentum=0.5), replica, case.data, order)
        return replica.parameters.tobytes() + history.tobytes()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(run, range(16)))) == 1


def test_interpreted_and_compiled_agree():
    one, other = (Case("tanh", "softmax", "layer", True, interpret=flag) for flag in (False, True))
    assert one.gradient()[1] == pytest.approx(other.gradient()[1], rel=1e-13)


def test_what_lies_beyond_a_width_stays_zero():
    case = Case("sigmoid", "quadratic", widths=(9, 5, 3))
    replica = case.trainer.replica(case.parameters)
    case.trainer.descend(Rule(11, 0.5, momentum=0.5), replica, case.data, np.zeros((4, 0), np.int64))
    before = np.count_nonzero(replica.parameters)
    for parts in case.views(replica.parameters):
        for part in parts:
            part[:] = 0
    assert before > 0
    assert np.count_nonzero(replica.parameters) == 0


@pytest.mark.parametrize("shift", [-5000.0, 0.0, 5000.0])
def test_softmax_of_large_outputs(shift):
    """Outputs far from 0 on either side, where padding is at 0."""
    case = Case("relu", "softmax", widths=(9, 5, 4), interpret=True)
    before = case.gradient()[1]
    case.views(case.parameters)[-1][1][:] += shift
    gradient, cost, _ = case.gradient()
    assert cost == pytest.approx(before, rel=1e-9)
    assert all(np.isfinite(part).all() for layer in gradient for part in layer)


def test_a_network_that_diverged_is_all_wrong():
    case = Case("relu", "quadratic")
    case.parameters[:] = np.nan
    assert case.gradient()[2] == 1.0


@pytest.mark.parametrize("law", ["gaussian", "uniform"])
def test_start(law):
    """Weights and biases with the standard deviations asked for, to five standard errors; replicas differ."""
    trainer = Trainer((400, 300, 10), resolve_activation("tanh"), resolve_cost("softmax"))
    spreads, first, second = np.array([[0.05, 0.7], [2.0, 0.0]]), trainer.parameters(), trainer.parameters()
    draw_start(trainer.network, resolve_law(law), spreads, 9, 0, first)
    draw_start(trainer.network, resolve_law(law), spreads, 9, 1, second)
    for (weights, biases, gains), (spread_w, spread_b) in zip(views(trainer.network, first), spreads, strict=True):
        assert abs(weights.std() / spread_w - 1) < 5 / np.sqrt(2 * weights.size)
        assert abs(biases.std() - spread_b) <= 5 * spread_b / np.sqrt(2 * biases.size)
        assert (gains == 1).all()
    assert (views(trainer.network, first)[0][0] != views(trainer.network, second)[0][0]).all()
    assert abs(np.corrcoef(first[: 10**5], second[: 10**5])[0, 1]) < 5 / np.sqrt(10**5)


def test_numbers_are_those_of_the_law():
    values = numbers(resolve_law("gaussian"), 1, 2, 3, 2, 10**5)
    assert abs(values.mean()) < 5 / np.sqrt(values.size)
    assert abs(np.mean(values**4) - 3) < 5 * np.sqrt(96 / values.size)


def test_orders_are_permutations():
    """Every place of a sample equally often: chi-squared over 4,000 orders, false alarm below 1e-6."""
    orders = np.array([shuffled(5, 0, epoch, 8) for epoch in range(4000)])
    assert (np.sort(orders, axis=1) == np.arange(8)).all()
    counts = np.array([np.bincount(orders[:, place], minlength=8) for place in range(8)])
    assert ((counts - 500) ** 2 / 500).sum() < 120  # 49 degrees of freedom: P(> 120) = 7e-8
    assert not np.array_equal(orders[0], shuffled(5, 1, 0, 8))
