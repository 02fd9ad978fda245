"""Every flag of the compiler, the disk cache, and how plain functions become compiled ones.

Leaf functions stay plain Python: `make_compilable` tells Numba that it may compile them where a kernel calls them,
so a kernel's closure captures functions, never dispatchers (a closure over a dispatcher would miss the disk cache).
No flag relaxes IEEE arithmetic: with fastmath, NaN checks vanish and subnormals may be flushed.
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
    """Hash of the core's sources, which keys the cache: Numba itself does not notice an edit in another file."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@cache
def cache_directory() -> Path:
    """Where compiled kernels are kept: $GRADSIM_CACHE_DIR, else the user's cache directory; private to the user.

    Cache files are pickles, so a directory that another user could write is never used: then, with a warning, a
    temporary one of this process.
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
    # The cache directory must be set before Numba decorates anything. Numba reads it at each decoration.
    import numba
    from numba.core import config  # its options are made at run time

    vars(config)["CACHE_DIR"] = str(cache_directory())
    if not vars(config)["DISABLE_JIT"]:
        for name in _type_modules:
            import_module(name)
        for name in _leaf_modules:
            _make_module_compilable(name)
    return numba


def make_compilable(function: FunctionType, inline: bool = True) -> FunctionType:
    """Let kernels call a plain function.

    Functions on the path of every layer are inlined: vectors and arrays are costly to pass, which at width 16 was a
    quarter of the time. The others are not, to keep compilation short.
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
    """The same, kept apart, for a function that was made in another one; `captured` names what it captures.

    Kernels that come from the disk cache share one table of symbols, which knows a function by its qualified name and
    the types of its arguments: of two closures of one name, all would call the first.
    """
    function.__qualname__ = "_".join([function.__qualname__, *captured])
    return make_compilable(function, inline)


def user_function(function: Any) -> Any:
    """A user's scalar function, compiled; one that is compiled already passes through."""
    numba = _numba()
    if hasattr(function, "py_func") or numba.config.DISABLE_JIT:
        return function
    return numba.njit(function if isinstance(function, FunctionType) else lambda h: function(h))  # a NumPy ufunc


def inlined(function: FunctionType) -> FunctionType:
    """Mark a function that kernels inline, in a module whose others they call (see `make_compilable`)."""
    vars(function)["inline"] = True
    return function


def outlined(function: FunctionType) -> FunctionType:
    """Mark a function that runs seldom: kernels call it instead of inlining it, which keeps compilation short."""
    vars(function)["inline"] = False
    return function


def register_leaves(module_name: str, inline: bool) -> None:
    """Let kernels call every function that a module defines, as its last statement.

    Parameters
    ----------
    module_name : str
        ``__name__`` of the module.
    inline : bool
        Whether its functions are inlined (see `make_compilable`), but for those marked `inlined` or `outlined`.
    """
    _leaf_modules[module_name] = inline
    if _numba.cache_info().currsize:
        _make_module_compilable(module_name)


def register_types(module_name: str) -> None:
    """Import a module together with Numba: it gives primitives their compiled form."""
    _type_modules.append(module_name)


def _make_module_compilable(module_name: str) -> None:
    inline = _leaf_modules[module_name]
    for function in list(vars(sys.modules[module_name]).values()):
        if isinstance(function, FunctionType) and function.__module__ == module_name:
            make_compilable(function, getattr(function, "inline", inline))


def compile_kernel(function: Any, disk_cache: bool = True, allocates: bool = False) -> Any:
    """A kernel: releases the GIL, is kept on disk, and is never parallel (blocks run on a thread pool).

    What allocates no array need not count references to any. Each count is a locked instruction, which keeps the
    processor from working ahead; in the sampler at width 16 they took a third of the time.
    """
    return _numba().njit(nogil=True, cache=disk_cache, error_model="numpy", _nrt=allocates)(function)


@cache
def compiled(function: FunctionType) -> Any:
    """A function beside the kernels, which may allocate."""
    return compile_kernel(function, allocates=True)
