"""The radial sampler of residual networks: laws, numbers of any size, dead branches, bits, and what it runs.

relu, abs and linear are leaky_relu with slopes of 0, -1 and 1, so one kernel a precision serves all tests.
"""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core.activations import resolve_activation
from gradsim_core.architectures import Network, choose_schedule, normals
from gradsim_core.laws import resolve_law
from gradsim_core.rng import philox
from gradsim_core.simulator import Simulator
from tests.core.schedules.planted_residual import PLANTED
from tests.core.schedules.residual_reference import Kind, by_lengths, explicit
from tests.core.two_samples import p_values

DELTA, GRADIENT, Q, GAIN = range(4)
LN2 = np.log(2.0)
NETWORKS = 12_000
CASES = [
    Kind(4, 6, 4),  # width, inner width, depth
    Kind(2, 3, 5, below=0.3, sigma_b=0.3),
    Kind(3, 2, 6, placement="pre", sigma_b=0.3),
    Kind(6, 4, 3, placement="sandwich", below=-1.0),
    Kind(2, 2, 4, placement="post", below=0.3),
    Kind(5, 3, 4, placement="output", below=1.0),
    Kind(1, 2, 3, below=0.3, sigma_b=0.3),
    Kind(8, 8, 8, alpha=-0.5, placement="pre"),
]


def name_of(kind):
    """Its sizes, placement, slope, and whether there are biases."""
    return f"{kind.width}-{kind.inner}-{kind.depth} {kind.placement} {kind.below:g}{' bias' * (kind.sigma_b > 0)}"


def network_of(kind):
    """The `Network` of a kind."""
    rms = {"normalisation": "rms", "placement": kind.placement} if kind.placement != "none" else {}
    return Network("residual2", branch_scale=kind.alpha, expansion=kind.inner / kind.width, **rms)


def block(kind, networks=64, *, first=0, key=7, dtype="float64", interpret=False, sigma_w=None, name=None):
    name = name or f"leaky_relu({kind.below:g})"
    words = resolve_activation(name), resolve_law("gaussian"), dtype, "radial"
    each = Simulator(*words, network=network_of(kind), interpret=interpret)
    sigma_w = sigma_w or kind.sigma_w
    return each.block(each.params(key, kind.depth, kind.width, sigma_w, kind.sigma_b), first, networks)


def lowest(first, second):
    """The least p-value of two samples, times their number."""
    found = list(p_values(first, second))
    return min(p for _, p in found) * len(found)


@pytest.mark.parametrize("kind", CASES, ids=name_of)
def test_same_law_as_explicit_weights(kind):
    """The kernel, and the derivation in NumPy: 16 pairs of samples; right code fails one of them with a chance of 1e-4.

    The long form has more networks and kinds.
    """
    drawn = explicit(np.random.default_rng(1), NETWORKS, kind)
    assert lowest(drawn, by_lengths(np.random.default_rng(2), NETWORKS, kind)) > 1e-4 / 16
    assert lowest(drawn, block(kind, NETWORKS)) > 1e-4 / 16


def test_two_percent_of_sigma_w_are_told_apart():
    kind = Kind(8, 8, 8)
    drawn = explicit(np.random.default_rng(1), NETWORKS, kind)
    assert lowest(drawn, block(kind, NETWORKS, sigma_w=1.02 * kind.sigma_w)) < 1e-9


def test_both_matrices_have_the_sigma_of_a_preset():
    network = Network("residual2", preset="xavier_normal", expansion=3.0, branch_scale=0.9)
    each = Simulator(resolve_activation("leaky_relu(0)"), resolve_law("gaussian"), "float64", "radial", network=network)
    sampled = each.block(each.params(5, 4, 3, 1.0), 0, NETWORKS)
    kind = Kind(3, 9, 4, sigma_w=(6 / 12) ** 0.5, sigma_v=(18 / 12) ** 0.5)
    assert lowest(explicit(np.random.default_rng(1), NETWORKS, kind), sampled) > 1e-4
    swapped = kind._replace(sigma_w=kind.sigma_v, sigma_v=kind.sigma_w)
    assert lowest(explicit(np.random.default_rng(1), NETWORKS, swapped), sampled) < 1e-9


@pytest.mark.parametrize("planted", PLANTED[:1], ids=lambda each: each.name)
def test_a_planted_error_is_caught(planted, monkeypatch):
    """Interpreted; the long form has all of them."""
    drawn = explicit(np.random.default_rng(1), NETWORKS, planted.kind)
    assert lowest(drawn, block(planted.kind, 1_600, interpret=True)) > 1e-4
    planted.put(monkeypatch)
    assert lowest(drawn, block(planted.kind, 1_600, interpret=True)) < 1e-9


def deviations(squares, expected):
    """Distance of means from expectations, in standard errors."""
    return np.abs(squares.mean(axis=0) - expected) / (squares.std(axis=0) / np.sqrt(len(squares)))


@pytest.mark.parametrize("width", [2, 4, 64])
@pytest.mark.parametrize("alpha", [1.0, 0.6])
def test_growth_of_relu(width, alpha):
    """E|x^l|^2 / |x^(l-1)|^2 = 1 + alpha^2 sigma_w^4 / 2 at every width: W x is symmetric, and V fresh.

    18 figures at 4.5 standard errors: a false alarm is one in 8,000.
    """
    values, _ = block(Kind(width, width, 4, alpha), 400_000)
    ratio, factor = np.exp(np.diff(values[Q])), 1 + alpha**2 * 1.3**4 / 2
    assert (deviations(ratio, factor) < 4.5).all()
    assert (deviations(ratio, 1 + 1.03 * (factor - 1)) > 4.5).all()


@pytest.mark.parametrize("width", [4, 12])
def test_growth_of_relu_with_norms(width):
    """E|x^l|^2 = E|x^0|^2 + l N sigma_w^4 / 2 at every width; epsilon is below the standard errors."""
    values, _ = block(Kind(width, width, 6, 1.0, placement="pre"), 200_000)
    expected = 1.0 + np.arange(1, 7) * 1.3**4 / 2
    assert (deviations(np.exp(values[Q]), expected) < 4.5).all()
    assert (deviations(np.exp(values[Q]), 1.03 * expected) > 4.5).all()


@pytest.mark.parametrize("width", [1, 2, 5, 64])
def test_growth_of_linear_errors(width):
    """delta^(l-1) = (1 + alpha V W)^T delta^l, both matrices fresh: E|.|^2 grows by 1 + alpha^2 sigma_w^4, as forward.

    24 figures at 4.5 standard errors.
    """
    values, _ = block(Kind(width, 3 * width, 4, 0.4, below=1.0), 300_000)
    backward, forward = np.exp(-2.0 * np.diff(values[DELTA])), np.exp(np.diff(values[Q]))
    for ratio in (backward, forward):
        assert (deviations(ratio, 1 + 0.4**2 * 1.3**4) < 4.5).all()
        assert (deviations(ratio, 1 + 1.03 * 0.4**2 * 1.3**4) > 4.5).all()


def test_mean_field_at_a_width_of_a_million():
    """Errors of relu grow as the stream does, by 1 + alpha^2 sigma_w^4 / 2 a block, up to 1 / N and fluctuations."""
    kind = Kind(10**6, 10**6, 48, 0.8 / 48**0.5)
    values, _ = block(kind, 320)
    expected = 47 * np.log1p(kind.alpha**2 * 1.3**4 / 2)
    for found in (values[Q][:, -1] - values[Q][:, 0], values[GAIN][:, 0]):
        assert abs(found.mean() - expected) < 5 * found.std() / 320**0.5 + 1e-4
        assert found.std() < 0.01


def test_dead_branches():
    """One inner neuron of relu is dead in half of the blocks: those change neither stream nor error, and have no
    gradient. 3.9 standard errors, 1e-4."""
    values, status = block(Kind(5, 1, 6), 20_000)
    assert not status.any()
    dead = np.isneginf(values[GRADIENT])
    assert abs(dead.mean() - 0.5) < 3.9 * 0.5 / 120_000**0.5
    np.testing.assert_allclose(np.diff(values[Q])[dead[:, 1:]], 0.0, atol=1e-12)
    np.testing.assert_allclose(np.diff(values[DELTA])[dead[:, 1:]], 0.0, atol=1e-12)
    assert np.isfinite(values[[DELTA, Q, GAIN]]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("placement", ["none", "output"])
def test_a_power_of_two_shifts_the_gradients_of_tiny_branches(dtype, placement):
    """Of branches that do not matter, only the last matrix has a gradient to speak of, in proportion to |f|."""
    kind = Kind(40, 30, 100, below=0.3, placement=placement)
    (values, _), (small, status) = (block(kind, sigma_w=1.4 * 2.0**k, dtype=dtype) for k in (-50, -90))
    assert not status.any()
    np.testing.assert_allclose(np.ptp(small[GAIN]), 0.0, atol=1e-9)
    if placement == "none":
        np.testing.assert_allclose(small[GRADIENT] - values[GRADIENT], -40 * LN2, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("power", [70, 95])
def test_a_power_of_two_shifts_what_huge_branches_do(dtype, power):
    """What remains of the stream beside them is below rounding."""
    kind = Kind(40, 30, 100, below=0.3)
    (values, _), (huge, status) = (block(kind, sigma_w=1.4 * 2.0**k, dtype=dtype) for k in (60, power))
    assert not status.any()
    layer, step = np.arange(1, 101), (power - 60) * LN2
    for quantity, factor in ((DELTA, 2 * (100 - layer)), (Q, 4 * layer), (GAIN, 4 * (100 - layer))):
        shift = np.broadcast_to(step * factor, (64, 100))
        np.testing.assert_allclose(huge[quantity] - values[quantity], shift, rtol=1e-6, atol=2e-4)


@pytest.mark.parametrize("placement", ["none", "pre", "post", "output", "sandwich"])
@pytest.mark.parametrize(("sigma_w", "sigma_b", "slope"), [
    (1e-20, 0.0, 0.3), (1e20, 0.0, 0.3), (1e30, 1e-30, 1e-20), (1e-30, 1e30, 0.3), (1e-30, 1e-30, 1e25),
])  # fmt: skip
def test_any_size(placement, sigma_w, sigma_b, slope):
    """float32 numbers are the float64 numbers, with its rounding: no false zero, infinity or NaN at any depth."""
    kind = Kind(8, 12, 200, sigma_w=sigma_w, sigma_b=sigma_b, below=slope, placement=placement)
    (values, status), (rounded, other) = (block(kind, 32, dtype=dtype) for dtype in ("float64", "float32"))
    assert not status.any()
    assert not other.any()
    assert np.isfinite(values).all()
    assert np.isfinite(rounded).all()
    assert np.median(np.abs(values - rounded)) < 1e-3


@pytest.mark.parametrize("kind", [*CASES, Kind(300, 300, 3, below=0.3)], ids=name_of)
def test_the_interpreter_has_the_numbers_of_the_kernel(kind):
    compiled, status = block(kind, 20)
    interpreted, again = block(kind, 20, interpret=True)
    np.testing.assert_array_equal(status, again)
    np.testing.assert_allclose(compiled, interpreted, rtol=1e-10, atol=1e-10)  # it rounds an fma twice


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_do_not_depend_on_the_block(dtype):
    kind = Kind(6, 9, 5, below=0.3, sigma_b=0.2, placement="pre")
    whole, _ = block(kind, 400, dtype=dtype)
    for first, count in ((0, 1), (21, 9), (15, 18), (100, 300)):
        np.testing.assert_array_equal(whole[:, first : first + count], block(kind, count, first=first, dtype=dtype)[0])
    assert len(np.unique(whole[DELTA][:, 0])) == 400
    far, _ = block(kind, 4, first=2**32 - 2, dtype=dtype)
    np.testing.assert_array_equal(far[:, 2:], block(kind, 2, first=2**32, dtype=dtype)[0])


def test_its_numbers_have_a_role_of_their_own():
    roles = {name: value for name, value in vars(philox).items() if name.isupper() and isinstance(value, int)}
    same = {name for name, value in roles.items() if value == philox.RADIAL_STREAM}
    assert same == {"RADIAL_STREAM"}
    steps = {value for name, value in roles.items() if name.startswith("STEPS_")}
    assert philox.RADIAL_STREAM not in {value + philox.EXPLICIT_STEPS for value in steps}


def schedule_of(network, law="gaussian"):
    return choose_schedule("radial", resolve_law(law), 4, 8, network=network)


@pytest.mark.parametrize("placement", ["pre", "post", "sandwich", "output"])
def test_what_it_runs(placement):
    network = Network("residual2", normalisation="rms", placement=placement, expansion=1.5)
    assert schedule_of(network).name == schedule_of(Network("residual2", preset="gpt2")).name == "radial_streams"
    assert schedule_of(Network()).name == "radial"
    assert choose_schedule("conditional", resolve_law("gaussian"), 4, 8, network=network).name == "streams"
    assert normals(network, "radial", 10, 64) == normals(network, "radial", 10, 10**6)


@pytest.mark.parametrize(("network", "law"), [
    (Network("residual"), "gaussian"), (Network("transformer"), "gaussian"), (Network(normalisation="rms"), "gaussian"),
    (Network("residual2", gated=True), "gaussian"), (Network("residual2", inputs=2), "gaussian"),
    (Network("residual2", normalisation="layer"), "gaussian"), (Network("residual2", cost="softmax"), "gaussian"),
    (Network("residual2", preset="llama"), "gaussian"), (Network("residual2"), "orthogonal"),
])  # fmt: skip
def test_what_it_does_not_run(network, law):
    with pytest.raises(ValueError, match="no schedule runs"):
        schedule_of(network, law)


@pytest.mark.parametrize(("depth", "width"), [(3, 40), (200, 10**6)])
def test_memory_is_that_of_the_arrays(depth, width):
    row, law = schedule_of(Network("residual2")), resolve_law("gaussian")
    each = Simulator(resolve_activation("relu"), law, "float32", "radial", network=Network("residual2"))
    arrays = row.allocate(each.params(7, depth, width, 1.4), np.dtype("float32"), law)
    found = sum(part.nbytes for part in arrays if isinstance(part, np.ndarray))
    assert 0.9 < 4 * row.memory(law, depth, width) / found < 1.1
