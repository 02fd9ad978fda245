"""Token ids as inputs, the rows of a matrix E that they name, and the logits E x of the same matrix: tied embeddings.

The rows of a Gaussian E are independent. So those of the tokens of a sequence, X_0, are drawn and kept, and all others
are one lazy matrix that meets the last vectors x forward and the errors of its logits backward, as any other does:

    z = E x:      the logits of tokens of the sequence are X_0 x, the others have the law of `lazy.untied`;
    E^T dC/dz:    X_0^T times the errors of the former, and the lazy matrix's answer to those of the latter.

That is the law of one matrix that is met from both sides: one-hot vectors from the left have shown rows of it and
nothing else. The lazy matrix runs with all rows; the answers of known ones are replaced, and their errors zero.
"""

from __future__ import annotations

from typing import Any

from gradsim_core import jit
from gradsim_core.laws import gaussian
from gradsim_core.laws.table import WeightLaw
from gradsim_core.lazy import untied
from gradsim_core.linear.inner import inner
from gradsim_core.linear.products import Matrix, multiply
from gradsim_core.linear.rows import add_scaled
from gradsim_core.linear.triangular import padded
from gradsim_core.rng.draws import Source
from gradsim_core.rng.philox import TAPE_EMBEDDING, TAPE_TOKEN, TAPE_WEIGHT, scalar_words

from .scaled import clear, copy, measure, power
from .steps import multiply_drawn, multiply_drawn_backward, plain, raise_exponents, rows_at, seen_at, shape_at
from .windows import spare_like


@jit.outlined
def draw_tokens(origin, program, work):
    """Draw token ids, uniform on the vocabulary to 2^-23, as the only numbers of the input's rows."""
    cell, network, _, _ = origin
    x, vocabulary = rows_at(work.values, program, 0), int(program.steps[0, 5])
    clear(x, program.count)
    for i in range(program.count):
        high, low, _, _ = scalar_words(cell.key, network, 0, TAPE_TOKEN, i)
        token = (int(high) << 11 | int(low) >> 21) * vocabulary >> 43
        x.array[x.start + i * x.row] = token
        x.squares[i] = float(token) * float(token)


def token_at(tokens, i):
    """The id of a token."""
    return int(tokens.array[tokens.start + i * tokens.row])


def embed_rows(draw, source, program, i, tokens, y):
    """Draw the rows of E that step i reads; a row has counters of its own, so that equal tokens have equal rows."""
    n, deviation = program.values[program.steps[i, 3], 2], program.factors[i]
    for b in range(program.count):
        row = Matrix(y.array, y.start + b * y.row, y.row, 1)
        untied.fill_row(draw, source, token_at(tokens, b), n, deviation, row)
        y.exponents[b] = 0
    measure(y, program.count)


@jit.outlined
def embed_lazy(origin, program, i, tokens, y):
    """Draw the rows of tokens for the conditional method."""
    embed_rows(gaussian, Source(origin.cell, origin.network, 0, TAPE_EMBEDDING), program, i, tokens, y)


def first_with(tokens, i):
    """The first row with the token of row i."""
    j = 0
    while token_at(tokens, j) != token_at(tokens, i):
        j += 1
    return j


@jit.outlined
def unembed_lazy(origin, program, work, i, x, y):
    """Compute the logits of all tokens: those of the sequence from its rows, the others from a lazy matrix."""
    index, count = program.steps[i, 4], program.count
    shape, deviation, seen = shape_at(program, index), program.deviations[index], seen_at(program, work, index)
    source = Source(origin.cell, origin.network, index + 1, 0)
    untied.forward(source, shape, deviation, plain(x), plain(y), seen, work.lazy)
    tokens, known = rows_at(work.values, program, 0), rows_at(work.values, program, program.steps[i, 2])
    size = padded(count)
    inner(plain(x), plain(known), Matrix(work.lazy.products, 0, size, 1), count, count, x.row)
    for j in range(count):
        factor, token = power(known.exponents[j] - program.powers[index]), token_at(tokens, j)
        for b in range(count):
            y.array[y.start + b * y.row + token] = work.lazy.products[b * size + j] * factor
    raise_exponents(x, y, count, program.powers[index])


@jit.outlined
def unembed_lazy_backward(origin, program, work, i, x, error, out):
    """Compute E^T dC/dz. The weight gradient is left at zero, since that of E is of both its uses."""
    index, count = program.steps[i, 4], program.count
    shape, deviation, seen = shape_at(program, index), program.deviations[index], seen_at(program, work, index)
    tokens, known = rows_at(work.values, program, 0), rows_at(work.values, program, program.steps[i, 2])
    source, others = Source(origin.cell, origin.network, index + 1, 0), spare_like(work, error)
    copy(error, others, count)
    for j in range(count):
        for b in range(count):
            others.array[b * others.row + token_at(tokens, j)] = 0.0
    untied.backward(source, shape, deviation, plain(others), plain(out), seen, work.lazy)
    add_known(error, tokens, known, out, count, (program.powers[index], work))
    raise_exponents(error, out, count, program.powers[index])


def add_known(error, tokens, known, out, count, unit_and_work):
    """Add the errors of known rows of E times those rows, in units of 2^unit."""
    unit, work = unit_and_work
    size = padded(count)
    for b in range(count):
        for j in range(size):
            work.lazy.products[b * size + j] = 0.0
    for j in range(count):
        if first_with(tokens, j) == j:
            factor, token = power(known.exponents[j] - unit), token_at(tokens, j)
            for b in range(count):
                work.lazy.products[b * size + j] = error.array[error.start + b * error.row + token] * factor
    product = Matrix(work.lazy.normals.array, 0, out.row, 1)
    multiply(Matrix(work.lazy.products, 0, size, 1), plain(known), product, count, out.row, count)
    add_scaled(plain(out), product, 1.0, count, out.row)


def embeddings_of(method: str, law: WeightLaw) -> tuple[Any, ...]:
    """The functions that embed, unembed, and unembed backward: E is lazy, or drawn from a law.

    A drawn E has the counters of layer 0, which no other matrix has.
    """
    if method == "conditional":
        return embed_lazy, unembed_lazy, unembed_lazy_backward
    draw = law.draw or gaussian

    def embed(origin, program, i, tokens, y):
        embed_rows(draw, Source(origin.cell, origin.network, 0, TAPE_WEIGHT), program, i, tokens, y)

    def unembed(origin, program, work, i, x, y):
        multiply_drawn(draw, Source(origin.cell, origin.network, 0, 0), program, work, program.steps[i, 4], x, y)

    def unembed_backward(origin, program, work, i, x, error, out):
        source, index = Source(origin.cell, origin.network, 0, 0), program.steps[i, 4]
        multiply_drawn_backward(draw, source, program, work, index, x, error, out)

    name = ("embedding", law.name.split("(")[0])
    return tuple(jit.make_closure_compilable(each, *name) for each in (embed, unembed, unembed_backward))


jit.register_leaves(__name__, inline=False)
