"""Gradient descent: clipping, L2, momentum, mini-batches, and what is recorded of every epoch."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, convert, fma, lane_sum, load, splat, store

from .layout import Batch
from .passes import biases_at
from .products import Matrix, padded

COST, ERROR, FIRST_LENGTH = range(3)
"""Columns of the history: cost, share of wrong answers, then |dC/db|, |dC/dW| and |W - W_0| of layers 1 .. L each."""


class Replica(NamedTuple):
    """What training changes: parameters, their velocity, and where they were at the start."""

    parameters: np.ndarray
    velocity: np.ndarray
    origin: np.ndarray


class Rule(NamedTuple):
    """A step of descent: v = momentum v - eta (g + decay W), W = W + v.

    g is the mean gradient of a batch, cut to the length `clip` over all parameters; biases and gains do not decay.
    """

    batch: int
    eta: float
    decay: float = 0.0
    momentum: float = 0.0
    clip: float = math.inf


class Span(NamedTuple):
    """Parameters start .. stop - 1, which decay alike."""

    start: int
    stop: int
    decay: float


def square_length(array, start, stop):
    """Sum of squares of array[start:stop], whole vectors, in float64."""
    total = convert(splat(load(array, start), 0.0), 1.0)
    for i in range(start, stop, LANES):
        value = convert(load(array, i), 1.0)
        total = fma(value, value, total)
    return lane_sum(total)


def square_distance(array, origin, start, stop):
    """Square of the distance of array[start:stop] from origin[start:stop], in float64."""
    total = convert(splat(load(array, start), 0.0), 1.0)
    for i in range(start, stop, LANES):
        value = convert(load(array, i), 1.0) - convert(load(origin, i), 1.0)
        total = fma(value, value, total)
    return lane_sum(total)


def record(net, cost, wrong, theta, origin, work, row):
    """Cost, error, the lengths of the gradient in work and the distance from the origin into a row of the history."""
    layers = len(net.widths) - 1
    row[COST], row[ERROR] = cost, wrong
    for layer in range(1, layers + 1):
        bias = biases_at(net, layer)
        size = padded(net.widths[layer])
        row[FIRST_LENGTH + layer - 1] = math.sqrt(square_length(work.gradient, bias, bias + size))
        weights = square_length(work.gradient, net.first[layer], bias)
        row[FIRST_LENGTH + layers + layer - 1] = math.sqrt(weights)
        distance = square_distance(theta, origin, net.first[layer], bias)
        row[FIRST_LENGTH + 2 * layers + layer - 1] = math.sqrt(distance)


def apply(rule, scale, span, theta, velocity, gradient):
    """One step for the parameters of a span."""
    for i in range(span.start, span.stop, LANES):
        parameter = load(theta, i)
        g = fma(parameter, span.decay, load(gradient, i) * scale)
        v = load(velocity, i) * rule.momentum - g * rule.eta
        store(velocity, i, v)
        store(theta, i, parameter + v)


def scale_of(rule, length):
    """Factor that cuts a gradient of this length."""
    return rule.clip / length if length > rule.clip else 1.0


def update(net, rule, theta, velocity, work):
    """One step of descent from the gradient in work."""
    scale = 1.0
    if rule.clip < math.inf:
        scale = scale_of(rule, math.sqrt(square_length(work.gradient, 0, net.first[len(net.widths)])))
    for layer in range(1, len(net.widths)):
        start, bias, stop = net.first[layer], biases_at(net, layer), net.first[layer + 1]
        apply(rule, scale, Span(start, bias, rule.decay), theta, velocity, work.gradient)
        apply(rule, scale, Span(bias, stop, 0.0), theta, velocity, work.gradient)


def gather(source, row, rows, out):
    """Rows of a data set, side by side for a mini-batch."""
    for n in range(len(rows)):
        first = rows[n] * row
        for i in range(row):
            out[n * row + i] = source[first + i]


def build(propagate):
    """The kernel that trains one replica."""

    def descend(net, rule, replica, data, order, work, history):
        """As many epochs as `history` has rows less one: row e is of the whole set before epoch e, the last at the end.

        `order` (epochs, samples) is the order in which an epoch takes the samples; not used in whole batches.
        """
        theta, velocity, origin = replica
        inputs, size = net.widths[0], padded(net.widths[len(net.widths) - 1])
        samples = len(data.targets) // size
        whole = Batch(Matrix(data.images, 0, inputs, 1), Matrix(data.targets, 0, size, 1), samples)
        for epoch in range(len(history)):
            cost, wrong = propagate(net, theta, whole, work)
            record(net, cost, wrong / samples, theta, origin, work, history[epoch])
            if epoch + 1 == len(history):
                break
            if rule.batch == samples:
                update(net, rule, theta, velocity, work)
            else:
                for first in range(0, samples, rule.batch):
                    rows = order[epoch, first : min(first + rule.batch, samples)]
                    gather(data.images, inputs, rows, work.inputs)
                    gather(data.targets, size, rows, work.targets)
                    part = Batch(Matrix(work.inputs, 0, inputs, 1), Matrix(work.targets, 0, size, 1), len(rows))
                    propagate(net, theta, part, work)
                    update(net, rule, theta, velocity, work)

    return descend


jit.register_leaves(__name__, inline=False)
