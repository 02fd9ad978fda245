"""Forward and backward through a fully connected network, a whole batch at a time, layer by layer.

The forward pass computes z = W x, standardises it in a normalised layer, then h = gain z + b and x = phi(h), plus the x
below in a residual layer. The backward pass computes the gradient of the cost's mean over the batch with respect to
every parameter.

In all functions `net` is a `layout.Network`, `theta` its flat parameters, and `work` a `layout.Work`; layers count
from 1.
"""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.elementary import exp, log
from gradsim_core.lanes import LANES, convert, fma, lane_max, lane_sum, load, select, splat, store
from gradsim_core.linear.products import Matrix, multiply, padded, transpose
from gradsim_core.operations.standardise import (
    BATCH,
    EPSILON,
    NONE,
    standardise_columns,
    standardise_columns_backward,
    standardise_rows,
    standardise_rows_backward,
)

from .layout import Block


def weights_of(net, layer, array):
    """The weights of a layer, or their gradient, in a flat array of parameters, as a `Matrix` with a row per input."""
    return Matrix(array, net.first[layer], padded(net.widths[layer]), 1)


def biases_at(net, layer):
    """Index of the first bias of a layer in the parameters; its gains follow."""
    return net.first[layer] + net.widths[layer - 1] * padded(net.widths[layer])


def is_residual(net, layer):
    """Whether x of the layer below is added to x of a layer."""
    return net.residual == 1 and 1 < layer < len(net.widths) - 1 and net.widths[layer] == net.widths[layer - 1]


def block_of(net, layer, samples):
    """The `Block` of a layer: its position in work.z, work.x and work.slope."""
    return Block(samples * net.column[layer], samples, net.widths[layer], padded(net.widths[layer]))


def activations_of(net, layer, batch, work):
    """x of a layer as a `Matrix`; layer 0 is the input."""
    if layer == 0:
        return batch.inputs
    return Matrix(work.x, batch.samples * net.column[layer], padded(net.widths[layer]), 1)


def inverse_at(net, layer, work):
    """Index of a layer in work.inverse."""
    return layer * (len(work.inverse) // len(net.widths))


def standardise(net, layer, samples, work):
    """Standardise z of a hidden layer in place, by the normalisation of the network."""
    block, inverse = block_of(net, layer, samples), work.inverse[inverse_at(net, layer, work) :]
    if net.normalisation == BATCH:
        standardise_columns(work.z, block, inverse, EPSILON)
    else:
        standardise_rows(work.z, block, work.live[net.column[layer] :], inverse, EPSILON)


def standardise_backward(net, layer, samples, theta, work):
    """Replace dC/dh of a hidden layer in work.delta by dC/dz; writes the gradient of the gains."""
    block, inverse = block_of(net, layer, samples), work.inverse[inverse_at(net, layer, work) :]
    gains = biases_at(net, layer) + block.size
    for i in range(0, block.size, LANES):
        gain = load(theta, gains + i)
        total = splat(gain, 0.0)
        for k in range(i, samples * block.size, block.size):
            delta = load(work.delta, k)
            total = fma(delta, load(work.z, block.start + k), total)
            store(work.delta, k, delta * gain)
        store(work.gradient, gains + i, total)
    if net.normalisation == BATCH:
        standardise_columns_backward(work.delta, work.z, block, inverse)
    else:
        standardise_rows_backward(work.delta, work.z, block, work.live[net.column[layer] :], inverse)


def sum_rows(source, row, rows, target, start):
    """Write to target[start : start + row] the sum of the first `rows` rows of `source`, of `row` numbers each."""
    for i in range(0, row, LANES):
        total = splat(load(source, i), 0.0)
        for k in range(i, rows * row, row):
            total = total + load(source, k)
        store(target, start + i, total)


def sum_columns(net, layer, samples, work):
    """Write the gradient of the biases, delta summed over the samples; that of the gains is 0 unless they are used."""
    size, start = padded(net.widths[layer]), biases_at(net, layer)
    sum_rows(work.delta, size, samples, work.gradient, start)
    for i in range(start + size, start + 2 * size, LANES):
        store(work.gradient, i, splat(load(work.gradient, i), 0.0))


def largest(h, start, width):
    """Index of the largest of `width` numbers from h[start] on; -1 if one is NaN."""
    best = 0
    for i in range(width):
        if h[start + i] != h[start + i]:
            return -1
        if h[start + i] > h[start + best]:
            best = i
    return best


def normaliser_of(h, start, size, live):
    """ln of the sum of e^h over the outputs of a row, in every lane."""
    peak = splat(load(h, start), -1e30)
    for i in range(0, size, LANES):
        value = select(load(live, i) > 0.0, load(h, start + i), -1e30)
        peak = select(value > peak, value, peak)
    peak = splat(peak, lane_max(peak))
    total = splat(peak, 0.0)
    for i in range(0, size, LANES):
        # Beyond the outputs h is 0, and exp(0 - peak) would overflow if their peak is very negative.
        total = total + select(load(live, i) > 0.0, exp(load(h, start + i) - peak), 0.0)
    return log(splat(total, lane_sum(total))) + peak


def add_biases(net, layer, samples, theta, work):
    """Replace z of the outputs by h = z + b."""
    size, start, bias = padded(net.widths[layer]), samples * net.column[layer], biases_at(net, layer)
    for i in range(0, size, LANES):
        b = load(theta, bias + i)
        for k in range(start + i, start + samples * size, size):
            store(work.z, k, load(work.z, k) + b)


def multiply_forward(net, layer, theta, batch, work):
    """Compute z = W x of a layer."""
    z = Matrix(work.z, batch.samples * net.column[layer], padded(net.widths[layer]), 1)
    x = activations_of(net, layer - 1, batch, work)
    multiply(x, weights_of(net, layer, theta), z, batch.samples, net.widths[layer], net.widths[layer - 1])


def multiply_by_slopes(net, layer, samples, work):
    """Compute dC/dh of a hidden layer, in work.delta, from dC/dx in work.y."""
    block = block_of(net, layer, samples)
    for k in range(0, samples * block.size, LANES):
        store(work.delta, k, load(work.y, k) * load(work.slope, block.start + k))


def collect(net, layer, batch, work):
    """Write the gradient of the weights of a layer, from work.delta."""
    x, delta = activations_of(net, layer - 1, batch, work), Matrix(work.delta, 0, padded(net.widths[layer]), 1)
    x_transposed, gradient = Matrix(x.array, x.start, x.column, x.row), weights_of(net, layer, work.gradient)
    multiply(x_transposed, delta, gradient, net.widths[layer - 1], delta.row, batch.samples)


def multiply_backward(net, layer, theta, samples, work):
    """Compute dC/dx of the layer below, in work.y, from work.delta."""
    fan_in, width = net.widths[layer - 1], net.widths[layer]
    size = padded(fan_in)
    transposed, below = Matrix(work.transposed, 0, size, 1), Matrix(work.below, 0, size, 1)
    transpose(weights_of(net, layer, theta), transposed, fan_in, width)
    multiply(Matrix(work.delta, 0, padded(width), 1), transposed, below, samples, fan_in, width)
    for k in range(0, samples * size, LANES):
        y = load(work.below, k)
        if is_residual(net, layer):
            y = y + load(work.y, k)
        store(work.y, k, y)


def go_backward(net, theta, batch, work):
    """Write the gradient of every parameter to work.gradient, from dC/dh of the outputs in work.delta."""
    last = len(net.widths) - 1
    for layer in range(last, 0, -1):
        if layer < last:
            multiply_by_slopes(net, layer, batch.samples, work)
        sum_columns(net, layer, batch.samples, work)
        if layer < last and net.normalisation != NONE:
            standardise_backward(net, layer, batch.samples, theta, work)
        collect(net, layer, batch, work)
        if layer > 1:
            multiply_backward(net, layer, theta, batch.samples, work)


def build_comparison(error, normalised):
    """The function that compares outputs with targets, from `Cost.error` and `Cost.normalised`."""

    def compare(h, targets, delta, live, width, samples):
        """Return the mean cost of a batch and how many answers are wrong; writes dC/dh of the mean cost to delta.

        `h` and `targets` are `Matrix`es with a row per sample; `live` is 1 at the `width` outputs and 0 beyond.
        """
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
    """The functions of one pass: activate, propagate. `compare` is made by `build_comparison`."""

    def activate(net, layer, theta, batch, work):
        """Compute x and phi'(h) of a hidden layer from z."""
        block, bias = block_of(net, layer, batch.samples), biases_at(net, layer)
        below = activations_of(net, layer - 1, batch, work)
        for i in range(0, block.size, LANES):
            b, gain = load(theta, bias + i), load(theta, bias + block.size + i)
            for n in range(batch.samples):
                k = block.start + n * block.size + i
                h = load(work.z, k) + b if net.normalisation == NONE else fma(load(work.z, k), gain, b)
                x = phi(h, net.alpha)
                store(work.slope, k, dphi(h, net.alpha))
                if is_residual(net, layer):
                    x = x + load(below.array, below.start + n * below.row + i)
                store(work.x, k, x)

    def propagate(net, theta, batch, work):
        """Write the gradient of a `Batch` to work.gradient; returns its mean cost and how many answers are wrong."""
        last = len(net.widths) - 1
        for layer in range(1, last):
            multiply_forward(net, layer, theta, batch, work)
            if net.normalisation != NONE:
                standardise(net, layer, batch.samples, work)
            activate(net, layer, theta, batch, work)
        multiply_forward(net, last, theta, batch, work)
        add_biases(net, last, batch.samples, theta, work)
        h = Matrix(work.z, batch.samples * net.column[last], padded(net.widths[last]), 1)
        live = work.live[net.column[last] :]
        cost, wrong = compare(h, batch.targets, work.delta, live, net.widths[last], batch.samples)
        go_backward(net, theta, batch, work)
        return cost, wrong

    return activate, propagate


jit.register_leaves(__name__, inline=False)
