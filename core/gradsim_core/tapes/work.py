"""The arrays of a thread that runs a tape."""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple

import numpy as np

from gradsim_core.lanes import LANES, aligned
from gradsim_core.lazy.untied import LazyWork, Shape
from gradsim_core.lazy.untied import work_of as lazy_work
from gradsim_core.linear.rows import stored
from gradsim_core.linear.triangular import padded
from gradsim_core.operations.across import NARROW
from gradsim_core.operations.attend import Attention

from . import drawn
from .elementwise import Row, row_of
from .tape import ATTEND, BATCH, DIFFERENCES, PAIRS, STANDARDISE, TIED, WINDOW, Program
from .ties import Ties, ties_of


class Field(NamedTuple):
    """Values, or errors, of all steps; rows in the precision of the run."""

    numbers: np.ndarray  # flat
    exponents: np.ndarray  # int64 (values, count)
    squares: np.ndarray  # float64 (values, count), sums of squares in units of 4^exponent


class TapeWork(NamedTuple):
    """Arrays of one thread, in the precision of the run unless said otherwise."""

    values: Field
    errors: Field
    scratch: np.ndarray  # (count, the largest width)
    spare: np.ndarray  # the same
    bases: np.ndarray  # q of all lazy matrices, at `places`
    normals: np.ndarray  # z of all
    factors: np.ndarray  # float64 r of all, (matrices, count, padded(count))
    places: np.ndarray  # int64 (matrices, 2): where q and z begin
    live: np.ndarray  # (the largest width,) ones, of which a norm reads as many as it has numbers
    inverses: np.ndarray  # (norms, max(count, the largest width))
    units: np.ndarray  # int64 (1 + norms, count): exponents of scratch rows; those that norms have taken in
    squares: np.ndarray  # float64 (count,), of scratch rows
    spare_units: np.ndarray  # int64 (count,), of spare rows
    spare_squares: np.ndarray  # float64 (count,)
    powers: np.ndarray  # int64 (count,), scratch
    attention: Attention  # of one layer after the other
    weights: np.ndarray  # of all attentions
    row: Row
    lazy: LazyWork
    drawn: drawn.DrawnWork
    gradients: np.ndarray  # float64 (matrices,): |dC/dW|_F^2 in units of 4^unit
    gradient_units: np.ndarray  # int64 (matrices,)
    ties: Ties
    pairs: Pairs
    differences: np.ndarray  # int64 (values, count), exponents of rows before inputs are restored from differences
    products: Products
    given: np.ndarray  # flat rows of inputs, of none if they are drawn


class Inputs(NamedTuple):
    """How inputs are drawn."""

    correlation: float = 0.0  # of any two
    length: float = 0.0  # root mean square of the elements of each; 0: as they are drawn


class Pairs(NamedTuple):
    """Inner products of the gradients of all pairs of inputs, float64 (count, padded(count)), flat."""

    layer: np.ndarray
    kernel: np.ndarray  # summed over layers: the NTK
    separable: bool  # whether every input has a gradient of its own


class Products(NamedTuple):
    """Inner products of the rows of values with their errors, and scratch of one row, float64 (see `narrow`)."""

    numbers: np.ndarray  # (values, count)
    exponents: np.ndarray  # int64 (values, count)
    vector: np.ndarray  # (the largest width,)
    across: np.ndarray  # (the largest width,)
    wanted: bool  # whether the program has norms of narrow rows


class Block(NamedTuple):
    """Rows as `operations.standardise` takes them."""

    start: int
    samples: int
    size: int
    width: int


def field_of(program: Program, dtype: np.dtype) -> Field:
    """New arrays."""
    values, count = program.values, program.count
    numbers = aligned(int(values[-1, 0] + count * values[-1, 1]), dtype)
    return Field(numbers, np.zeros((len(values), count), np.int64), np.zeros((len(values), count)))


def size_of(program: Program, lazy: bool, kinds: Set[int] = frozenset()) -> int:
    """How many numbers the arrays of a thread hold, about; those of 64 bits count as two."""
    count, values, shapes = program.count, program.values, program.shapes
    square, widest = count * padded(count), int(values[:, 1].max())
    inside, outside = int(shapes[:, 3].max()), int(shapes[:, 4].max())
    fields = 2 * int(values[-1, 0] + count * values[-1, 1]) + 8 * len(values) * count
    if lazy:
        matrices = count * int(shapes[:, 3:5].sum()) + 2 * len(shapes) * square + 2 * count * max(inside, outside)
        matrices += count * int(shapes[sorted(_tied(program)), 3:5].sum())  # which have images from both sides
    else:
        matrices = (drawn.PANEL + count) * inside
    attention = sum(_attention(program)) + count * stored(count)
    norms = max(count, widest) * int((program.steps[:, 0] == STANDARDISE).sum())
    squares = 20 if PAIRS in kinds and is_separable(program) else 16
    norms += (4 * len(values) * count + 4 * widest) * is_narrow(program)
    return fields + matrices + attention + norms + squares * square + 2 * count * widest + 8 * widest + 2**12


def allocate(program: Program, dtype: np.dtype, lazy: bool = True, kinds: Set[int] = frozenset()) -> TapeWork:
    """Arrays of a thread for a program, whose matrices are lazy or drawn, and the kinds of operations of its kernel."""
    count, steps = program.count, program.steps
    widest = int(program.values[:, 1].max())
    shapes = [Shape(*map(int, each)) for each in program.shapes]
    norms = int((steps[:, 0] == STANDARDISE).sum())
    largest = Shape(count, 0, 0, max((each.width_in for each in shapes), default=32),
                    max((each.width_out for each in shapes), default=32), 1, 1)  # fmt: skip
    small = largest._replace(width_in=32, width_out=32)
    make = lambda size: aligned(max(int(size), LANES), dtype)  # noqa: E731
    tied = _tied(program)
    bases, normals, places = _places(shapes if lazy else [], tied, count)
    attention, weights = _attention(program)
    return TapeWork(
        field_of(program, dtype), field_of(program, dtype), make(count * widest), make(count * widest),
        make(bases), make(normals), aligned((len(shapes) * lazy or 1) * count * padded(count), np.float64), places,
        np.ones(widest, dtype), np.zeros((max(norms, 1), max(count, widest)), dtype),
        np.zeros((1 + norms, count), np.int64), np.zeros(count), np.zeros(count, np.int64), np.zeros(count),
        np.zeros(count, np.int64),
        Attention(make(attention), make(count * stored(count))), make(weights), row_of(widest, dtype),
        lazy_work(largest if lazy else small, dtype), drawn.work_of(small if lazy else largest, dtype),
        np.zeros(len(shapes)), np.zeros(len(shapes), np.int64), ties_of(shapes, _uses(program) if lazy else {}, dtype),
        _pairs(program, PAIRS in kinds),
        np.zeros((len(program.values), count) if DIFFERENCES in kinds else (1, 1), np.int64),
        _products(program, widest),
        np.zeros(0, dtype),
    )  # fmt: skip


def is_separable(program: Program) -> bool:
    """Whether every input has a gradient of its own: inputs do not meet, and no matrix comes again."""
    kinds, modes = program.steps[:, 0], program.steps[:, 5]
    return not (np.isin(kinds, (ATTEND, TIED, WINDOW)).any() or modes[kinds == STANDARDISE].tolist().count(BATCH))


def is_narrow(program: Program) -> bool:
    """Whether it has a norm of rows so narrow that errors along them matter."""
    norms = program.steps[(program.steps[:, 0] == STANDARDISE) & (program.steps[:, 5] != BATCH)]
    return bool((program.values[norms[:, 1], 2] <= NARROW).any())


def _products(program: Program, widest: int) -> Products:
    wanted = is_narrow(program)
    shape, size = (len(program.values), program.count) if wanted else (1, 1), widest if wanted else 1
    return Products(np.zeros(shape), np.zeros(shape, np.int64), np.zeros(size), np.zeros(size), wanted)


def _pairs(program: Program, wanted: bool) -> Pairs:
    separable = wanted and is_separable(program)
    size = program.count * padded(program.count) if separable else LANES
    return Pairs(aligned(size, np.float64), aligned(size, np.float64), separable)


def _places(shapes: list[Shape], tied: frozenset[int], count: int) -> tuple[int, int, np.ndarray]:
    """How many numbers the bases and the normals of lazy matrices have, tied ones none, and where each one's begin."""
    lengths = [(0, 0) if i in tied else (each.width_in, each.width_out) for i, each in enumerate(shapes)]
    ends = np.cumsum([(0, 0), *lengths], axis=0, dtype=np.int64) * count
    return int(ends[-1, 0]), int(ends[-1, 1]), ends[:-1]


def _tied(program: Program) -> frozenset[int]:
    """Uses of tied matrices."""
    return frozenset(program.steps[program.steps[:, 0] == TIED, 4].tolist())


def _uses(program: Program) -> dict[int, int]:
    """How often each tied matrix is used."""
    numbers, counts = np.unique(program.steps[program.steps[:, 0] == TIED, 5], return_counts=True)
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))


def _attention(program: Program) -> tuple[int, int]:
    """How many weights one attention has, and all together."""
    steps = program.steps[program.steps[:, 0] == ATTEND]
    heads = max((int(program.values[each[3], 3]) for each in steps), default=1)
    size = heads * program.count * stored(program.count)
    return size, len(steps) * size
