"""Where kernels of float32 networks compute in float64: a GPU for games does that 64 times as slowly.

By design in float64 are exponents, logarithms and sums of squares along the neurons of one network. Each is listed here
by what it may look like in the innermost loops, which run for every weight or neuron. What lies outside them runs once
a layer: one number per network.
"""

from __future__ import annotations

from collections import Counter

from tests.core.cuda.control_flow import Instruction
from tests.core.cuda.interpreter import Program

SQUARES = {"cvt.f64.f32", "fma.rn.f64", "add.rn.f64", "mul.rn.f64", "setp.gt.f64"}
"""A sum of squares: each is converted and added. The comparison is that of a shift, which was not moved out."""

RESCUES = 4
"""Loops over neurons with logarithms, in `per_lane.rescue` of what underflowed: two for phi, two for phi'."""

NEVER_IN_FAST = {"div", "sqrt", "rcp", "fma"}
"""Of the conditional method's fast kernel: its float64 numbers are exponents, which are added, compared and rounded."""

# Kernel: whether innermost loops may sum squares in float64, and how many may compute logarithms.
LOOPS = {
    ("fast", "conditional"): (False, 0),
    ("fast", "explicit"): (True, 0),
    ("fast", "sparse"): (True, 1),  # explicit, with the search for lost elements
    ("whole", "conditional"): (False, RESCUES),
    ("whole", "narrow"): (True, RESCUES),
}


def check_float64(text: str, kernel: tuple[str, str]) -> None:
    """AssertionError if an innermost loop of a float32 kernel computes in float64 what is not listed for it."""
    sums_squares, rescues = LOOPS[kernel]
    found = []
    for loop in innermost_loops(text):
        used = in_float64(loop)
        if "div.rn.f64" in used:  # of a logarithm
            found.append(used)
        else:
            assert not used or (sums_squares and set(used) <= SQUARES), (kernel, used)
            assert not used or used["fma.rn.f64"] + used["mul.rn.f64"] <= used["cvt.f64.f32"], (kernel, used)
    assert len(found) == rescues, (kernel, found)
    if kernel == ("fast", "conditional"):
        used = in_float64(Program(text).code)
        assert not {name.split(".")[0] for name in used} & NEVER_IN_FAST, used


def innermost_loops(text: str) -> list[list[Instruction]]:
    """The lines from the target of each branch backwards to the branch, where no such stretch lies inside."""
    program = Program(text)
    spans = [
        (program.labels[each.target], line)
        for line, each in enumerate(program.code)
        if each.name == "bra" and program.labels[each.target] <= line
    ]
    return [
        program.code[first : last + 1]
        for first, last in spans
        if not any((a, b) != (first, last) and first <= a and b <= last for a, b in spans)
    ]


def in_float64(code: list[Instruction]) -> Counter[str]:
    """How often each operation on float64 occurs; loads, stores and moves are none."""
    names = (".".join([each.name, *each.parts]) for each in code if each.name not in ("ld", "st", "mov"))
    return Counter(name for name in names if "f64" in name.split("."))
