"""The schedule of streams: which networks it runs, exact laws, range, and bits that depend on nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core.activations import resolve_activation
from gradsim_core.architectures import Network, choose_schedule
from gradsim_core.laws import resolve_law
from gradsim_core.operations.across import NARROW
from gradsim_core.schedules.streams import branches, errors, schedule, sums
from gradsim_core.schedules.streams.adding import add_affine
from gradsim_core.simulator import Simulator
from tests.core.architectures.kinds import name_of

DELTA, GRADIENT, Q, GAIN = range(4)
LN2 = np.log(2.0)
NETWORKS = [
    ("relu", Network("residual")),
    ("gelu", Network("residual", normalisation="layer", placement="sandwich")),
    ("gelu", Network("residual", normalisation="rms", placement="post", branch_scale=0.7)),
    ("relu", Network("residual2", branch_scale=-0.5)),
    ("gelu", Network("residual2", normalisation="layer", expansion=1.5)),
    ("gelu", Network("residual2", normalisation="rms", placement="output", branch_scale="1/sqrt(L)")),
    ("gelu", Network(normalisation="rms")),
    ("gelu", Network(normalisation="layer", placement="post")),
]


def parametrized(networks):
    return pytest.mark.parametrize(("name", "network"), networks, ids=[f"{a}, {name_of(n)}" for a, n in NETWORKS])


of_each = parametrized(NETWORKS)
# The kernel of relu in float64 takes 12 s to compile.
of_each_in_both = parametrized([pytest.param(*n, marks=pytest.mark.verify) if n[0] == "relu" else n for n in NETWORKS])
COMPARED = {"relu": ("float32", 2e-5), "gelu": ("float64", 1e-10)}
"""The precision of the interpreter beside a kernel, and the allowance: norms of two neurons cancel digits."""


def simulator(name, network, dtype="float64", **options):
    return Simulator(
        resolve_activation(name), resolve_law("gaussian"), dtype, "conditional", network=network, **options
    )


def block(name, network, *, sigma_w=1.4, sigma_b=0.3, depth=4, width=6, first=0, count=32, key=7, **options):
    each = simulator(name, network, **options)
    return each.block(each.params(key, depth, width, sigma_w, sigma_b), first, count)


def schedule_of(network, method="conditional", law="gaussian"):
    return choose_schedule(method, resolve_law(law), 4, 8, network=network)


@of_each
def test_it_runs_networks_of_one_input(name, network):
    assert schedule_of(network).name == "streams"
    assert schedule_of(network) is schedule_of(network._replace())
    assert schedule_of(network).build is schedule_of(Network("residual")).build
    for other in (network._replace(inputs=2), network._replace(normalisation="dyt")):
        assert schedule_of(other).name == "tape"
    assert schedule_of(network, "explicit").name == "tape"


@of_each
@pytest.mark.parametrize(("depth", "width"), [(3, 40), (8, 2000), (200, 64)])
def test_memory_is_that_of_the_arrays(name, network, depth, width):
    each = simulator(name, network, "float32")
    cell = each.params(7, depth, width, 1.4, 0.3)
    row = each.schedule(cell)
    arrays = row.allocate(cell, np.dtype("float32"), resolve_law("gaussian"))
    flat = [part for part in (*arrays, *arrays.activated, *arrays.between) if isinstance(part, np.ndarray)]
    assert 0.8 < 4 * row.memory(resolve_law("gaussian"), depth, width) / sum(each.nbytes for each in flat) < 1.4


def test_gated_branches_and_other_kinds_stay_with_the_tape():
    for network in (Network("residual2", gated=True), Network("transformer")):
        assert schedule_of(network).name == "tape"
    assert schedule_of(Network()).name == "conditional"
    with pytest.raises(ValueError, match="orthogonal"):
        schedule_of(Network("residual"), law="orthogonal")


@of_each
@pytest.mark.parametrize("width", [1, 2, 5, 6, NARROW + 3])
def test_the_interpreter_has_the_numbers_of_the_kernel(name, network, width):
    dtype, allowance = COMPARED[name]
    compiled, status = block(name, network, width=width, dtype=dtype)
    interpreted, again = block(name, network, width=width, dtype=dtype, interpret=True)
    np.testing.assert_array_equal(status, again)
    np.testing.assert_allclose(compiled, interpreted, rtol=0, atol=allowance)


@of_each
def test_bits_depend_neither_on_the_block_nor_on_what_is_remembered(name, network, monkeypatch):
    whole, _ = block(name, network, dtype="float32", count=48)
    part, _ = block(name, network, dtype="float32", first=21, count=9)
    np.testing.assert_array_equal(whole[:, 21:30], part)
    monkeypatch.setattr(schedule, "REMEMBERED", 0)
    forgetful = simulator(name, network, "float32")
    cell = forgetful.params(7, 4, 6, 1.4, 0.3)
    monkeypatch.setattr(forgetful, "_work", lambda cell: None)
    work = forgetful.schedule(cell).allocate(cell, np.dtype("float32"), resolve_law("gaussian"))
    assert not work.fits
    sums = np.zeros((2, 3, 48, 4))
    forgetful._run(cell, 0, work, *sums)
    usual = simulator(name, network, "float32")
    monkeypatch.undo()
    work = usual.schedule(cell).allocate(cell, np.dtype("float32"), resolve_law("gaussian"))
    assert work.fits
    expected = np.zeros((2, 3, 48, 4))
    usual._run(cell, 0, work, *expected)
    np.testing.assert_array_equal(sums, expected)


@of_each_in_both
@pytest.mark.parametrize("sigma_w", [1e-12, 0.01, 30.0, 100.0])
def test_float32_has_the_numbers_of_float64(name, network, sigma_w):
    """As `architectures.test_range`: rounding is amplified where a layer nearly dies, in one layer of twenty."""
    options = {"sigma_w": sigma_w, "sigma_b": 0.0, "depth": 300, "width": 64, "count": 16}
    (short, status), (exact, again) = (block(name, network, dtype=dtype, **options) for dtype in ("float32", "float64"))
    assert np.isfinite(exact).all()
    assert not status.any()
    assert not again.any()
    for found, right in zip(short, exact, strict=True):
        assert np.mean(np.abs(found - right) < 0.1 * LN2 + np.abs(right) / 500) > 0.95


def test_normals_are_stored_where_a_small_branch_is_rounded_off_the_stream(monkeypatch):
    """x' - x has no digit of a branch of 1e-7 of the stream in float32, and the inner gradient needs its normals."""
    network = Network("residual2", branch_scale=1e-7)
    short, exact = (block("gelu", network, dtype=dtype)[0] for dtype in ("float32", "float64"))
    np.testing.assert_allclose(short[GRADIENT], exact[GRADIENT], atol=1e-4)
    monkeypatch.setattr(branches, "is_lost", lambda square, width, of_x, of_z: False)
    planted, _ = block("gelu", network, dtype="float32", interpret=True)
    assert np.abs(planted[GRADIENT] - exact[GRADIENT]).max() > 0.1


@pytest.mark.parametrize("placement", ["pre", "post"])
@pytest.mark.parametrize("normalisation", ["layer", "rms"])
@pytest.mark.parametrize("name", ["relu", "gelu"])
def test_sums_have_the_numbers_of_vectors(name, normalisation, placement, monkeypatch):
    """Without branches, an error is known by sums; asked for more digits than they have, its vector is computed."""
    network = Network(normalisation=normalisation, placement=placement)
    options = {"width": NARROW + 1, "count": 16, "interpret": True}
    calls = []
    monkeypatch.setattr(errors, "add_affine", lambda *arguments: calls.append(add_affine(*arguments)))
    of_sums, _ = block(name, network, **options)
    assert not calls
    monkeypatch.setattr(sums, "_LEAST", 1e3)
    of_vectors, _ = block(name, network, **options)
    assert len(calls) == 4
    np.testing.assert_allclose(of_sums, of_vectors, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("name", "normalisation", "cell"), [
    ("relu2", "layer", {"dtype": "float32", "sigma_w": 1e6, "width": NARROW + 1, "depth": 2}),
    ("tanh", "rms", {"dtype": "float64", "sigma_w": 1e4, "width": 256, "depth": 30}),
], ids=["squares overflow", "squares underflow"])  # fmt: skip
def test_sums_out_of_range_give_way_to_vectors(name, normalisation, cell, monkeypatch):
    options = {"sigma_b": 0.0, "count": 16, "interpret": True, **cell}
    found, status = block(name, Network(normalisation=normalisation, placement="post"), **options)
    assert not status.any()
    monkeypatch.setattr(sums, "_LEAST", 1e3)
    of_vectors, _ = block(name, Network(normalisation=normalisation, placement="post"), **options)
    np.testing.assert_allclose(found, of_vectors, rtol=1e-5)
    monkeypatch.undo()
    monkeypatch.setattr(sums, "is_extreme", lambda square, has_tail: False)
    planted, again = block(name, Network(normalisation=normalisation, placement="post"), **options)
    assert again.any() or np.abs(planted - of_vectors).max() > 1.0


@pytest.mark.parametrize("placement", ["pre", "post"])
@pytest.mark.parametrize("normalisation", ["layer", "rms"])
def test_a_variance_far_below_epsilon_keeps_its_digits(normalisation, placement):
    """A norm then divides by the root of epsilon, so that h of layer l is proportional to sigma_w^l."""
    network = Network(normalisation=normalisation, placement=placement)
    low, high = (
        block("relu", network, sigma_w=sigma_w, sigma_b=0.0, width=16, dtype="float32")[0][Q]
        for sigma_w in (1e-12, 1e-8)
    )
    np.testing.assert_allclose(low - high, np.tile(2.0 * np.arange(1, 5) * np.log(1e-4), (32, 1)), atol=1e-3)


def test_one_neuron_less_its_mean_is_zero():
    """As a tape has it: no rounding of epsilon's share is taken for a signal."""
    network = Network("residual", normalisation="layer", placement="post")
    assert (block("relu", network, width=1, dtype="float32")[0][Q] == -np.inf).all()


def test_a_thousand_blocks():
    values, status = block("relu", Network("residual2"), sigma_w=100.0, depth=1000, width=16, dtype="float32", count=16)
    assert not status.any()
    assert np.isfinite(values).all()
    assert values[Q].max() > 1000 * np.log(100.0)


def test_a_live_error_beside_a_dead_block_is_kept():
    """Where all slopes of a block are 0 the error of the stream passes unchanged, however large the block might be."""
    network = Network("residual", normalisation="rms", branch_scale=100.0)
    options = {"sigma_w": 1e20, "sigma_b": 0.0, "depth": 8, "width": 4, "count": 320}
    (short, status), (exact, _) = (block("relu", network, dtype=dtype, **options) for dtype in ("float32", "float64"))
    assert not status.any()
    np.testing.assert_allclose(short[DELTA], exact[DELTA], atol=0.01)


@pytest.mark.parametrize("network", [network for _, network in NETWORKS], ids=name_of)
def test_means_are_those_of_drawn_matrices(network):
    """Of 20,000 networks a side; 96 differences within 5 standard errors: a false alarm has 5e-5.

    A gradient that is 12 % too large is seen in every network.
    """
    options = {"sigma_w": 1.4, "sigma_b": 0.3, "depth": 4, "width": 12, "count": 20_000, "dtype": "float32"}
    values, _ = block("relu", network, **options)
    each = Simulator(resolve_activation("relu"), resolve_law("gaussian"), "float32", "explicit", network=network)
    drawn, _ = each.block(each.params(8, 4, 12, 1.4, 0.3), 0, 20_000)
    alive = np.isfinite(values).all(axis=(0, 2)), np.isfinite(drawn).all(axis=(0, 2))
    ours, theirs = values[:3, alive[0]], drawn[:3, alive[1]]
    errors = np.sqrt(ours.var(axis=1) / ours.shape[1] + theirs.var(axis=1) / theirs.shape[1])
    distances = (ours.mean(axis=1) - theirs.mean(axis=1)) / errors
    assert (np.abs(distances[np.isfinite(distances)]) < 5).all()
    assert (distances[GRADIENT] + 0.12 / errors[GRADIENT] > 5).all()


def test_a_norm_of_one_neuron_is_dead():
    values, status = block("gelu", Network(normalisation="layer"), width=1)
    assert (status == 1).all()
    assert np.isneginf(values[DELTA]).all()
    options = {"sigma_w": 1e20, "sigma_b": 0.0, "depth": 5, "width": 1, "key": 93, "dtype": "float32"}
    values, status = block("relu", Network(normalisation="layer"), **options)
    assert (status == 1).all()
    assert np.isneginf(values[DELTA]).all()


def deviations(squares, expected):
    """Distance of means from expectations, in standard errors."""
    return np.abs(squares.mean(axis=0) - expected) / (squares.std(axis=0) / np.sqrt(len(squares)))


@pytest.mark.parametrize("width", [2, 4, 12])
@pytest.mark.parametrize("alpha", [1.0, 0.6])
def test_growth_of_two_matrices(width, alpha):
    """relu: E|x'|^2 / |x|^2 = 1 + alpha^2 sigma_w^4 / 2 at every width, as W x is symmetric and V fresh.

    With 4.5 standard errors and 6 numbers a false alarm is one in 24,000.
    """
    values, _ = block("relu", Network("residual2", branch_scale=alpha), sigma_w=1.3, sigma_b=0.0, depth=2, width=width,
                      count=4_000_000 // width, dtype="float32")  # fmt: skip
    ratio, factor = np.exp(values[Q][:, 1] - values[Q][:, 0]), 1 + alpha**2 * 1.3**4 / 2
    assert deviations(ratio[:, None], [factor]) < 4.5
    assert deviations(ratio[:, None], [1 + 1.03 * (factor - 1)]) > 4.5


@pytest.mark.parametrize("normalisation", ["layer", "rms"])
@pytest.mark.parametrize("width", [4, 12])
def test_growth_with_norms(width, normalisation):
    """relu: E|x^l|^2 = E|x^0|^2 + l N sigma_w^4 / 2 at every width (epsilon is below the standard errors)."""
    values, _ = block("relu", Network("residual2", normalisation=normalisation), sigma_w=1.3, sigma_b=0.0, depth=6,
                      width=width, count=1_200_000 // width, dtype="float32")  # fmt: skip
    expected = 1.0 + np.arange(1, 7) * 1.3**4 / 2
    assert (deviations(np.exp(values[Q]), expected) < 4.5).all()
    assert (deviations(np.exp(values[Q]), 1.02 * expected) > 4.5).all()
