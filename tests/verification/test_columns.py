"""Lazy matrices answer every single input as drawn ones do: two-sample tests of the vectors of one input, or of a pair.

`test_architectures` compares the lengths of all inputs together. Here, at the input and at each layer, forward and
backward: the length over all inputs, the length of input 0, of the difference of inputs 0 and 1, the correlations of
inputs 0 and 1 and of 0 and the last, the correlation of values with errors, of the same input and of another one, and
how lengths and correlations change from layer to layer. The kinds of networks cover every pair of options. Kolmogorov
and Smirnov's test, 20,000 networks a side; of all tests of this file together a false alarm has a probability of 1e-4.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import ks_2samp

from gradsim_core import jit, simulator
from gradsim_core.activations import resolve_activation
from gradsim_core.architectures import ARCHITECTURES, Network
from gradsim_core.architectures.network import NORMALISATIONS, SCORES
from gradsim_core.architectures.table import program_of
from gradsim_core.lanes import LANES, load, store
from gradsim_core.laws import gaussian, resolve_law
from gradsim_core.lazy.untied import (
    combine_transposed,
    fill_rows,
    inner,
    multiply,
    triangular_factor,
    weight_gradient,
)
from gradsim_core.linear.products import Matrix
from gradsim_core.linear.rows import add_scaled
from gradsim_core.linear.triangular import padded
from gradsim_core.parameters import Params
from gradsim_core.rng.draws import Source
from gradsim_core.rng.philox import LAZY_BACKWARD
from gradsim_core.tapes import running, schedule
from gradsim_core.tapes.steps import plain, raise_exponents, seen_at, shape_at
from tests.core.architectures.kinds import name_of
from tests.core.tapes import networks as tapes

NETWORKS, DEPTH, WIDTH = 20_000, 3, 8
SHAPE = Params(np.uint64(0), DEPTH, WIDTH, 1.3, 0.2)
OTHERS = 2**30
"""Number of the first network on the second side: the two sides share no inputs and no readouts."""

ACTIVATIONS, HEADS = ("relu", "tanh", "gelu"), (1, 2)


def transformer(activation, causal, scores, heads, **options):
    return activation, Network("transformer", inputs=4, causal=causal, scores=scores, heads=heads, **options)


CASES = [
    ("relu", Network(inputs=4)),
    ("tanh", Network(inputs=3, normalisation="layer")),
    ("relu", Network(inputs=4, normalisation="rms", placement="post")),
    ("tanh", Network(inputs=4, normalisation="batch")),
    ("gelu", Network(inputs=3, normalisation="dyt")),
    ("gelu", Network("residual", inputs=4)),
    ("tanh", Network("residual", inputs=4, normalisation="layer", placement="sandwich")),
    ("tanh", Network("residual", inputs=3, normalisation="rms", branch_scale=0.7)),
    ("gelu", Network("residual", inputs=4, normalisation="batch", placement="output")),
    ("relu", Network("residual", inputs=3, input_correlation=0.9, normalisation="dyt", placement="post")),
    ("relu", Network("residual2", inputs=4, branch_scale="1/sqrt(L)")),
    ("tanh", Network("residual2", inputs=3, normalisation="layer", placement="output", gated=True)),
    ("gelu", Network("residual2", inputs=3, normalisation="rms", placement="output", expansion=2.0)),
    ("relu", Network("residual2", inputs=4, normalisation="batch", placement="sandwich")),
    ("tanh", Network("residual2", inputs=4, normalisation="batch", placement="post", gated=True)),
    ("relu", Network("residual2", inputs=3, input_correlation=0.9, normalisation="dyt", gated=True)),
    transformer("tanh", False, "1/sqrt(d)", 1),
    transformer("gelu", True, "1/d", 2, gated=True),
    transformer("relu", True, "1/d", 1, normalisation="layer"),
    transformer("relu", False, "1/sqrt(d)", 2, normalisation="layer", gated=True),
    transformer("gelu", True, "1/sqrt(d)", 1, normalisation="layer", placement="post", gated=True),
    transformer("gelu", False, "1/d", 2, normalisation="rms", placement="post"),
    transformer("gelu", True, "1/sqrt(d)", 1, normalisation="rms", placement="sandwich", gated=True),
    transformer("relu", False, "1/sqrt(d)", 2, normalisation="dyt", placement="output", gated=True),
    transformer("tanh", True, "1/d", 1, normalisation="dyt", placement="output"),
    transformer("tanh", False, "1/d", 2, normalisation="dyt", placement="sandwich", gated=True),
    ("tanh", Network("convolution", inputs=3)),
    ("gelu", Network("convolution", inputs=3, normalisation="layer")),
    ("gelu", Network("convolution", inputs=4, normalisation="rms", placement="post")),
    ("relu", Network("convolution", inputs=4, normalisation="batch")),
    ("tanh", Network("convolution", inputs=3, normalisation="dyt", placement="post")),
    ("tanh", Network("recurrent", inputs=3)),
    ("gelu", Network("recurrent", inputs=3, sigma_u=0.5, normalisation="layer")),
    ("gelu", Network("recurrent", inputs=3, normalisation="rms", placement="post")),
    ("relu", Network("recurrent", inputs=4, normalisation="batch")),
    ("tanh", Network("recurrent", inputs=3, sigma_u=0.5, normalisation="dyt", placement="post")),
]
TESTS = 12 * (DEPTH + 1) + 10 * DEPTH
ALARM = 1e-4 / (len(CASES) * TESTS)
FAINT = 1e-9
"""Lengths below that are those of a vector that cancelled, or of a dead one: as -inf on both sides."""


def named(cases):
    return {"argvalues": cases, "ids": [f"{name}, {name_of(each)}" for name, each in cases]}


def levels(activation, network):
    """The options that matter to a network, as (name, level)."""
    uses = ARCHITECTURES[network.architecture].uses
    fields = ["architecture", "normalisation", *(["placement"] if network.normalisation != "none" else [])]
    fields += [field for field in ("gated", "causal", "scores", "heads") if field in uses]
    return [("activation", activation), *((field, getattr(network, field)) for field in fields)]


def every_kind():
    """All kinds of networks, as levels."""
    for name, row in ARCHITECTURES.items():
        free = {"gated": (False, True), "causal": (False, True), "scores": tuple(SCORES), "heads": HEADS}
        free = {field: values for field, values in free.items() if field in row.uses}
        free |= {"normalisation": NORMALISATIONS, "placement": row.placements}
        for values in itertools.product(*free.values()):
            network = Network(name, **dict(zip(free, values, strict=True)))
            if (name, network.normalisation) != ("transformer", "batch"):
                yield from (levels(activation, network) for activation in ACTIVATIONS)


def pairs_of(kinds):
    return {pair for each in kinds for pair in itertools.combinations(each, 2)}


def test_kinds_cover_every_pair_of_options():
    wanted, covered = pairs_of(every_kind()), pairs_of(itertools.starmap(levels, CASES))
    assert wanted == covered
    assert all(wanted - pairs_of(itertools.starmap(levels, CASES[:n] + CASES[n + 1 :])) for n in (0, 10, 20))


def gather(name, network, method, *, first=0, networks=NETWORKS):
    """Values and errors of the input and of what stands for each layer, (2, networks, layers + 1, inputs, width)."""
    program = program_of(network, SHAPE)
    count, kept = program.count, [0, *program.layers[:, 0].tolist()]
    places = [slice(start, start + count * width) for start, width, _, _ in program.values[kept]]
    exponents = np.empty((2, networks, DEPTH + 1, count, 1), np.int64)
    found = np.empty((2, networks, DEPTH + 1, count, WIDTH))
    options = {"first": first, "method": method, "correlation": network.input_correlation}
    for m, work in enumerate(tapes.run_many(program, name, networks, **options)):
        for side, field in enumerate((work.values, work.errors)):
            exponents[side, m, :, :, 0] = field.exponents[kept]
            for k, place in enumerate(places):
                found[side, m, k] = field.numbers[place].reshape(count, -1)[:, :WIDTH]
    return np.ldexp(found, exponents)


def log_length(v, axis=-1):
    """ln|v|, and for what is faint a number that no other vector has."""
    length = np.sqrt(np.sum(np.square(v), axis=axis))
    return np.where(length > FAINT, np.log(np.maximum(length, FAINT)), -100.0)


def cosine(u, v):
    """The correlation of vectors; -2 if one is faint."""
    lengths = [np.sqrt(np.sum(np.square(each), axis=-1)) for each in (u, v)]
    live = np.minimum(*lengths) > FAINT
    return np.where(live, np.sum(u * v, axis=-1) / np.where(live, lengths[0] * lengths[1], 1.0), -2.0)


def with_steps(numbers):
    """Numbers of each layer, and how they change from layer to layer."""
    return [numbers, np.diff(numbers)]


def observed(sides):
    """All numbers of the networks, (TESTS, networks)."""
    rows = []
    for v in sides:
        whole, first = log_length(v, axis=(-2, -1)), log_length(v[:, :, 0])
        rows += with_steps(whole) + with_steps(first) + [log_length(v[:, :, 0] - v[:, :, 1])]
        rows += with_steps(cosine(v[:, :, 0], v[:, :, 1])) + with_steps(cosine(v[:, :, 0], v[:, :, -1]))
    values, errors = sides
    for k in (0, 1):
        rows += with_steps(cosine(values[:, :, 0], errors[:, :, k]))
    return np.round(np.concatenate(rows, axis=1).T, 9)


def smallest(first, second):
    """The smallest p value of all that is not one constant on both sides."""
    assert len(first) == len(second) == TESTS
    varies = [not np.ptp(a) == np.ptp(b) == a[0] - b[0] == 0.0 for a, b in zip(first, second, strict=True)]
    pairs = zip(first[varies], second[varies], strict=True)
    return min(ks_2samp(a, b, method="asymp").pvalue for a, b in pairs)


@pytest.fixture(autouse=True)
def lazy_at_any_width(monkeypatch):
    """Else such narrow networks would have drawn matrices by both methods."""
    monkeypatch.setattr(schedule, "FEW", 0)


@pytest.mark.verify
@pytest.mark.parametrize(("name", "network"), **named(CASES))
def test_single_inputs_have_the_law_of_drawn_matrices(name, network):
    drawn = observed(gather(name, network, "explicit", first=OTHERS))
    assert smallest(observed(gather(name, network, "conditional")), drawn) > ALARM


NOTHING, PROJECTION, ALONG, CROSS, FRESH = range(5)
PLANTED = {"projection forgotten": PROJECTION, "along forgotten": ALONG, "cross Gram forgotten": CROSS,
           "fresh matrix": FRESH}  # fmt: skip


def only_lengths(triangle, count, size):
    """The triangular factor of errors that have the right lengths, but no correlation."""
    for j in range(count):
        total = 0.0
        for i in range(count):
            total += triangle[i * size + j] ** 2
            triangle[i * size + j] = 0.0
        triangle[j * size + j] = total**0.5


def backward_with(planted, source, shape, deviation, delta, y, seen, work):
    """`untied.backward` with an error."""
    count, size = shape.count, padded(shape.count)
    triangular_factor(delta, work.normals, work.triangle, count, shape.width_out, work.basis)
    if planted == CROSS:
        only_lengths(work.triangle, count, size)
    normals = Matrix(work.normals.array, 0, shape.width_in, 1)
    fill_rows(gaussian, source, count, shape.n_in, shape.parts_in, deviation, normals)
    combine_transposed(work.triangle, normals, y, count, shape.width_in, work.basis)
    of_delta, of_normals = Matrix(work.products, 0, size, 1), Matrix(work.products, count * size, size, 1)
    inner(delta, seen.z, of_delta, count, count, shape.width_out)
    inner(y, seen.q, of_normals, count, count, shape.width_in)
    if planted in (ALONG, FRESH):
        work.products[: count * size] = 0.0
    if planted in (PROJECTION, FRESH):
        work.products[count * size :] = 0.0
    for k in range(0, count * size, LANES):
        store(work.products, k, load(work.products, k) - load(work.products, count * size + k))
    multiply(of_delta, seen.q, normals, count, shape.width_in, count)
    add_scaled(y, normals, 1.0, count, shape.width_in)
    return weight_gradient(seen.r, work.triangle, count, work)


def multiply_backward_with(origin, program, work, index, x, error, out):
    """`steps.multiply_lazy_backward` with the error that the parameter of the weight law names; lazy ones use none."""
    shape, seen = shape_at(program, index), seen_at(program, work, index)
    planted, deviation = int(origin.cell.law_parameter), program.deviations[index]
    source = Source(origin.cell, origin.network, origin.layer, LAZY_BACKWARD)
    square = backward_with(planted, source, shape, deviation, plain(error), plain(out), seen, work.lazy)
    work.gradients[index], work.gradient_units[index] = square, 0
    raise_exponents(error, out, program.count, program.powers[index])


@pytest.fixture(scope="module")
def broken_kernel():
    """The kernel of relu, compiled once for all errors."""
    jit.load_numba()
    for function in (only_lengths, backward_with, multiply_backward_with):
        jit.make_compilable(function, inline=False)
    relu, right = resolve_activation("relu"), running.matrices_of("conditional", resolve_law("gaussian"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "matrices_of", lambda method, law: (right[0], multiply_backward_with, *right[2:]))
        build = schedule.builder("conditional", schedule.RARE)
        body = build(relu.phi, relu.dphi, running.no_tail, running.no_tail, resolve_law("gaussian"))
    return jit.compile_kernel(body, disk_cache=False)


RELU = [case for case in CASES if case[0] == "relu" and not ARCHITECTURES[case[1].architecture].tied]


@pytest.mark.verify
@pytest.mark.parametrize(("name", "network"), **named(RELU))
def test_planted_errors_are_caught(name, network, broken_kernel, monkeypatch):
    """All four, in every kind of relu; with no error the kernel gives the very numbers of the right one."""
    right = gather(name, network, "conditional", networks=64)
    drawn = observed(gather(name, network, "explicit", first=OTHERS))
    monkeypatch.setattr(simulator, "_kernel", lambda *arguments: broken_kernel)
    np.testing.assert_array_equal(gather(name, network, "conditional", networks=64), right)
    for planted in PLANTED.values():
        monkeypatch.setattr(tapes, "CELL", tapes.CELL._replace(law_parameter=float(planted)))
        assert smallest(observed(gather(name, network, "conditional")), drawn) < ALARM, planted
