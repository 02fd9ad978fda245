"""Leaves of kernels, compiled to LLVM IR and no further: Numba would optimise each and make machine code of it.

Only a kernel is called as machine code, and it holds a copy of every leaf below it, optimised with the rest of it. So
the work that Numba spends on a leaf alone is lost: on the 200 leaves of a first kernel of tapes, 18 of 32 seconds. The
kernel's bits and its speed are the same either way.

Numba's documented `pipeline_class` replaces one pass of the compiler; that pass needs the names in `_NEEDED`, which are
not documented. A Numba without one of them makes the import fail, and `jit` leaves the pipeline as it is.
"""

from __future__ import annotations

from typing import Any

from numba.core import compiler
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_machinery import register_pass
from numba.core.cpu import CPUContext
from numba.core.typed_passes import NativeLowering

_NEEDED: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (JITCodeLibrary, ("enable_object_caching", "_optimize_final_module", "_finalize_final_module", "_finalized")),
    (compiler.Flags, ("copy", "no_compile")),
    (compiler._LowerResult, ("cfunc", "_replace")),
    (CPUContext, ("codegen", "insert_user_function")),
)

for _owner, _names in _NEEDED:
    for _name in _names:
        if not hasattr(_owner, _name):
            raise ImportError(f"{_owner.__name__} of this Numba has no {_name!r}")


class _Leaf(JITCodeLibrary):
    """The LLVM IR of one leaf, with that of the functions it calls.

    It could leave those to whoever links it, but LLVM drops a function that nothing in the module calls yet.
    """

    def _optimize_final_module(self) -> None:
        """Leave it to the kernel."""

    def _finalize_final_module(self) -> None:
        """Make no machine code."""
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _LeafLowering(NativeLowering):
    """Numba's lowering to LLVM IR, into a `_Leaf`."""

    _name = "gradsim_leaf_lowering"

    def run_pass(self, state: Any) -> bool:
        """Lower a function, and file it for its callers under a builtin that raises if anybody calls it."""
        state.library = leaf = _Leaf(state.targetctx.codegen(), state.func_id.func_qualname)
        leaf.enable_object_caching()
        flags = state.flags
        state.flags = flags.copy()  # Numba's caches hold the flags themselves as a key
        state.flags.no_compile = True
        super().run_pass(state)
        state.flags = flags
        leaf.finalize()
        result = state["cr"]._replace(cfunc={}.popitem)
        state.targetctx.insert_user_function(result.cfunc, result.fndesc, [leaf])
        state["cr"] = result
        return True


class LeafCompiler(compiler.CompilerBase):
    """Numba's compiler with that lowering."""

    def define_pipelines(self) -> list[Any]:
        """Return the usual pipeline, with one pass replaced; unchanged if this Numba has no such pass."""
        usual = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state, "gradsim_leaf")
        pipeline = compiler.PassManager("gradsim_leaf")
        for each, description in usual.passes:
            pipeline.add_pass(_LeafLowering if each is NativeLowering else each, description)
        pipeline.finalize()
        return [pipeline]
