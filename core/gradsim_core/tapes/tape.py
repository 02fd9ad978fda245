"""A tape: the operations of a network in the order in which they run, and where their values lie in memory.

An architecture is a function that writes one. Values are numbered from 0, the input; each operation makes a new one::

    tape = Tape(count=8, n=256)
    x = tape.input
    for _ in range(depth):
        x = tape.add(x, tape.multiply(tape.activate(tape.multiply(x, 1024)), 256))
    program = tape.program(x)

Backward, the errors of a value are the sum of what all operations that read it return.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim_core.lazy.untied import Shape, shape_of
from gradsim_core.linear.rows import stored

MULTIPLY, SHIFT, ACTIVATE, SQUASH, GATE, ADD, STANDARDISE, ATTEND, JOIN, TIED, DRAW, WINDOW, EMBED, UNEMBED = range(14)
COST = -1  # stands among the operations of a kernel for all costs but the random readout of every row
PAIRS = -2  # likewise, for what is told of pairs of inputs
DIFFERENCES = -3  # likewise, for inputs that are carried as differences from the first
LAYER, RMS, BATCH = range(3)
MOST_INPUTS = 4096
MOST_TOKENS = 2**20
_ORDINARY = 20  # octaves: a matrix of larger or smaller entries is one of entries near 1, times a power of two


class Value(NamedTuple):
    """The rows of a value: where they begin, their stored length, and their parts of n numbers."""

    start: int
    width: int
    n: int
    parts: int


class Step(NamedTuple):
    """An operation: what it reads (`other` to add, join, unembed), what it makes, and which matrix or norm it is."""

    kind: int
    source: int
    other: int
    target: int
    index: int
    mode: int  # the norm; whether an attention is causal; the tokens of an embedding; a tied matrix's first use
    factor: float  # of a branch, or of scores; deviation of a bias, or of an embedding


class Program(NamedTuple):
    """A tape as arrays."""

    count: int
    output: int
    cost: int  # see `costs`
    values: np.ndarray  # int64 (values, 4), `Value`
    steps: np.ndarray  # int64 (steps, 6), `Step` without its factor
    factors: np.ndarray  # float64 (steps,)
    shapes: np.ndarray  # int64 (matrices, 7), `Shape`
    deviations: np.ndarray  # float64 (matrices,), of an entry, in units of 2^power
    powers: np.ndarray  # int64 (matrices,)
    layers: np.ndarray  # int64 (layers, 2): the value that stands for a layer, and the matrices up to its end


class Tape:
    """Writes the operations of a network on `count` rows of n numbers.

    Raises
    ------
    ValueError
        From each operation, if a value has not the shape that it reads.
    """

    def __init__(self, count: int, n: int) -> None:
        self.count, self._size = count, 0
        self.values: list[Value] = []
        self.steps: list[Step] = []
        self.shapes: list[Shape] = []
        self.deviations: list[float] = []
        self.layers: list[tuple[int, int]] = []
        self._norms = self._attentions = self._draws = 0
        self._tied: dict[str, int] = {}
        self._biases: dict[str, int] = {}
        self.input = self._value(n, 1)

    def _value(self, n: int, parts: int) -> int:
        width = parts * stored(n)
        self.values.append(Value(self._size, width, n, parts))
        self._size += self.count * width
        return len(self.values) - 1

    def _step(self, kind: int, source: int, n: int, parts: int, *, other: int = 0, index: int = 0, mode: int = 0,
              factor: float = 1.0) -> int:  # fmt: skip
        target = self._value(n, parts)
        self.steps.append(Step(kind, source, other, target, index, mode, factor))
        return target

    def _check_parts(self, operation: str, x: int, parts: int) -> None:
        """Refuse a value with other parts than an operation reads."""
        if self.values[x].parts != parts:
            raise ValueError(f"{operation}: the value has {self.values[x].parts} parts: it must have {parts}.")

    def multiply(self, x: int, n: int, parts: int = 1, sigma: float = 1.0) -> int:
        """Multiply by a matrix of its own, with normal entries of variance sigma^2 / fan_in."""
        if min(n, parts) < 1 or not 0.0 < sigma < math.inf:
            raise ValueError(f"n {n}, parts {parts}, sigma {sigma}: whole numbers from 1, and a finite number > 0.")
        given = self.values[x]
        self.shapes.append(shape_of(self.count, given.n, n, given.parts, parts))
        self.deviations.append(sigma * (given.n * given.parts) ** -0.5)
        return self._step(MULTIPLY, x, n, parts, index=len(self.shapes) - 1)

    def multiply_tied(self, x: int, name: str, n: int, sigma: float) -> int:
        """Multiply by the matrix of a name, the same at every use, with normal entries of variance sigma^2 / fan_in."""
        self._check_parts("multiply_tied", x, 1)
        number, given = self._tied.setdefault(name, len(self.shapes)), self.values[x]
        shape = shape_of(self.count, given.n, n)
        if number < len(self.shapes) and self.shapes[number] != shape:
            raise ValueError(f"multiply_tied: {name} was {self.shapes[number]}, and cannot be {shape}.")
        self.shapes.append(shape)
        self.deviations.append(sigma * given.n**-0.5)
        return self._step(TIED, x, n, 1, index=len(self.shapes) - 1, mode=number)

    def embed(self, tokens: int, n: int, vocabulary: int, sigma: float) -> int:
        """Replace token ids, the input, by rows of the embedding: a (vocabulary, n) matrix of deviation sigma."""
        if tokens != self.input or self.values[tokens].n != 1 or self.steps:
            raise ValueError("embed: it is the first operation, and reads the input, of one number a row.")
        if min(n, vocabulary) < 1 or vocabulary > MOST_TOKENS or not 0.0 < sigma < math.inf:
            raise ValueError(f"n {n}, vocabulary {vocabulary}, sigma {sigma}: from 1, to {MOST_TOKENS}, and > 0.")
        return self._step(EMBED, tokens, n, 1, mode=vocabulary, factor=sigma)

    def unembed(self, x: int) -> int:
        """Compute the logits of all tokens, E x, with the matrix E that has embedded the input."""
        first = self.steps[0] if self.steps else None
        if first is None or first.kind != EMBED or self.values[x][2:] != self.values[first.target][2:]:
            raise ValueError("unembed: the tape begins with an embedding, and the value has as many numbers.")
        self.shapes.append(shape_of(self.count, self.values[x].n, first.mode))
        self.deviations.append(first.factor)
        return self._step(UNEMBED, x, first.mode, 1, other=first.target, index=len(self.shapes) - 1)

    def draw(self, n: int) -> int:
        """Draw new rows of n standard normal numbers."""
        self._draws += 1
        return self._step(DRAW, self.input, n, 1, index=self._draws - 1)

    def shift(self, x: int, sigma: float, name: str = "") -> int:
        """Add a bias, the same to all rows, with normal entries of deviation sigma; of one name, always the same."""
        if not sigma > 0.0:
            return x
        index = self._biases.setdefault(name, len(self.shapes)) if name else len(self.shapes)
        return self._step(SHIFT, x, *self.values[x][2:], index=index, factor=sigma)

    def activate(self, x: int) -> int:
        """Apply the activation."""
        self._check_parts("activate", x, 1)
        return self._step(ACTIVATE, x, self.values[x].n, 1)

    def squash(self, x: int) -> int:
        """Apply tanh, whatever the activation is, in the place of a norm (Zhu et al. 2025, arXiv:2503.10622)."""
        self._check_parts("squash", x, 1)
        return self._step(SQUASH, x, self.values[x].n, 1)

    def gate(self, x: int) -> int:
        """Multiply the second of two parts by the activation of the first."""
        self._check_parts("gate", x, 2)
        return self._step(GATE, x, self.values[x].n, 1)

    def add(self, x: int, branch: int, factor: float = 1.0) -> int:
        """Add a branch times a factor."""
        shapes = [self.values[each][2:] for each in (x, branch)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"add: (numbers, parts) are {shapes[0]} and {shapes[1]}: they must be the same.")
        return self._step(ADD, x, self.values[x].n, self.values[x].parts, other=branch, factor=factor)

    def standardise(self, x: int, norm: int) -> int:
        """Normalise: LAYER, RMS or BATCH."""
        self._check_parts("standardise", x, 1)
        if norm == BATCH and self.count < 2:
            raise ValueError(f"standardise: a batch of {self.count} row has no variance. Take two rows or more.")
        self._norms += 1
        return self._step(STANDARDISE, x, self.values[x].n, 1, index=self._norms - 1, mode=norm)

    def join(self, x: int, other: int) -> int:
        """Put the parts of another value behind those of x."""
        (n, parts), (m, others) = (self.values[each][2:] for each in (x, other))
        if n != m:
            raise ValueError(f"join: parts have {n} and {m} numbers: they must be equal.")
        return self._step(JOIN, x, n, parts + others, other=other)

    def window(self, x: int, taps: int) -> int:
        """Put rows of neighbours, the row itself in the middle, into the parts of one row; rows lie on a circle."""
        self._check_parts("window", x, 1)
        return self._step(WINDOW, x, self.values[x].n, taps)

    def attend(self, x: int, scale: float, causal: bool) -> int:
        """Softmax attention; the value has the queries, keys and values of all heads as its parts."""
        given = self.values[x]
        if given.parts % 3:
            raise ValueError(f"attend: the value has {given.parts} parts: it must have three for every head.")
        self._attentions += 1
        return self._step(ATTEND, x, given.n, given.parts // 3, index=self._attentions - 1, mode=causal, factor=scale)

    def end_layer(self, value: int) -> None:
        """End a layer, of all matrices since the last; the length and the error of a value stand for it."""
        self.layers.append((value, len(self.shapes)))

    def program(self, output: int, cost: int = 0) -> Program:
        """Return the tape as arrays; the cost is one of `costs`, by default a random readout of every row."""
        steps = np.array([step[:6] for step in self.steps], np.int64).reshape(-1, 6)
        shapes = np.array(self.shapes, np.int64).reshape(-1, len(Shape._fields))
        factors = np.array([step.factor for step in self.steps])
        powers = [0 if abs(k) <= _ORDINARY else k for k in (math.frexp(each)[1] for each in self.deviations)]
        deviations = [math.ldexp(each, -k) for each, k in zip(self.deviations, powers, strict=True)]
        return Program(
            self.count, output, cost, np.array(self.values, np.int64), steps, factors, shapes, np.array(deviations),
            np.array(powers, np.int64), np.array(self.layers, np.int64).reshape(-1, 2),
        )  # fmt: skip
