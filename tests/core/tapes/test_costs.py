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
    told = (error < 0).any(1)  # where the class that wins is chosen, all errors are below the range of floats
    assert told.mean() > 0.6
    np.testing.assert_allclose(error[told], expected[told], rtol=0, atol=1e-12)
    _, error = outputs(SIGMOID, sigma, depth=3, count=20)
    assert np.isin(np.abs(error), [0.0, 1.0]).all() if sigma > 1 else (np.abs(error) == 0.5).all()
    z, error = outputs(QUADRATIC, sigma, depth=3, count=20)
    if sigma > 1:  # targets are lost beside the outputs
        np.testing.assert_allclose(error, z, rtol=1e-12)
    else:  # and outputs beside the targets
        assert stats.kstest(error.ravel(), "norm").pvalue > 1e-4


def expected_logarithms(z, chosen):
    """ln of the absolute errors of the softmax, in extended precision."""
    z = z.astype(np.longdouble)
    log_p = z - np.logaddexp.reduce(z, axis=1, keepdims=True)
    rows = np.arange(len(z))
    others = log_p.copy()
    others[rows, chosen] = -np.inf
    log_p[rows, chosen] = np.logaddexp.reduce(others, axis=1)
    return log_p


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_error_of_a_right_answer_is_not_lost(dtype):
    """However sure the network is: at a size of outputs of 1,000 errors are e^-1000, and have no cancellation."""
    tape = Tape(ROWS, 16)
    program = tape.program(tape.multiply(tape.input, 3, sigma=1000.0), SOFTMAX)
    units = []
    for work in networks.run_many(program, "gelu", 50, dtype=dtype):
        z = networks.numbers(work.values, program, program.output)
        start, width = program.values[program.output, :2]
        rows = work.errors.numbers[start : start + ROWS * width].reshape(ROWS, width)[:, :3].astype(np.float64)
        unit = work.errors.exponents[program.output]
        with np.errstate(divide="ignore"):  # far below the largest, others are 0 as floats
            found = np.log(np.abs(rows)) + unit[:, None] * np.log(2.0)
        right = expected_logarithms(z, rows.argmin(1)).astype(np.float64)
        known = right > right.max(1, keepdims=True) - 30.0
        np.testing.assert_allclose(found[known], right[known], rtol=1e-5, atol=1e-4)
        units += unit.tolist()
    assert min(units) < -500
