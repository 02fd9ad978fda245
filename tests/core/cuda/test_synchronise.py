"""A lane that reads what another one stored waits for it first: the rule of `lanes.synchronise`, in the sources.

Vectors are stored and loaded lane by lane, each thread its own numbers; a number read by its index is another thread's.
The interpreter looks for races in what it runs; this looks at all text that kernels for GPUs are made of.
"""

from __future__ import annotations

import ast
import re
from importlib.resources import files

import pytest

PACKAGES = "cuda.kernels", "laws", "results", "rng", "scaling", "schedules"


def source(module: str) -> str:
    return files("gradsim_core").joinpath(*module.split(".")[:-1], f"{module.split('.')[-1]}.py").read_text()


PARTS = ("blocks", "errors", "inner", "norms", "numbers", "schedule", "sites")
STREAMS = {f"schedules.streams.{part}" for part in PARTS}
RESULTS = {f"results.{part}" for part in ("parts", "statistics", "tiles", "windows")}
CPU_ALONE = {"laws.dense", "laws.orthogonal", "schedules.explicit", *RESULTS, *STREAMS}
"""Stored weights, statistics and streams: of them `cuda` imports no function."""

MODULES = [
    module
    for package in PACKAGES
    for each in sorted(files("gradsim_core").joinpath(*package.split(".")).iterdir(), key=lambda each: each.name)
    if each.name.endswith(".py")
    for module in [f"{package}.{each.name[:-3]}"]
    if module not in CPU_ALONE and re.search(r"\b(store|store_four|fill\w*)\(", source(module))
]
"""All that store vectors, or call what does."""

CALLER, UNUSED = "its callers synchronise before and after", "no kernel for GPUs calls it"
PRECISION = "only the precision of the number is used"
ALLOWED = {
    ("results.quantities", "greatest"): UNUSED,
    ("results.quantities", "repeat_last"): UNUSED,
    ("results.quantities", "recorder"): "a tuple of functions",
    ("cuda.kernels.explicit", "multiply"): CALLER,
    ("cuda.kernels.explicit", "run_forward"): "live is never written",
    ("cuda.kernels.whole", "kernel"): "a mark, read before `deliver` synchronises and written after it",
    ("rng.counts", "_table"): UNUSED,
    ("rng.counts", "chances"): UNUSED,
    ("scaling.per_element", "multiply"): UNUSED,
    ("scaling.per_element", "multiply_transposed"): UNUSED,
    ("scaling.per_element", "run_again"): UNUSED,
    ("scaling.per_lane", "rescue"): PRECISION,
    ("scaling.per_vector", "rescue"): PRECISION,
    ("schedules.conditional", "delta_products"): "a mark, which all sixteen threads write alike",
    ("schedules.conditional", "combine_below"): "a mark, which all sixteen threads write alike",
    ("schedules.conditional", "run_block"): "a mark, which all sixteen threads write alike",
    ("schedules.narrow", "draw_vectors"): UNUSED,
    ("schedules.narrow", "read_back"): UNUSED,
    ("schedules.one_pass", "sums_of"): PRECISION,
    ("schedules.side_by_side", "fill"): PRECISION,
}
TUPLES = {"shape", "has_tails", "types", "args"}
"""Attributes that are no arrays."""


def functions(text: str) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]


def own_nodes(function: ast.FunctionDef) -> list[ast.AST]:
    """All nodes of a function but those of functions inside it."""
    found, waiting = [], list(function.body)
    while waiting:
        node = waiting.pop()
        if not isinstance(node, ast.FunctionDef | ast.Lambda):
            found.append(node)
            waiting.extend(ast.iter_child_nodes(node))
    return found


def scalar_reads(function: ast.FunctionDef) -> list[ast.expr]:
    """Numbers read by index from what may be an array: an attribute or argument, or anything by a variable index.

    And a tile that is transposed, of which a lane reads what all have stored.
    """
    tiles = [node for node in own_nodes(function) if isinstance(node, ast.Call) and called(node) == {"transpose"}]
    arguments = {each.arg for each in function.args.args}
    return tiles + [
        node
        for node in own_nodes(function)
        if isinstance(node, ast.Subscript)
        and isinstance(node.ctx, ast.Load)
        and not any(isinstance(part, ast.Slice) for part in ast.walk(node.slice))
        and may_be_array(node.value, arguments, isinstance(node.slice, ast.Constant))
    ]


def may_be_array(base: ast.expr, arguments: set[str], constant_index: bool) -> bool:
    if isinstance(base, ast.Attribute):
        return base.attr not in TUPLES and not base.attr.isupper()
    if isinstance(base, ast.Name):
        return not base.id.isupper() and (base.id in arguments or not constant_index)
    return False


def is_synchronise(node: ast.AST) -> bool:
    value = node.value if isinstance(node, ast.Expr) else node
    return isinstance(value, ast.Call) and getattr(value.func, "id", "") == "synchronise"


def waits(function: ast.FunctionDef, reads: list[ast.expr]) -> bool:
    """Whether a function synchronises before its first such read, and after the last one."""
    lines = [node.lineno for node in own_nodes(function) if isinstance(node, ast.Call) and is_synchronise(node)]
    return bool(lines) and min(lines) < min(r.lineno for r in reads) and max(r.lineno for r in reads) < max(lines)


def unguarded_calls(text: str, name: str) -> list[int]:
    """Lines that call a function without `synchronise()` as the statement before and the one after."""
    found = []
    for node in ast.walk(ast.parse(text)):
        body = getattr(node, "body", None)
        for i, statement in enumerate(body if isinstance(body, list) else []):
            calls = isinstance(statement, ast.Expr | ast.Assign) and name in called(statement)
            around = body[i - 1 : i] + body[i + 1 : i + 2]
            if calls and not (len(around) == 2 and all(map(is_synchronise, around))):
                found.append(statement.lineno)
    return found


def called(node: ast.AST) -> set[str]:
    return {getattr(each.func, "id", "") for each in ast.walk(node) if isinstance(each, ast.Call)}


def faults(module: str, text: str) -> set[str]:
    """What breaks the rule, and rows of the table that nothing needs."""
    found, unused = set(), {name for of, name in ALLOWED if of == module}
    for function in functions(text):
        reads = scalar_reads(function)
        if not reads:
            continue
        reason = ALLOWED.get((module, function.name))
        unused.discard(function.name)
        if reason is None and not waits(function, reads):
            found.add(f"{function.name} reads a number of another lane, and does not synchronise")
        if reason == CALLER and unguarded_calls(text, function.name):
            found.add(f"a caller of {function.name} does not synchronise")
    return found | {f"{name} is listed, but reads no number" for name in unused}


@pytest.mark.parametrize("module", MODULES)
def test_lanes_wait(module: str) -> None:
    assert not faults(module, source(module))


def test_what_is_left_out_is_not_used() -> None:
    imported = set()
    for module in (each for each in MODULES if each.startswith("cuda.")):
        for node in ast.walk(ast.parse(source(module))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").removeprefix("gradsim_core.") in CPU_ALONE:
                imported |= {each.name for each in node.names}
    assert imported == {"Scales"}


PLANTED = [
    ("cuda.kernels.explicit", "        synchronise()  # threads read x of all rows\n", "", "a caller of multiply"),
    (
        "cuda.kernels.explicit",
        "        synchronise()  # before they write it",
        "        # before they write it",
        "a caller of",
    ),
    ("schedules.side_by_side", "    synchronise()\n", "", "copy_networks reads a number"),
    (
        "schedules.side_by_side",
        "    synchronise()  # before the next",
        "    # before the next",
        "copy_networks reads a number",
    ),
    ("schedules.narrow", "load(x, start)\n", "x[start]\n", "multiply reads a number"),
    ("scaling.per_lane", "convert(copysign(exp(size - shift), signed), out[0])", "size", "rescue is listed"),
]


@pytest.mark.parametrize(("module", "old", "new", "fault"), PLANTED)
def test_a_planted_fault_is_found(module: str, old: str, new: str, fault: str) -> None:
    text = source(module)
    assert old in text
    assert any(each.startswith(fault) for each in faults(module, text.replace(old, new)))
