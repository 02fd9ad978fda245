"""Architectures as functions that write a tape, each in a few lines, and the matrices that a run of one amounts to."""

from __future__ import annotations

import numpy as np

from gradsim_core import jit, simulator
from gradsim_core.activations import resolve_activation
from gradsim_core.laws import gaussian, resolve_law
from gradsim_core.lazy import untied
from gradsim_core.lazy.untied import fill_rows
from gradsim_core.linear.products import Matrix
from gradsim_core.linear.rows import rows_of, stored
from gradsim_core.parameters import Params
from gradsim_core.rng.draws import Source
from gradsim_core.rng.philox import TAPE_READOUT
from gradsim_core.tapes import schedule, steps
from gradsim_core.tapes.costs import READOUT
from gradsim_core.tapes.tape import DRAW, EMBED, MULTIPLY, SHIFT, TIED, UNEMBED
from gradsim_core.tapes.ties import known_at
from gradsim_core.tapes.work import Inputs
from tests.core.lazy.networks import basis

SIGMA = 1.3
CELL = Params(np.uint64(77), 1, 1, 1.0, 0.0)


def plain(tape, n, depth, norm=None, after=False):
    """phi(norm(W x)), or norm(phi(W x))."""
    x = tape.input
    for _ in range(depth):
        x = tape.multiply(x, n, sigma=SIGMA)
        x = tape.standardise(x, norm) if norm is not None and not after else x
        x = tape.activate(x)
        x = tape.standardise(x, norm) if norm is not None and after else x
    return x


def funnel(tape, widths):
    """Layers of any widths."""
    x = tape.input
    for n in widths:
        x = tape.activate(tape.multiply(x, n, sigma=SIGMA))
    return x


def residual(tape, n, depth, alpha=0.7):
    """x + alpha W phi(x)."""
    x = tape.input
    for _ in range(depth):
        x = tape.add(x, tape.multiply(tape.activate(x), n, sigma=SIGMA), alpha)
    return x


def branch(tape, x, n, gated):
    """V phi(W x), or the gated form."""
    if gated:
        return tape.multiply(tape.gate(tape.multiply(x, 2 * n, parts=2)), n)
    return tape.multiply(tape.activate(tape.multiply(x, 2 * n, sigma=SIGMA)), n)


def attention(tape, x, n, heads, causal):
    """W_O attend(W_QKV x)."""
    parts = tape.multiply(x, n // heads, parts=3 * heads)
    return tape.multiply(tape.attend(parts, (n // heads) ** -0.5, causal), n)


def blocks(tape, n, depth, norm=None, placement="pre", heads=0, causal=True, gated=False, alpha=0.8):
    """A residual network of two matrices a block, or a transformer, with a norm before, after or at both ends."""
    x = tape.input
    normed = lambda value: value if norm is None else tape.standardise(value, norm)  # noqa: E731
    for _ in range(depth):
        for part in ("attention", "mlp") if heads else ("mlp",):
            y = normed(x) if placement in ("pre", "sandwich") else x
            y = attention(tape, y, n, heads, causal) if part == "attention" else branch(tape, y, n, gated)
            y = normed(y) if placement in ("sandwich", "output") else y
            x = tape.add(x, y, alpha)
            x = normed(x) if placement == "post" else x
    return normed(x) if placement in ("pre", "sandwich") else x


def run_many(
    program, name, networks, *, first=0, dtype=np.float64, method="conditional", law="gaussian", correlation=0.0
):
    """Run a tape for some networks; yields the arrays, which the next network overwrites."""
    activation, shape = resolve_activation(name), (3, 1, max(len(program.layers), 1))
    work, sums = (
        schedule.work_of(program, Inputs(correlation), np.dtype(dtype), method),
        (np.zeros(shape), np.zeros(shape)),
    )
    kinds = schedule.RARE | schedule.kinds_of(program)
    body = simulator._kernel(activation, resolve_law(law), schedule.builder(method, kinds), "tape", None)
    slopes, cell = simulator._slopes(activation), CELL._replace(alpha=activation.alpha)
    for network in range(first, first + networks):
        body(cell, slopes, network, work, *sums)
        yield work[1]


def run(program, name, network=0, **options):
    """Run a tape once; returns its arrays."""
    return next(run_many(program, name, 1, first=network, **options))


def numbers(field, program, value):
    """The rows of a value without its padding, (count, numbers)."""
    start, width, n, parts = program.values[value]
    rows = field.numbers[start : start + program.count * width].reshape(program.count, parts, -1)
    assert not rows[:, :, n:].any()
    return np.ldexp(rows[:, :, :n].reshape(program.count, -1).astype(np.float64), field.exponents[value][:, None])


def squares(field):
    """|value|_F^2 of every value."""
    return np.ldexp(field.squares, 2 * field.exponents).sum(axis=1)


def gradients(work):
    """|dC/dW|_F^2 of every matrix."""
    return np.ldexp(work.gradients, 2 * work.gradient_units)


def biases(program, work):
    """The bias of every step that adds one."""
    steps_ = program.steps[program.steps[:, 0] == SHIFT]
    return [(numbers(work.values, program, step[3]) - numbers(work.values, program, step[1]))[0] for step in steps_]


def draws(program, work):
    """The rows of every step that draws."""
    return [numbers(work.values, program, step[3]) for step in program.steps[program.steps[:, 0] == DRAW]]


def errors_at(work, program, value):
    """The errors of a value; zero where they are but rounding beside those of the output, as if all had cancelled."""
    found, output = numbers(work.errors, program, value), numbers(work.errors, program, program.output)
    return found if np.abs(found).max() > 1e-13 * np.abs(output).max() else np.zeros_like(found)


def readouts(program, network=0):
    """The random readouts of a run, or the normals of which its targets are made, (count, numbers): drawn anew."""
    n, parts = program.values[program.output, 2:]
    deviation = (n * parts) ** -0.5 if program.cost == READOUT else 1.0
    rows = rows_of(program.count, parts * stored(n), np.dtype(np.float64))
    fill_rows(gaussian, Source(CELL, network, 0, TAPE_READOUT), program.count, n, parts, deviation, rows)
    return rows.array.reshape(program.count, parts, -1)[:, :, :n].reshape(program.count, -1)


def completed_ties(program, work, rng):
    """Explicit matrices that answer as the tied ones of a run did, in the order of their first uses."""
    found = []
    for number in sorted(set(program.steps[program.steps[:, 0] == TIED, 5].tolist())):
        known, found_rows = known_at(work.ties, steps.shape_at(program, number), number), []
        for side, count in ((known.right, known.sizes[0]), (known.left, known.sizes[1])):
            for rows, n in ((side.basis, side.n), (side.images, side.n_image)):
                block = rows.array[rows.start : rows.start + count * rows.row].reshape(count, rows.row)[:, :n]
                found_rows.append(block.astype(np.float64))
        found.append(by_the_lemma(*found_rows, program.deviations[number], rng))
    return found


def by_the_lemma(q, a, u, b, deviation, rng):
    """A matrix with the images a of the orthonormal rows q from the right, and b of u from the left, the rest fresh."""
    fresh = deviation * rng.standard_normal((a.shape[1], b.shape[1]))
    fresh -= u.T @ (u @ fresh)
    fresh -= (fresh @ q.T) @ q
    return a.T @ q + u.T @ b - u.T @ (u @ a.T) @ q + fresh


def answers(program, work, network, index, errors):
    """What a lazy matrix answers from the left to errors, as in the run."""
    shape, dtype = steps.shape_at(program, index), work.values.numbers.dtype
    y, seen = rows_of(program.count, shape.width_in, dtype), steps.seen_at(program, work, index)
    origin, backward = Source(CELL, network, int(index) + 1, 0), jit.compiled(untied.backward)
    backward(origin, shape, program.deviations[index], errors, y, seen, work.lazy)
    return y.array.reshape(program.count, shape.parts_in, -1)[:, :, : shape.n_in].reshape(program.count, -1)


def completed_lazy(program, work, step, back, d, rng):
    """The explicit matrix of a step that answered errors d with `back`."""
    x, h = (numbers(work.values, program, value) for value in (step[1], step[3]))
    right, left = basis(x), basis(d)
    a, b = right @ np.linalg.lstsq(x, h, rcond=1e-9)[0], left @ np.linalg.lstsq(d, back, rcond=1e-9)[0]
    return by_the_lemma(right, a, left, b, program.deviations[step[4]], rng)


def tokens(program, work):
    """The token ids of a run, if its inputs are tokens."""
    return numbers(work.values, program, 0)[:, 0].astype(int)


def completed_embedding(program, work, network, rng):
    """The explicit matrix of the embedding: the rows of the tokens of a run, the rest by the lemma; [] if none."""
    if not (program.steps[:, 0] == EMBED).any():
        return []
    known, ids = numbers(work.values, program, program.steps[0, 3]), tokens(program, work)
    found = program.factors[0] * rng.standard_normal((program.steps[0, 5], known.shape[1]))
    for step in program.steps[program.steps[:, 0] == UNEMBED]:
        d = numbers(work.errors, program, step[3])
        d[:, ids] = 0.0
        errors = rows_of(program.count, steps.shape_at(program, step[4]).width_out, work.values.numbers.dtype)
        errors.array.reshape(program.count, -1)[:, : d.shape[1]] = d
        found = completed_lazy(program, work, step, answers(program, work, network, step[4], errors), d, rng)
    found[ids] = known
    return [found]


def completed(program, work, network, rng):
    """Explicit matrices that answer as those of a run did, the rest drawn afresh: the lemma."""
    found = []
    for step in program.steps[program.steps[:, 0] == MULTIPLY]:
        target, index = step[3], step[4]
        errors = Matrix(
            work.errors.numbers, int(program.values[target, 0]), steps.shape_at(program, index).width_out, 1
        )
        back, d = answers(program, work, network, index, errors), errors_at(work, program, target)
        found.append(completed_lazy(program, work, step, back, d, rng))
    return found
