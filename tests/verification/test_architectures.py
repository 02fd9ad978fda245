"""Networks of lazy matrices have the law of networks with drawn ones: two-sample tests of every quantity and layer.

Kolmogorov and Smirnov's test at each layer of each quantity, and of the sums of the layers' gains; 20,000 networks a
side. Of all tests of this file together a false alarm has a probability of 1e-4. A spread of the weights that is 3 %
larger is seen in every kind of network.
"""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from scipy.stats import ks_2samp

from gradsim_core.activations import resolve_activation
from gradsim_core.architectures import Network, choose_schedule
from gradsim_core.laws import resolve_law
from gradsim_core.simulator import Simulator
from gradsim_core.tapes import schedule
from tests.core.architectures.kinds import name_of

pytestmark = pytest.mark.verify

NETWORKS, DEPTH, WIDTH = 20_000, 3, 8
CASES = [
    ("relu", Network("residual2", inputs=3, cost="softmax", outputs=4)),
    ("tanh", Network(inputs=4, cost="quadratic", outputs=3)),
    ("tanh", Network(inputs=3)),
    ("relu", Network(inputs=4, input_correlation=0.9)),
    ("gelu", Network(inputs=12)),
    ("relu", Network(inputs=4, normalisation="layer")),
    ("tanh", Network(inputs=4, normalisation="rms", placement="post")),
    ("relu", Network(inputs=5, normalisation="batch")),
    ("gelu", Network(inputs=5, normalisation="batch", placement="post")),
    ("relu", Network(inputs=2, normalisation="dyt")),
    ("relu", Network("residual")),
    ("tanh", Network("residual", inputs=3, branch_scale="1/sqrt(L)", normalisation="layer", placement="output")),
    ("relu", Network("residual2", branch_scale=0.7)),
    ("gelu", Network("residual2", inputs=3, gated=True, expansion=2.0)),
    ("relu", Network("residual2", inputs=6, normalisation="batch", placement="sandwich")),
    ("relu", Network("transformer", inputs=4, heads=2)),
    ("gelu", Network("transformer", inputs=4, heads=2, normalisation="layer")),
    ("silu", Network("transformer", inputs=5, heads=4, normalisation="rms", gated=True, causal=False)),
    ("relu", Network("transformer", inputs=4, normalisation="layer", placement="post", scores="1/d")),
    ("gelu", Network("transformer", inputs=10, heads=2, normalisation="rms", placement="output")),
    ("relu", Network("residual2", inputs=3, cost="softmax", outputs=4)),
    ("tanh", Network(inputs=4, cost="quadratic", outputs=3)),
    ("gelu", Network("transformer", inputs=3, heads=2, preset="deepnorm", normalisation="layer", placement="post")),
    ("relu", Network("convolution", inputs=5)),
    ("tanh", Network("convolution", inputs=3, normalisation="layer", placement="post", taps=2)),
    ("tanh", Network("recurrent")),
    ("relu", Network("recurrent", inputs=2, sigma_u=0.5)),
    ("gelu", Network("recurrent", inputs=4, normalisation="layer")),
]
ALARM = 1e-4 / (len(CASES) * (4 * DEPTH + 1))
STREAMS = [
    ("relu", Network("residual")),
    ("tanh", Network("residual", normalisation="layer")),
    ("gelu", Network("residual", normalisation="rms", placement="post", branch_scale=0.7)),
    ("tanh", Network("residual", normalisation="layer", placement="sandwich")),
    ("relu", Network("residual", normalisation="layer", placement="output", branch_scale=-0.5)),
    ("relu", Network("residual2", branch_scale=0.7)),
    ("gelu", Network("residual2", normalisation="layer", expansion=2.0)),
    ("tanh", Network("residual2", normalisation="rms", placement="sandwich", expansion=0.5)),
    ("relu", Network("residual2", normalisation="layer", placement="post")),
    ("relu", Network("residual2", normalisation="rms", placement="output", branch_scale="1/sqrt(L)")),
    ("relu", Network(normalisation="layer")),
    ("tanh", Network(normalisation="rms")),
    ("gelu", Network(normalisation="layer", placement="post")),
    ("relu", Network(normalisation="rms", placement="post")),
]
"""One input, sixteen networks side by side (`schedules.streams`); of all of them a false alarm has 1e-4, too."""
STREAM_ALARM = 1e-4 / (len(STREAMS) * (4 * DEPTH + 1))


@pytest.fixture(autouse=True)
def lazy_at_any_width(monkeypatch):
    """Else such narrow networks would have drawn matrices by both methods."""
    monkeypatch.setattr(schedule, "FEW", 0)


def sample(name, network, method, *, sigma_w=1.3, key=1, networks=NETWORKS, width=WIDTH, interpret=False):
    """Quantities and layers of many networks, (4 DEPTH + 1, networks)."""
    simulator = Simulator(
        resolve_activation(name), resolve_law("gaussian"), "float64", method, network=network, interpret=interpret
    )
    values, _ = simulator.block(simulator.params(key, DEPTH, width, sigma_w, 0.2), 0, networks)
    rows = np.concatenate([values.transpose(0, 2, 1).reshape(4 * DEPTH, -1), values[3].sum(axis=1)[None]])
    return np.round(np.nan_to_num(rows, neginf=-1e6), 9)


def smallest(first, second):
    """The smallest p value of all rows that are not constant."""
    return min(ks_2samp(a, b, method="asymp").pvalue for a, b in zip(first, second, strict=True) if np.ptp(a) > 0)


@pytest.mark.parametrize(("name", "network"), CASES, ids=[f"{name}, {name_of(each)}" for name, each in CASES])
def test_lazy_matrices_have_the_law_of_drawn_ones(name, network):
    lazy = sample(name, network, "conditional")
    assert smallest(lazy, sample(name, network, "explicit", key=2)) > ALARM
    changes = {"sigma_w": 1.34} if network.preset == "none" else {"width": WIDTH + 2}  # a preset has its own sigmas
    assert smallest(lazy, sample(name, network, "conditional", **changes, key=3)) < ALARM


def test_a_fresh_matrix_at_every_step_is_caught():
    """As a plain network has, which is else the same: on a tape it has the law of the kernel of plain networks."""
    plain = sample("tanh", Network(), "explicit", key=2)
    assert smallest(sample("tanh", Network(cost="shared"), "conditional", key=4), plain) > ALARM
    assert smallest(sample("tanh", Network("recurrent"), "conditional"), plain) < ALARM


@pytest.mark.parametrize(("name", "network"), STREAMS, ids=[f"{name}, {name_of(each)}" for name, each in STREAMS])
def test_streams_have_the_law_of_drawn_matrices(name, network):
    assert choose_schedule("conditional", resolve_law("gaussian"), DEPTH, WIDTH, network=network).name == "streams"
    found = sample(name, network, "conditional")
    assert smallest(found, sample(name, network, "explicit", key=2)) > STREAM_ALARM


def without_along(transpose):
    """The part of W^T e along x is forgotten."""
    return lambda length, along, *rest: transpose(length, along * 0.0, *rest)


def without_projection(transpose):
    """g is not projected off x."""
    return lambda length, along, norm, inner, *rest: transpose(length, along, norm, inner * 0.0, *rest)


def without_mean(through_norm):
    """The mean of the error is not subtracted, backward through a norm."""

    def wrong(*arguments):
        error = through_norm(*arguments)
        return error._replace(mean_g=error.mean_g * 0.0)

    return wrong


def without_product(product_of_seen):
    """The same of a narrow network without branches, where it is carried as a number."""

    def wrong(*arguments):
        found = product_of_seen(*arguments)
        return found._replace(value=found.value * 0.0)

    return wrong


def without_removal(remove_along):
    """g is not projected there."""
    return lambda *arguments: None


TRANSPOSE, LEAVE = (("blocks", "inner"), "transpose"), (("errors",), "through_norm")
RESIDUAL = Network("residual", normalisation="layer"), Network("residual2", normalisation="layer")
NARROW = (Network(normalisation="layer"),)
PLANTED = [
    (without_along, *TRANSPOSE, RESIDUAL),
    (without_projection, *TRANSPOSE, RESIDUAL),
    (without_mean, *LEAVE, RESIDUAL + NARROW),
    (without_product, ("blocks",), "product_of_seen", NARROW),
    (without_removal, ("narrow",), "remove_along", NARROW),
]


@pytest.mark.parametrize(("planted", "modules", "function", "network"), [
    pytest.param(*rest, network, id=f"{rest[0].__name__}, {name_of(network)}")
    for *rest, networks in PLANTED for network in networks
])  # fmt: skip
def test_errors_of_streams_are_caught(planted, modules, function, network, monkeypatch):
    """Interpreted, with 6,400 networks of three neurons; without the error the same samples agree."""
    options = {"sigma_w": 3.0, "networks": 6_400, "width": 3, "interpret": True}
    explicit = sample("relu", network, "explicit", sigma_w=3.0, width=3, key=2)
    for module in modules:
        module = import_module(f"gradsim_core.schedules.streams.{module}")
        monkeypatch.setattr(module, function, planted(getattr(module, function)))
    assert smallest(sample("relu", network, "conditional", **options), explicit) < STREAM_ALARM
    monkeypatch.undo()
    assert smallest(sample("relu", network, "conditional", **options), explicit) > STREAM_ALARM
