"""PTX of a kernel: Numba's LLVM IR of it and all that it calls in one module, through LLVM's NVPTX back end."""

from __future__ import annotations

import re
from typing import Any

import llvmlite
import llvmlite.binding as llvm
from llvmlite import ir
from numba.core.compiler_lock import global_compiler_lock

from gradsim_core.cuda.compiler.target import compile_function, target
from gradsim_core.cuda.interface import GpuError

TRIPLE = "nvptx64-nvidia-cuda"
ENTRY = "kernel"

_UNROUNDED = re.compile(r"\b(?:mul|add|sub|mad|fma|div|sqrt|rcp)\.(?:approx|full|ftz|f32|f64)[\w.]*")
"""Operations on floats that do not say how they round."""


def ptx_text(function: Any, arguments: tuple[Any, ...], capability: tuple[int, int]) -> str:
    """Return the PTX of a kernel, whose entry is called ``kernel``.

    Parameters
    ----------
    function : function
        Returns nothing.
    arguments : tuple of numba types
    capability : pair of int
        The compute capability, such as (9, 0).

    Raises
    ------
    GpuError
        If this llvmlite has no back end for GPUs.
    RuntimeError
        If it leaves out the rounding of an operation.
    NotImplementedError
        If the kernel calls a function that only the CPU has, or calls itself.
    """
    machine = machine_for(capability)
    result = compile_function(function, arguments)
    module = llvm.parse_assembly(_intermediate(result.library))
    module.link_in(llvm.parse_assembly(str(_entry(result.fndesc))))
    module.data_layout = str(machine.target_data)
    for each in module.functions:
        if not each.is_declaration and each.name != ENTRY:
            each.linkage = "internal"
    for each in module.global_variables:
        if not each.is_declaration:
            each.linkage = "internal"
    _optimise(module, machine)
    _check_complete(module)
    text = str(machine.emit_assembly(module))
    if unrounded := _UNROUNDED.search(text):
        raise RuntimeError(
            f"llvmlite {llvmlite.__version__} writes {unrounded[0]!r}, which NVIDIA's assembler may contract: the "
            "numbers would differ from the CPU's. Install the llvmlite of requirements.lock, or compute on the CPU."
        )
    return text


def machine_for(capability: tuple[int, int]) -> Any:
    """LLVM's description of a GPU of this compute capability; GpuError if this llvmlite has none."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        target_of_llvm = llvm.Target.from_triple(TRIPLE)
    except RuntimeError as error:
        raise GpuError(
            "missing",
            f"llvmlite {llvmlite.__version__} cannot compile for NVIDIA GPUs: it lacks LLVM's back end for them "
            f"({error}). Install llvmlite from its wheel, which has it, or compute on the CPU.",
        ) from error
    return target_of_llvm.create_target_machine(cpu=f"sm_{capability[0]}{capability[1]}", opt=3)


def _intermediate(library: Any) -> str:
    """The LLVM IR of a function and all that it calls, for the GPU's triple and layout."""
    with global_compiler_lock:
        if not library._finalized:
            library.finalize()
    text = re.sub(r'target triple = "[^"]*"', f'target triple = "{TRIPLE}"', str(library._final_module))
    text = re.sub(r'target datalayout = "[^"]*"\n', "", text)
    # In the text, since llvmlite 0.45 adds attributes of a function to what it returns.
    return re.sub(r"^(define .*) \{$", r"\1 alwaysinline {", text, flags=re.MULTILINE)


def _entry(description: Any) -> ir.Module:
    """A module with the kernel's entry, which calls the function in Numba's convention and drops its status."""
    module = ir.Module(ENTRY)
    module.triple = TRIPLE
    convention = target.target_context.call_conv
    of_function = convention.get_function_type(description.restype, description.argtypes)
    function = ir.Function(module, of_function, description.llvm_func_name)
    entry = ir.Function(module, ir.FunctionType(ir.VoidType(), of_function.args[2:]), ENTRY)
    entry.calling_convention = "ptx_kernel"
    builder = ir.IRBuilder(entry.append_basic_block())
    results = [builder.alloca(pointer.pointee) for pointer in of_function.args[:2]]
    builder.call(function, [*results, *entry.args])
    builder.ret_void()
    return module


def _check_complete(module: Any) -> None:
    """Refuse calls of what is not in the module, and remainders, which the back end does not compute exactly."""
    missing = [each.name for each in module.functions if each.is_declaration and not each.name.startswith("llvm.")]
    kept = [each.name for each in module.functions if not each.is_declaration and each.name != ENTRY]
    remainder = ["frem"] if re.search(r" = frem ", str(module)) else []
    if missing or kept or remainder:
        name = (missing + kept + remainder)[0]
        raise NotImplementedError(f"'{name}' is a function of the processor's library, which is not available on GPUs")


def _optimise(module: Any, machine: Any) -> None:
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.slp_vectorization = options.loop_vectorization = False  # a thread has one lane
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
