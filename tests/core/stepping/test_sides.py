"""Lazy matrices that meet blocks of rows: bases, coordinates and images are consistent, whatever the rows are."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core.rng.philox import STEPS_BACKWARD, STEPS_FORWARD
from gradsim_core.stepping import sides
from gradsim_core.stepping.blocks import CHUNK, work_of
from gradsim_core.stepping.sides import Side

MASKED = {"float32": 2e-6, "float64": 1e-12}
SHAPES = [(1, 2, 6), (5, 3, 12), (16, 4, 8), (70, 3, 9), (2 * CHUNK + 33, 5, 10)]  # n, rows of a block, of a side


def flip(a):
    return np.swapaxes(a, 1, 2)


def met(n, count, room, dtype="float64", networks=2, rows=None, deviation=0.3):
    """Two sides that have met blocks in turn, and those of the first one: rows, coordinates, products."""
    random, dtype = np.random.default_rng(n), np.dtype(dtype)
    right, left = (Side(networks, room, n, dtype) for _ in range(2))
    work, seen = work_of(count, room, dtype), []
    for k in range(room // count):
        for own, other, role in ((right, left, STEPS_FORWARD), (left, right, STEPS_BACKWARD)):
            x = random.normal(size=(networks, count, n)).astype(dtype)
            x = x if rows is None else rows(k, x)
            c = own.split(x, MASKED[dtype.name], work)
            own.draw_images((7, 0, 1, role), count, other, deviation, work)
            own.count += count
            answer = own.combine(c[:, :, : own.count], other, np.zeros((networks, count, 0)), work)
            if own is right:
                seen.append((x, c, answer))
    return right, left, seen


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("n", "count", "room"), SHAPES)
def test_bases_and_images(n, count, room, dtype):
    right, left, seen = met(n, count, room, dtype)
    tolerance = 100 * np.finfo(dtype).eps
    for side in (right, left):
        gram = side.rows @ flip(side.rows)
        lengths = np.einsum("mii->mi", gram)
        assert abs(gram - lengths[:, :, None] * np.eye(room)).max() < tolerance
        assert ((abs(lengths - 1) < tolerance) | (lengths == 0)).all()
        assert (lengths.sum(1).round() == min(n, room)).all()
        assert (side.images[lengths == 0] == 0).all()
    for x, c, answer in seen:
        assert abs(c @ right.rows - x).max() < tolerance * n**0.5
        assert abs(c @ right.images - answer).max() < tolerance * n**0.5
    assert abs(left.rows @ flip(right.images) - left.images @ flip(right.rows)).max() < tolerance


def test_rows_that_add_nothing_draw_nothing():
    """A row of zeros, an equal one, one met before, and one that differs by less than rounding."""

    first = []

    def rows(k, x):
        first.append(x[:, 0].copy())
        x[:, 1], x[:, 2] = x[:, 0], 0.0
        x[:, 3] = first[0] * (1 + 1e-15)
        return x

    right, _, _ = met(50, 5, 10, rows=rows)
    live = (right.rows != 0).any(2)
    assert live.tolist() == 2 * [[True, False, False, False, True, True, False, False, False, True]]


def test_nearly_dependent_rows_stay_orthogonal():
    def rows(k, x):
        x[:, 1:] = x[:, :1] + 1e-9 * x[:, 1:]
        return x

    right, _, _ = met(60, 4, 12, rows=rows)
    assert abs(right.rows @ flip(right.rows) - np.eye(12)).max() < 1e-13


def test_what_is_not_finite_stays_so_in_its_network():
    def rows(k, x):
        if k == 1:
            x[0, 1, 3], x[0, 2, 0] = np.nan, np.inf
        return x

    right, _, seen = met(40, 3, 9, rows=rows)
    *_, (_, _, answer) = seen
    assert np.isfinite(seen[0][2]).all()
    assert np.isnan(seen[1][2][0]).all(1).any()
    assert np.isfinite(answer[1]).all()
    assert np.isfinite(right.rows[1]).all()


def test_two_combinations_add():
    right, left, _ = met(75, 3, 9)
    random = np.random.default_rng(1)
    first, second = random.normal(size=(2, 2, 3, 9))
    found = right.combine(first, left, second, work_of(3, 9, np.dtype("float64")))
    assert found == pytest.approx(first @ right.images + second @ left.rows, abs=1e-13)


def test_the_interpreter_agrees(monkeypatch):
    compiled = met(20, 3, 6)
    monkeypatch.setattr(sides, "_kernel", lambda function: function)
    with np.errstate(all="ignore"):
        interpreted = met(20, 3, 6)
    for one, other in zip(compiled[:2], interpreted[:2], strict=True):
        assert one.rows == pytest.approx(other.rows, abs=1e-13)
        assert one.images == pytest.approx(other.images, abs=1e-13)


def test_known_directions_have_the_variance_of_an_entry():
    """10^5 entries of images: their mean square is 0.09 within 6 standard errors, a false alarm of 2e-9."""
    right, left, _ = met(500, 5, 10, networks=10)
    for side in (right, left):
        assert side.images.var() == pytest.approx(0.09, abs=6 * 0.09 * (2 / side.images.size) ** 0.5)
