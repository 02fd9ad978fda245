"""Layer, batch and rms normalisation, forward and backward.

The first two standardise preactivations, z^ = (z - mean) / sqrt(variance + epsilon), with mean and variance over the
neurons of a sample (layer: Ba et al., arXiv:1607.06450) or over the samples of a batch (batch: Ioffe and Szegedy,
arXiv:1502.03167). The third divides by the root of the mean square of a sample (Zhang and Sennrich, arXiv:1910.07467).
Training applies a gain and a bias afterwards, in `training.passes`.

Arrays hold a row per sample, padded with zeros. In `z` a layer is at the position of its `layout.Block`, in `error` it
begins at 0. `live` is 1 at neurons and 0 beyond. `inverse` is 1 / sqrt(variance + epsilon), one number per sample or
per neuron. `epsilon` is `EPSILON`, in the units of z^2.
"""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.lanes import LANES, fma, lane_sum, load, splat, sqrt, store

NONE, BATCH, LAYER = range(3)
NORMALISATIONS = ("none", "batch", "layer")
EPSILON = 1e-5


def standardised_backward(error, z, mean_error, mean_product, inverse):
    """dC/dz from error = dC/dz^, its mean, the mean of its product with z^, and `inverse`; z is z^."""
    return (error - mean_error - z * mean_product) * inverse


def standardise_rows(z, block, live, inverse, epsilon):
    """Standardise each row of z in place over its neurons; writes `inverse` (samples,)."""
    width, size = block.width, block.size
    for n in range(block.samples):
        row = block.start + n * size
        total = splat(load(z, row), 0.0)
        for i in range(0, size, LANES):
            total = total + load(z, row + i)
        mean, square = splat(total, lane_sum(total)) / width, splat(total, 0.0)
        for i in range(0, size, LANES):
            d = (load(z, row + i) - mean) * load(live, i)
            store(z, row + i, d)
            square = fma(d, d, square)
        factor = 1.0 / sqrt(splat(square, lane_sum(square)) / width + epsilon)
        inverse[n] = lane_sum(factor) / LANES
        for i in range(0, size, LANES):
            store(z, row + i, load(z, row + i) * factor)


def standardise_rows_backward(error, z, block, live, inverse):
    """Replace dC/dz^ in `error` by dC/dz, for z standardised by rows."""
    width, size = block.width, block.size
    for n in range(block.samples):
        row, total = block.start + n * size, splat(load(z, block.start), 0.0)
        product = total
        for i in range(0, size, LANES):
            e = load(error, n * size + i)
            total, product = total + e, fma(e, load(z, row + i), product)
        mean, mean_product = splat(total, lane_sum(total)) / width, splat(total, lane_sum(product)) / width
        factor = splat(total, inverse[n])
        for i in range(0, size, LANES):
            e = standardised_backward(load(error, n * size + i), load(z, row + i), mean, mean_product, factor)
            store(error, n * size + i, e * load(live, i))


def scale_rows(z, block, inverse, epsilon):
    """Divide each row of z in place by the root of its mean square; writes `inverse` (samples,)."""
    for n in range(block.samples):
        row = block.start + n * block.size
        square = splat(load(z, row), 0.0)
        for i in range(0, block.size, LANES):
            square = fma(load(z, row + i), load(z, row + i), square)
        factor = 1.0 / sqrt(splat(square, lane_sum(square)) / block.width + epsilon)
        inverse[n] = lane_sum(factor) / LANES
        for i in range(0, block.size, LANES):
            store(z, row + i, load(z, row + i) * factor)


def scale_rows_backward(error, z, block, inverse):
    """Replace dC/dz^ in `error` by dC/dz, for z scaled by rows."""
    for n in range(block.samples):
        row, product = block.start + n * block.size, splat(load(z, block.start), 0.0)
        for i in range(0, block.size, LANES):
            product = fma(load(error, n * block.size + i), load(z, row + i), product)
        mean_product, factor = splat(product, lane_sum(product)) / block.width, splat(product, inverse[n])
        for i in range(0, block.size, LANES):
            e = standardised_backward(load(error, n * block.size + i), load(z, row + i), 0.0, mean_product, factor)
            store(error, n * block.size + i, e)


def standardise_columns(z, block, inverse, epsilon):
    """Standardise each column of z in place over the samples; writes `inverse` (size,)."""
    first, samples, size = block.start, block.samples, block.size
    for i in range(0, size, LANES):
        total = splat(load(z, first + i), 0.0)
        square = total
        for n in range(samples):
            total = total + load(z, first + n * size + i)
        mean = total / samples
        for n in range(samples):
            d = load(z, first + n * size + i) - mean
            square = fma(d, d, square)
        factor = 1.0 / sqrt(square / samples + epsilon)
        store(inverse, i, factor)
        for n in range(samples):
            k = first + n * size + i
            store(z, k, (load(z, k) - mean) * factor)


def standardise_columns_backward(error, z, block, inverse):
    """Replace dC/dz^ in `error` by dC/dz, for z standardised by columns."""
    first, samples, size = block.start, block.samples, block.size
    for i in range(0, size, LANES):
        total = splat(load(z, first + i), 0.0)
        product = total
        for n in range(samples):
            e = load(error, n * size + i)
            total, product = total + e, fma(e, load(z, first + n * size + i), product)
        mean, mean_product, factor = total / samples, product / samples, load(inverse, i)
        for n in range(samples):
            k = n * size + i
            e = standardised_backward(load(error, k), load(z, first + k), mean, mean_product, factor)
            store(error, k, e)


def standardise_two_backward(error, size, inverse, epsilon):
    """As `standardise_columns_backward` for two samples: (e_1 - e_2) / 2 inverse^3 epsilon, with opposite signs.

    z^ and errors less their means have opposite signs in the two, so all else cancels. The caller may keep powers of
    two of epsilon aside.
    """
    for i in range(0, size, LANES):
        factor = load(inverse, i)
        e = (load(error, i) - load(error, size + i)) * 0.5
        e = e * factor * (factor * factor * splat(factor, epsilon))
        store(error, i, e)
        store(error, size + i, e * -1.0)


jit.register_leaves(__name__, inline=False)
