"""A recurrent layer with one tied matrix, forward and backward through time.

x_t = phi(W x_(t-1) + U s_t + b), where the symbol s_t is one-hot, so that U s_t is a column of U; x_0 = 0. The outputs
V x_T + c are compared with the target after the last step only. Going backward, delta_T = phi'(h_T) * V^T dC/do and
delta_(t-1) = phi'(h_(t-1)) * W^T delta_t (Elman 1990, doi:10.1207/s15516709cog1402_1; Werbos 1990,
doi:10.1109/5.58337).

Arrays hold a row per step and sample. The gradient of W is one product over all of them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim_core.lanes import LANES, aligned, load, splat, store

from .descent import apply, square_length
from .products import Matrix, multiply, padded, transpose

RECURRENT_HISTORY = 3
"""Columns of the history of steps: cost, share of wrong answers, length of the whole gradient before it is cut."""


class Recurrent(NamedTuple):
    """A recurrent network as a kernel sees it: numbers only. Parameters: U, W^T, b, V^T, c, a row per input each."""

    symbols: int
    width: int
    alpha: float


class RecurrentWork(NamedTuple):
    """Arrays of one thread, in the precision of the run."""

    h: np.ndarray  # (batch, padded width): preactivations of a step; going backward dC/dx
    x: np.ndarray  # (steps + 1, batch, padded width): activations, x_0 = 0
    slope: np.ndarray  # (steps, batch, padded width): phi'(h)
    delta: np.ndarray  # the same: dC/dh
    outputs: np.ndarray  # (batch, padded symbols)
    errors: np.ndarray  # the same: dC/do
    live: np.ndarray  # (padded symbols,): 1 at symbols, 0 beyond
    transposed: np.ndarray  # W and then V, a row per neuron and per symbol
    gradient: np.ndarray  # as the parameters


def places(net):
    """Where W^T, b, V^T and c begin, and the number of parameters."""
    row, out = padded(net.width), padded(net.symbols)
    w = net.symbols * row
    b = w + net.width * row
    return w, b, b + row, b + row + net.width * out, b + row + (net.width + 1) * out


def allocate_recurrent(net: Recurrent, batch: int, steps: int, dtype: np.dtype) -> RecurrentWork:
    """Work for batches of sequences."""
    row, out = batch * padded(net.width), batch * padded(net.symbols)
    live = aligned(padded(net.symbols), dtype)
    live[: net.symbols] = 1
    whole = (net.width + net.symbols) * padded(net.width)
    return RecurrentWork(
        aligned(row, dtype),
        aligned((steps + 1) * row, dtype),
        aligned(steps * row, dtype),
        aligned(steps * row, dtype),
        aligned(out, dtype),
        aligned(out, dtype),
        live,
        aligned(whole, dtype),
        aligned(int(places(net)[-1]), dtype),
    )


def add_gradients(net, symbols, work):
    """The gradients of U, W and b from all deltas, which lie side by side."""
    size, batch, steps = padded(net.width), symbols.shape[0], symbols.shape[1]
    w, bias, _, _, _ = places(net)
    for i in range(0, w, LANES):
        store(work.gradient, i, splat(load(work.gradient, i), 0.0))
    for i in range(0, size, LANES):
        total = splat(load(work.delta, i), 0.0)
        for n in range(batch):
            for t in range(steps):
                delta = load(work.delta, (t * batch + n) * size + i)
                k = symbols[n, t] * size + i
                store(work.gradient, k, load(work.gradient, k) + delta)
                total = total + delta
        store(work.gradient, bias + i, total)
    x, delta = Matrix(work.x, 0, 1, size), Matrix(work.delta, 0, size, 1)
    multiply(x, delta, Matrix(work.gradient, w, size, 1), net.width, net.width, steps * batch)


def add_output_gradients(net, batch, steps, work):
    """The gradients of V and c from dC/do."""
    size, out = padded(net.width), padded(net.symbols)
    _, _, v, c, _ = places(net)
    for i in range(0, out, LANES):
        total = splat(load(work.errors, i), 0.0)
        for n in range(batch):
            total = total + load(work.errors, n * out + i)
        store(work.gradient, c + i, total)
    x, errors = Matrix(work.x, steps * batch * size, 1, size), Matrix(work.errors, 0, out, 1)
    multiply(x, errors, Matrix(work.gradient, v, out, 1), net.width, net.symbols, batch)


def turn_weights(net, theta, work):
    """W and V, a row per neuron and per symbol, for the way back."""
    size, out = padded(net.width), padded(net.symbols)
    w, _, v, _, _ = places(net)
    transpose(Matrix(theta, w, size, 1), Matrix(work.transposed, 0, size, 1), net.width, net.width)
    turned = Matrix(work.transposed, net.width * size, size, 1)
    transpose(Matrix(theta, v, out, 1), turned, net.width, net.symbols)


def step_parameters(net, rule, length, theta, velocity, work):
    """One step of descent from a gradient of this length."""
    scale = rule.clip / length if length > rule.clip else 1.0
    _, b, v, c, end = places(net)
    apply(rule, scale, rule.decay, 0, b, theta, velocity, work.gradient)
    apply(rule, scale, 0.0, b, v, theta, velocity, work.gradient)
    apply(rule, scale, rule.decay, v, c, theta, velocity, work.gradient)
    apply(rule, scale, 0.0, c, end, theta, velocity, work.gradient)


def build_recurrent(phi, dphi, compare):
    """The kernel that trains one recurrent network, and what it calls."""

    def activate_step(net, symbols, t, theta, work):
        """x_t and phi'(h_t) from W x_(t-1) in work.h."""
        size, batch = padded(net.width), symbols.shape[0]
        _, bias, _, _, _ = places(net)
        for n in range(batch):
            for i in range(0, size, LANES):
                h = load(work.h, n * size + i) + load(theta, symbols[n, t] * size + i) + load(theta, bias + i)
                store(work.x, ((t + 1) * batch + n) * size + i, phi(h, net.alpha))
                store(work.slope, (t * batch + n) * size + i, dphi(h, net.alpha))

    def propagate_through_time(net, theta, symbols, targets, work):
        """The gradient of a batch into work.gradient; its cost, and how many answers are wrong."""
        size, out, batch, steps = padded(net.width), padded(net.symbols), symbols.shape[0], symbols.shape[1]
        row = batch * size
        w, _, v, c, _ = places(net)
        h, weights = Matrix(work.h, 0, size, 1), Matrix(theta, w, size, 1)
        for t in range(steps):
            multiply(Matrix(work.x, t * row, size, 1), weights, h, batch, net.width, net.width)
            activate_step(net, symbols, t, theta, work)
        outputs = Matrix(work.outputs, 0, out, 1)
        last = Matrix(work.x, steps * row, size, 1)
        multiply(last, Matrix(theta, v, out, 1), outputs, batch, net.symbols, net.width)
        for n in range(batch):
            for i in range(0, out, LANES):
                store(work.outputs, n * out + i, load(work.outputs, n * out + i) + load(theta, c + i))
        cost, wrong = compare(outputs, targets, work.errors, work.live, net.symbols, batch)
        turn_weights(net, theta, work)
        errors, turned = Matrix(work.errors, 0, out, 1), Matrix(work.transposed, net.width * size, size, 1)
        multiply(errors, turned, h, batch, net.width, net.symbols)
        back = Matrix(work.transposed, 0, size, 1)
        for t in range(steps - 1, -1, -1):
            for k in range(0, row, LANES):
                store(work.delta, t * row + k, load(work.slope, t * row + k) * load(work.h, k))
            if t > 0:
                multiply(Matrix(work.delta, t * row, size, 1), back, h, batch, net.width, net.width)
        add_gradients(net, symbols, work)
        add_output_gradients(net, batch, steps, work)
        return cost, wrong

    def descend_through_time(net, rule, replica, symbols, targets, work, history):
        """One step of descent for every batch: symbols (batches, batch, T), targets one-hot, a row per sequence."""
        theta, velocity, _ = replica
        batch, out = symbols.shape[1], padded(net.symbols)
        for k in range(len(symbols)):
            some = Matrix(targets, k * batch * out, out, 1)
            cost, wrong = propagate_through_time(net, theta, symbols[k], some, work)
            length = math.sqrt(square_length(work.gradient, 0, len(work.gradient)))
            history[k, 0], history[k, 1], history[k, 2] = cost, wrong / batch, length
            step_parameters(net, rule, length, theta, velocity, work)

    return activate_step, propagate_through_time, descend_through_time
