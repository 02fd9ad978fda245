"""Training of one network with explicit matrices by PyTorch in float64: autograd and torch.optim.SGD."""

from __future__ import annotations

import math

import numpy as np
import torch

from gradsim.steps.draws import Draws
from gradsim.steps.network import Networks
from gradsim.steps.observables import QUANTITIES, Recorder

PHI = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "gelu": torch.nn.functional.gelu,
}


def recorded(problem, count=1, lazy=None, make=Networks):
    """Train the networks 0 .. count - 1; what they are then, and the values."""
    draws = Draws(problem.key, range(count), problem.method == "explicit", np.dtype(problem.dtype))
    networks = make(problem, draws, lazy)
    recorder = Recorder(problem.steps, problem.depth, count)
    for step in range(problem.steps + 1):
        recorder.record(step, networks, networks.run())
        if step < problem.steps:
            networks.step()
    return networks, recorder.values


def completed(networks, seed=1):
    """Explicit matrices at step 0 that agree with all that lazy ones have shown, of the first network."""
    random, n = np.random.default_rng(seed), networks.problem.width
    deviation = networks.problem.sigma_w * n**-0.5
    first, *others = networks.matrices
    q, a = first.right.rows[0], first.right.images[0]
    fresh = deviation * random.normal(size=(n, n))
    found = [a.T @ q + fresh - fresh @ q.T @ q]
    for matrix in others:
        (q, a), (u, b) = ((rows[0], images[0]) for rows, images in (matrix.right.known, matrix.left.known))
        fresh = deviation * random.normal(size=(n, n))
        fresh = fresh - u.T @ (u @ fresh)
        fresh = fresh - fresh @ q.T @ q
        found.append(a.T @ q + u.T @ b - u.T @ (u @ a.T) @ q + fresh)
    return found


def multipliers(problem):
    """m of weights, biases and readout: a parameter is m w', and w' is trained."""
    n = problem.width
    return {
        "standard": (1.0, 1.0, 1.0),
        "ntk": (problem.sigma_w / math.sqrt(n), problem.sigma_b, 1.0 / math.sqrt(n)),
        "mup": (1.0, math.sqrt(n), 1.0 / math.sqrt(n)),
    }[problem.parametrisation]


def trained(problem, inputs, targets, matrices, biases, readout):
    """Values (quantities, steps + 1, depth + 1) of a network that begins with these matrices and vectors."""
    m_weight, m_bias, m_readout = multipliers(problem)
    tensor = lambda array, m: torch.tensor(np.asarray(array) / m, dtype=torch.float64, requires_grad=True)  # noqa: E731
    weights, shifts = [tensor(w, m_weight) for w in matrices], [tensor(b, m_bias) for b in biases]
    last = tensor(readout, m_readout)
    raw = [*weights, *shifts, last]
    descent = torch.optim.SGD(raw, lr=problem.learning_rate, momentum=problem.momentum)
    x0, y = torch.tensor(inputs), torch.tensor(targets)
    values, start = np.full((len(QUANTITIES), problem.steps + 1, problem.depth + 1), math.nan), None
    for step in range(problem.steps + 1):
        descent.zero_grad()
        x, hs, xs = x0, [], []
        for layer, w in enumerate(weights):
            h = x @ (m_weight * w).T + (m_bias * shifts[layer] if shifts else 0.0)
            h.retain_grad()
            x = PHI[problem.activation](h)
            hs.append(h)
            xs.append(x)
        outputs = x @ (m_readout * last).T
        outputs.retain_grad()
        if problem.cost == "quadratic":
            cost = 0.5 * ((outputs - y) ** 2).sum() / len(y)
        else:
            cost = torch.nn.functional.cross_entropy(outputs, y.argmax(1))
        cost.backward()
        hs.append(outputs)
        grads = [p.grad / m for p, m in zip([*weights, last], [m_weight] * len(weights) + [m_readout], strict=True)]
        seen = [[t.detach().numpy().copy() for t in group] for group in (hs, xs, [h.grad for h in hs], grads)]
        start = start or seen
        values[:, step] = observables(seen, start, cost.item())
        take_step(problem, descent, raw)
    return values


def take_step(problem, descent, raw):
    """Clip by the norm of the whole gradient, decay the parameters, step."""
    norm = math.sqrt(sum(float((p.grad**2).sum()) for p in raw))
    if problem.clip is not None and norm > problem.clip:
        for p in raw:
            p.grad *= problem.clip / norm
    with torch.no_grad():
        for p in raw:
            p *= 1.0 - problem.learning_rate * problem.weight_decay
    descent.step()


def observables(seen, start, cost):
    """One step's values (quantities, depth + 1)."""
    rms = lambda a: math.sqrt((a**2).mean())  # noqa: E731
    norm = lambda a: math.sqrt((a**2).sum())  # noqa: E731
    difference = [[a - b for a, b in zip(*groups, strict=True)] for groups in zip(seen, start, strict=True)]
    cosine = [(g * g0).sum() / (norm(g) * norm(g0)) for g, g0 in zip(seen[3], start[3], strict=True)]
    (h, x, delta, grad), (dh, dx, ddelta, dgrad) = seen, difference
    rows = {
        "h": map(rms, h), "x": [*map(rms, x), math.nan], "delta": map(norm, delta), "weight_grad": map(norm, grad),
        "h_change": map(rms, dh), "x_change": [*map(rms, dx), math.nan], "delta_change": map(norm, ddelta),
        "weight_grad_change": map(norm, dgrad), "weight_grad_cosine": cosine,
        "cost": [math.nan] * (len(h) - 1) + [cost],
    }  # fmt: skip
    return np.array([list(rows[name]) for name in QUANTITIES])
