"""Norms of few neurons, in networks without branches: each network against the textbook's formulas with 300 digits.

A layer of relu with one live neuron lets only epsilon's share of the gradient pass, about 1e-5, and a few such layers
less than any rounding. With 300 digits the plain formulas have it, from the same random numbers.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import partial
from math import exp

import numpy as np
import pytest

from gradsim_core.activations import Activation, resolve_activation
from gradsim_core.architectures import Network
from gradsim_core.lanes import LANES
from gradsim_core.laws import resolve_law
from gradsim_core.operations.across import NARROW
from gradsim_core.operations.standardise import EPSILON
from gradsim_core.rng.normals import normal_pair
from gradsim_core.rng.philox import (
    STREAM_BACKWARD,
    STREAM_BIAS,
    STREAM_FORWARD,
    STREAM_INPUT,
    STREAM_READOUT,
    random_words,
)
from gradsim_core.schedules.side_by_side import fill, rows
from gradsim_core.schedules.streams import across, blocks, errors, narrow
from gradsim_core.simulator import Simulator

DIGITS = 300
LEAK = Decimal("0.01")


def leaky(h):
    return h if h > 0 else LEAK * h


def tanh(h):
    e = (2 * h).exp()
    return (e - 1) / (e + 1)


def bump(h):
    return h + h**3 * (-h * h).exp()


BUMP = Activation("bump", lambda h: h + h**3 * exp(-h * h), lambda h: 1 + (3 * h**2 - 2 * h**4) * exp(-h * h))
"""It has a slope of 1 at 0 and at infinity, and is no line."""
ACTIVATIONS = {
    "relu": (lambda h: max(h, Decimal(0)), lambda h: Decimal(int(h > 0))),
    "leaky_relu": (leaky, lambda h: Decimal(1) if h > 0 else LEAK),
    "tanh": (tanh, lambda h: 4 * (2 * h).exp() / ((2 * h).exp() + 1) ** 2),
    "sigmoid": (lambda h: 1 / (1 + (-h).exp()), lambda h: (-h).exp() / (1 + (-h).exp()) ** 2),
    "hard_tanh": (lambda h: max(min(h, Decimal(1)), Decimal(-1)), lambda h: Decimal(int(abs(h) < 1))),
    "bump": (bump, lambda h: 1 + (3 * h**2 - 2 * h**4) * (-h * h).exp()),
}
KINDS = [(norm, placement) for norm in ("layer", "rms") for placement in ("pre", "post")]


def dot(a, b):
    return sum((p * q for p, q in zip(a, b, strict=True)), Decimal(0))


def normals(p, layer, role):
    """Normals of sixteen networks as the sampler draws them, (width, 16), as decimals."""
    out = np.zeros(rows(p.width) * LANES)
    fill(p, 0, layer, role, np.zeros(16 * LANES, np.int32), out, 0)
    return np.vectorize(Decimal, otypes=[object])(out.reshape(-1, LANES)[: p.width])


class Norm:
    """y = (x - mean) / sqrt(variance + epsilon), and its backward pass."""

    def __init__(self, x, centred):
        n, self.centred = len(x), centred
        mean = sum(x) / n if centred else Decimal(0)
        self.inverse = 1 / (dot(x - mean, x - mean) / n + Decimal(EPSILON)).sqrt()
        self.y = (x - mean) * self.inverse

    def backward(self, e):
        n = len(e)
        mean = sum(e) / n if self.centred else Decimal(0)
        return (e - mean - self.y * (dot(e, self.y) / n)) * self.inverse


def log_deltas(p, name, normalisation, placement, network):
    """ln|delta^l| of all layers of a network, by the textbook's formulas; W^T e = |e| s P g + x (W x . e) / |x|^2."""
    phi, dphi = (np.vectorize(each, otypes=[object]) for each in ACTIVATIONS[name])
    draw, centred = lambda layer, role: normals(p, layer, role)[:, network], normalisation == "layer"
    s, sigma_b, layers = Decimal(p.sigma_w) / Decimal(p.width).sqrt(), Decimal(p.sigma_b), []
    x = draw(0, STREAM_INPUT)
    for layer in range(1, p.depth + 1):
        v = (s * s * dot(x, x) + sigma_b**2).sqrt()
        z = draw(layer, STREAM_FORWARD)
        norm = Norm(v * z if placement == "pre" else phi(v * z), centred)
        layers.append((x, v, z, norm))
        x = phi(norm.y) if placement == "pre" else norm.y
    e, found = draw(0, STREAM_READOUT) / Decimal(p.width).sqrt(), []
    for layer in range(p.depth, 0, -1):
        x, v, z, norm = layers[layer - 1]
        pre = placement == "pre"
        delta = norm.backward(dphi(norm.y) * e) if pre else dphi(v * z) * norm.backward(e)
        length = dot(delta, delta).sqrt()
        found.append(float(length.ln()) if length else -np.inf)
        along = v * dot(z, delta)
        if sigma_b:
            words = random_words(p.key, 0, layer, STREAM_BIAS, 0)
            fresh = Decimal(float(normal_pair(words[0], words[1], np.float64(1))[0][network]))
            weights, bias = s * dot(x, x).sqrt(), sigma_b
            along = weights / v * (weights / v * along + bias * length * fresh)
        g, square = draw(layer, STREAM_BACKWARD), dot(x, x)
        e = length * s * (g - x * (dot(x, g) / square)) + x * (along / square) if square else length * s * g
    return found[::-1]


def residual_logs(p, name, normalisation, placement, network):
    """ln|delta^l| and ln|dC/dW^l| of x' = x + W phi(x), with norms before, after, at both ends or on the sum."""
    phi, dphi = (np.vectorize(each, otypes=[object]) for each in ACTIVATIONS[name])
    draw, norm = (
        lambda layer, role: normals(p, layer, role)[:, network],
        partial(Norm, centred=normalisation == "layer"),
    )
    before, output = placement in ("pre", "sandwich"), placement in ("sandwich", "output")
    s, x, blocks = Decimal(p.sigma_w) / Decimal(p.width).sqrt(), draw(0, STREAM_INPUT), []
    for layer in range(1, p.depth + 1):
        first = norm(x) if before else None
        y = first.y if before else x
        h = s * dot(phi(y), phi(y)).sqrt() * draw(layer, STREAM_FORWARD)
        last = norm(h) if output else None
        x = x + (last.y if output else h)
        after = norm(x) if placement == "post" else None
        x = after.y if after else x
        blocks.append((first, y, h, last, after))
    e, found = draw(0, STREAM_READOUT) / Decimal(p.width).sqrt(), []
    e = norm(x).backward(e) if before else e
    for layer in range(p.depth, 0, -1):
        first, y, h, last, after = blocks[layer - 1]
        delta, a, g = dot(e, e).sqrt(), phi(y), draw(layer, STREAM_BACKWARD)
        e = after.backward(e) if after else e
        of_h = last.backward(e) if output else e
        length, square = dot(of_h, of_h).sqrt(), dot(a, a)
        found.append([float(each.ln()) if each else -np.inf for each in (delta, length * square.sqrt())])
        of_a = length * s * g + a * ((dot(h, of_h) - length * s * dot(a, g)) / (square or 1))
        e = e + (first.backward(dphi(y) * of_a) if before else dphi(y) * of_a)
    return np.array(found[::-1]).T


def sampled(name, normalisation, placement, *, dtype="float64", interpret=True, architecture="plain", **cell):
    """ln|delta| and ln|dC/dW| of sixteen networks (2, networks, depth), and their parameters."""
    network = Network(architecture, normalisation=normalisation, placement=placement)
    activation = BUMP if name == "bump" else resolve_activation(name)
    words = activation, resolve_law("gaussian"), dtype, "conditional"
    each = Simulator(*words, network=network, interpret=interpret)
    p = each.params(11, cell["depth"], cell["width"], cell.get("sigma_w", 1.4), cell.get("sigma_b", 0.0))
    return each.block(p, 0, LANES)[0][:2], p


def distance(found, exact):
    """The difference, 0 where both are -inf."""
    return np.subtract(found, exact, where=found != exact, out=np.zeros(exact.shape))


def differences(name, normalisation, placement, networks=LANES, **options):
    """Of ln|delta| between the sampler and the formulas, (networks, depth), 0 where both are -inf."""
    (found, _), p = sampled(name, normalisation, placement, **options)
    with localcontext() as context:
        context.prec = DIGITS
        exact = np.array([log_deltas(p, name, normalisation, placement, each) for each in range(networks)])
    return distance(found[:networks], exact)


of_kinds = pytest.mark.parametrize(("normalisation", "placement"), KINDS)


SIGMAS = {
    "relu": (1.4, 1e6), "leaky_relu": (1.4,), "tanh": (1.4, 30.0, 100.0), "sigmoid": (1e-3, 1.4),
    "hard_tanh": (3.0, 30.0), "bump": (1.4, 30.0),
}  # fmt: skip


@of_kinds
@pytest.mark.parametrize("width", [1, 2, 3, 6])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_network_has_the_gradient_of_the_formulas(name, width, normalisation, placement):
    networks = LANES if name == "relu" else 4
    # Neurons that have all saturated with one sign are equal to rounding, and less their mean they have no digits.
    saturates = (name, normalisation, placement) == ("tanh", "layer", "post")
    for sigma_w in SIGMAS[name][: 1 if saturates else None]:
        # What sigmoid adds to its value at 0 loses digits beside it, layer by layer.
        depth = 2 if sigma_w < 0.01 else 8
        found = differences(name, normalisation, placement, networks, depth=depth, width=width, sigma_w=sigma_w)
        assert np.abs(found).max() < 1e-8
    biased = differences(name, normalisation, placement, networks=4, depth=5, width=width, sigma_b=0.3)
    assert np.abs(biased).max() < 1e-7


@of_kinds
def test_float32_has_it_too(normalisation, placement):
    """Below what its floats could hold, and its rounding may end a neuron that hardly lives."""
    options = {"dtype": "float32", "interpret": False, "depth": 40, "width": 4, "sigma_w": 3.0}
    found = differences("relu", normalisation, placement, **options)
    assert np.mean(np.abs(found) < 1e-2) > 0.9
    lowest = sampled("relu", normalisation, placement, **options)[0][0]
    assert lowest[np.isfinite(lowest)].min() < np.log(1e-50)


@pytest.mark.parametrize("normalisation", ["layer", "rms"])
@pytest.mark.parametrize("placement", ["pre", "post", "sandwich", "output"])
@pytest.mark.parametrize(
    ("width", "dtype", "allowance"), [(1, "float32", 1e-4), (2, "float64", 1e-11), (3, "float64", 1e-11)]
)
def test_residual_networks_have_the_gradient_of_the_formulas(width, dtype, allowance, normalisation, placement):
    """A norm of one neuron, or of two less their mean, lets only epsilon's share pass: of x, or of a branch."""
    case = "tanh", normalisation, placement
    for sigma_w in (1e-15, 1.4):
        found, p = sampled(*case, dtype=dtype, architecture="residual", depth=6, width=width, sigma_w=sigma_w)
        with localcontext() as context:
            context.prec = 100
            exact = [residual_logs(p, *case, each) for each in range(4)]
        assert np.abs(distance(found[:, :4], np.stack(exact, axis=1))).max() < allowance


def without_share(remove_along):
    """g is made orthogonal as a difference, which is rounding where one neuron is live."""

    def wrong(work, layer, width, site):
        x, g, at = work.activated.x, work.activated.g, across.place(work, layer, width)
        a, b = (array[i : i + width * LANES].reshape(width, LANES) for array, i in ((x, at), (g, 0)))
        b -= b.mean(axis=0) * (site.after and work.form.centred)
        c = a - across.kept_norm(work, layer).mean if site.after else a
        b -= c * ((b * c).sum(axis=0) / np.maximum((c * c).sum(axis=0), 1e-300))

    return wrong


def without_product(leave, *arguments):
    """The product of a vector and its error is that of two rounded vectors."""
    leave(*arguments)
    _, source, work, *_ = arguments
    layer, size = source.layer - 1 if source.layer > 0 else source.cell.depth, rows(source.cell.width) * LANES
    h, e = (array.reshape(-1, LANES) for array in (work.stream[layer * size :][:size], work.error))
    narrow.keep(work, 0, narrow.PRODUCT, (h * e).sum(axis=0))
    exponent = narrow.item(work, layer, narrow.EXPONENT) + narrow.item(work, 0, narrow.ERROR_EXPONENT)
    narrow.keep(work, 0, narrow.PRODUCT_EXPONENT, exponent)


def test_planted_errors_are_caught(monkeypatch):
    case = partial(differences, "relu", "rms", "post", depth=12, width=4)
    with monkeypatch.context() as planted:
        planted.setattr(blocks, "leave_narrow", partial(without_product, blocks.leave_narrow))
        assert np.abs(case()).max() > 1.0
    wrong = without_share(across.remove_along)
    for module in (errors, narrow):
        monkeypatch.setattr(module, "remove_along", wrong)
    assert np.abs(case()).max() > 1.0


@pytest.mark.parametrize("normalisation", ["layer", "rms"])
def test_widths_on_both_sides_of_the_limit_have_one_law(normalisation):
    """Mean ln|delta^1| of 4,096 networks each at NARROW and NARROW + 1, within 5 standard errors, about 0.15."""
    means, errors_ = [], []
    for width in (NARROW, NARROW + 1):
        network = Network(normalisation=normalisation, placement="post")
        each = Simulator(resolve_activation("relu"), resolve_law("gaussian"), "float32", "conditional", network=network)
        values = each.block(each.params(3, 10, width, 1.4, 0.3), 0, 4096)[0][0][:, 0]
        means.append(values.mean())
        errors_.append(values.std() / 64)
    assert abs(means[0] - means[1]) < 5 * np.hypot(*errors_) + 0.02
