"""Exact laws of residual and normalised networks, in means over many networks."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core.tapes import Tape
from gradsim_core.tapes.tape import ADD, BATCH, MULTIPLY, RMS
from tests.core.tapes.networks import blocks, plain, run_many, squares


def squares_of(activation, count, n, write, networks):
    """|value|_F^2 and |error|_F^2 of every value, (networks, 2, values), and the program."""
    tape = Tape(count, n)
    program = tape.program(write(tape))
    found = np.empty((networks, 2, len(program.values)))
    for m, work in enumerate(run_many(program, activation, networks)):
        found[m] = squares(work.values), squares(work.errors)
    return found, program


def streams(program):
    """The values of the stream: the input, and what each addition makes."""
    return [0, *(int(step[3]) for step in program.steps if step[0] == ADD)]


def near(sample, exact, errors=4.5):
    return abs(sample.mean() - exact) < errors * sample.std() / np.sqrt(sample.size)


@pytest.mark.parametrize("n", [2, 4, 12])
def test_two_matrices_of_relu(n):
    """E|x'|^2 = (1 + alpha^2 sigma_w^2 sigma_v^2 / 2) |x|^2 at every width: W x is symmetric given x, V is fresh."""
    alpha, sigma = 0.8, 1.3
    found, program = squares_of("relu", 1, n, lambda tape: blocks(tape, n, 1, alpha=alpha), 60_000)
    before, after = streams(program)
    ratio = found[:, 0, after] / found[:, 0, before]
    assert near(ratio, 1 + alpha**2 * sigma**2 / 2)
    assert not near(ratio, 1 + (1.05 * alpha) ** 2 * sigma**2 / 2)


def test_a_norm_before_relu_adds_the_same_to_every_block():
    """E|x^l|^2 = |x^0|^2 + l N alpha^2 sigma_w^2 sigma_v^2 / 2, with |norm(x)|^2 = N but for its epsilon."""
    n, alpha, sigma, depth = 16, 0.8, 1.3, 6
    found, program = squares_of("relu", 1, n, lambda tape: blocks(tape, n, depth, RMS, alpha=alpha), 20_000)
    stream = streams(program)
    for block in (1, 3, depth):
        growth = found[:, 0, stream[block]] - found[:, 0, 0]
        assert near(growth, block * n * alpha**2 * sigma**2 / 2, 5)


@pytest.mark.verify  # another kernel
def test_linear_networks_with_batch_norm():
    """|delta|^2 grows by (B - 2) / (B - 3) a layer: measured in the middle of a network, B = 8, wide."""
    count, n, depth = 8, 200, 6
    found, program = squares_of("linear", count, n, lambda tape: plain(tape, n, depth, BATCH), 300)
    answers = [int(step[3]) for step in program.steps if step[0] == MULTIPLY]  # of the matrices
    below, above = found[:, 1, answers[2]], found[:, 1, answers[4]]
    factor = np.sqrt(np.mean(below) / np.mean(above))
    assert factor == pytest.approx((count - 2) / (count - 3), rel=0.04)
