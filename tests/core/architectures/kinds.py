"""Kinds of networks that tests share: every architecture, norm, place and cost, and every other option once."""

from __future__ import annotations

import itertools

from gradsim_core.architectures import ARCHITECTURES, Network
from gradsim_core.architectures.network import COSTS, NORMALISATIONS


def norms_of(name):
    """The norms that an architecture may have: attention takes no batch norm, which would let tokens see later ones."""
    return [norm for norm in NORMALISATIONS if (name, norm) != ("transformer", "batch")]


def every_norm():
    """Every architecture, without a norm, and with every norm that it may have at every place."""
    for name, row in ARCHITECTURES.items():
        for norm in norms_of(name):
            for placement in row.placements if norm != "none" else ("pre",):
                yield Network(name, inputs=5, normalisation=norm, placement=placement)


def every_kind():
    """Every architecture, with every norm at every place, at the end of every cost, where there are gradients."""
    for network, cost in itertools.product(every_norm(), COSTS):
        if not nothing_passes(network._replace(cost=cost)):
            yield network._replace(cost=cost)


def nothing_passes(network):
    """Whether batch norm gets an error that all inputs share, which it takes away: no hidden matrix has a gradient."""
    branches = network.architecture in ("residual", "residual2")
    return (network.normalisation, network.cost) == ("batch", "shared") and (branches or network.placement == "post")


def options():
    """Every option of every architecture that is not a norm."""
    for name in ARCHITECTURES:
        yield Network(name, inputs=3)
        yield Network(name, inputs=9, input_correlation=0.7)
    for name in ("residual", "residual2", "transformer"):
        yield Network(name, inputs=4, branch_scale="1/sqrt(L)")
    for name in ("residual2", "transformer"):
        yield Network(name, inputs=4, gated=True, expansion=1.5, branch_scale=0.3)
    yield Network("residual2")
    yield Network("residual2", inputs=4, preset="llama", branch_scale=30.0)
    yield Network("transformer", inputs=5, heads=2, preset="deepnorm", normalisation="layer", placement="post")
    yield Network("transformer", inputs=5, heads=2, preset="gpt2", gated=True)
    yield Network("transformer", inputs=6, heads=4, causal=False)
    yield Network("transformer", inputs=6, heads=2, scores="1/d", normalisation="rms", gated=True)


def recurrent():
    """Networks with tied matrices, also with more queries than neurons."""
    yield Network("recurrent")
    yield Network("recurrent", inputs=2, sigma_u=0.7)
    yield Network("recurrent", inputs=7, sigma_u=0.3)
    yield Network("recurrent", inputs=3, normalisation="layer", placement="post", cost="softmax")


def convolutions():
    """Convolutions of several sizes, also wider than the circle."""
    yield Network("convolution", inputs=6)
    yield Network("convolution", inputs=4, taps=2, normalisation="rms")
    yield Network("convolution", inputs=3, taps=5, cost="quadratic")
    yield Network("convolution", inputs=5, taps=1, preset="xavier_normal")


def embeddings():
    """Transformers of tokens: with repeated ones, fewer than inputs or neurons, and all of them, and more inputs."""
    base = Network("transformer", inputs=6, heads=2, normalisation="layer", cost="softmax", sigma_embedding=0.3)
    for vocabulary in (3, 12, 100):
        yield base._replace(embedding="tied", vocabulary=vocabulary)
    yield base._replace(embedding="tied", vocabulary=40, inputs=20, sigma_embedding=0.1)
    yield base._replace(embedding="tied", vocabulary=9, inputs=1, normalisation="rms", placement="post")
    yield base._replace(embedding="tied", vocabulary=33, normalisation="none", gated=True, causal=False)
    yield base._replace(embedding="untied", vocabulary=12)
    yield base._replace(embedding="untied", vocabulary=50, cost="readout", sigma_embedding=2.0)
    yield base._replace(embedding="untied", vocabulary=5, cost="quadratic", outputs=4)


def outputs():
    """Few outputs, more than a vector holds, and more than the numbers of a layer."""
    yield Network("plain", inputs=3, cost="quadratic", outputs=5)
    yield Network("residual", inputs=4, cost="sigmoid", outputs=3)
    yield Network("transformer", inputs=5, heads=2, cost="softmax", outputs=20, normalisation="rms", placement="output")
    yield Network("plain", inputs=1, cost="softmax", outputs=40)


def shapes():
    """Layers of several widths, also with more inputs than neurons, and inputs of a length."""
    yield Network("plain", inputs=4, layers="12-20-9-16")
    yield Network("plain", inputs=9, layers="7-3-30-5", cost="softmax", normalisation="layer", preset="xavier_normal")
    yield Network("residual2", inputs=3, input_length=0.7, input_correlation=0.5)


def name_of(network):
    """The fields of a network that are not at their default, as the name of a test."""
    default = Network()._asdict()
    return ", ".join(str(value) for key, value in network._asdict().items() if value != default[key]) or "plain"
