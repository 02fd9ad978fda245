"""The passes through a tape, operation by operation: functions of (origin, neurons, program, work).

What a kind of program has none of is left out, since it need not be compiled then.
"""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.rng.draws import Source

from .differences import activate_differences
from .elementwise import activate_backward, activate_rows, gate, gate_backward
from .narrow import activate_backward_narrow, carry_products, normalise_backward_narrow
from .parts import join_rows, take_parts
from .scaled import add, clear, copy
from .steps import (
    attend_rows,
    attend_rows_backward,
    draw_rows,
    normalise,
    normalise_backward,
    rows_at,
    scratch_like,
    shift,
)
from .tape import (
    ACTIVATE,
    ADD,
    ATTEND,
    BATCH,
    DIFFERENCES,
    DRAW,
    EMBED,
    GATE,
    JOIN,
    MOST_INPUTS,
    MULTIPLY,
    SHIFT,
    SQUASH,
    STANDARDISE,
    TIED,
    UNEMBED,
    WINDOW,
)
from .windows import open_windows, open_windows_backward, spare_like


def rare(kinds):
    """Whether there are operations of each rare kind."""
    return tuple(kind in kinds for kind in (SQUASH, GATE, ATTEND, TIED, WINDOW, EMBED))


def forward_pass(matrices, embeddings, kinds):
    """The pass that computes all values."""
    multiply, _, tied, _ = matrices
    embed, unembed, _ = embeddings
    squashes, gates, attends, ties, windows, tokens = rare(kinds)
    activate, biased = (activate_differences, 1) if DIFFERENCES in kinds else (activate_rows, MOST_INPUTS)

    def forward(origin, neurons, program, work):
        for i in range(len(program.steps)):
            kind, source, target = program.steps[i, 0], program.steps[i, 1], program.steps[i, 3]
            x, y = rows_at(work.values, program, source), rows_at(work.values, program, target)
            n, index = program.values[target, 2], program.steps[i, 4]
            if kind == MULTIPLY:
                multiply(Source(origin.cell, origin.network, index + 1, 0), program, work, index, x, y)
            elif ties and kind == TIED:
                number = program.steps[i, 5]
                tied(Source(origin.cell, origin.network, number + 1, 0), program, work, index, number, x, y)
            elif ties and kind == DRAW:
                draw_rows(origin, program, i, y)
            elif tokens and kind == EMBED:
                embed(origin, program, i, x, y)
            elif tokens and kind == UNEMBED:
                unembed(origin, program, work, i, x, y)
            elif windows and kind == WINDOW:
                open_windows(x, y, program.count, program.values[target, 3])
            elif kind == SHIFT:
                shift(origin, program, work, i, x, y, min(biased, program.count))
            elif kind == ACTIVATE:
                activate(neurons[0], x, y, program.count, n, work.row)
            elif squashes and kind == SQUASH:
                activate(neurons[1], x, y, program.count, n, work.row)
            elif gates and kind == GATE:
                gate(neurons[0], x, y, program.count, n, work.row)
            elif kind == ADD:
                copy(x, y, program.count)
                branch = rows_at(work.values, program, program.steps[i, 2])
                add(y, branch, program.factors[i], program.count)
            elif kind == STANDARDISE:
                normalise(program, work, i, x, y)
            elif attends and kind == JOIN:
                join_rows(x, rows_at(work.values, program, program.steps[i, 2]), y, program.count)
            elif attends:
                attend_rows(program, work, i, x, y)

    return forward


def backward_pass(matrices, embeddings, kinds):
    """The pass that adds up all errors."""
    _, multiply_backward, _, tied_backward = matrices
    unembed_backward = embeddings[2]
    squashes, gates, attends, ties, windows, tokens = rare(kinds)

    def backward(origin, neurons, program, work):
        narrow = work.products.wanted
        for i in range(len(program.steps) - 1, -1, -1):
            kind, source, target = program.steps[i, 0], program.steps[i, 1], program.steps[i, 3]
            x, y = rows_at(work.values, program, source), rows_at(work.values, program, target)
            error, e = rows_at(work.errors, program, target), rows_at(work.errors, program, source)
            out, n, index = scratch_like(work, x), program.values[target, 2], program.steps[i, 4]
            if kind == MULTIPLY:
                origin_of = Source(origin.cell, origin.network, index + 1, 0)
                multiply_backward(origin_of, program, work, index, x, error, out)
            elif ties and kind == TIED:
                number = program.steps[i, 5]
                origin_of = Source(origin.cell, origin.network, number + 1, 0)
                tied_backward(origin_of, program, work, index, number, x, error, out)
            elif (ties and kind == DRAW) or (tokens and kind == EMBED):
                clear(out, program.count)
            elif tokens and kind == UNEMBED:
                unembed_backward(origin, program, work, i, x, error, out)
            elif windows and kind == WINDOW:
                open_windows_backward(error, out, spare_like(work, x), program.count, program.values[target, 3])
            elif narrow and kind == ACTIVATE:
                activate_backward_narrow(neurons[0], program, work, i, x, y, error, out)
            elif narrow and squashes and kind == SQUASH:
                activate_backward_narrow(neurons[1], program, work, i, x, y, error, out)
            elif narrow and kind == STANDARDISE and program.steps[i, 5] != BATCH:
                normalise_backward_narrow(program, work, i, x, error, out)
            elif kind == ACTIVATE:
                activate_backward(neurons[0], x, error, out, program.count, n, work.row)
            elif squashes and kind == SQUASH:
                activate_backward(neurons[1], x, error, out, program.count, n, work.row)
            elif gates and kind == GATE:
                gate_backward(neurons[0], x, error, out, program.count, n, work.row)
            elif kind == STANDARDISE:
                normalise_backward(program, work, i, y, error, out)
            elif kind == ADD:
                add(rows_at(work.errors, program, program.steps[i, 2]), error, program.factors[i], program.count)
                copy(error, out, program.count)
            elif kind == SHIFT:
                copy(error, out, program.count)
            elif attends and kind == JOIN:
                others = rows_at(work.errors, program, program.steps[i, 2])
                part = scratch_like(work, others)
                take_parts(error, x.row, part, program.count)
                add(others, part, 1.0, program.count)
                take_parts(error, 0, out, program.count)
            elif attends:
                attend_rows_backward(program, work, i, x, error, out)
            if narrow:
                carry_products(program, work, i, x, error, out)
            add(e, out, 1.0, program.count)

    return backward


jit.register_leaves(__name__, inline=False)
