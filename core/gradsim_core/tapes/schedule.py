"""What makes a schedule of a tape: its kernels, the arrays of a thread, and its measure of work."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from gradsim_core.lanes import aligned
from gradsim_core.laws import WeightLaw
from gradsim_core.parameters import Params

from .costs import READOUT
from .running import build
from .tape import ATTEND, COST, EMBED, GATE, SQUASH, TIED, UNEMBED, WINDOW, Program
from .work import Inputs, TapeWork, allocate, size_of

_FLOPS = 35
"""Floating-point operations that take the time of one random normal on one core."""


FEW = 3
"""Rows are few if so many times as many are no more than the width. Beyond, a lazy matrix is known nearly as a whole
once it has met them: its bases take more time than its entries would, in proportion to the cube of the rows."""


RARE = frozenset((SQUASH, GATE, ATTEND, TIED, WINDOW, COST))
"""Operations of which most networks have none."""

TOKENS = frozenset((EMBED, UNEMBED))
"""Operations of networks whose inputs are tokens."""


@cache
def builder(method: str, kinds: frozenset[int]) -> Callable[..., Any]:
    """What builds the kernels of programs that have such operations besides those that all kernels run.

    Equal kinds give the same function, so that networks of one kind share a kernel.
    """
    return partial(build, method=method, kinds=kinds)


def kinds_of(program: Program) -> frozenset[int]:
    """The operations that the kernel of a program runs beside the usual ones: none of `RARE`, or all; so of `TOKENS`.

    So an activation has few kernels. To compile all operations takes half as much time again.
    """
    found = set(program.steps[:, 0].tolist())
    rare = RARE if RARE & found or program.cost != READOUT else frozenset()
    return rare | TOKENS if TOKENS & found else rare


def matrices_of(method: str, inputs: int, width: int) -> str:
    """How the matrices of a method are made: lazily only for few rows; the law is the same either way."""
    return method if FEW * inputs <= width else "explicit"


def work_of(
    program: Program, inputs: Inputs, dtype: np.dtype, method: str, kinds: frozenset[int] = frozenset()
) -> tuple[Program, TapeWork, Inputs]:
    """What a kernel of such operations takes as `work`."""
    return program, allocate(program, dtype, method == "conditional", kinds), inputs


def with_given(work: tuple[Program, TapeWork, Inputs], rows: np.ndarray) -> tuple[Program, TapeWork, Inputs]:
    """The same with rows (inputs, numbers) in the place of drawn inputs."""
    program, arrays, inputs = work
    padded = np.zeros((program.count, int(program.values[0, 1])), arrays.values.numbers.dtype)
    padded[:, : rows.shape[1]] = rows
    given = aligned(padded.size, padded.dtype)
    given[:] = padded.ravel()
    return program, arrays._replace(given=given), inputs


def memory(program: Program, method: str, kinds: frozenset[int] = frozenset()) -> int:
    """About how many numbers the arrays of a thread hold for a kernel of such operations."""
    return size_of(program, method == "conditional", kinds)


def normals(program: Program, method: str) -> int:
    """How many random normals could be drawn in the time of one network: a fixed measure of work."""
    found = 0
    for count, n_in, n_out, _, _, parts_in, parts_out in program.shapes.tolist():
        inside, outside = n_in * parts_in, n_out * parts_out
        if method == "conditional":
            rank = min(count, inside, outside)
            found += count * (inside + outside) + count * (rank * (9 * inside + 4 * outside) + 6 * count**2) // _FLOPS
        else:
            products = 4 * count * inside * outside + 2 * count**2 * (inside + outside + _FLOPS)
            found += 2 * inside * outside + products // _FLOPS
    return found


def may_run(law: WeightLaw, method: str) -> bool:
    """Whether tapes have matrices of a law: lazy ones are gaussian, drawn ones have independent entries, none zero."""
    if method == "conditional":
        return law.name == "gaussian"
    return method == "explicit" and law.name != "orthogonal" and not law.has_zeros


def params_of(depth: int, width: int) -> Params:
    """A cell of that shape, for what depends on the shape alone."""
    return Params(np.uint64(0), depth, width, 1.0, 1.0)
