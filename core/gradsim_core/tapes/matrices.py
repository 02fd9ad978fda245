"""The functions that run the matrices of a tape: lazy ones, or matrices drawn from a law."""

from __future__ import annotations

from typing import Any

from gradsim_core import jit
from gradsim_core.laws import gaussian
from gradsim_core.laws.table import WeightLaw

from .steps import (
    multiply_drawn,
    multiply_drawn_backward,
    multiply_lazy,
    multiply_lazy_backward,
    multiply_tied,
    multiply_tied_backward,
)


def matrices_of(method: str, law: WeightLaw) -> tuple[Any, ...]:
    """The functions that run a matrix forward and backward, and a tied one: lazy, or drawn from a law."""
    if method == "conditional":
        return multiply_lazy, multiply_lazy_backward, multiply_tied, multiply_tied_backward
    draw = law.draw or gaussian

    def forward(origin, program, work, index, x, y):
        multiply_drawn(draw, origin, program, work, index, x, y)

    def backward(origin, program, work, index, x, error, out):
        multiply_drawn_backward(draw, origin, program, work, index, x, error, out)

    def forward_tied(origin, program, work, index, number, x, y):
        multiply_drawn(draw, origin, program, work, index, x, y)

    def backward_tied(origin, program, work, index, number, x, error, out):
        multiply_drawn_backward(draw, origin, program, work, index, x, error, out)

    name, functions = ("tape", law.name.split("(")[0]), (forward, backward, forward_tied, backward_tied)
    return tuple(jit.make_closure_compilable(each, *name) for each in functions)
