"""Costs of outputs: their targets have the laws that are stated, and no size of outputs breaks them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gradsim_core.tapes import Tape
from gradsim_core.tapes.costs import QUADRATIC, SHARED, SIGMOID, SOFTMAX
from tests.core.tapes import networks

K, ROWS, NETWORKS = 5, 4, 300


def outputs(cost, sigma=1.3, name="gelu", depth=2, count=NETWORKS, k=K):
    """Outputs and their errors of many networks, (networks * rows, outputs)."""
    tape = Tape(ROWS, 16)
    x = tape.input
    for _ in range(depth):
        x = tape.activate(tape.multiply(x, 16, sigma=sigma))
    program = tape.program(tape.multiply(x, k), cost)
    found = [
        [networks.numbers(field, program, program.output) for field in (work.values, work.errors)]
        for work in networks.run_many(program, name, count)
    ]
    return np.concatenate(found, axis=1)


def test_targets_of_the_quadratic_cost_are_standard_normal():
    z, error = outputs(QUADRATIC)
    target = (z - error).ravel()
    assert stats.kstest(target, "norm").pvalue > 1e-4
    assert stats.kstest(1.15 * target, "norm").pvalue < 1e-4
    assert abs(np.corrcoef(target, z.ravel())[0, 1]) < 4.5 / np.sqrt(target.size)


def test_classes_are_uniform_and_independent_of_the_outputs():
    z, error = outputs(SOFTMAX)
    chosen = error.argmin(1)
    assert stats.chisquare(np.bincount(chosen, minlength=K)).pvalue > 1e-4
    assert abs((chosen == z.argmax(1)).mean() - 1 / K) < 4.5 * np.sqrt(0.2 * 0.8 / len(chosen))
    np.testing.assert_allclose(error.sum(1), 0.0, atol=1e-12)


def test_labels_are_a_half():
    _, error = outputs(SIGMOID)
    assert abs((error < 0).mean() - 0.5) < 4.5 * 0.5 / np.sqrt(error.size)


def test_one_readout_for_all_rows():
    _, error = outputs(SHARED, k=1, count=3)
    assert (error == 1.0).all()


@pytest.mark.parametrize("sigma", [1e-30, 1e30])
def test_outputs_of_any_size(sigma):
    """1e-90 and 1e+90, where both functions are those of 0, or have saturated."""
    z, error = outputs(SOFTMAX, sigma, depth=3, count=20)
    size = np.abs(z).max()
    assert (size > 1e80) if sigma > 1 else (0 < size < 1e-80)
    expected = np.where(z == z.max(1, keepdims=True), 1.0, 0.0) if sigma > 1 else np.full_like(z, 1 / K)
    expected[np.arange(len(z)), error.argmin(1)] -= 1.0
    wrong = np.abs(error - expected).max(1) > 1e-12
    assert not wrong.any() if sigma < 1 else wrong.sum() <= len(z) // 4  # a class that wins and is chosen has no error
    _, error = outputs(SIGMOID, sigma, depth=3, count=20)
    assert np.isin(np.abs(error), [0.0, 1.0]).all() if sigma > 1 else (np.abs(error) == 0.5).all()
    z, error = outputs(QUADRATIC, sigma, depth=3, count=20)
    if sigma > 1:  # targets are lost beside the outputs
        np.testing.assert_allclose(error, z, rtol=1e-12)
    else:  # and outputs beside the targets
        assert stats.kstest(error.ravel(), "norm").pvalue > 1e-4
