"""The kernel that runs a tape forward and backward, one network at a time, with lazy matrices."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.activations import Activation
from gradsim_core.lanes import LANES, aligned, convert, fma, lane_sum, load, splat, store
from gradsim_core.lazy.untied import LazyWork, Seen, Shape, backward, fill_rows, forward, work_of
from gradsim_core.linear.products import Matrix
from gradsim_core.linear.rows import add_scaled, copy_rows, stored
from gradsim_core.linear.triangular import padded
from gradsim_core.operations import activate, attend, standardise
from gradsim_core.rng.draws import Source
from gradsim_core.rng.philox import TAPE_INPUT, TAPE_READOUT

from .tape import ACTIVATE, ADD, ATTEND, BATCH, GATE, LAYER, MULTIPLY, STANDARDISE, Program


class TapeWork(NamedTuple):
    """Arrays of one thread, in the precision of the run unless said otherwise."""

    values: np.ndarray  # of all steps, flat
    errors: np.ndarray
    scratch: np.ndarray  # (count, the largest width)
    bases: np.ndarray  # q of all matrices, at `places`
    normals: np.ndarray  # z of all matrices
    factors: np.ndarray  # float64 r of all matrices, (matrices, count, padded(count))
    places: np.ndarray  # int64 (matrices, 2): where q and z begin
    live: np.ndarray  # (the largest width,) ones, of which a norm reads as many as it has numbers
    inverses: np.ndarray  # (norms, max(count, the largest width))
    attention: attend.Attention  # of one layer after the other
    weights: np.ndarray  # of all attentions
    lazy: LazyWork
    squares: np.ndarray  # float64 (2, values): |value|_F^2 and |error|_F^2
    gradients: np.ndarray  # float64 (matrices,): |dC/dW|_F^2


class Block(NamedTuple):
    """Rows as `standardise` takes them."""

    start: int
    samples: int
    size: int
    width: int


def allocate(program: Program, dtype: np.dtype) -> TapeWork:
    """Arrays of a thread for a program."""
    count, values, steps = program.count, program.values, program.steps
    total, widest = int(values[-1, 0] + count * values[-1, 1]), int(values[:, 1].max())
    shapes = [Shape(*map(int, each)) for each in program.shapes]
    insides = np.cumsum([0] + [count * each.width_in for each in shapes])
    outsides = np.cumsum([0] + [count * each.width_out for each in shapes])
    largest = Shape(count, 0, 0, max((each.width_in for each in shapes), default=32),
                    max((each.width_out for each in shapes), default=32), 1, 1)  # fmt: skip
    norms = int((steps[:, 0] == STANDARDISE).sum())
    heads = max((int(values[each[3], 3]) for each in steps if each[0] == ATTEND), default=1)
    attentions = int((steps[:, 0] == ATTEND).sum())
    make = lambda size: aligned(max(int(size), LANES), dtype)  # noqa: E731
    size = count * stored(count)
    return TapeWork(
        make(total), make(total), make(count * widest), make(insides[-1]), make(outsides[-1]),
        aligned(max(len(shapes), 1) * count * padded(count), np.float64),
        np.stack([insides[:-1], outsides[:-1]], axis=1).astype(np.int64), np.ones(widest, dtype),
        np.zeros((max(norms, 1), max(count, widest)), dtype), attend.Attention(make(heads * size), make(size)),
        make(attentions * heads * size), work_of(largest, dtype), np.zeros((2, len(values))), np.zeros(len(shapes)),
    )  # fmt: skip


def rows_at(array, program, value):
    """The rows of a value, in the array of values or of errors."""
    return Matrix(array, program.values[value, 0], program.values[value, 1], 1)


def shape_at(program, index):
    """The `Shape` of a matrix."""
    s = program.shapes[index]
    return Shape(s[0], s[1], s[2], s[3], s[4], s[5], s[6])


def seen_at(program, work, index):
    """What a matrix keeps."""
    shape, size = shape_at(program, index), program.count * padded(program.count)
    q = Matrix(work.bases, work.places[index, 0], shape.width_in, 1)
    z = Matrix(work.normals, work.places[index, 1], shape.width_out, 1)
    return Seen(q, z, work.factors[index * size : (index + 1) * size])


def heads_at(program, i):
    """The `Heads` of step i, and which part of the weights of all attentions is its own."""
    target = program.steps[i, 3]
    return attend.Heads(
        program.values[target, 3], program.values[target, 2], program.factors[i], program.steps[i, 5] != 0
    )


def attention_at(program, work, i, heads):
    """The arrays of the attention of step i."""
    size = heads.count * program.count * stored(program.count)
    index = program.steps[i, 4]
    return attend.Attention(work.weights[index * size : (index + 1) * size], work.attention.errors)


def square_of(rows, count):
    """The sum of squares of all numbers of rows, in float64."""
    total = splat(convert(load(rows.array, rows.start), 1.0), 0.0)
    for k in range(rows.start, rows.start + count * rows.row, LANES):
        value = convert(load(rows.array, k), total)
        total = fma(value, value, total)
    return lane_sum(total)


def clear(array, start, size):
    """Write zeros."""
    for k in range(start, start + size, LANES):
        store(array, k, splat(load(array, k), 0.0))


@jit.outlined
def normalise(program, work, i, x, y):
    """Run a norm forward: y is a copy of x that is normalised in place."""
    count, n, mode = program.count, program.values[program.steps[i, 1], 2], program.steps[i, 5]
    copy_rows(x, y, count, y.row)
    inverse, block = work.inverses[program.steps[i, 4]], Block(y.start, count, y.row, n)
    mark_live(work, n, y.row)
    if mode == LAYER:
        standardise.standardise_rows(y.array, block, work.live, inverse)
    elif mode == BATCH:
        standardise.standardise_columns(y.array, block, inverse)
    else:
        standardise.scale_rows(y.array, block, inverse)


@jit.outlined
def normalise_backward(program, work, i, y, error):
    """Replace the errors of the answer of a norm, in `error`, by those of its question."""
    count, n, mode = program.count, program.values[program.steps[i, 1], 2], program.steps[i, 5]
    inverse, block = work.inverses[program.steps[i, 4]], Block(y.start, count, y.row, n)
    mark_live(work, n, y.row)
    if mode == LAYER:
        standardise.standardise_rows_backward(error, y.array, block, work.live, inverse)
    elif mode == BATCH:
        standardise.standardise_columns_backward(error, y.array, block, inverse)
    else:
        standardise.scale_rows_backward(error, y.array, block, inverse)


def mark_live(work, n, width):
    """Write ones up to n, zeros beyond."""
    for k in range(width):
        work.live[k] = 1.0 if k < n else 0.0


@jit.once
def kernel(activation: Activation) -> Any:
    """The compiled kernel of an activation of the table."""
    return jit.compile_kernel(build(activation.phi, activation.dphi), identity=f"tape {activation.name}")


def build(phi, dphi):
    """The kernel of an activation, a function of (cell, alpha, network, program, work, drawn).

    If `drawn`, it draws the input and the readout: rows of standard normals, and of normals of variance 1 / n; else
    they lie in the values of the input and the errors of the output.
    """

    def run_forward(cell, alpha, network, program, work):
        for i in range(len(program.steps)):
            kind, source = program.steps[i, 0], program.steps[i, 1]
            x, y = rows_at(work.values, program, source), rows_at(work.values, program, program.steps[i, 3])
            n = program.values[program.steps[i, 3], 2]
            if kind == MULTIPLY:
                index = program.steps[i, 4]
                origin, shape = Source(cell, network, index + 1, 0), shape_at(program, index)
                forward(origin, shape, program.deviations[index], x, y, seen_at(program, work, index), work.lazy)
            elif kind == ACTIVATE:
                activate.activate(phi, alpha, x, y, program.count, n)
            elif kind == GATE:
                activate.gate(phi, alpha, x, y, program.count, n)
            elif kind == ADD:
                branch = rows_at(work.values, program, program.steps[i, 2])
                copy_rows(x, y, program.count, y.row)
                add_scaled(y, branch, program.factors[i], program.count, y.row)
            elif kind == STANDARDISE:
                normalise(program, work, i, x, y)
            else:
                heads = heads_at(program, i)
                attend.attend(heads, x, y, program.count, attention_at(program, work, i, heads))

    def run_backward(cell, alpha, network, program, work):
        for i in range(len(program.steps) - 1, -1, -1):
            kind, source, target = program.steps[i, 0], program.steps[i, 1], program.steps[i, 3]
            x, y = rows_at(work.values, program, source), rows_at(work.values, program, target)
            error, e = rows_at(work.errors, program, target), rows_at(work.errors, program, source)
            out = Matrix(work.scratch, 0, x.row, 1)
            if kind == MULTIPLY:
                index = program.steps[i, 4]
                origin, shape = Source(cell, network, index + 1, 0), shape_at(program, index)
                deviation, seen = program.deviations[index], seen_at(program, work, index)
                work.gradients[index] = backward(origin, shape, deviation, error, out, seen, work.lazy)
            elif kind == ACTIVATE:
                activate.activate_backward(dphi, alpha, x, error, out, program.count)
            elif kind == GATE:
                activate.gate_backward(phi, dphi, alpha, x, error, out, program.count)
            elif kind == ADD:
                branch = rows_at(work.errors, program, program.steps[i, 2])
                add_scaled(branch, error, program.factors[i], program.count, error.row)
                copy_rows(error, out, program.count, error.row)
            elif kind == STANDARDISE:
                copy_rows(error, out, program.count, error.row)
                normalise_backward(program, work, i, y, out.array)
            else:
                heads = heads_at(program, i)
                attention = attention_at(program, work, i, heads)
                attend.attend_backward(heads, x, error, out, program.count, attention)
            add_scaled(e, out, 1.0, program.count, e.row)

    forward_of_tape = jit.make_closure_compilable(run_forward, "tape", phi.__qualname__)
    backward_of_tape = jit.make_closure_compilable(run_backward, "tape", phi.__qualname__)

    def run(cell, alpha, network, program, work, drawn):
        """Run a network; writes values, errors, `squares` and `gradients`."""
        first, last = rows_at(work.values, program, 0), rows_at(work.errors, program, program.output)
        if drawn:
            clear(work.errors, 0, len(work.errors))
            n, parts = program.values[0, 2], program.values[0, 3]
            fill_rows(Source(cell, network, 0, TAPE_INPUT), program.count, n, parts, 1.0, first)
            n, parts = program.values[program.output, 2], program.values[program.output, 3]
            fill_rows(Source(cell, network, 0, TAPE_READOUT), program.count, n, parts, (n * parts) ** -0.5, last)
        forward_of_tape(cell, alpha, network, program, work)
        backward_of_tape(cell, alpha, network, program, work)
        for v in range(len(program.values)):
            work.squares[0, v] = square_of(rows_at(work.values, program, v), program.count)
            work.squares[1, v] = square_of(rows_at(work.errors, program, v), program.count)

    return run


jit.register_leaves(__name__, inline=True)
