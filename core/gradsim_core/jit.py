"""Every compiler flag, the disk cache, and how plain Python functions become compilable.

Leaf functions stay plain Python. `make_compilable` lets Numba compile them where a kernel calls them, so the closure of
a kernel captures functions and no dispatchers: a kernel whose closure holds a dispatcher misses the disk cache.
No flag relaxes IEEE arithmetic: fastmath would remove NaN checks and could flush subnormals to zero.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
import warnings
from functools import cache
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

_leaf_modules: dict[str, bool] = {}
_type_modules: list[str] = []


def source_hash() -> str:
    """Hash of all sources of the core, which keys the cache, since Numba does not notice an edit in another file."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@cache
def cache_directory() -> Path:
    """Directory of compiled kernels: in $GRADSIM_CACHE_DIR if set, else in the user's cache directory.

    Cache files are pickles, so a directory that other users can write to is not used. The process then warns and uses
    a temporary directory of its own.
    """
    base = os.environ.get("GRADSIM_CACHE_DIR")
    home = Path(base) if base else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gradsim"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = home.stat()
        private = os.name == "nt" or (
            status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        )
        if private and os.access(home, os.W_OK):
            return home / source_hash()
    except OSError:
        pass
    warnings.warn(
        f"{home}: compiled kernels cannot be kept here, since others may write to it or you may not. They go to a "
        "temporary directory and are compiled again next time. Set GRADSIM_CACHE_DIR to a directory of your own.",
        stacklevel=2,
    )
    return Path(tempfile.mkdtemp(prefix="gradsim-cache-"))


@cache
def _numba() -> ModuleType:
    """Import Numba, and make every registered function compilable."""
    # Numba reads the cache directory whenever it decorates a function, so set it before the first one.
    import numba
    from numba.core import config  # its attributes are created at run time, so type checkers do not know them

    vars(config)["CACHE_DIR"] = str(cache_directory())
    if not vars(config)["DISABLE_JIT"]:
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

    options: Any = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    if inline:
        options["forceinline"] = True
    overload(function, strict=False, jit_options=options)(typing)
    return function


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


def user_function(function: Any) -> Any:
    """Compile a user's scalar function, or return it unchanged if it is compiled already."""
    numba = _numba()
    if hasattr(function, "py_func") or numba.config.DISABLE_JIT:
        return function
    return numba.njit(function if isinstance(function, FunctionType) else lambda h: function(h))  # a NumPy ufunc


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
    if _numba.cache_info().currsize:
        _make_module_compilable(module_name)


def register_types(module_name: str) -> None:
    """Have a module imported once Numba is imported: it registers Numba types and the LLVM code of primitives."""
    _type_modules.append(module_name)


def _make_module_compilable(module_name: str) -> None:
    """Make every function that a module defines compilable."""
    inline = _leaf_modules[module_name]
    for function in list(vars(sys.modules[module_name]).values()):
        if isinstance(function, FunctionType) and function.__module__ == module_name:
            make_compilable(function, getattr(function, "inline", inline))


def compile_kernel(function: Any, disk_cache: bool = True, allocates: bool = False) -> Any:
    """Compile a kernel that releases the GIL and runs on one thread (callers run blocks on a thread pool).

    Parameters
    ----------
    function : function
    disk_cache : bool
        Whether the compiled kernel is stored in `cache_directory()`.
    allocates : bool
        Whether it may allocate arrays. If not, it counts no references. Each count is a locked instruction, which
        prevents the processor from working ahead: in the sampler at width 16 counts took a third of the time.
    """
    return _numba().njit(nogil=True, cache=disk_cache, error_model="numpy", _nrt=allocates)(function)


@cache
def compiled(function: FunctionType) -> Any:
    """Compile a function that may allocate arrays, such as those that finish or read what a kernel wrote."""
    return compile_kernel(function, allocates=True)
