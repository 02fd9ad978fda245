"""What a tape begins with, inputs that are drawn or given, and random readouts of what it ends with."""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.lanes import LANES, load, splat, store
from gradsim_core.laws import gaussian
from gradsim_core.lazy.untied import fill_rows
from gradsim_core.rng.draws import Source
from gradsim_core.rng.philox import TAPE_INPUT, TAPE_READOUT

from .differences import take_differences
from .scaled import measure
from .steps import plain, rows_at, scratch_like


@jit.outlined
def make_inputs(origin, inputs, program, work, differences):
    """Draw the inputs, or take those that are given; give them their length."""
    x = rows_at(work.values, program, 0)
    if len(work.given) > 0:
        for i in range(program.count):
            x.exponents[i] = 0
        for k in range(0, len(work.given), LANES):
            store(x.array, x.start + k, load(work.given, k))
        measure(x, program.count)
        if differences:
            take_differences(x, program.count)
    else:
        draw_inputs(origin, inputs.correlation, program, work, differences)
    if inputs.length > 0.0:
        set_length(x, program.count, inputs.length * program.values[0, 2] ** 0.5)


def set_length(x, count, length):
    """Give rows that are not zero a length."""
    for i in range(count):
        if x.squares[i] > 0.0:
            factor = length / x.squares[i] ** 0.5
            x.exponents[i] = 0
            for k in range(x.start + i * x.row, x.start + (i + 1) * x.row, LANES):
                value = load(x.array, k)
                store(x.array, k, value * splat(value, factor))
    measure(x, count)


@jit.outlined
def draw_inputs(origin, correlation, program, work, differences):
    """Draw the inputs, of so much correlation."""
    cell, network, _, _ = origin
    count, values = program.count, program.values
    x = rows_at(work.values, program, 0)
    source, n, parts = Source(cell, network, 0, TAPE_INPUT), values[0, 2], values[0, 3]
    fill_rows(gaussian, source, count, n, parts, (1.0 - correlation) ** 0.5, plain(x))
    for i in range(count):
        x.exponents[i] = 0
    measure(x, count)
    if differences:
        take_differences(x, count)
    if correlation > 0.0:
        common = plain(scratch_like(work, x))
        fill_rows(gaussian, Source(cell, network, 1, TAPE_INPUT), 1, n, parts, correlation**0.5, common)
        spread(x, common.array, 1 if differences else count)


@jit.outlined
def draw_readouts(origin, program, work):
    """Draw a readout for every row."""
    count, values, output = program.count, program.values, program.output
    e, source = rows_at(work.errors, program, output), Source(origin.cell, origin.network, 0, TAPE_READOUT)
    n, parts = values[output, 2], values[output, 3]
    fill_rows(gaussian, source, count, n, parts, (n * parts) ** -0.5, plain(e))
    measure(e, count)


@jit.outlined
def spread(x, common, count):
    """Add one row to all."""
    for i in range(count):
        for k in range(x.row):
            x.array[x.start + i * x.row + k] += common[k]
    measure(x, count)


jit.register_leaves(__name__, inline=False)
