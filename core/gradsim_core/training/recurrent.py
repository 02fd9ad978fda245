"""A simple recurrent network (Elman 1990) that reads symbols and answers once, after the last one.

    h_t = W x_(t-1) + U[:, s_t] + b,   x_t = phi(h_t),   t = 1 .. T;      o = V x_T + c,   C = -ln softmax(o)[target]

Back-propagation through time: delta_T = phi'(h_T) V^T dC/do and delta_(t-1) = phi'(h_(t-1)) W^T delta_t, where delta_t
is dC/dh_t. The gradient of the tied matrix is dC/dW = sum_t delta_t x_(t-1)^T. State and error of every step are kept,
so this is one product over all steps and samples, summed in a fixed order.
|delta_(t-k)| <= (max |phi'| sigma_max(W))^k |delta_t|: Pascanu, Mikolov and Bengio, arXiv:1211.5063.

The parameters of a network are one flat array of rows of padded(width) numbers, one for each symbol (the columns of U),
one for each neuron (the columns of W) and one for b; then of rows of padded(symbols) numbers, one for each neuron (the
columns of V) and one for c.

In all functions `net` is a `RecurrentNetwork`, `theta` its parameters and `work` a `RecurrentWork`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, aligned, load, splat, store
from gradsim_core.linear.products import Matrix, multiply, padded, transpose

from .descent import Span, apply, scale_of, square_length
from .passes import sum_rows

COST, ERROR, LENGTH = range(3)
"""Columns of the history: cost, fraction of wrong answers, length of the whole gradient before clipping."""


class RecurrentNetwork(NamedTuple):
    """A recurrent network as kernels take it: numbers only."""

    symbols: int
    width: int
    alpha: float  # parameter of the activation
    weights: int  # where W begins; U begins at 0
    bias: int  # where b begins
    readout: int  # where V begins
    offset: int  # where c begins
    stop: int  # number of parameters


class RecurrentWork(NamedTuple):
    """Arrays of one thread, flat, in the precision of the run; a row is a sample, a block one step of all samples."""

    x: np.ndarray  # T + 1 blocks (samples, padded width): the state before the first step, then x_1 .. x_T
    slope: np.ndarray  # T blocks: phi'(h_t)
    delta: np.ndarray  # T blocks: delta_t of the cost's mean over the samples
    outputs: np.ndarray  # (samples, padded symbols): o
    labels: np.ndarray  # the same: targets of the softmax of o
    error: np.ndarray  # the same: dC/do
    live: np.ndarray  # (padded symbols,): 1 at outputs, 0 beyond
    recurrent: np.ndarray  # W, a row per neuron that it feeds
    outward: np.ndarray  # V, a row per output
    gradient: np.ndarray  # of the mean cost, laid out as the parameters


class Sequences(NamedTuple):
    """Symbols that are read, and right answers: of one batch, or of one batch for each step of descent."""

    symbols: np.ndarray  # int64 (samples, T) or (steps, samples, T), from 0 to symbols - 1
    targets: np.ndarray  # int64 (samples,) or (steps, samples): the right answer after the last symbol


def recurrent_network(symbols: int, width: int, alpha: float = 0.0) -> RecurrentNetwork:
    """The `RecurrentNetwork` of some sizes; `alpha` is the parameter of the activation."""
    size, outputs = padded(width), padded(symbols)
    weights, bias = symbols * size, (symbols + width) * size
    readout, offset = bias + size, bias + size + width * outputs
    return RecurrentNetwork(symbols, width, float(alpha), weights, bias, readout, offset, offset + outputs)


def allocate(net: RecurrentNetwork, samples: int, steps: int, dtype: np.dtype) -> RecurrentWork:
    """Arrays for batches of exactly `samples` sequences of `steps` symbols."""
    size, outputs = padded(net.width), padded(net.symbols)
    block, live = samples * size, aligned(outputs, dtype)
    live[: net.symbols] = 1
    return RecurrentWork(
        x=aligned((steps + 1) * block, dtype),
        slope=aligned(steps * block, dtype),
        delta=aligned(steps * block, dtype),
        outputs=aligned(samples * outputs, dtype),
        labels=aligned(samples * outputs, dtype),
        error=aligned(samples * outputs, dtype),
        live=live,
        recurrent=aligned(net.width * size, dtype),
        outward=aligned(net.symbols * size, dtype),
        gradient=aligned(net.stop, dtype),
    )


def answer(net, theta, state, samples, work):
    """Compute the outputs o from the states after the last step, which begin at work.x[state]."""
    size, outputs = padded(net.width), padded(net.symbols)
    o = Matrix(work.outputs, 0, outputs, 1)
    multiply(Matrix(work.x, state, size, 1), Matrix(theta, net.readout, outputs, 1), o, samples, outputs, net.width)
    for i in range(0, outputs, LANES):
        c = load(theta, net.offset + i)
        for k in range(i, samples * outputs, outputs):
            store(work.outputs, k, load(work.outputs, k) + c)


def label(net, targets, work):
    """Write the one-hot rows of the targets to work.labels."""
    outputs = padded(net.symbols)
    for n in range(len(targets)):
        for i in range(outputs):
            work.labels[n * outputs + i] = 1.0 if i == targets[n] else 0.0


def multiply_by_slopes(start, stop, work):
    """Replace dC/dx by dC/dh in work.delta[start:stop], one step."""
    for k in range(start, stop, LANES):
        store(work.delta, k, load(work.delta, k) * load(work.slope, k))


def sum_by_symbol(net, symbols, work):
    """Write the gradients of U and b.

    The gradient of a column of U is delta summed over all readings of its symbol. Every delta belongs to one symbol, so
    the gradient of b is the sum of these.
    """
    samples, steps = symbols.shape
    size = padded(net.width)
    for k in range(0, net.weights, LANES):
        store(work.gradient, k, splat(load(work.gradient, k), 0.0))
    for t in range(steps):
        for n in range(samples):
            start, row = symbols[n, t] * size, (t * samples + n) * size
            for i in range(0, size, LANES):
                store(work.gradient, start + i, load(work.gradient, start + i) + load(work.delta, row + i))
    sum_rows(work.gradient, size, net.symbols, work.gradient, net.bias)


def collect(net, symbols, work):
    """Write the gradient of every parameter, from the states and errors of all steps."""
    samples, steps = symbols.shape
    size, outputs = padded(net.width), padded(net.symbols)
    x, delta = Matrix(work.x, 0, 1, size), Matrix(work.delta, 0, size, 1)
    multiply(x, delta, Matrix(work.gradient, net.weights, size, 1), net.width, size, steps * samples)
    x, error = Matrix(work.x, steps * samples * size, 1, size), Matrix(work.error, 0, outputs, 1)
    multiply(x, error, Matrix(work.gradient, net.readout, outputs, 1), net.width, outputs, samples)
    sum_rows(work.error, outputs, samples, work.gradient, net.offset)
    sum_by_symbol(net, symbols, work)


def back_propagate(net, theta, samples, steps, work):
    """Compute delta of every step from dC/do in work.error."""
    size, outputs, block = padded(net.width), padded(net.symbols), samples * padded(net.width)
    recurrent, outward = Matrix(work.recurrent, 0, size, 1), Matrix(work.outward, 0, size, 1)
    transpose(Matrix(theta, net.weights, size, 1), recurrent, net.width, net.width)
    transpose(Matrix(theta, net.readout, outputs, 1), outward, net.width, net.symbols)
    below = (steps - 1) * block
    multiply(Matrix(work.error, 0, outputs, 1), outward, Matrix(work.delta, below, size, 1), samples, size, net.symbols)
    multiply_by_slopes(below, below + block, work)
    for t in range(steps - 1, 0, -1):
        above, below = Matrix(work.delta, t * block, size, 1), Matrix(work.delta, (t - 1) * block, size, 1)
        multiply(above, recurrent, below, samples, size, net.width)
        multiply_by_slopes(below.start, below.start + block, work)


def update(net, rule, length, theta, velocity, work):
    """One step of descent with the gradient in work, of length `length`; b and c do not decay."""
    scale = scale_of(rule, length)
    apply(rule, scale, Span(0, net.bias, rule.decay), theta, velocity, work.gradient)
    apply(rule, scale, Span(net.bias, net.readout, 0.0), theta, velocity, work.gradient)
    apply(rule, scale, Span(net.readout, net.offset, rule.decay), theta, velocity, work.gradient)
    apply(rule, scale, Span(net.offset, net.stop, 0.0), theta, velocity, work.gradient)


def build(phi, dphi, compare):
    """The functions of one pass: activate, propagate. `compare` is made by `passes.build_comparison`."""

    def activate(net, theta, symbols, t, work):
        """Replace W x_(t-1), stored in the place of x_t, by x_t; writes phi'(h_t)."""
        samples, size = len(symbols), padded(net.width)
        block = samples * size
        for n in range(samples):
            column, row = symbols[n, t] * size, t * block + n * size
            for i in range(0, size, LANES):
                inward = load(theta, column + i) + load(theta, net.bias + i)
                h = load(work.x, block + row + i) + inward
                store(work.slope, row + i, dphi(h, net.alpha))
                store(work.x, block + row + i, phi(h, net.alpha))

    def propagate(net, theta, batch, work):
        """Write the gradient of a batch of `Sequences` to work.gradient.

        Returns the mean cost and the fraction of wrong answers. The caller sets the state before the first step, which
        is the first block of work.x.
        """
        samples, steps = batch.symbols.shape
        size, block = padded(net.width), samples * padded(net.width)
        weights = Matrix(theta, net.weights, size, 1)
        for t in range(steps):
            before, after = Matrix(work.x, t * block, size, 1), Matrix(work.x, (t + 1) * block, size, 1)
            multiply(before, weights, after, samples, size, net.width)
            activate(net, theta, batch.symbols, t, work)
        answer(net, theta, steps * block, samples, work)
        label(net, batch.targets, work)
        row = padded(net.symbols)
        o, labels = Matrix(work.outputs, 0, row, 1), Matrix(work.labels, 0, row, 1)
        cost, wrong = compare(o, labels, work.error, work.live, net.symbols, samples)
        back_propagate(net, theta, samples, steps, work)
        collect(net, batch.symbols, work)
        return cost, wrong / samples

    return activate, propagate


def build_descent(propagate):
    """The kernel that trains one network; `propagate` is made by `build`."""

    def descend(net, rule, theta, velocity, sequences, work, history):
        """Make one step of descent for each batch of `sequences`; changes theta and velocity in place.

        Row k of the history describes batch k before its step.
        """
        for k in range(len(sequences.symbols)):
            cost, wrong = propagate(net, theta, Sequences(sequences.symbols[k], sequences.targets[k]), work)
            length = math.sqrt(square_length(work.gradient, 0, net.stop))
            history[k, COST], history[k, ERROR], history[k, LENGTH] = cost, wrong, length
            update(net, rule, length, theta, velocity, work)

    return descend


def build_measurement(propagate):
    """The kernel that measures the error back through time without training; `propagate` is made by `build`."""

    def measure(net, theta, batch, work, lengths):
        """Return mean cost and fraction of wrong answers of a batch; writes the gradient to work.gradient.

        Writes |delta_t| of each sample's own cost, not of the mean, to `lengths` (samples, T).
        """
        samples, steps = batch.symbols.shape
        size = padded(net.width)
        cost, wrong = propagate(net, theta, batch, work)
        for t in range(steps):
            for n in range(samples):
                row = (t * samples + n) * size
                lengths[n, t] = samples * math.sqrt(square_length(work.delta, row, row + size))
        return cost, wrong

    return measure


jit.register_leaves(__name__, inline=False)
