"""Numba's internals that the PTX target leans on: a new Numba that changes one is told by its name."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest

from gradsim_core import jit

pytestmark = pytest.mark.skipif(jit.disabled(), reason="nothing is compiled")

# Module, what is used of it, and the names of its parameters.
INTERNALS = [
    ("codegen", "JITCodeLibrary._optimize_functions", "self ll_module"),
    ("codegen", "JITCodeLibrary._optimize_final_module", "self"),
    ("codegen", "JITCodeLibrary._finalize_specific", "self"),
    ("codegen", "JITCodeLibrary.get_pointer_to_function", "self name"),
    ("codegen", "JITCodeLibrary.finalize", "self"),
    ("codegen", "JITCPUCodegen._add_module", "self module"),
    ("codegen", "JITCPUCodegen.set_env", "self env_name env"),
    ("cpu", "CPUContext.init", "self"),
    ("cpu", "CPUContext.load_additional_registries", "self"),
    ("base", "BaseContext.insert_func_defn", "self defns"),
    ("base", "BaseContext.install_registry", "self registry"),
    ("cpu", "CPUContext.get_executable", "self library fndesc env"),
    ("cpu", "CPUContext.create_cpython_wrapper", "self library fndesc env call_helper release_gil"),
    ("cpu", "CPUContext.create_cfunc_wrapper", "self library fndesc env call_helper"),
    ("datamodel", "DataModelManager.chain", "self other_manager"),
    ("dispatcher", "Dispatcher.compile", "self sig"),
    ("dispatcher", "_DispatcherBase.disable_compile", "self val"),
    ("base", "BaseContext.compile_internal", "self builder impl sig args locals"),
    ("typing.context", "BaseContext.resolve_value_type", "self val"),
    ("target_extension", "JitDecorator.__call__", "self"),
    ("compiler", "compile_extra",
     "typingctx targetctx func args return_type flags locals library pipeline_class"),
]  # fmt: skip


@pytest.mark.parametrize(("module", "name", "parameters"), INTERNALS, ids=[row[1] for row in INTERNALS])
def test_what_the_target_replaces_or_calls_is_there(module: str, name: str, parameters: str) -> None:
    found = import_module(f"numba.core.{module}")
    for part in name.split("."):
        found = getattr(found, part)
    assert list(inspect.signature(found).parameters) == parameters.split()


def test_bodies_for_the_cpu_are_left_out() -> None:
    """Numba keeps the lowerings of all targets in one registry; each primitive has one body here, for PTX."""
    from gradsim_core import lanes
    from gradsim_core.cuda.compiler import target
    from gradsim_core.lanes import ptx

    jit.load_numba()
    target.target.target_context.refresh()
    bodies = target.target.target_context._defns[lanes.anywhere]
    modules = {implementation.__module__ for _, implementation in bodies.versions}
    assert modules == {"gradsim_core.lanes.ptx_warp"}
    assert {row[1] for row in ptx.registry.functions} >= {lanes.fma, lanes.load, lanes.anywhere}


def test_an_operation_without_its_rounding_is_refused(monkeypatch) -> None:
    from numba import types

    from gradsim_core.cuda.compiler import text

    def kernel(x):
        x[0] = x[0] * x[1] + x[2]

    assert text.ptx_text(kernel, (types.float32[::1],), (9, 0)).count(".rn.f32") == 2
    emitted = "fma.rn.f32 %f1, %f2, %f3, %f4;\n mul.f32 %f1, %f2, %f3;"
    monkeypatch.setattr(text.llvm.TargetMachine, "emit_assembly", lambda machine, module: emitted)
    with pytest.raises(RuntimeError, match=r"llvmlite [0-9.]+ writes 'mul\.f32'.*compute on the CPU"):
        text.ptx_text(kernel, (types.float32[::1],), (9, 0))


def test_a_compiler_without_a_back_end_for_gpus_is_named(monkeypatch) -> None:
    from gradsim_core.cuda.compiler import text

    monkeypatch.setattr(text, "TRIPLE", "no-such-processor")
    with pytest.raises(RuntimeError, match=r"llvmlite [0-9.]+ cannot compile for NVIDIA GPUs.*compute on the CPU"):
        text.ptx_text(lambda: None, (), (9, 0))
