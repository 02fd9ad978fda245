"""Forward and backward through a fully connected network, a whole batch at a time, layer by layer.

Going forward z = W x, standardised where the layer is normalised, then h = gain z + b and x = phi(h), plus the layer
below in a residual layer. Going backward the gradient of every parameter, of the cost's mean over the batch.
"""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.elementary import exp, log
from gradsim_core.lanes import LANES, convert, fma, lane_max, lane_sum, load, select, splat, store

from .normalisation import (
    BATCH,
    NONE,
    standardise_columns,
    standardise_columns_backward,
    standardise_rows,
    standardise_rows_backward,
)
from .products import Matrix, multiply, padded, transpose


def weights_of(net, layer, array):
    """The weights of a layer, or their gradient: a row per input."""
    return Matrix(array, net.first[layer], padded(net.widths[layer]), 1)


def biases_at(net, layer):
    """Where the biases of a layer begin; its gains follow."""
    return net.first[layer] + net.widths[layer - 1] * padded(net.widths[layer])


def is_residual(net, layer):
    """Whether the layer below is added to a layer's activations."""
    return net.residual == 1 and 1 < layer < len(net.widths) - 1 and net.widths[layer] == net.widths[layer - 1]


def activations_of(net, layer, inputs, samples, work):
    """x of a layer; layer 0 are the inputs."""
    if layer == 0:
        return inputs
    return Matrix(work.x, samples * net.column[layer], padded(net.widths[layer]), 1)


def standardise(net, layer, samples, work):
    """z of a hidden layer, standardised as the network asks."""
    size, start = padded(net.widths[layer]), samples * net.column[layer]
    kept, live = len(work.inverse) // len(net.widths), work.live[net.column[layer] : net.column[layer + 1]]
    inverse = work.inverse[layer * kept : (layer + 1) * kept]
    if net.normalisation == BATCH:
        standardise_columns(work.z, start, samples, size, inverse)
    else:
        standardise_rows(work.z, start, samples, net.widths[layer], size, live, inverse)


def standardise_backward(net, layer, samples, theta, work):
    """dC/dz of a hidden layer in work.delta, from dC/dh; the gradient of the gains on the way."""
    size, start, gains = padded(net.widths[layer]), samples * net.column[layer], biases_at(net, layer)
    gains = gains + size
    for i in range(0, size, LANES):
        gain = load(theta, gains + i)
        total = splat(gain, 0.0)
        for k in range(i, samples * size, size):
            delta = load(work.delta, k)
            total = fma(delta, load(work.z, start + k), total)
            store(work.delta, k, delta * gain)
        store(work.gradient, gains + i, total)
    kept, live = len(work.inverse) // len(net.widths), work.live[net.column[layer] : net.column[layer + 1]]
    inverse = work.inverse[layer * kept : (layer + 1) * kept]
    if net.normalisation == BATCH:
        standardise_columns_backward(work.delta, work.z, start, samples, size, inverse)
    else:
        standardise_rows_backward(work.delta, work.z, start, samples, net.widths[layer], size, live, inverse)


def sum_rows(source, row, rows, target, start):
    """target[start : start + row] is the sum of `rows` rows of `row` numbers, which lie at the start of the source."""
    for i in range(0, row, LANES):
        total = splat(load(source, i), 0.0)
        for k in range(i, rows * row, row):
            total = total + load(source, k)
        store(target, start + i, total)


def sum_columns(net, layer, samples, work):
    """The gradient of the biases: delta summed over the samples; that of gains is 0 until they turn out to be used."""
    size, start = padded(net.widths[layer]), biases_at(net, layer)
    sum_rows(work.delta, size, samples, work.gradient, start)
    for i in range(start + size, start + 2 * size, LANES):
        store(work.gradient, i, splat(load(work.gradient, i), 0.0))


def largest(h, start, width):
    """Index of the largest of `width` numbers; -1 if one is NaN."""
    best = 0
    for i in range(width):
        if h[start + i] != h[start + i]:
            return -1
        if h[start + i] > h[start + best]:
            best = i
    return best


def normaliser_of(h, start, size, live):
    """ln sum e^h of a row, as one number in every lane."""
    peak = splat(load(h, start), -1e30)
    for i in range(0, size, LANES):
        value = select(load(live, i) > 0.0, load(h, start + i), -1e30)
        peak = select(value > peak, value, peak)
    peak = splat(peak, lane_max(peak))
    total = splat(peak, 0.0)
    for i in range(0, size, LANES):
        # Beyond the outputs h is 0, which far above their peak would be an infinity.
        total = total + select(load(live, i) > 0.0, exp(load(h, start + i) - peak), 0.0)
    return log(splat(total, lane_sum(total))) + peak


def add_biases(net, layer, samples, theta, work):
    """h of the outputs, in place of z."""
    size, start, bias = padded(net.widths[layer]), samples * net.column[layer], biases_at(net, layer)
    for i in range(0, size, LANES):
        b = load(theta, bias + i)
        for k in range(start + i, start + samples * size, size):
            store(work.z, k, load(work.z, k) + b)


def build_comparison(error, normalised):
    """What compares the outputs of a batch with their targets by a cost."""

    def compare(h, targets, delta, live, width, samples):
        """Cost and wrong answers of a batch, and dC/dh of the outputs, of the mean over the batch, into delta."""
        cost, wrong = 0.0, 0
        for n in range(samples):
            row, target = h.start + n * h.row, targets.start + n * targets.row
            normaliser = splat(load(h.array, row), 0.0)
            if normalised:
                normaliser = normaliser_of(h.array, row, h.row, live)
            for i in range(0, h.row, LANES):
                value, difference = error(load(h.array, row + i), load(targets.array, target + i), normaliser)
                store(delta, n * h.row + i, select(load(live, i) > 0.0, difference / samples, 0.0))
                cost += lane_sum(convert(select(load(live, i) > 0.0, value, 0.0), 1.0))
            wrong += largest(h.array, row, width) != largest(targets.array, target, width)
        return cost / samples, wrong

    return compare


def build(phi, dphi, compare):
    """The pass through a network of an activation and a cost."""

    def activate(net, layer, samples, inputs, theta, work):
        size, start = padded(net.widths[layer]), samples * net.column[layer]
        bias = biases_at(net, layer)
        below = activations_of(net, layer - 1, inputs, samples, work)
        for i in range(0, size, LANES):
            b, gain = load(theta, bias + i), load(theta, bias + size + i)
            for n in range(samples):
                k = start + n * size + i
                h = load(work.z, k) + b if net.normalisation == NONE else fma(load(work.z, k), gain, b)
                x = phi(h, net.alpha)
                store(work.slope, k, dphi(h, net.alpha))
                if is_residual(net, layer):
                    x = x + load(below.array, below.start + n * below.row + i)
                store(work.x, k, x)

    def propagate(net, theta, inputs, targets, samples, work):
        """The gradient of a batch into work.gradient; returns its cost, and how many answers are wrong."""
        last = len(net.widths) - 1
        for layer in range(1, last + 1):
            z = Matrix(work.z, samples * net.column[layer], padded(net.widths[layer]), 1)
            x = activations_of(net, layer - 1, inputs, samples, work)
            multiply(x, weights_of(net, layer, theta), z, samples, net.widths[layer], net.widths[layer - 1])
            if layer < last:
                if net.normalisation != NONE:
                    standardise(net, layer, samples, work)
                activate(net, layer, samples, inputs, theta, work)
        add_biases(net, last, samples, theta, work)
        width, h = net.widths[last], activations_of(net, last, inputs, samples, work)
        live = work.live[net.column[last] : net.column[last + 1]]
        cost, wrong = compare(Matrix(work.z, h.start, h.row, 1), targets, work.delta, live, width, samples)
        for layer in range(last, 0, -1):
            size, fan_in = padded(net.widths[layer]), net.widths[layer - 1]
            if layer < last:
                for k in range(0, samples * size, LANES):
                    slope = load(work.slope, samples * net.column[layer] + k)
                    store(work.delta, k, load(work.y, k) * slope)
            sum_columns(net, layer, samples, work)
            if layer < last and net.normalisation != NONE:
                standardise_backward(net, layer, samples, theta, work)
            x, delta = activations_of(net, layer - 1, inputs, samples, work), Matrix(work.delta, 0, size, 1)
            gradient = weights_of(net, layer, work.gradient)
            multiply(Matrix(x.array, x.start, x.column, x.row), delta, gradient, fan_in, size, samples)
            if layer > 1:
                turned = Matrix(work.transposed, 0, padded(fan_in), 1)
                transpose(weights_of(net, layer, theta), turned, fan_in, net.widths[layer])
                below = Matrix(work.below, 0, padded(fan_in), 1)
                multiply(delta, turned, below, samples, fan_in, net.widths[layer])
                for k in range(0, samples * padded(fan_in), LANES):
                    y = load(work.below, k)
                    if is_residual(net, layer):
                        y = y + load(work.y, k)
                    store(work.y, k, y)
        return cost, wrong

    return activate, propagate


jit.register_leaves(__name__, inline=False)
