"""Every compiler flag, and how plain Python functions become compilable.

Leaf functions stay plain Python. `make_compilable` lets Numba compile them where a kernel calls them, so the closure of
a kernel captures functions and no dispatchers: a kernel whose closure holds a dispatcher misses the disk cache.
No flag relaxes IEEE arithmetic: fastmath would remove NaN checks and could flush subnormals to zero.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from functools import cache, wraps
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any

_leaf_modules: dict[str, bool] = {}
_type_modules: list[str] = []


def once(function: Callable[..., Any]) -> Any:
    """`functools.cache` for what builds or compiles: of several threads that ask first, one builds and all get that.

    Each call of a plain cache that comes before the first result builds a kernel of its own, to be compiled again.
    """
    cached, lock = cache(function), threading.RLock()

    @wraps(function)
    def call(*arguments: Any) -> Any:
        with lock:
            return cached(*arguments)

    vars(call).update(cache_info=cached.cache_info, cache_clear=cached.cache_clear)
    return call


def disabled() -> bool:
    """Whether Numba is set to run everything in the interpreter, by ``NUMBA_DISABLE_JIT=1``."""
    if "numba" in sys.modules:
        return bool(vars(import_module("numba.core.config"))["DISABLE_JIT"])
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


@once
def load_numba() -> ModuleType:
    """Import Numba, and make every registered function compilable."""
    import numba

    if not disabled():
        for name in _type_modules:
            import_module(name)
        for name in _leaf_modules:
            _make_module_compilable(name)
    return numba


def make_compilable(function: FunctionType, inline: bool = True) -> FunctionType:
    """Let kernels call a plain function; returns the function.

    Parameters
    ----------
    function : function
        If it has an attribute ``choose``, Numba compiles ``function.choose(argument types)`` in its place.
    inline : bool
        Whether kernels inline it. Functions that run in every layer are inlined, because passing vectors and arrays
        took a quarter of the time at width 16. Others are not, which keeps compilation short.
    """
    from numba.extending import overload

    choose = getattr(function, "choose", lambda arguments: function)

    def typing(*arguments: Any) -> FunctionType:
        return choose(arguments)

    options: Any = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True} | _leaf_pipeline()
    if inline:
        options["forceinline"] = True
    overload(function, strict=False, jit_options=options)(typing)
    return function


def _leaf_pipeline() -> dict[str, Any]:
    """The option that keeps leaves as LLVM IR; none if Numba's internals have changed: compilation is then slower."""
    try:
        from gradsim_core.caching.leaves import LeafCompiler
    except ImportError:
        return {}
    return {"pipeline_class": LeafCompiler}


def make_closure_compilable(function: Any, *captured: str, inline: bool = False) -> FunctionType:
    """`make_compilable` for a function defined inside another, under a qualified name of its own.

    Kernels loaded from the disk cache share one symbol table, which identifies a function by its qualified name and
    its argument types. Two closures with the same name would be taken for one: every caller would call the first.

    Parameters
    ----------
    function : function
        Its ``__qualname__`` is changed in place.
    captured : str
        Names of what the closure captures; together they must tell it from other closures of the same function.
    inline : bool
        As in `make_compilable`.
    """
    function.__qualname__ = "_".join([function.__qualname__, *captured])
    return make_compilable(function, inline)


def inlined(function: FunctionType) -> FunctionType:
    """Mark a function that kernels inline, in a module whose other functions they call (see `make_compilable`)."""
    vars(function)["inline"] = True
    return function


def outlined(function: FunctionType) -> FunctionType:
    """Mark a function that runs rarely: kernels call it instead of inlining it, which keeps compilation short."""
    vars(function)["inline"] = False
    return function


def register_leaves(module_name: str, inline: bool) -> None:
    """Let kernels call every function of a module. Must be the last statement of the module.

    Parameters
    ----------
    module_name : str
        ``__name__`` of the module.
    inline : bool
        Whether kernels inline its functions (see `make_compilable`); marks `inlined` and `outlined` take precedence.
    """
    _leaf_modules[module_name] = inline
    if load_numba.cache_info().currsize:
        _make_module_compilable(module_name)


def register_types(module_name: str) -> None:
    """Have a module imported once Numba is imported: it registers Numba types and the LLVM code of primitives."""
    _type_modules.append(module_name)
    if load_numba.cache_info().currsize:
        import_module(module_name)


def _make_module_compilable(module_name: str) -> None:
    """Make every function that a module defines compilable."""
    inline = _leaf_modules[module_name]
    for function in list(vars(sys.modules[module_name]).values()):
        if isinstance(function, FunctionType) and function.__module__ == module_name:
            make_compilable(function, getattr(function, "inline", inline))


def compile_kernel(function: Any, disk_cache: bool = True, allocates: bool = False, identity: str | None = None) -> Any:
    """Compile a kernel that releases the GIL and runs on one thread (callers run blocks on a thread pool).

    Parameters
    ----------
    function : function
    disk_cache : bool
        Whether the compiled kernel is stored on disk (see `KernelCache`).
    allocates : bool
        Whether it may allocate arrays. If not, it counts no references. Each count is a locked instruction, which
        prevents the processor from working ahead: in the sampler at width 16 counts took a third of the time.
    identity : str, optional
        Text that tells all that the function captures, for the disk cache.
    """
    kernel = load_numba().njit(nogil=True, error_model="numpy", _nrt=allocates)(function)
    if disk_cache and not disabled():
        from gradsim_core.caching.kernels import KernelCache

        kernel._cache = KernelCache(function, identity)
    return kernel


def compile_scalar(function: FunctionType) -> Any:
    """Compile a function that kernels call, in memory only: a kernel on disk has its code."""
    return load_numba().njit(function)


@once
def compiled(function: FunctionType) -> Any:
    """Compile a function that may allocate arrays, such as those that finish or read what a kernel wrote."""
    return compile_kernel(function, allocates=True)
