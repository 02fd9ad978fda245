"""Every flag of the compiler, the disk cache, and how plain functions become compiled ones.

Leaf functions stay plain Python: `make_compilable` tells Numba that it may compile them where a kernel calls them,
so a kernel's closure captures functions, never dispatchers (a closure over a dispatcher would miss the disk cache).
No flag relaxes IEEE arithmetic: with fastmath, NaN checks vanish and subnormals may be flushed.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import warnings
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType


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
    from numba.core import config

    config.CACHE_DIR = str(cache_directory())
    if not config.DISABLE_JIT:
        _register_core()
    return numba


def make_compilable(function: FunctionType, inline: bool = True) -> FunctionType:
    """Let kernels call a plain function.

    Functions on the path of every layer are inlined: vectors and arrays are costly to pass, which at width 16 was a
    quarter of the time. The others are not, to keep compilation short.
    """
    from numba.extending import overload

    choose = getattr(function, "choose", lambda arguments: function)

    def typing(*arguments):
        return choose(arguments)

    options = {"forceinline": True} if inline else {}
    overload(
        function,
        strict=False,
        jit_options={"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True, **options},
    )(typing)
    return function


def make_closure_compilable(function: FunctionType, *captured: str) -> FunctionType:
    """The same, kept apart, for a function that was made in another one; `captured` names what it captures.

    Kernels that come from the disk cache share one table of symbols, which knows a function by its qualified name and
    the types of its arguments: of two closures of one name, all would call the first.
    """
    function.__qualname__ = "_".join([function.__qualname__, *captured])
    return make_compilable(function, inline=False)


def user_function(function):
    """A user's scalar function, compiled; one that is compiled already passes through."""
    numba = _numba()
    if hasattr(function, "py_func") or numba.config.DISABLE_JIT:
        return function
    return numba.njit(function if isinstance(function, FunctionType) else lambda h: function(h))  # a NumPy ufunc


def make_module_compilable(module: ModuleType, inline: bool, apart: tuple[str, ...] = ()) -> None:
    """`make_compilable` for every function that a module defines; those that run seldom are kept apart."""
    for name, function in vars(module).items():
        if isinstance(function, FunctionType) and function.__module__ == module.__name__:
            make_compilable(function, inline and name not in apart)


def _register_core() -> None:
    from . import (
        activations,
        at_once,
        conditional,
        dense,
        draws,
        elementary,
        elementwise,
        explicit,
        grouped,
        lanes,
        lanewise,
        laws,
        narrow,
        normals,
        orthogonal,
        philox,
        quantities,
        range_safe,
        statistics,
        training,
    )
    from . import lanes_llvm as _lanes_llvm  # noqa: F401  registers the vector type

    for module in (
        elementary,
        philox,
        normals,
        activations.gated,
        activations.rectifying,
        activations.saturating,
        laws,
        draws,
    ):
        make_module_compilable(module, inline=True)
    for module in (range_safe, dense, explicit, quantities, at_once):
        make_module_compilable(
            module,
            inline=True,
            apart=(
                "tail",
                "linear_part",
                "add_constants",
                "saturate",
                "rescale",
                "activate_extreme",
                "differentiate_extreme",
                "fill_last_strip",
            ),
        )
    for module in (orthogonal, elementwise, lanewise, grouped, conditional, narrow, statistics):
        make_module_compilable(module, inline=False)
    for module in (training.products, training.costs):
        make_module_compilable(module, inline=True, apart=("multiply", "transpose"))
    for module in (training.normalisation, training.passes, training.descent, training.recurrent):
        make_module_compilable(module, inline=False)
    for function in (lanes.minimum, lanes.maximum, lanes.load_four, lanes.store_four):
        make_compilable(function)


def compile_kernel(function, disk_cache: bool = True, allocates: bool = False):
    """A kernel: releases the GIL, is kept on disk, and is never parallel (blocks run on a thread pool).

    What allocates no array need not count references to any. Each count is a locked instruction, which keeps the
    processor from working ahead; in the sampler at width 16 they took a third of the time.
    """
    return _numba().njit(nogil=True, cache=disk_cache, error_model="numpy", _nrt=allocates)(function)


@cache
def compiled(function):
    """A function beside the kernels, which may allocate."""
    return compile_kernel(function, allocates=True)
