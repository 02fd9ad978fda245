"""Norms of few neurons, backward: every error against textbook formulas in 300 digits, with the same matrices.

With relu such networks have layers of one live neuron. There the gradient is the part of the error along the vector
alone, to which every norm leaves about 1e-5: after 30 layers 1e-150, far below the rounding of what cancels. The
formulas subtract numbers near 1, so that they need more digits than that: with 50 they fail beyond ten layers.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import pytest
from mpmath import mp, mpf

from gradsim_core import simulator
from gradsim_core.activations import resolve_activation
from gradsim_core.architectures import Network
from gradsim_core.laws import gaussian, resolve_law
from gradsim_core.linear.rows import rows_of
from gradsim_core.operations.across import NARROW
from gradsim_core.rng.draws import Source
from gradsim_core.rng.philox import TAPE_WEIGHT
from gradsim_core.tapes import Tape, drawn, schedule, steps, work
from gradsim_core.tapes.tape import ACTIVATE, BATCH, LAYER, MULTIPLY, RMS, SHIFT, STANDARDISE, TIED
from gradsim_core.tapes.work import Inputs
from tests.core.tapes import networks

DIGITS = 300
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
    """The entries that the explicit method draws for a step, as numbers of many digits."""
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
    deviation = mp.sqrt(dot(centred, centred) / len(x) + mpf(10) ** -5)
    return [each / deviation for each in centred], deviation


def norm_backward(y, deviation, e, norm):
    """(e - mean e - y mean(y e)) / deviation."""
    n, mean = len(y), sum(e) / len(e) if norm == LAYER else mpf(0)
    of_y = dot(y, e) / n
    return [(a - mean - b * of_y) / deviation for a, b in zip(e, y, strict=True)]


@mp.workdps(DIGITS)
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


def with_exponents(arrays, kind):
    """The same arrays with exponents of a kind: in the interpreter `math.ldexp` takes Python's integers alone."""
    whole = lambda each: each.astype(kind)  # noqa: E731
    fields = {name: getattr(arrays, name) for name in ("values", "errors", "products")}
    changed = {name: each._replace(exponents=whole(each.exponents)) for name, each in fields.items()}
    return arrays._replace(units=whole(arrays.units), powers=whole(arrays.powers), **changed)


def interpreted(program, name, dtype, kinds, network):
    """The arrays of one network by the explicit method, in the interpreter, which needs no kernel."""
    activation = resolve_activation(name)
    tails = [each or simulator.no_tail for each in (activation.log_phi, activation.log_dphi)]
    body = schedule.builder("explicit", kinds)(activation.phi, activation.dphi, *tails, resolve_law("gaussian"))
    _, arrays, inputs = schedule.work_of(program, Inputs(), np.dtype(dtype), "explicit", kinds)
    given = program._replace(powers=program.powers.astype(object)), with_exponents(arrays, object), inputs
    cell, sums = networks.CELL._replace(alpha=activation.alpha), (np.zeros((3, 1, 1)), np.zeros((3, 1, 1)))
    simulator._interpreted(body)(cell, simulator._slopes(activation), network, given, *sums)
    return with_exponents(given[1], np.int64)


def run_many(case, number, dtype, interpret):
    """The arrays of networks by the explicit method, compiled or not."""
    program = case.program()
    if not interpret:
        yield from networks.run_many(program, case.name, number, dtype=dtype, method="explicit")
        return
    for network in range(number):
        yield interpreted(program, case.name, dtype, frozenset({TIED}) if case.tied else frozenset(), network)


class Compared(NamedTuple):
    """Float64 arrays (networks, values): ln |error| of each value in the reference, and how far it is in a run."""

    right: np.ndarray
    away: np.ndarray


def compare(case, number, dtype="float64", interpret=True):
    """Networks beside the reference; both have -inf for an error of 0, or differ by inf."""
    program, found, right = case.program(), [], []
    for network, run in enumerate(run_many(case, number, dtype, interpret)):
        with np.errstate(divide="ignore"):
            logs = 0.5 * np.log(run.errors.squares) + np.log(2.0) * run.errors.exponents
        for b in range(case.count):
            found.append(logs[:, b])
            right.append(reference(program, run, b, PHI[case.name], network))
    found, right = np.array(found), np.array(right)
    with np.errstate(invalid="ignore"):
        return Compared(right, np.where(found == right, 0.0, np.abs(found - right)))


def worst(compared):
    """The largest difference, relative to logarithms beyond 1."""
    return (compared.away / np.where(np.isfinite(compared.right), np.maximum(np.abs(compared.right), 1.0), 1.0)).max()


PLACES = list(itertools.product((RMS, LAYER), (False, True)))
SHAPES = [(1, 0.0), (2, 0.0), (2, 0.3), (4, 0.0), (6, 0.3)]


@pytest.mark.parametrize(("norm", "after"), PLACES)
@pytest.mark.parametrize("name", PHI)
def test_errors_are_exact(name, norm, after):
    for n, sigma_b in SHAPES:
        compared = compare(Case(name, norm, after, n, sigma_b), 3 if name == "relu" else 1)
        assert worst(compared) < 1e-9, (n, sigma_b)


@pytest.mark.parametrize(("norm", "after"), PLACES)
@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_errors_in_float32(name, norm, after):
    for n, sigma_b in ((1, 0.0), (2, 0.0), (4, 0.3)):
        assert worst(compare(Case(name, norm, after, n, sigma_b), 1, "float32")) < 0.01, (n, sigma_b)


@pytest.mark.parametrize(("norm", "after"), PLACES)
def test_the_formula_that_subtracts_is_seen(monkeypatch, norm, after):
    """Planted: errors from e - mean e - y mean(y e), as in wide networks. Their rounding is far above what is right."""
    case = Case("relu", norm, after, 4, depth=12)
    exact = compare(case, 6)
    assert worst(exact) < 1e-9
    assert exact.right[np.isfinite(exact.right)].min() < -70.0
    monkeypatch.setattr(work, "is_narrow", lambda program: False)
    assert compare(case, 6).away.max() > 10.0


@pytest.mark.parametrize("case", [
    Case("relu", RMS, True, 3, sigma=1e12), Case("relu", LAYER, False, 3, sigma=1e12),
    Case("relu", LAYER, True, 3, sigma=1e-12), Case("leaky_relu", LAYER, False, 2, sigma=1e-7),
    Case("gelu", RMS, True, 1, sigma=30.0), Case("gelu", LAYER, True, 2, sigma=50.0),
    Case("tanh", RMS, True, 1, sigma=30.0), Case("tanh", RMS, True, 3, sigma=30.0),
    Case("tanh", LAYER, False, 3, sigma=30.0),
    Case("relu", LAYER, True, 4, 0.2, tied=True, count=2), Case("relu", RMS, False, 6, count=3),
], ids=str)  # fmt: skip
def test_any_range_ties_and_several_inputs(case):
    """Also where phi'(h) underflows (a tail of gelu, saturated tanh), and where floats keep nothing of epsilon."""
    assert worst(compare(case, 3)) < 1e-9


@pytest.mark.parametrize("size", [0.01, 1.0, 1e4, 1e9])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_batch_norm_of_two_inputs(size, dtype):
    """Of every error less its mean, epsilon / (variance + epsilon) is left: beyond 1e3 nothing of it is in float32."""
    tape = Tape(2, 5)
    program = tape.program(tape.activate(tape.standardise(tape.multiply(tape.input, 5, sigma=size), BATCH)))
    run = interpreted(program, "gelu", dtype, frozenset(), 0)
    x, e, found = (networks.numbers(*each) for each in (
        (run.values, program, 1), (run.errors, program, 2), (run.errors, program, 1),
    ))  # fmt: skip
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    with mp.workdps(DIGITS):
        for j in range(5):
            y, deviation = norm_of([mpf(float(each)) for each in x[:, j]], LAYER)
            right = norm_backward(y, deviation, [mpf(float(each)) for each in e[:, j]], LAYER)
            np.testing.assert_allclose(found[:, j], [float(each) for each in right], rtol=tolerance, atol=0)


def test_which_programs_are_narrow():
    """Those with norms of rows of few numbers."""
    assert work.is_narrow(Case("relu", RMS, True, NARROW).program())
    assert not work.is_narrow(Case("relu", RMS, True, NARROW + 1).program())
    tape = Tape(3, 4)
    assert not work.is_narrow(tape.program(tape.standardise(tape.multiply(tape.input, 4), BATCH)))


@pytest.mark.verify  # a kernel for every activation and precision
@pytest.mark.parametrize("name", PHI)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-9), ("float32", 0.02)])
def test_compiled_kernels(name, dtype, tolerance):
    for (norm, after), (n, sigma_b) in itertools.product(PLACES, SHAPES):
        assert worst(compare(Case(name, norm, after, n, sigma_b), 20, dtype, interpret=False)) < tolerance


MEANS = {
    ("layer", "post", 8, 32): (-265.18, 5.17),
    ("layer", "post", 4, 8): (-106.33, 1.30),
    ("rms", "post", 4, 8): (-111.63, 1.39),
    ("rms", "pre", 6, 16): (-174.42, 4.88),
    ("layer", "pre", 6, 16): (-41.43, 2.89),
}
"""Mean ln gain of live networks of relu, sigma_w 1.4, by norm, placement, width and depth, with its standard error: the
textbook formulas with NumPy's random matrices in 300 digits, of 2500, 2500, 2500, 700 and 700 networks."""


def gains(norm, placement, width, depth, dtype):
    """ln gain of live networks by the explicit method."""
    network = Network(normalisation=norm, placement=placement)
    machine = simulator.Simulator(
        resolve_activation("relu"), resolve_law("gaussian"), dtype, "explicit", network=network
    )
    values, status = machine.block(machine.params(9, depth, width, 1.4), 0, 4000)
    assert set(status.tolist()) <= {0, 1}  # live or dead
    return values[3, status == 0, 0]


@pytest.mark.verify  # two kernels
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", MEANS)
def test_mean_gains(case, dtype):
    """Within 4.5 standard errors: ten tests have a false alarm of 7e-5. The formula that subtracts is far outside."""
    mean, error = MEANS[case]
    found = gains(*case, dtype)
    assert abs(found.mean() - mean) < 4.5 * np.hypot(error, found.std() / len(found) ** 0.5)


@pytest.mark.verify
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_mean_gains_of_the_formula_that_subtracts(monkeypatch, dtype):
    """Planted: about -69 and -35 in the place of -265, from rounding."""
    monkeypatch.setattr(work, "is_narrow", lambda program: False)
    found = gains("layer", "post", 8, 32, dtype)
    assert found.mean() > MEANS["layer", "post", 8, 32][0] + 100.0
