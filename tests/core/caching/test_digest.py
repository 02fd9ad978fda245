"""The digest of functions: equal if and only if the same code sees the same values."""

from __future__ import annotations

import functools
import math
import types

import cloudpickle
import numba
import numpy as np
import pytest

from gradsim_core.caching.digest import digest

SOURCE = """
import math
import numpy as np
def helper(h):
    return h * scale
def phi(h, *, shift=0.5, factor=2.0):
    return helper(h) + shift + factor + table[3] + constants.A
"""


def world(**changes):
    """The function phi in a module of its own; `changes` overwrite what it uses."""
    names = {
        "scale": 1.0,
        "table": np.zeros(5000),
        "constants": types.ModuleType("constants"),
        "__name__": "users_module",
    }
    names["constants"].A, names["constants"].unused = 1.0, object()
    exec(SOURCE, names)
    a = changes.pop("A", 1.0)
    names["constants"].A = a
    names.update(changes)
    return names["phi"]


def text(function):
    return digest(phi=function).text


def changed_default(field, value):
    phi = world()
    setattr(phi, field, value)
    return phi


CHANGES = {
    "a global": lambda: world(scale=1.0000000000000002),
    "an integer for a float": lambda: world(scale=1),
    "the sign of zero": lambda: world(scale=-0.0),
    "one number of a long array": lambda: world(table=np.where(np.arange(5000) == 2500, 1e-12, 0.0)),
    "the type of an array": lambda: world(table=np.zeros(5000, np.float32)),
    "the shape of an array": lambda: world(table=np.zeros((2500, 2))),
    "an attribute of a module": lambda: world(A=2.0),
    "a helper": lambda: world(helper=lambda h: h + 1),
    "a helper compiled with other options": lambda: world(helper=numba.njit(fastmath=True)(lambda h: h)),
    "a keyword-only default": lambda: changed_default("__kwdefaults__", {"shift": 0.6, "factor": 2.0}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_everything_that_is_used_changes_it(change):
    assert text(CHANGES[change]()) != text(world())


def test_what_is_not_used_does_not_change_it():
    phi = world()
    phi.__globals__["constants"].unused = 7
    assert text(world(unused=3)) == text(world()) == text(phi)


def test_a_value_behind_a_compiled_helper_changes_it():
    def phi(scale):
        inner = numba.njit(lambda h: h * scale)
        middle = numba.njit(lambda h: inner(h))
        return lambda h: middle(h)

    assert text(phi(1.0)) == text(phi(1.0)) != text(phi(2.0))
    assert [d.py_func.__code__.co_freevars for d in digest(phi=phi(1.0)).dispatchers] == [("scale",), ("inner",)]


def test_the_format_of_printed_numbers_does_not_change_it():
    table = np.linspace(0, 1, 3000)
    before = text(lambda h: h * table[7])
    captured = lambda h: h * table[7]  # noqa: E731
    with np.printoptions(precision=2, threshold=5):
        assert text(captured) == text(lambda h: h * table[7]) == before


def test_functions_that_call_themselves_or_each_other():
    def pair(limit):
        def even(n):
            return True if n < limit else odd(n - 1)

        def odd(n):
            return False if n < 1 else even(n - 1)

        return even

    assert text(pair(1)) == text(pair(1)) != text(pair(2))


def test_a_copy_sent_to_a_worker_has_the_same_digest():
    table = np.arange(4.0)

    def helper(h, *, shift=0.1):
        return h * table[1] + shift + math.pi

    phi = lambda h: helper(h) + helper(2 * h) + np.tanh(h)  # noqa: E731
    assert text(cloudpickle.loads(cloudpickle.dumps(phi))) == text(phi)


@pytest.mark.parametrize("library", [np.tanh, math.erf, max, np.where, np.float32, np.linalg.norm])
def test_functions_of_libraries_go_by_their_name(library):
    assert text(library) == text(library) != text(np.exp)


class Scaled:
    factor = 2.0

    def phi(self, h):
        return self.factor * h


OPAQUE = {
    "phi is a bound method": Scaled().phi,
    "phi is a functools.partial": functools.partial(max, 1.0),
    "phi is a numpy.vectorize": np.vectorize(lambda h: h),
    "phi is a numpy.ufunc": np.frompyfunc(lambda h: h, 1, 1),
    "phi → p is a tests.core.caching.test_digest.Scaled": (lambda p: lambda h: p.phi(h))(Scaled()),
    "phi → q is a numpy.ndarray": (lambda q: lambda h: q[0])(np.array([object()])),
}


@pytest.mark.parametrize("words", OPAQUE)
def test_what_cannot_be_compared_is_refused_by_its_place(words):
    with pytest.raises(TypeError, match=f"^{words}, whose content cannot be compared. Write it as a plain function"):
        digest(phi=OPAQUE[words])


def test_a_list_that_contains_itself_is_refused():
    endless: list = []
    endless.append(endless)
    with pytest.raises(TypeError, match="contains itself"):
        digest(phi=lambda h: endless)
