"""Operations between matrices against PyTorch's autograd in float64."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from gradsim_core.linear.rows import add_scaled, stored
from gradsim_core.operations import attend, standardise
from tests.core.linear.rows import call, values_of
from tests.core.linear.rows import stored as rows

torch = pytest.importorskip("torch")
COUNT = 5


def random(*shape, seed=1):
    return np.random.default_rng(seed).standard_normal(shape)


def in_parts(values, count):
    """Rows with `count` parts, each padded by itself."""
    parts = values.reshape(len(values), count, -1)
    missing = stored(parts.shape[2]) - parts.shape[2]
    return rows(np.pad(parts, ((0, 0), (0, 0), (0, missing))).reshape(len(values), -1))


def of_parts(matrix, tokens, count, n):
    """The numbers of the parts of rows; the padding must be zero."""
    found = matrix.array.reshape(tokens, count, -1)
    assert not found[:, :, n:].any()
    return found[:, :, :n].reshape(tokens, -1)


def gradients(function, error, *inputs):
    """What PyTorch gives for an operation: its answer, and the errors of its inputs."""
    tensors = [torch.tensor(each, dtype=torch.float64, requires_grad=True) for each in inputs]
    answer = function(*tensors)
    answer.backward(torch.tensor(error))
    return [answer.detach().numpy(), *(each.grad.numpy() for each in tensors)]


class Block(NamedTuple):
    start: int
    samples: int
    size: int
    width: int


def layer(x):
    return torch.nn.functional.layer_norm(x, x.shape[1:], eps=standardise.EPSILON)


def rms(x):
    return x / (x.square().mean(1, keepdim=True) + standardise.EPSILON).sqrt()


def batch(x):
    return (x - x.mean(0)) / (x.var(0, unbiased=False) + standardise.EPSILON).sqrt()


@pytest.mark.parametrize("n", [7, 32, 45])
@pytest.mark.parametrize("function", [layer, rms, batch])
def test_standardise(function, n):
    x, error = 3.0 * random(COUNT, n) + 0.7, random(COUNT, n, seed=2)
    z, e, size = rows(x), rows(error), stored(n)
    block, live = Block(0, COUNT, size, n), (np.arange(size) < n) * 1.0
    inverse = np.zeros(max(size, COUNT))
    arguments = {
        layer: (standardise.standardise_rows, standardise.standardise_rows_backward, (live, inverse)),
        rms: (standardise.scale_rows, standardise.scale_rows_backward, (inverse,)),
        batch: (standardise.standardise_columns, standardise.standardise_columns_backward, (inverse,)),
    }
    forward, backward, rest = arguments[function]
    call(forward, z.array, block, *rest, standardise.EPSILON)
    call(backward, e.array, z.array, block, *rest)
    answer, expected = gradients(function, error, x)
    np.testing.assert_allclose(of_parts(z, COUNT, 1, n), answer, atol=1e-12)
    np.testing.assert_allclose(of_parts(e, COUNT, 1, n), expected, atol=1e-12)


def attention(heads, causal, scale):
    """Attention in PyTorch's own words: one row of queries, keys, values of all heads per token."""

    def function(parts):
        tokens = parts.shape[0]
        q, k, v = (each.reshape(tokens, heads, -1).transpose(0, 1) for each in parts.chunk(3, 1))
        answer = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=scale)
        return answer.transpose(0, 1).reshape(tokens, -1)

    return function


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("tokens", "heads", "d"), [(1, 1, 4), (3, 2, 8), (6, 3, 33), (20, 2, 32), (33, 1, 5)])
def test_attend(tokens, heads, d, causal):
    parts, error = 1.5 * random(tokens, 3 * heads * d), random(tokens, heads * d, seed=2)
    shape = attend.Heads(heads, d, d**-0.5, causal)
    work = attend.attention_of(shape, tokens, np.dtype(np.float64))
    given, out, errors = (
        in_parts(parts, 3 * heads),
        in_parts(np.zeros_like(error), heads),
        in_parts(0.0 * parts, 3 * heads),
    )
    call(attend.attend, shape, given, out, tokens, work)
    call(attend.attend_backward, shape, given, in_parts(error, heads), errors, tokens, work)
    answer, expected = gradients(attention(heads, causal, d**-0.5), error, parts)
    np.testing.assert_allclose(of_parts(out, tokens, heads, d), answer, atol=1e-12)
    np.testing.assert_allclose(of_parts(errors, tokens, 3 * heads, d), expected, atol=1e-12)


def test_weights_of_large_scores():
    """Scores of 10^4 are no overflow; in float32 too."""
    for kind in (np.float32, np.float64):
        shape, parts = attend.Heads(1, 4, 1.0, causal=False), 100.0 * random(3, 12)
        work = attend.attention_of(shape, 3, np.dtype(kind))
        given, out = (rows(values.reshape(3, -1), kind) for values in (in_parts(parts, 3).array, np.zeros((3, 32))))
        call(attend.attend, shape, given, out, 3, work)
        expected = gradients(attention(1, False, 1.0), np.ones((3, 4)), parts)[0]
        np.testing.assert_allclose(values_of(out, 3, 4), expected, rtol=1e-4 if kind is np.float32 else 1e-12)


def test_add_scaled():
    stream, branch = random(COUNT, 40), random(COUNT, 40, seed=2)
    target = rows(stream)
    call(add_scaled, target, rows(branch), 0.3, COUNT, target.row)
    np.testing.assert_allclose(values_of(target, COUNT, 40), stream + 0.3 * branch, atol=1e-15)


def test_a_planted_error_is_seen(monkeypatch):
    """Without the mean in the softmax's derivative the errors of queries and keys are wrong."""
    monkeypatch.setattr(attend, "softmax_row_backward", lambda a, start, e, at, size, scale: None)
    shape, parts, error = attend.Heads(1, 4, 0.5, causal=False), random(3, 12), random(3, 4, seed=2)
    work = attend.attention_of(shape, 3, np.dtype(np.float64))
    given, out, errors = in_parts(parts, 3), in_parts(np.zeros((3, 4)), 1), in_parts(0.0 * parts, 3)
    call(attend.attend, shape, given, out, 3, work, interpret=True)
    call(attend.attend_backward, shape, given, in_parts(error, 1), errors, 3, work, interpret=True)
    _, expected = gradients(attention(1, False, 0.5), error, parts)
    found = of_parts(errors, 3, 3, 4)
    assert np.abs(found - expected)[:, 8:].max() < 1e-12  # values do not depend on it
    assert np.abs(found - expected)[:, :8].max() > 1e-3
