"""Gradient descent with clipping, L2 decay, momentum and mini-batches, and the history of the epochs."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, convert, fma, lane_sum, load, splat, store
from gradsim_core.linear.products import Matrix, padded

from .layout import Batch
from .passes import biases_at

COST, ERROR, FIRST_LENGTH = range(3)
"""Columns of the history: cost, fraction of wrong answers; then |dC/db|, |dC/dW|, |W - W_0|, each of layers 1 .. L."""


class Replica(NamedTuple):
    """The state of one replica in training: flat arrays, laid out as `layout` says."""

    parameters: np.ndarray  # changed in place
    velocity: np.ndarray  # of the parameters, changed in place
    origin: np.ndarray  # the parameters at the start


class Rule(NamedTuple):
    """A step of descent: v = momentum v - eta (g + decay W), W = W + v.

    g is the gradient of the mean cost of a batch, scaled down to the length `clip` (over all parameters) if it is
    longer. `batch` is the number of samples of a batch. Biases and gains do not decay.
    """

    batch: int
    eta: float
    decay: float = 0.0
    momentum: float = 0.0
    clip: float = math.inf


class Span(NamedTuple):
    """Parameters start .. stop - 1, with the same decay."""

    start: int
    stop: int
    decay: float


def square_length(array, start, stop):
    """Sum of squares of array[start:stop], which are whole vectors, in float64."""
    total = convert(splat(load(array, start), 0.0), 1.0)
    for i in range(start, stop, LANES):
        value = convert(load(array, i), 1.0)
        total = fma(value, value, total)
    return lane_sum(total)


def square_distance(array, origin, start, stop):
    """Squared distance between array[start:stop] and origin[start:stop], in float64."""
    total = convert(splat(load(array, start), 0.0), 1.0)
    for i in range(start, stop, LANES):
        value = convert(load(array, i), 1.0) - convert(load(origin, i), 1.0)
        total = fma(value, value, total)
    return lane_sum(total)


def record(net, cost, wrong, theta, origin, work, row):
    """Write a row of the history: cost, fraction of wrong answers, gradient lengths per layer, distances per layer."""
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
    """One step for the parameters of a span, in place; the gradient is multiplied by `scale`."""
    for i in range(span.start, span.stop, LANES):
        parameter = load(theta, i)
        g = fma(parameter, span.decay, load(gradient, i) * scale)
        v = load(velocity, i) * rule.momentum - g * rule.eta
        store(velocity, i, v)
        store(theta, i, parameter + v)


def scale_of(rule, length):
    """The factor that clips a gradient of this length."""
    return rule.clip / length if length > rule.clip else 1.0


def update(net, rule, theta, velocity, work):
    """One step of descent with the gradient in work; changes theta and velocity in place."""
    scale = 1.0
    if rule.clip < math.inf:
        scale = scale_of(rule, math.sqrt(square_length(work.gradient, 0, net.first[len(net.widths)])))
    for layer in range(1, len(net.widths)):
        start, bias, stop = net.first[layer], biases_at(net, layer), net.first[layer + 1]
        apply(rule, scale, Span(start, bias, rule.decay), theta, velocity, work.gradient)
        apply(rule, scale, Span(bias, stop, 0.0), theta, velocity, work.gradient)


def gather(source, row, rows, out):
    """Copy the given rows of a data set, each of `row` numbers, to `out` as a mini-batch."""
    for n in range(len(rows)):
        first = rows[n] * row
        for i in range(row):
            out[n * row + i] = source[first + i]


def build(propagate):
    """The kernel that trains one replica."""

    def descend(net, rule, replica, data, order, work, history):
        """Train for len(history) - 1 epochs.

        Row e of `history` describes the whole set before epoch e, the last row after the last epoch. `order`, int64
        (epochs, samples), is the order in which an epoch takes the samples; it is not used if a batch is the whole
        set. `replica` and `history` are changed in place.
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
