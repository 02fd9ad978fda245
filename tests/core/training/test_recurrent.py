"""Back-propagation through time against PyTorch's autograd, bounds, and itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gradsim_core.activations import resolve_activation
from gradsim_core.training import recurrent
from gradsim_core.training.descent import Rule
from gradsim_core.training.recurrent_trainer import RecurrentTrainer
from tests.core.training.test_training import Case, clip

RNG = np.random.default_rng(3)
SYMBOLS, TARGETS = RNG.integers(0, 4, (20, 6, 7)), RNG.integers(0, 4, (20, 6))


def network(activation="tanh", width=5, scale=1.0, **options):
    trainer = RecurrentTrainer(4, width, resolve_activation(activation), **{"dtype": "float64"} | options)
    parameters, rng = trainer.parameters(), np.random.default_rng(8)
    for part in trainer.views(parameters):
        part[:] = scale * rng.normal(size=part.shape) / np.sqrt(part.shape[-1])
    return trainer, parameters


def torch_pass(torch, activation, parts, symbols, targets, start=0.0):
    """Cost, and the preactivations of every step, with their gradients kept."""
    U, W, b, V, c = parts
    phi = getattr(torch, activation, None) or getattr(torch.nn.functional, activation)
    x, kept = torch.zeros(len(symbols), len(W), dtype=torch.float64) + start, []
    for t in range(symbols.shape[1]):
        h = x @ W.T + U.T[symbols[:, t]] + b
        h.retain_grad()
        kept.append(h)
        x = phi(h)
    return torch.nn.functional.cross_entropy(x @ V.T + c, targets), kept


def difference_from_torch(trainer, parameters, activation, start=None):
    torch = pytest.importorskip("torch")
    parts = [torch.tensor(np.array(part), requires_grad=True) for part in trainer.views(parameters)]
    symbols, targets = torch.tensor(SYMBOLS[0]), torch.tensor(TARGETS[0])
    first = 0.0 if start is None else torch.tensor(start)
    cost, kept = torch_pass(torch, activation, parts, symbols, targets, first)
    cost.backward()
    gradient, value, _, lengths = trainer.back_propagate(parameters, SYMBOLS[0], TARGETS[0], start)
    deltas = np.stack([h.grad.numpy() for h in kept], axis=1) * len(SYMBOLS[0])
    gaps = [abs(value - cost.item()), np.abs(np.linalg.norm(deltas, axis=2) - lengths).max()]
    pairs = zip(trainer.views(gradient), parts, strict=True)
    return max([*gaps, *(np.abs(ours - theirs.grad.numpy()).max() for ours, theirs in pairs)])


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "softplus", "gelu"])
def test_interpreted_gradient(activation):
    assert difference_from_torch(*network(activation, interpret=True), activation) < 1e-10


@pytest.mark.parametrize("width", [5, 37])
def test_compiled_gradient(width):
    assert difference_from_torch(*network(width=width), "tanh") < 1e-10


def test_a_given_start_leaves_no_trace():
    """One thread keeps its arrays: the call after one with a state of its own begins at 0 again."""
    trainer, parameters = network()
    assert difference_from_torch(trainer, parameters, "tanh", np.random.default_rng(4).normal(size=(6, 5))) < 1e-10
    assert difference_from_torch(trainer, parameters, "tanh") < 1e-10


def test_trainers_take_turns_in_one_thread():
    """A thread keeps the arrays of one trainer: those of another, between two calls, change nothing."""
    trainer, parameters = network(interpret=True)
    first = trainer.back_propagate(parameters, SYMBOLS[0], TARGETS[0])
    Case("tanh", "softmax", interpret=True).gradient()
    second = trainer.back_propagate(parameters, SYMBOLS[0], TARGETS[0])
    for before, after in zip(first, second, strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    ("symbols", "targets", "message"),
    [
        (SYMBOLS[0] + 1, TARGETS[0], "symbols must be 0"),
        (SYMBOLS[0], TARGETS[0] - 1, "targets must be 0"),
        (SYMBOLS[0], TARGETS[0][:3], "targets must be"),
    ],
)
def test_what_the_kernel_could_not_look_up_is_refused(symbols, targets, message):
    trainer, parameters = network(interpret=True)
    with pytest.raises(ValueError, match=message):
        trainer.back_propagate(parameters, symbols, targets)


def test_what_lies_beyond_a_width_stays_zero():
    """Sigmoid is 1/2 there, which must not reach a parameter."""
    trainer, parameters = network("sigmoid", interpret=True)
    trainer.descend(Rule(6, 0.3, 0.01, 0.9, 0.5), parameters, trainer.parameters(), SYMBOLS[:3], TARGETS[:3])
    for part in trainer.views(parameters):
        assert part.all()
        part[:] = 0
    assert not parameters.any()


def test_a_planted_error_is_caught(monkeypatch):
    """The way back through W in place of its transpose."""

    right = recurrent.transpose

    def wrong(a, c, rows, columns):
        right(a, c, rows, columns)
        if rows == columns:
            square = c.array[c.start : c.start + rows * c.row].reshape(rows, c.row)[:, :rows]
            square[:] = square.T.copy()

    monkeypatch.setattr(recurrent, "transpose", wrong)
    assert difference_from_torch(*network(interpret=True), "tanh") > 1e-3


def test_twenty_steps_equal_pytorch():
    torch = pytest.importorskip("torch")
    trainer, parameters = network()
    rule = Rule(6, 0.3, decay=0.01, momentum=0.9, clip=0.5)
    ours = parameters.copy()
    history = trainer.descend(rule, ours, trainer.parameters(), SYMBOLS, TARGETS)
    U, W, b, V, c = (torch.tensor(np.array(part), requires_grad=True) for part in trainer.views(parameters))
    groups = [{"params": [U, W, V], "weight_decay": rule.decay}, {"params": [b, c]}]
    optimiser, costs = torch.optim.SGD(groups, lr=rule.eta, momentum=rule.momentum), []
    for symbols, targets in zip(SYMBOLS, TARGETS, strict=True):
        optimiser.zero_grad()
        cost, _ = torch_pass(torch, "tanh", (U, W, b, V, c), torch.tensor(symbols), torch.tensor(targets))
        cost.backward()
        clip(torch, [U, W, b, V, c], rule.clip)
        optimiser.step()
        costs.append(cost.item())
    np.testing.assert_allclose(history[:, 0], costs, rtol=1e-8)
    assert (history[:, 2] > rule.clip).any()
    for part, theirs in zip(trainer.views(ours), (U, W, b, V, c), strict=True):
        np.testing.assert_allclose(part, theirs.detach().numpy(), atol=1e-8)


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_bound_of_pascanu(scale):
    """|delta_(t-1)| <= max|phi'| sigma_max(W) |delta_t| for every sequence (arXiv:1211.5063, equation 6)."""
    trainer, parameters = network(scale=scale)
    deltas = trainer.back_propagate(parameters, SYMBOLS[0], TARGETS[0])[-1]
    largest = np.linalg.norm(trainer.views(parameters).W, 2)
    assert (deltas[:, :-1] <= largest * deltas[:, 1:] * (1 + 1e-12)).all()


def test_threads_change_no_bit():
    trainer, parameters = network(dtype="float32")

    def run(_):
        ours = parameters.copy()
        return trainer.descend(Rule(6, 0.3), ours, trainer.parameters(), SYMBOLS, TARGETS).tobytes() + ours.tobytes()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(run, range(8)))) == 1


def test_back_propagation_changes_nothing():
    trainer, parameters = network()
    before = parameters.copy()
    trainer.back_propagate(parameters, SYMBOLS[0], TARGETS[0])
    np.testing.assert_array_equal(parameters, before)
