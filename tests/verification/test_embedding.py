"""Lazy embeddings have the law of drawn ones: two-sample tests of every quantity and layer, as in `test_architectures`.

Kolmogorov and Smirnov's test at each layer of each quantity, and of the sums of the layers' gains; 20,000 networks a
side. Of all tests of this file together a false alarm has a probability of 1e-4. Where the embedding is tied, networks
that take a fresh matrix of the same law for the logits are told from both.
"""

from __future__ import annotations

import pytest

from gradsim_core.architectures import Network
from gradsim_core.architectures.table import program_of
from gradsim_core.tapes import Tape
from tests.core.architectures.kinds import name_of
from tests.verification.test_architectures import DEPTH, lazy_at_any_width, sample, smallest

pytestmark = pytest.mark.verify
__all__ = ["lazy_at_any_width"]  # a fixture that runs by itself

_BASE = Network("transformer", heads=2, cost="softmax", normalisation="layer", sigma_embedding=0.5)
TIED = [
    _BASE._replace(embedding="tied", inputs=2, vocabulary=5),  # fewer tokens than neurons
    _BASE._replace(embedding="tied", inputs=9, vocabulary=4),  # most tokens are repeated, and all are known
    _BASE._replace(embedding="tied", inputs=10, vocabulary=40, sigma_embedding=0.3),  # more tokens than neurons
    _BASE._replace(embedding="tied", inputs=3, vocabulary=60, normalisation="none"),
    _BASE._replace(embedding="tied", inputs=1, vocabulary=12, normalisation="rms", placement="post"),
]
UNTIED = [
    _BASE._replace(embedding="untied", inputs=4, vocabulary=6),
    _BASE._replace(embedding="untied", inputs=3, vocabulary=9, cost="readout"),
]
ALARM = 1e-4 / (len(TIED + UNTIED) * (4 * DEPTH + 1))
NAME = "gelu"


def fresh(tape, x):
    """Logits by a matrix of its own with entries of the same law."""
    embedding = tape.steps[0]
    return tape.multiply(x, embedding.mode, sigma=embedding.factor * tape.values[x].n ** 0.5)


@pytest.mark.parametrize("network", TIED + UNTIED, ids=name_of)
def test_lazy_embeddings_have_the_law_of_drawn_ones(network):
    assert smallest(sample(NAME, network, "conditional"), sample(NAME, network, "explicit", key=2)) > ALARM


@pytest.mark.parametrize("network", TIED, ids=name_of)
def test_a_fresh_matrix_for_the_logits_is_caught(network, monkeypatch):
    explicit = sample(NAME, network, "explicit", key=2)
    monkeypatch.setattr(Tape, "unembed", fresh)
    program_of.cache_clear()
    wrong = sample(NAME, network, "conditional")
    program_of.cache_clear()
    assert smallest(wrong, explicit) < ALARM
