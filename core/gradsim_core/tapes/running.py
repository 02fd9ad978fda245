"""The kernel that runs a tape forward and backward, one network at a time, and records what stands for its layers."""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.activations import ACTIVATIONS
from gradsim_core.lanes import LANES, load, splat, store
from gradsim_core.laws import gaussian
from gradsim_core.lazy.untied import fill_rows
from gradsim_core.parameters import SUM_DELTA, SUM_H, SUM_X, Neuron, Slopes
from gradsim_core.rng.draws import Source
from gradsim_core.rng.philox import TAPE_INPUT, TAPE_READOUT
from gradsim_core.scaling.per_vector import no_tail

from .costs import READOUT, fill_errors
from .differences import activate_differences, record_differences, restore, take_differences
from .elementwise import activate_backward, activate_rows, gate, gate_backward
from .embedding import draw_tokens, embeddings_of
from .matrices import matrices_of
from .pairs import record_pairs
from .parts import join_rows, take_parts
from .scaled import add, clear, copy, measure, power, total
from .steps import (
    attend_rows,
    attend_rows_backward,
    draw_rows,
    normalise,
    normalise_backward,
    plain,
    rows_at,
    scratch_like,
    shift,
)
from .tape import (
    ACTIVATE,
    ADD,
    ATTEND,
    COST,
    DIFFERENCES,
    DRAW,
    EMBED,
    GATE,
    JOIN,
    MOST_INPUTS,
    MULTIPLY,
    PAIRS,
    SHIFT,
    SQUASH,
    STANDARDISE,
    TIED,
    UNEMBED,
    WINDOW,
)
from .ties import forget
from .windows import open_windows, open_windows_backward, spare_like


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


def record(out, kind, n, layer, square, exponent):
    """Write a sum of squares and its exponent, of a layer counted from 0."""
    sums, exponents = out
    sums[kind, n, layer], exponents[kind, n, layer] = square, exponent


@jit.outlined
def record_layers(program, work, out, n):
    """Record |h^l|^2, |delta^l|^2 and, in the place of |x^(l-1)|^2, |dC/dW^l|^2 / |delta^l|^2 of every layer."""
    first = 0
    for layer in range(len(program.layers)):
        value, last = program.layers[layer, 0], program.layers[layer, 1]
        square, unit = total(rows_at(work.values, program, value), program.count)
        record(out, SUM_H, n, layer, square, unit)
        delta, of_delta = total(rows_at(work.errors, program, value), program.count)
        record(out, SUM_DELTA, n, layer, delta, of_delta)
        gradient, unit = sum_of_gradients(work, first, last)
        ratio = gradient / delta if delta != 0.0 else delta
        record(out, SUM_X, n, layer, ratio, unit - of_delta)
        first = last


def sum_of_gradients(work, first, last):
    """The sum of squares of several weight gradients, and its exponent."""
    top, found, square = 0, False, 0.0
    for index in range(first, last):
        if work.gradients[index] != 0.0:
            top = max(top, work.gradient_units[index]) if found else work.gradient_units[index]
            found = True
    for index in range(first, last):
        if work.gradients[index] != 0.0:
            square += work.gradients[index] * power(2 * (work.gradient_units[index] - top))
    return square, top


def broken(program, work):
    """NaN if some value is not finite, else 0: comparisons in phi' may hide a NaN."""
    found = 0.0
    for v in range(len(program.values)):
        for i in range(program.count):
            found += 0.0 * work.values.squares[v, i]
    return found


def passes(matrices, embeddings, kinds):
    """The functions that run a program forward and backward; both take (origin, neurons, program, work).

    What a program has none of is left out, since it need not be compiled then.
    """
    multiply, multiply_backward, tied, tied_backward = matrices
    embed, unembed, unembed_backward = embeddings
    tokens = EMBED in kinds
    squashes, gates, attends, ties, windows = (kind in kinds for kind in (SQUASH, GATE, ATTEND, TIED, WINDOW))
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

    def backward(origin, neurons, program, work):
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
            add(e, out, 1.0, program.count)

    return forward, backward


def build(phi, dphi, log_phi, log_dphi, law, method, kinds):
    """The block kernel for an activation, a weight law, a method and kinds of operations, as a `Schedule` builds it.

    `work` is a pair: a `Program`, and a `TapeWork`; the cell's `law_parameter` is of the law.
    """
    matrices = matrices_of(method, law)
    name = "tape", method, law.name.split("(")[0], phi.__qualname__, *map(str, sorted(kinds))
    made = passes(matrices, embeddings_of(method, law), kinds)
    forward, backward = (jit.make_closure_compilable(each, *name) for each in made)
    has_tails = log_phi is not no_tail, log_dphi is not no_tail
    has_costs, has_ties, has_pairs, has_differences = (kind in kinds for kind in (COST, TIED, PAIRS, DIFFERENCES))
    lazy, has_tokens = method == "conditional", EMBED in kinds
    tanh = ACTIVATIONS["tanh"]
    of_tanh, squash, squash_slope = Slopes((1.0, 1.0), (0.0, 0.0), True, 1.0), tanh.phi, tanh.dphi

    def run_block(cell, slopes, first, work, sums, exponents):
        """Run networks first .. first + count - 1; writes sums and exponents, both (3, count, depth).

        With what is told of pairs of inputs, both have as many more rows as `results.of_inputs`.
        """
        program, arrays, inputs = work
        neuron = Neuron(phi, dphi, log_phi, log_dphi, has_tails, slopes, cell.alpha)
        other = Neuron(squash, squash_slope, no_tail, no_tail, (False, False), of_tanh, 0.0)
        for n in range(sums.shape[1]):
            origin = Source(cell, first + n, 0, 0)
            for v in range(len(program.values)):
                clear(rows_at(arrays.errors, program, v), program.count)
            if has_tokens:
                draw_tokens(origin, program, arrays)
            else:
                make_inputs(origin, inputs, program, arrays, has_differences)
            if has_ties:
                forget(arrays.ties)
            forward(origin, (neuron, other), program, arrays)
            if has_differences:
                if has_pairs:
                    record_differences(program, arrays, (sums, exponents), n)
                restore(program, arrays, lazy)
            if has_costs and program.cost != READOUT:
                z, e = rows_at(arrays.values, program, program.output), rows_at(arrays.errors, program, program.output)
                fill_errors(origin, program.cost, z, e, program.count, program.values[program.output, 2], arrays.spare)
            else:
                draw_readouts(origin, program, arrays)
            arrays.errors.numbers[program.values[program.output, 0]] += broken(program, arrays)
            backward(origin, (neuron, other), program, arrays)
            record_layers(program, arrays, (sums, exponents), n)
            if has_pairs:
                record_pairs(program, arrays, (sums, exponents), n, has_differences)

    run_block.__qualname__ = "_".join(["run_block", *name])
    return run_block


jit.register_leaves(__name__, inline=False)
