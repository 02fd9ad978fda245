"""Lazy embeddings have the law of drawn ones: two-sample tests of every quantity and layer, as in `test_architectures`.

Kolmogorov and Smirnov's test at each layer of each quantity, and of the sums of the layers' gains; with tied embeddings
of logits, of their errors, and of the products of errors with rows of the embedding, too. 20,000 networks a side. Of
all tests of this file together a false alarm has a probability of 1e-4.
"""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core.architectures import Network
from gradsim_core.architectures.table import program_of
from gradsim_core.parameters import Params
from gradsim_core.tapes import Tape
from tests.core.architectures.kinds import name_of
from tests.core.tapes import networks
from tests.verification.test_architectures import DEPTH, NETWORKS, WIDTH, lazy_at_any_width, sample, smallest

pytestmark = pytest.mark.verify
CELL = Params(np.uint64(0), DEPTH, WIDTH, 1.3, 0.2)
__all__ = ["lazy_at_any_width"]  # a fixture that runs by itself

_BASE = Network("transformer", heads=2, cost="softmax", normalisation="layer", branch_scale=0.3, sigma_embedding=0.7)
TIED = [
    _BASE._replace(embedding="tied", inputs=2, vocabulary=5),  # fewer tokens than neurons
    _BASE._replace(embedding="tied", inputs=9, vocabulary=4),  # most tokens are repeated, and all are known
    _BASE._replace(embedding="tied", inputs=10, vocabulary=40, sigma_embedding=0.5),  # more tokens than neurons
    _BASE._replace(embedding="tied", inputs=3, vocabulary=60, normalisation="none"),
    _BASE._replace(embedding="tied", inputs=1, vocabulary=12, normalisation="rms", placement="post"),
]
UNTIED = [
    _BASE._replace(embedding="untied", inputs=4, vocabulary=6),
    _BASE._replace(embedding="untied", inputs=3, vocabulary=9, cost="readout"),
]
NAME, TAPS = "gelu", 9
ALARM = 1e-4 / (len(TIED + UNTIED) * (4 * DEPTH + 1) + len(TIED) * TAPS)


def taps(network, method, first):
    """Logits, errors and their products with rows of the embedding, of many networks: (TAPS, networks)."""
    program, found = program_of(network, CELL), []
    for work in networks.run_many(program, NAME, NETWORKS, first=first, method=method):
        token, last = networks.tokens(program, work)[0], program.steps[-1][1]
        e, z = (networks.numbers(work.values, program, value) for value in (1, program.output))
        d, of_x, of_e = (networks.numbers(work.errors, program, value) for value in (program.output, last, 1))
        products = z[0, token], z[-1, token], d[-1, token], of_x[0] @ e[0], of_e[0] @ e[0]
        found.append([*products, *np.log([np.linalg.norm(rows[0]) for rows in (z, d, of_x, of_e)])])
    return np.array(found).T


def fresh(tape, x):
    """Logits by a matrix of its own with entries of the same law."""
    embedding = tape.steps[0]
    return tape.multiply(x, embedding.mode, sigma=embedding.factor * tape.values[x].n ** 0.5)


@pytest.mark.parametrize("network", TIED + UNTIED, ids=name_of)
def test_lazy_embeddings_have_the_law_of_drawn_ones(network):
    assert smallest(sample(NAME, network, "conditional"), sample(NAME, network, "explicit", key=2)) > ALARM


@pytest.mark.parametrize("network", TIED, ids=name_of)
def test_logits_and_errors_of_a_tied_embedding(network, monkeypatch):
    """As those of drawn matrices; a fresh matrix for the logits is caught."""
    explicit = taps(network, "explicit", NETWORKS)
    assert smallest(taps(network, "conditional", 0), explicit) > ALARM
    with monkeypatch.context() as patch:
        patch.setattr(Tape, "unembed", fresh)
        program_of.cache_clear()
        wrong = taps(network, "conditional", 0)
    program_of.cache_clear()
    assert smallest(wrong, explicit) < ALARM
