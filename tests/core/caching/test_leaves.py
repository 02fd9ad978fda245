"""Leaves stay LLVM IR; with a Numba that lacks what this needs, they are compiled as Numba compiles them."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest
from numba.core.codegen import JITCodeLibrary

from gradsim_core import jit
from gradsim_core.caching import leaves

NAMES = [(owner, name) for owner, names in leaves._NEEDED for name in names]


def make_kernel():
    """A kernel that calls two leaves, of which one calls a third, in a loop that is not inlined."""

    def inner(x):
        return 1.0 / (1.0 + x * x)

    def outer(x, n):
        total = 0.0
        for i in range(n):
            total += inner(x + i)
        return total

    def other(x):
        return np.sqrt(x) - inner(x)

    for leaf, inline in ((inner, True), (outer, False), (other, True)):
        jit.make_compilable(leaf, inline)

    def kernel(x, n):
        return outer(x, n) + other(x)

    return jit.compile_kernel(kernel, disk_cache=False)


@pytest.fixture
def made(monkeypatch):
    """Names of the libraries that become machine code, without Numba's own, which does so once a process."""
    names, usual = [], JITCodeLibrary._finalize_specific

    def finalize(library):
        if library.name != "nrt":
            names.append(library.name.split(".")[-1])
        usual(library)

    monkeypatch.setattr(JITCodeLibrary, "_finalize_specific", finalize)
    return names


def test_only_the_kernel_becomes_machine_code(made):
    kernel = make_kernel()
    assert kernel(0.3, 50).hex() == kernel.py_func(0.3, 50).hex()
    assert made == ["kernel"]


@pytest.mark.parametrize("missing", ["module", "pass"])
def test_without_numbas_internals_leaves_are_compiled_as_usual(missing, made, monkeypatch):
    if missing == "module":
        monkeypatch.setitem(sys.modules, leaves.__name__, None)
    else:
        monkeypatch.setattr(leaves, "NativeLowering", object)
    kernel = make_kernel()
    assert kernel(0.3, 50).hex() == kernel.py_func(0.3, 50).hex()
    assert set(made) == {"kernel", "inner", "outer", "other"}


@pytest.mark.parametrize(("owner", "name"), NAMES, ids=[f"{owner.__name__}.{name}" for owner, name in NAMES])
def test_a_numba_without_one_of_the_names_is_recognised(owner, name, monkeypatch):
    for each in owner.__mro__:
        if name in vars(each):
            monkeypatch.delattr(each, name)
    with pytest.raises(ImportError, match=name):
        importlib.reload(leaves)


def test_leaves_cannot_be_called_from_python(monkeypatch):
    """Numba files a function under its machine code; a leaf has none, and what stands for it raises."""
    filed, usual = [], leaves.CPUContext.insert_user_function

    def insert(context, function, *rest):
        filed.append(function)
        usual(context, function, *rest)

    monkeypatch.setattr(leaves.CPUContext, "insert_user_function", insert)
    make_kernel()(0.3, 50)
    *of_leaves, of_kernel = filed
    assert len(of_leaves) == len(set(of_leaves)) >= 3
    assert of_kernel(0.3, 50) == make_kernel()(0.3, 50)
    for each in of_leaves:
        for arguments in ((), (0.3,), (0.3, 50)):
            with pytest.raises((KeyError, TypeError)):
                each(*arguments)
