"""Token ids, and an embedding tied to the logits: exact laws, and tapes that are refused."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from scipy.stats import chisquare

from gradsim_core import jit
from gradsim_core.activations import resolve_activation
from gradsim_core.laws import resolve_law
from gradsim_core.rng.draws import Source
from gradsim_core.scaling.per_vector import no_tail
from gradsim_core.simulator import _interpreted, _slopes
from gradsim_core.tapes import Tape, embedding, schedule
from gradsim_core.tapes.costs import READOUT, SOFTMAX
from gradsim_core.tapes.tape import MOST_TOKENS
from gradsim_core.tapes.work import Inputs
from tests.core.tapes import networks

N, VOCABULARY, SIGMA, ALPHA = 6, 9, 0.7, 0.8


class Logits(NamedTuple):
    """Of many networks the logits of the first row: of its own token, and of one that the sequence does not have."""

    own: np.ndarray
    others: np.ndarray


def program_of(count, vocabulary, *, tied=True, n=N):
    """x = e + alpha W e for the rows e of an embedding, and the softmax of E x or of a matrix of its own."""
    tape = Tape(count, 1)
    e = tape.embed(tape.input, n, vocabulary, SIGMA)
    x = tape.add(e, tape.multiply(e, n), ALPHA)
    z = tape.unembed(x) if tied else tape.multiply(x, vocabulary, sigma=SIGMA * n**0.5)
    return tape.program(z, SOFTMAX)


def logits(program, number):
    """The logits of some networks."""
    own, others = [], []
    for work in networks.run_many(program, "gelu", number):
        z, ids = networks.numbers(work.values, program, program.output), networks.tokens(program, work)
        own.append(z[0, ids[0]])
        others.append(z[0, np.setdiff1d(np.arange(z.shape[1]), ids)[0]])
    return Logits(np.array(own), np.array(others))


def far(numbers, expected):
    """How many standard errors the mean of independent numbers is from what is expected."""
    return abs(numbers.mean() - expected) / (numbers.std() / len(numbers) ** 0.5)


def test_own_and_other_logits_have_their_exact_moments():
    """With s^2 = sigma^2 and z = E (I + alpha W) e: own ones have E z = s^2 N, E z^2 = s^4 N (N + 2) (1 + alpha^2 / N).

    The others have E z = 0, E z^2 = s^4 N (1 + alpha^2). Within 4.5 standard errors, four numbers: a false alarm has
    3e-5. A fresh matrix is seen in both of the own.
    """
    program, count = program_of(3, VOCABULARY), 10_000
    own, others = logits(program, count)
    square = SIGMA**4 * N * (N + 2) * (1 + ALPHA**2 / N)
    assert far(own, SIGMA**2 * N) < 4.5
    assert far(own**2, square) < 4.5
    assert far(others, 0.0) < 4.5
    assert far(others**2, SIGMA**4 * N * (1 + ALPHA**2)) < 4.5
    fresh = logits(program_of(3, VOCABULARY, tied=False), 2000).own
    assert far(fresh, SIGMA**2 * N) > 20
    assert far(fresh**2, square) > 20


@pytest.mark.parametrize(("count", "vocabulary"), [(1, 2), (5, 9), (12, 4), (20, 300)])
def test_logits_are_those_of_the_rows_and_errors_keep_their_product(count, vocabulary):
    """z of every token of the sequence is its row times x; and x . E^T d = (E x) . d whatever E is."""
    program = program_of(count, vocabulary)
    work = networks.run(program, "gelu")
    x_of, z_of = program.steps[-1][1], program.output
    e, x, z = (networks.numbers(work.values, program, value) for value in (1, x_of, z_of))
    ids, d = networks.tokens(program, work), networks.numbers(work.errors, program, z_of)
    np.testing.assert_allclose(z[:, ids], x @ e.T, rtol=0, atol=1e-13 * np.abs(z).max())
    back = networks.numbers(work.errors, program, x_of)
    scale = np.linalg.norm(z, axis=1) * np.linalg.norm(d, axis=1)
    np.testing.assert_allclose((x * back).sum(1) / scale, (z * d).sum(1) / scale, rtol=0, atol=1e-13)
    assert [len({tuple(row) for row in e[ids == token]}) for token in set(ids)] == [1] * len(set(ids))


def test_a_drawn_embedding_is_one_matrix():
    """Interpreted: rows that are embedded are those that make the logits, from a law that is not normal, too."""
    program = program_of(3, 70)._replace(cost=READOUT)
    uniform, gelu = resolve_law("uniform"), resolve_activation("gelu")
    kinds = schedule.kinds_of(program)
    body = schedule.builder("explicit", kinds)(gelu.phi, gelu.dphi, no_tail, no_tail, uniform)
    work = schedule.work_of(program, Inputs(), np.dtype(np.float64), "explicit", kinds)
    sums = np.zeros((3, 1, 1)), np.zeros((3, 1, 1))
    _interpreted(body)(networks.CELL, _slopes(gelu), 0, work, *sums)
    e, x, z = (networks.numbers(work[1].values, program, v) for v in (1, program.steps[-1][1], program.output))
    np.testing.assert_allclose(z[:, networks.tokens(program, work[1])], x @ e.T, rtol=0, atol=1e-13)
    assert 0.5 * 3**0.5 * SIGMA < np.abs(e).max() < 3**0.5 * SIGMA


def drawn_tokens(vocabulary, count, networks_):
    """Token ids of some networks, (networks, count)."""
    tape = Tape(count, 1)
    program = tape.program(tape.embed(tape.input, 1, vocabulary, 1.0))
    draw = jit.compiled(embedding.draw_tokens)
    work = schedule.work_of(program._replace(shapes=np.array([[count, 1, 1, 32, 32, 1, 1]])), Inputs(), np.dtype(float),
                            "conditional")[1]  # fmt: skip
    found = []
    for network in range(networks_):
        draw(Source(networks.CELL, network, 0, 0), program, work)
        found.append(networks.tokens(program, work))
    return np.array(found)


def test_tokens_are_uniform_and_independent():
    """Pearson's test of single ids and of pairs; a false alarm has 2e-6. One id that is never drawn is caught."""
    ids = drawn_tokens(7, 6, 3000)
    singles = np.bincount(ids.ravel(), minlength=7)
    pairs = np.bincount(np.concatenate([7 * ids[:, 0] + ids[:, 1], 7 * ids[1:, 2] + ids[:-1, 2]]), minlength=49)
    assert min(chisquare(singles).pvalue, chisquare(pairs).pvalue) > 1e-6
    assert chisquare([*singles, 0]).pvalue < 1e-6
    assert drawn_tokens(1, 3, 2).max() == 0


def test_the_largest_vocabulary_is_drawn_whole():
    ids = drawn_tokens(MOST_TOKENS, 64, 100)
    assert len(np.unique(ids)) > 0.99 * ids.size
    assert 0.998 * MOST_TOKENS < ids.max() < MOST_TOKENS
    assert 0 <= ids.min() < 0.002 * MOST_TOKENS


def test_tapes_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="one number a row"):
        Tape(2, 3).embed(0, 4, 5, 1.0)
    with pytest.raises(ValueError, match="vocabulary 0"):
        Tape(2, 1).embed(0, 4, 0, 1.0)
    with pytest.raises(ValueError, match="begins with an embedding"):
        Tape(2, 4).unembed(0)
    tape = Tape(2, 1)
    x = tape.multiply(tape.embed(tape.input, 4, 5, 1.0), 3)
    with pytest.raises(ValueError, match="as many numbers"):
        tape.unembed(x)
