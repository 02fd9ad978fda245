"""Networks of the theory's table: simulated, and as tapes for explicit matrices in PyTorch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core.activations import resolve_activation
from gradsim_core.architectures import Network
from gradsim_core.laws import resolve_law
from gradsim_core.simulator import Simulator
from gradsim_core.tapes.tape import BATCH, LAYER, RMS

MODES = {"layer": LAYER, "rms": RMS, "batch": BATCH}


class Case(NamedTuple):
    """A network: what `gs.theory.stream` takes, and its finite sizes."""

    architecture: str
    activation: str
    normalisation: str = "none"
    placement: str = "pre"
    branch_scale: float = 1.0
    gated: bool = False
    causal: bool = False
    depth: int = 4
    sigma_w: float = 1.3
    sigma_b: float = 0.0
    n: int = 1024
    count: int = 8  # inputs or tokens
    networks: int = 60
    heads: int = 0  # 0: one head, with scores over d; else with scores over sqrt(d)
    preset: str = "none"


def write(tape, case):
    """Write the network; returns its output and the values of the states that the theory follows."""
    norm = normed(tape, case.normalisation)
    before = norm if case.placement in ("pre", "sandwich") else lambda x: x
    x, states = tape.input, []
    if case.architecture == "plain":
        for _ in range(case.depth):
            h = shifted(tape, tape.multiply(x, case.n, sigma=case.sigma_w), case)
            states.append(h)
            x = tape.activate(before(h))
            x = norm(x) if case.placement == "post" else x
        return x, states
    branches = {"residual": [single], "residual2": [mlp], "transformer": [attention, mlp]}[case.architecture]
    for _ in range(case.depth):
        for branch in branches:
            y = branch(tape, before(x), case)
            y = norm(y) if case.placement in ("sandwich", "output") else y
            x = tape.add(x, y, case.branch_scale)
            x = norm(x) if case.placement == "post" else x
        states.append(x)
    return before(x), states


def normed(tape, name):
    if name == "none":
        return lambda x: x
    if name == "derf":
        return tape.derf
    return tape.activate if name == "dyt" else lambda x: tape.standardise(x, MODES[name])


def shifted(tape, h, case):
    """Plus biases."""
    return tape.shift(h, case.sigma_b) if case.sigma_b else h


def single(tape, x, case):
    return shifted(tape, tape.multiply(tape.activate(x), case.n, sigma=case.sigma_w), case)


def mlp(tape, x, case):
    """With an inner width of 2 N, which drops out."""
    inner = tape.multiply(x, 2 * case.n, parts=2 if case.gated else 1, sigma=case.sigma_w)
    inner = shifted(tape, inner, case)
    return tape.multiply(tape.gate(inner) if case.gated else tape.activate(inner), case.n, sigma=case.sigma_w)


def attention(tape, x, case):
    heads = case.heads or 1
    d = case.n // heads
    parts = tape.multiply(x, d, parts=3 * heads, sigma=case.sigma_w)
    scale = d**-0.5 if case.heads else 1.0 / d
    return tape.multiply(tape.attend(parts, scale, case.causal), case.n, sigma=case.sigma_w)


def measured(case):
    """ln of mean squares of the states, and of their errors over the last one's, with standard errors: (2, 2, depth).

    Means are over inputs and networks before the logarithm, as in the theory.
    """
    network = Network(
        case.architecture, case.count, 0.0, case.normalisation, case.placement, case.branch_scale, max(case.heads, 1),
        case.causal, "1/sqrt(d)" if case.heads else "1/d", case.gated, 2.0 * (case.architecture != "plain"),
        case.preset,
    )  # fmt: skip
    law, activation = resolve_law("gaussian"), resolve_activation(case.activation)
    simulator = Simulator(activation, law, "float64", "conditional", network=network)
    cell = simulator.params(2024, case.depth, case.n, case.sigma_w, case.sigma_b)
    (log_delta, _, log_q, _), _ = simulator.block(cell, 0, case.networks)
    forward, backward = np.exp(log_q), np.exp(2.0 * log_delta)
    return np.array([log_ratio(forward, np.ones_like(forward)), log_ratio(backward, backward[:, -1:])])


def logarithms(squares, case):
    """What `measured` returns, from (networks, 2, depth)."""
    forward, backward = squares[:, 0] / (case.n * case.count), squares[:, 1]
    return np.array([log_ratio(forward, np.ones_like(forward)), log_ratio(backward, backward[:, -1:])])


def log_ratio(above, below):
    """ln of the ratio of two means over networks, and its standard error by the delta method."""
    means = above.mean(0), below.mean(0)
    spread = above / means[0] - below / means[1]
    return np.log(means[0] / means[1]), spread.std(0, ddof=1) / np.sqrt(len(above))
