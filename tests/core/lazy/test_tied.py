"""Matrices that are met again and again: completed to explicit ones they answer the same; exact laws; Haar matrices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from scipy import stats

from gradsim_core import jit
from gradsim_core.lazy import tied, untied
from gradsim_core.linear.rows import rows_of, stored
from gradsim_core.parameters import Params
from gradsim_core.rng.draws import Source
from tests.core.lazy.networks import CELL, basis
from tests.core.lazy.test_untied import observed

S = 0.6


class Dialogue:
    """One lazy matrix, asked with NumPy vectors in any order."""

    def __init__(self, n_in, n_out, queries, haar=False, deviation=S, network=0, dtype=np.float64, interpret=False):
        self.known = tied.unknown(queries, n_in, n_out, np.dtype(dtype))
        self.known = tied.pairs_of(self.known) if haar else self.known
        self.function = tied.ask_haar if haar else tied.ask
        self.call = self.function if interpret else jit.compiled(self.function)
        self.deviation, self.source, self.dtype = deviation, Source(CELL, network, 1, 0), np.dtype(dtype)
        self.asked = {0: [], 1: []}

    def ask(self, side, x):
        own, other = (self.known.right, self.known.left)[:: 1 - 2 * side]
        row, answer = rows_of(1, stored(len(x)), self.dtype), rows_of(1, stored(own.n_image), self.dtype)
        row.array[: len(x)], answer.array[:] = x, np.nan
        self.call(self.source, own, other, side, self.known, self.deviation, row, answer)
        found = answer.array[: own.n_image].astype(np.float64)
        self.asked[side].append((np.array(row.array[: len(x)], np.float64), found))
        return found

    def right(self, x):
        return self.ask(0, x)

    def left(self, u):
        return self.ask(1, u)

    def check(self, w, tolerance=1e-10):
        """The matrix w gives every answer that was given."""
        for side, matrix in ((0, w), (1, w.T)):
            for x, answer in self.asked[side]:
                np.testing.assert_allclose(matrix @ x, answer, atol=tolerance * np.abs(w).max() * np.linalg.norm(x))


def back_and_forth(dialogue, steps, seed=1):
    """Queries that depend on the answers: forward through time as in a recurrent network, then backward, then mixed."""
    rng, known = np.random.default_rng(seed), dialogue.known
    states = [rng.standard_normal(known.right.n)]
    resized = lambda v, n: np.resize(v, n)  # noqa: E731
    for _ in range(steps):
        states.append(resized(np.tanh(dialogue.right(states[-1]) * 1.5), known.right.n) + 0.1 * states[0])
    error = rng.standard_normal(known.left.n)
    for state in states[::-1]:
        error = resized(dialogue.left(error), known.left.n) * (1.2 - np.tanh(resized(state, known.left.n)) ** 2)
    dialogue.right(states[0])  # what is known draws nothing
    dialogue.right(np.zeros(known.right.n))
    dialogue.left(resized(dialogue.right(states[1] - 2 * states[0]), known.left.n))


def complete(dialogue, rng):
    """An explicit matrix that gives the answers of a lazy one with normal entries: the lemma, by NumPy."""
    known = dialogue.known
    n_out, n_in = known.left.n, known.right.n
    (x, h), (u, y) = ((np.array(part) for part in zip(*dialogue.asked[side], strict=True)) for side in (0, 1))
    right, left = basis(x), basis(u)
    a, b = right @ np.linalg.lstsq(x, h, rcond=1e-9)[0], left @ np.linalg.lstsq(u, y, rcond=1e-9)[0]
    fresh = dialogue.deviation * rng.standard_normal((n_out, n_in))
    fresh -= left.T @ (left @ fresh)
    fresh -= (fresh @ right.T) @ right
    return a.T @ right + left.T @ b - left.T @ (left @ a.T) @ right + fresh


@pytest.mark.parametrize(
    ("n_in", "n_out", "steps"), [(9, 9, 3), (30, 30, 12), (5, 5, 9), (7, 12, 4), (12, 4, 8), (1, 1, 3)]
)
def test_pathwise(n_in, n_out, steps):
    """Also with more queries than numbers, after which the matrix is known."""
    rng = np.random.default_rng(n_in)
    for network in range(4):
        dialogue = Dialogue(n_in, n_out, 2 * steps + 8, network=network)
        back_and_forth(dialogue, steps)
        dialogue.check(complete(dialogue, rng))


class Forgetful(Dialogue):
    """Planted: before each query it forgets what one side has shown, or both (a fresh matrix for every use)."""

    def __init__(self, forgotten, *arguments, **options):
        super().__init__(*arguments, **options)
        self.forgotten = forgotten

    def ask(self, side, x):
        for each in self.forgotten:
            self.known.sizes[side ^ each] = 0
        return super().ask(side, x)


@pytest.mark.parametrize("forgotten", [(0,), (1,), (0, 1)], ids=["own side", "other side", "fresh"])
def test_planted_errors_are_caught(forgotten):
    dialogue = Forgetful(forgotten, 9, 9, 14)
    back_and_forth(dialogue, 3)
    with pytest.raises(AssertionError):
        dialogue.check(complete(dialogue, np.random.default_rng(1)), tolerance=1e-3)


def test_what_is_known_draws_nothing():
    dialogue = Dialogue(4, 4, 30)
    back_and_forth(dialogue, 8)
    assert dialogue.known.sizes.tolist() == [4, 4]
    w = np.stack([dialogue.right(each) for each in np.eye(4)], axis=1)
    np.testing.assert_allclose(np.stack([dialogue.left(each) for each in np.eye(4)]), w, atol=1e-12)
    dialogue.check(w)


def test_more_queries_than_were_said():
    dialogue = Dialogue(9, 9, 2)
    for each in np.eye(9)[:2]:
        assert np.isfinite(dialogue.right(each)).all()
    assert np.isnan(dialogue.right(np.eye(9)[2])).all()
    assert np.isfinite(dialogue.right(np.eye(9)[0] - np.eye(9)[1])).all()


def lowest(networks, n, steps):
    """The least p-value of fifteen comparisons of completed matrices with real ones, times their number."""
    rng, completed = np.random.default_rng(2), []
    for network in range(networks):
        dialogue = Dialogue(n, n, 2 * steps + 8, network=network)
        back_and_forth(dialogue, steps, seed=network)
        completed.append(complete(dialogue, rng))
    found = observed(np.array(completed))
    real = observed(S * rng.standard_normal((networks, n, n)))
    return min(stats.ks_2samp(found[name], real[name]).pvalue for name in found) * len(found)


@pytest.mark.parametrize(
    ("networks", "steps"), [(1_500, 2), *(pytest.param(30_000, steps, marks=pytest.mark.verify) for steps in (2, 7))]
)
def test_entries_are_independent_normals(networks, steps):
    """Met by tied queries, from both sides; with seven steps of five numbers it is known in the end."""
    assert lowest(networks, 5, steps) > 3e-5


def squares(cell, networks, known, deviation, h, y, z, x, out):
    """|W W x|^2 and |W^T W x|^2 of many matrices."""
    for m in range(networks):
        known.sizes[0] = known.sizes[1] = 0
        source, n = Source(cell, m, 1, 0), known.right.n
        tied.ask(source, known.right, known.left, 0, known, deviation, x, h)
        tied.ask(source, known.right, known.left, 0, known, deviation, h, y)
        tied.ask(source, known.left, known.right, 1, known, deviation, h, z)
        out[0, m] = out[1, m] = 0.0
        for i in range(n):
            out[0, m] += y.array[i] ** 2
            out[1, m] += z.array[i] ** 2


def of_squares(n, networks, forget=None):
    known, run = tied.unknown(4, n, n, np.dtype(np.float64)), jit.compile_kernel(squares, disk_cache=False)
    x, h, y, z = (rows_of(1, stored(n), np.dtype(np.float64)) for _ in range(4))
    x.array[:n], out = 1.0, np.zeros((2, networks))
    run(Params(np.uint64(n), 1, 1, 1.0, 0.0), networks, known, n**-0.5, h, y, z, x, out)
    return out / n


@pytest.mark.parametrize("n", [1, 2, 4, 16])
def test_exact_second_moments(n):
    """E|W^2 x|^2 = 1 + 2 / N^2 and E|W^T W x|^2 = 2 + 1 / N, where a fresh one gives 1: 200,000 matrices, 4 s.e."""
    found = of_squares(n, 200_000)
    for sample, exact in zip(found, (1 + 2 / n**2, 2 + 1 / n), strict=True):
        error = sample.std() / np.sqrt(sample.size)
        assert abs(sample.mean() - exact) < 4 * error
        if n < 16:
            assert abs(sample.mean() - 1) > 10 * error


class Powers(NamedTuple):
    sizes: np.ndarray
    along: np.ndarray


def powers(n, networks, steps):
    """|W^t x| / |x| and x . W^t x / |x|^2 of Haar matrices with sigma 1."""
    sizes, along = np.ones((networks, steps)), np.ones((networks, steps))
    for network in range(networks):
        dialogue = Dialogue(n, n, n, haar=True, deviation=1.0, network=network)
        x = start = np.ones(n)
        for t in range(steps):
            x = dialogue.right(x)
            sizes[network, t], along[network, t] = np.linalg.norm(x) / np.sqrt(n), x @ start / n
    return Powers(sizes, along)


def test_haar_powers():
    """Lengths are kept to rounding; N E[x . Q^t x] / |x|^2 = E tr Q^t = 0, 1, 0, 1: 5,000 matrices, 4 s.e."""
    found = powers(8, 5_000, 4)
    np.testing.assert_allclose(found.sizes, 1.0, atol=1e-13)
    for t, exact in enumerate((0.0, 1.0, 0.0, 1.0)):
        sample = 8 * found.along[:, t]
        assert abs(sample.mean() - exact) < 4 * sample.std() / np.sqrt(sample.size)


@pytest.mark.parametrize(("n", "steps"), [(6, 2), (6, 9), (1, 3), (25, 5)])
def test_haar_pathwise(n, steps):
    """Asked for all that is not known yet, it is sigma times an orthogonal matrix that gives every answer."""
    dialogue = Dialogue(n, n, n, haar=True)
    back_and_forth(dialogue, steps)
    w = np.stack([dialogue.right(each) for each in np.eye(n)], axis=1)
    np.testing.assert_allclose(w @ w.T, S**2 * np.eye(n), atol=1e-12)
    dialogue.check(w)


def test_haar_entries():
    """Distributions of completed Haar matrices are those of real ones: 1,500 matrices."""
    rng, completed = np.random.default_rng(3), []
    for network in range(1_500):
        dialogue = Dialogue(5, 5, 5, haar=True, network=network)
        back_and_forth(dialogue, 2, seed=network)
        completed.append(np.stack([dialogue.right(each) for each in np.eye(5)], axis=1))
    real = S * stats.ortho_group(5, seed=rng).rvs(1_500)
    found, expected = observed(np.array(completed)), observed(real)
    varies = [name for name in found if np.ptp(expected[name]) > 1e-9]
    assert len(varies) >= 6
    assert min(stats.ks_2samp(found[name], expected[name]).pvalue for name in varies) > 1e-4 / len(varies)


@pytest.mark.parametrize("haar", [False, True])
def test_single_precision(haar):
    """float32 answers are those of one matrix to a few roundings: u . W x = x . W^T u for all pairs of queries."""
    dialogue = Dialogue(40, 40, 40, haar=haar, dtype=np.float32)
    back_and_forth(dialogue, 10)
    for x, h in dialogue.asked[0]:
        for u, y in dialogue.asked[1]:
            assert abs(u @ h - x @ y) <= 3e-6 * (
                np.linalg.norm(u) * np.linalg.norm(h) + np.linalg.norm(x) * np.linalg.norm(y)
            )


@pytest.mark.parametrize("haar", [False, True])
def test_interpreted(haar):
    compiled, plain = (Dialogue(6, 6, 20, haar=haar, interpret=interpret) for interpret in (False, True))
    for dialogue in (compiled, plain):
        back_and_forth(dialogue, 3)
    for side in (0, 1):
        for (_, found), (_, expected) in zip(compiled.asked[side], plain.asked[side], strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-11)


def test_a_bias_is_a_column():
    """W and b have the law of one matrix that meets (x, sigma_b / s): |W x + b|^2 / N is s^2 |x|^2 + sigma_b^2."""
    n, sigma_b, total = 6, 0.8, 0.0
    for network in range(4_000):
        dialogue = Dialogue(n + 1, n, 2, network=network)
        total += np.sum(dialogue.right(np.append(np.ones(n), sigma_b / S)) ** 2) / n
    expected = S**2 * n + sigma_b**2
    assert abs(total / 4_000 - expected) < 4 * expected * np.sqrt(2 / n / 4_000)


def test_the_untied_one_is_the_first_step():
    """A block of one row forward and one back has the same normals in both forms, and so the same answers."""
    n = 20
    x = np.random.default_rng(1).standard_normal(n)
    dialogue = Dialogue(n, n, 1)
    h = dialogue.right(x)
    y = dialogue.left(np.tanh(h))
    shape, kind = untied.shape_of(1, n, n), np.dtype(np.float64)
    rows, answer, errors, back = (rows_of(1, stored(n), kind) for _ in range(4))
    seen, work, source = untied.seen_of(shape, kind), untied.work_of(shape, kind), Source(CELL, 0, 1, 0)
    rows.array[:n] = x
    jit.compiled(untied.forward)(source, shape, S, rows, answer, seen, work)
    errors.array[:n] = np.tanh(answer.array[:n])
    jit.compiled(untied.backward)(source, shape, S, errors, back, seen, work)
    np.testing.assert_allclose(answer.array[:n], h, atol=1e-13)
    np.testing.assert_allclose(back.array[:n], y, atol=1e-13)
