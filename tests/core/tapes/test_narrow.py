"""Norms of few neurons, backward: every error against textbook formulas in 50 digits, with the same matrices.

With relu such networks have layers of one live neuron. There the gradient is the part of the error along the vector
alone, about 1e-5 of what passes elsewhere, and after ten such layers 1e-50: far below the rounding of what cancels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from mpmath import mp, mpf

from gradsim_core import simulator
from gradsim_core.activations import resolve_activation
from gradsim_core.laws import gaussian, resolve_law
from gradsim_core.linear.rows import rows_of
from gradsim_core.rng.draws import Source
from gradsim_core.rng.philox import TAPE_WEIGHT
from gradsim_core.tapes import Tape, drawn, schedule, steps, work
from gradsim_core.tapes.tape import ACTIVATE, BATCH, LAYER, MULTIPLY, RMS, SHIFT, STANDARDISE, TIED
from gradsim_core.tapes.work import Inputs
from tests.core.tapes import networks

mp.dps = 50
EPSILON = mpf("1e-5")
LEAK = resolve_activation("leaky_relu").alpha
PHI = {
    "relu": (lambda h: max(h, mpf(0)), lambda h: mpf(h > 0)),
    "leaky_relu": (lambda h: h if h > 0 else LEAK * h, lambda h: mpf(1) if h > 0 else mpf(LEAK)),
    "tanh": (mp.tanh, lambda h: mp.sech(h) ** 2),
    "gelu": (lambda h: h * mp.ncdf(h), lambda h: mp.ncdf(h) + h * mp.npdf(h)),
}


class Case(NamedTuple):
    """A network of a width and depth: norm(phi(W x + b)), or phi(norm(W x + b))."""

    name: str
    norm: int
    after: bool
    n: int
    sigma_b: float = 0.0
    sigma: float = 1.4
    tied: bool = False
    depth: int = 8
    count: int = 1

    def program(self):
        tape = Tape(self.count, self.n)
        x = tape.input
        for _ in range(self.depth):
            x = tape.multiply_tied(x, "W", self.n, self.sigma) if self.tied else tape.multiply(x, self.n, 1, self.sigma)
            x = tape.shift(x, self.sigma_b)
            x = x if self.after else tape.standardise(x, self.norm)
            x = tape.activate(x)
            x = tape.standardise(x, self.norm) if self.after else x
        return tape.program(x)


def matrix(program, step, network, dtype):
    """The entries that the explicit method draws for a step, as numbers of 50 digits."""
    shape, layer = steps.shape_at(program, step[4]), 1 + (step[5] if step[0] == TIED else step[4])
    panel = rows_of(shape.n_out, shape.width_in, dtype)
    source = Source(networks.CELL, network, layer, TAPE_WEIGHT)
    drawn.draw_panel(gaussian, source, shape, program.deviations[step[4]], 0, shape.n_out, panel)
    unit = mpf(2) ** int(program.powers[step[4]])
    return [[unit * mpf(float(w)) for w in row[: shape.n_in]] for row in panel.array.reshape(shape.n_out, -1)]


def dot(a, b):
    return sum((x * y for x, y in zip(a, b, strict=True)), mpf(0))


def norm_of(x, norm):
    """y = (x - mean) / deviation, and the deviation."""
    mean = sum(x) / len(x) if norm == LAYER else mpf(0)
    centred = [each - mean for each in x]
    deviation = mp.sqrt(dot(centred, centred) / len(x) + EPSILON)
    return [each / deviation for each in centred], deviation


def norm_backward(y, deviation, e, norm):
    """(e - mean e - y mean(y e)) / deviation."""
    n, mean = len(y), sum(e) / len(e) if norm == LAYER else mpf(0)
    of_y = dot(y, e) / n
    return [(a - mean - b * of_y) / deviation for a, b in zip(e, y, strict=True)]


def reference(program, run, b, phi, network):
    """ln |error| of row b of every value; -inf where it is 0."""
    dtype, biases = run.values.numbers.dtype, iter(networks.biases(program, run))
    rows = lambda field, v: [mpf(float(x)) for x in networks.numbers(field, program, v)[b]]  # noqa: E731
    values, kept = [rows(run.values, 0)], []
    for step in program.steps:
        x = values[step[1]]
        if step[0] in (MULTIPLY, TIED):
            kept.append(matrix(program, step, network, dtype))
            values.append([dot(row, x) for row in kept[-1]])
        elif step[0] == SHIFT:
            kept.append(None)
            values.append([a + mpf(float(c)) for a, c in zip(x, next(biases), strict=True)])
        elif step[0] == ACTIVATE:
            kept.append([phi[1](each) for each in x])
            values.append([phi[0](each) for each in x])
        else:
            y, deviation = norm_of(x, step[5])
            kept.append(deviation)
            values.append(y)
    e = rows(run.errors, program.output)
    found = [e]
    for step, known in zip(program.steps[::-1], kept[::-1], strict=True):
        if step[0] in (MULTIPLY, TIED):
            e = [dot(column, e) for column in zip(*known, strict=True)]
        elif step[0] == ACTIVATE:
            e = [slope * each for slope, each in zip(known, e, strict=True)]
        elif step[0] == STANDARDISE:
            e = norm_backward(values[step[3]], known, e, step[5])
        found.append(e)
    squares = [dot(each, each) for each in found[::-1]]
    return np.array([float(mp.log(each)) / 2 if each > 0 else -np.inf for each in squares])


def run_many(case, number, dtype, interpret):
    """The arrays of networks by the explicit method, compiled or not."""
    program = case.program()
    if not interpret:
        yield from networks.run_many(program, case.name, number, dtype=dtype, method="explicit")
        return
    activation, kinds = resolve_activation(case.name), frozenset({TIED}) if case.tied else frozenset()
    tails = [each or simulator.no_tail for each in (activation.log_phi, activation.log_dphi)]
    body = schedule.builder("explicit", kinds)(activation.phi, activation.dphi, *tails, resolve_law("gaussian"))
    arrays = schedule.work_of(program, Inputs(), np.dtype(dtype), "explicit", kinds)
    for network in range(number):
        cell, sums = networks.CELL._replace(alpha=activation.alpha), (np.zeros((3, 1, 1)), np.zeros((3, 1, 1)))
        simulator._interpreted(body)(cell, simulator._slopes(activation), network, arrays, *sums)
        yield arrays[1]


def differences(case, number, dtype="float64", interpret=False):
    """ln |error| of every value of networks, and how far it is from the reference; -inf for -inf is no difference."""
    program, found, right = case.program(), [], []
    for network, run in enumerate(run_many(case, number, dtype, interpret)):
        with np.errstate(divide="ignore"):
            logs = 0.5 * np.log(run.errors.squares) + np.log(2.0) * run.errors.exponents
        for b in range(case.count):
            found.append(logs[:, b])
            right.append(reference(program, run, b, PHI[case.name], network))
    found, right = np.array(found), np.array(right)
    with np.errstate(invalid="ignore"):
        return right, np.where(found == right, 0.0, np.abs(found - right))
