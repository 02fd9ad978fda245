"""A Numba target whose code stays LLVM IR: the one module that leans on Numba's internals for GPUs.

Each class says what it is for. `tests/core/cuda/test_target.py` names the ones that a new Numba has changed.
"""

from __future__ import annotations

import dis
from functools import cached_property
from types import CodeType
from typing import Any

import numpy as np
from numba.core import compiler, cpu, errors, types, typing
from numba.core.codegen import JITCodeLibrary, JITCPUCodegen
from numba.core.compiler_lock import global_compiler_lock
from numba.core.datamodel import DataModelManager, default_manager
from numba.core.descriptors import TargetDescriptor
from numba.core.dispatcher import Dispatcher
from numba.core.target_extension import (
    GPU,
    JitDecorator,
    dispatcher_registry,
    jit_registry,
    target_override,
    target_registry,
)
from numba.np.ufunc.dufunc import DUFunc

from gradsim_core import jit
from gradsim_core.lanes import ptx, ptx_warp
from gradsim_core.lanes.vector_type import Lanes

from . import scalars

NAME = "gradsim-ptx"

_ON_THE_CPU = ("gradsim_core.lanes.llvm", "gradsim_core.lanes.llvm_memory", "gradsim_core.lanes.vector_type")

_LARGEST = 10**6
"""Bytes of an array that Numba copies into the code; of a larger one it takes the address in this process."""


class PTX(GPU):
    """The target's name in Numba's hierarchy, in which `overload` looks up its decorator and dispatcher."""


class _Library(JITCodeLibrary):
    """A module of LLVM IR that is never optimised for this processor nor made machine code."""

    def _optimize_functions(self, module: Any) -> None:
        pass

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_specific(self) -> None:
        pass

    def get_pointer_to_function(self, name: str) -> int:
        return 0


class _Codegen(JITCPUCodegen):
    """Makes such libraries, and gives none of them to the execution engine of this process."""

    _library_class = _Library

    def _add_module(self, module: Any) -> None:
        pass

    def set_env(self, *names: Any) -> None:
        pass


class _Context(cpu.CPUContext):
    """How types and functions are lowered: as on the CPU, except for the primitives."""

    @global_compiler_lock
    def init(self) -> None:
        """Use a code generator of its own, and threads' lanes for vectors."""
        self.is32bit = False
        self._internal_codegen = _Codegen("numba.gradsim.ptx")
        manager = DataModelManager()
        manager.register(Lanes, ptx.LanesModel)
        self.data_model_manager = manager.chain(default_manager)

    def load_additional_registries(self) -> None:
        """Install the bodies of the primitives for PTX."""
        super().load_additional_registries()
        assert ptx_warp.registry is ptx.registry
        self.install_registry(ptx.registry)
        self.install_registry(scalars.registry)

    def insert_func_defn(self, definitions: Any) -> None:
        """Leave out the CPU's bodies of the primitives, which Numba keeps in one registry with all others."""
        super().insert_func_defn([d for d in definitions if getattr(d[0], "__module__", "") not in _ON_THE_CPU])

    def get_executable(self, library: Any, description: Any, environment: Any) -> Any:
        """Return a key under which Numba files the function; it is never called, but must differ each time."""
        return [].append

    def create_cpython_wrapper(self, *arguments: Any, **options: Any) -> None:
        """Make none: no Python calls it."""

    def create_cfunc_wrapper(self, *arguments: Any, **options: Any) -> None:
        """Make none: no C calls it."""


class _Typing(typing.Context):
    """How names become types: a user's compiled function becomes one for this target, compiled from its Python text."""

    clones: dict[Dispatcher, Dispatcher]

    def resolve_value_type(self, value: Any) -> Any:
        """Return the type of a global or captured value."""
        if isinstance(value, Dispatcher) and not isinstance(value, _Dispatcher):
            value = self._clone(value)
        elif isinstance(value, DUFunc):
            raise errors.TypingError(f"'{value.__name__}' is made by @vectorize, which does not work on GPUs")
        elif isinstance(value, np.ndarray) and (value.nbytes > _LARGEST or not value.flags.forc):
            raise errors.TypingError(f"'array' of {value.nbytes} bytes is not contiguous or too large on GPUs")
        return super().resolve_value_type(value)

    def _clone(self, dispatcher: Dispatcher) -> Dispatcher:
        function = dispatcher.py_func
        if raises(function.__code__):
            raise errors.TypingError(f"'{function.__name__}' raises exceptions, which do not exist on GPUs")
        clone = self.clones.get(dispatcher)
        if clone is None:
            clone = self.clones[dispatcher] = _Jit(error_model="numpy", nopython=True)(function)
            if not dispatcher._can_compile:  # the user has given its types
                for each in dispatcher.nopython_signatures:
                    clone.compile(each)
                clone.disable_compile()
        elif clone.is_compiling:
            raise errors.TypingError(f"'{function.__name__}' calls itself, which does not work on GPUs")
        return clone


def raises(code: CodeType) -> bool:
    """Whether Python code has a ``raise`` or an ``assert``."""
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return any(each.opname == "RAISE_VARARGS" for each in dis.get_instructions(code)) or any(map(raises, inner))


class _Target(TargetDescriptor):
    """The typing and the lowering of this target, made once."""

    options = cpu.CPUTargetOptions

    @cached_property
    def target_context(self) -> _Context:
        return _Context(self.typing_context, self._target_name)

    @cached_property
    def typing_context(self) -> _Typing:
        return _Typing()


class _Dispatcher(Dispatcher):
    """Compiles a leaf, which `overload` makes a dispatcher of, under this target."""

    def compile(self, signature: Any) -> Any:
        with target_override(NAME):
            return super().compile(signature)


class _Jit(JitDecorator):
    """The ``jit`` that `overload` calls for this target."""

    _OPTIONS = ("nopython", "forceinline", "error_model", "no_cpython_wrapper", "no_cfunc_wrapper")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._arguments, self._options = arguments, options

    def __call__(self, *arguments: Any) -> _Dispatcher:
        self.py_func = (arguments or self._arguments)[0]
        options = {name: value for name, value in self._options.items() if name in self._OPTIONS}
        return _Dispatcher(py_func=self.py_func, targetoptions=options)


target_registry[NAME] = PTX
dispatcher_registry[PTX] = _Dispatcher
jit_registry[PTX] = _Jit
target = _Target(NAME)
_Dispatcher.targetdescr = target


def compile_function(function: Any, arguments: tuple[Any, ...]) -> Any:
    """Compile a function of these Numba types to LLVM IR; return Numba's result, which holds it and all it calls."""
    jit.load_numba()
    flags = compiler.Flags()
    flags.nrt, flags.no_compile = False, True
    flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    flags.error_model = "numpy"
    with target_override(NAME):
        target.typing_context.clones = {}  # a function may see other values than when it was compiled before
        target.typing_context.refresh()
        target.target_context.refresh()
        return compiler.compile_extra(
            target.typing_context, target.target_context, function, arguments, types.none, flags, {}
        )
