"""Errors to be planted in the radial sampler of residual networks, which the interpreter then runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from gradsim_core.schedules.radial_streams import backward, numbers
from gradsim_core.schedules.radial_streams.numbers import COSINE, REST, SINE, SPREAD, SPREAD_REST, item
from tests.core.schedules.residual_reference import Kind


def without_turn(work, layer, error):
    """turn: nothing of what the error has across x' is in the plane of x and x'."""
    cosine, sine = item(work, layer, COSINE), item(work, layer, SINE)
    return backward.InPlane(error.along * cosine, error.along * sine, error.across, error.exponent)


def without_angle(work, layer, error):
    """turn: the error after the block is taken beside x as it is beside x'."""
    return backward.InPlane(error.along, error.along * 0.0, error.across, error.exponent)


def without_branch(right):
    """branch_error: V^T e knows nothing of V f."""
    return lambda *arguments: right(*arguments)._replace(along=right(*arguments).along * 0.0)


def without_preactivation(right):
    """inner_error: W^T u knows nothing of W y."""
    return lambda *arguments: right(*arguments)._replace(along=right(*arguments).along * 0.0)


def without_plane(right):
    """error_of: V^T e has no component across f in the plane of both parts of h."""
    return lambda matrix, sides, p2, m2, y, n, outside: right(matrix, sides, p2, m2, y, n * 0.0, outside)


def without_product(cell, layer, work, error, other):
    """add: what comes through the branch is orthogonal to the error of the stream."""
    across = error.of_branch**2 + error.outside
    across = across + other.across * (item(work, layer, SPREAD) ** 2 + item(work, layer, SPREAD_REST))
    return backward.Error(error.of_x + other.along, across, error.exponent)


def one_too_many(right):
    """chi_squares_from: N - 1 directions in the place of N - 2."""
    return lambda words, source, index, a, b: right(words, source, index, a + (index == REST), b + (index == REST))


def without_bias(right):
    """item: all of h is taken for W y."""

    def wrong(work, layer, name):
        found = right(work, layer, name)
        if name == numbers.SHARE:
            return found * 0.0 + 1.0
        return found * 0.0 if name == numbers.BIAS_SHARE else found

    return wrong


class Planted(NamedTuple):
    """An error in a function of a module, and networks that show it."""

    name: str
    wrong: Callable[..., Any]
    module: Any
    function: str
    kind: Kind
    wraps: bool = True

    def put(self, monkeypatch):
        right = getattr(self.module, self.function)
        monkeypatch.setattr(self.module, self.function, self.wrong(right) if self.wraps else self.wrong)


_KIND = Kind(3, 4, 4, sigma_w=1.6)
_TWO_SLOPES = Kind(3, 2, 4, below=-1.0, sigma_w=1.6)

PLANTED = [
    Planted("branch", without_branch, backward, "branch_error", _KIND),
    Planted("turn", without_turn, backward, "turn", Kind(2, 8, 6, sigma_w=1.6, placement="pre"), wraps=False),
    Planted("angle", without_angle, backward, "turn", _KIND, wraps=False),
    Planted("preactivation", without_preactivation, backward, "inner_error", _KIND),
    Planted("plane", without_plane, backward, "error_of", _TWO_SLOPES),
    Planted("product", without_product, backward, "add", _KIND, wraps=False),
    Planted("freedom", one_too_many, numbers, "chi_squares_from", _KIND),
    # What is due to a bias has the right variance either way: only its relation to the error of the stream differs.
    Planted("bias", without_bias, backward, "item", Kind(1, 4, 3, sigma_w=1.6, sigma_b=2.0, below=1.0)),
]
