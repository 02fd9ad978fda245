"""Back-propagation with real weights: the forward and backward step, and the kernel that runs a block of networks.

Vectors carry a power of two (see `range_safe`). Per network and layer the kernel returns three sums of squares with
their exponents, of h^l, x^(l-1) and delta^l; every quantity derives from them in `quantities`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from . import dense, elementwise, orthogonal
from .lanes import LANES, aligned, load, select, store
from .laws import gaussian
from .normals import fill_normals
from .params import SUM_DELTA, SUM_H, SUM_X
from .philox import ROLE_BIAS, ROLE_INPUT, ROLE_READOUT
from .range_safe import add_constants, largest, linear_part, place, saturate, settle, sum_of_squares, tail, tiny


class Work(NamedTuple):
    """Arrays of one thread: what a network needs while it is on its way, in the precision of the run."""

    weights: np.ndarray  # every layer's, as `dense` or `orthogonal` store them
    words: np.ndarray  # random words of a few tiles
    h: np.ndarray  # (depth * padded,) preactivations
    x: np.ndarray  # (padded,) activations of one layer; going backward its slopes
    delta: np.ndarray  # (padded,)
    y: np.ndarray  # (padded,) W^T delta
    live: np.ndarray  # (padded,) 1 up to the width, then 0
    scalars: np.ndarray  # standard deviations: of the draws of the weight law, of the biases, of the readout


class Slopes(NamedTuple):
    """One-sided slopes of phi at 0 and at infinity (NaN where they do not exist), and whether phi(0) = 0."""

    zero: tuple[float, float]
    infinity: tuple[float, float]
    through_zero: bool
    tail_sign: float


def add_bias(cell, network, layer, work, start, exponent):
    """h + b in common units; returns their exponent. The smaller of the two units is scaled down, never up."""
    fill_normals(cell, network, layer, ROLE_BIAS, work.scalars[1], work.live, work.y)
    shrink_h = math.ldexp(1.0, max(min(exponent, 0), -1074))
    shrink_b = math.ldexp(1.0, max(min(-exponent, 0), -1074))
    for i in range(0, len(work.live), LANES):
        store(work.h, start + i, load(work.h, start + i) * shrink_h + load(work.y, i) * shrink_b)
    return max(exponent, 0)


def preactivate(cell, network, layer, work, start, exponent):
    """W x, in units of 2^exponent, to h in reach of the activation; returns the exponent that remains."""
    mask(work.h, start, work.live)
    if cell.sigma_b > 0.0:
        exponent = add_bias(cell, network, layer, work, start, exponent)
    return place(work.h, start, start + len(work.live), exponent)


def activate(phi, log_phi, slopes, alpha, work, start, shift):
    """x = phi(h) for the layer stored at `start`, h in units of 2^shift; returns the exponent of x."""
    stop = start + len(work.live)
    if shift < 0 and slopes.through_zero:
        linear_part(slopes.zero, work.h, start, stop, work.x)
        return settle(work.x, 0, len(work.live), shift, largest(work.x, 0, len(work.live)))
    if shift > 0 and linear_part(slopes.infinity, work.h, start, stop, work.x):
        add_constants(phi, alpha, slopes.infinity, work.h, start, stop, work.x, shift)
        saturate(work.h, start, stop, shift)
        return settle(work.x, 0, len(work.live), shift, largest(work.x, 0, len(work.live)))
    if shift != 0:
        saturate(work.h, start, stop, shift)
    for i in range(0, len(work.live), LANES):
        store(work.x, i, select(load(work.live, i) > 0.0, phi(load(work.h, start + i), alpha), 0.0))
    exponent, size = 0, largest(work.x, 0, len(work.live))
    if size < tiny(work.x):
        exponent = tail(log_phi, slopes.tail_sign, alpha, work.h[start:stop], work.x, work.live, work.x)
        size = largest(work.x, 0, len(work.live))
    return settle(work.x, 0, len(work.live), exponent, size)


def differentiate(dphi, log_dphi, slopes, alpha, work, start, exponent):
    """delta = phi'(h) y for the layer stored at `start`, y in units of 2^exponent; returns the exponent of delta."""
    padded = len(work.live)
    exponent = settle(work.y, 0, padded, exponent, largest(work.y, 0, padded))
    for i in range(0, padded, LANES):
        slope = select(load(work.live, i) > 0.0, dphi(load(work.h, start + i), alpha), 0.0)
        store(work.x, i, slope)
        store(work.delta, i, slope * load(work.y, i))
    size = largest(work.delta, 0, padded)
    if size < tiny(work.delta):
        h = work.h[start : start + padded]
        exponent += tail(log_dphi, slopes.tail_sign, alpha, h, work.x, work.y, work.delta)
        exponent, size = max(exponent, -(2**60)), largest(work.delta, 0, padded)
    return settle(work.delta, 0, padded, exponent, size)


def mask(values, start, live):
    """Zero in the padding."""
    for i in range(0, len(live), LANES):
        store(values, start + i, load(values, start + i) * load(live, i))


def build(phi, dphi, log_phi, log_dphi, law):
    """The block kernel of an activation and a weight law, to be compiled or interpreted."""
    draw, has_zeros = law.draw, law.has_zeros
    forward, backward = layout(law).forward, layout(law).backward
    draw = gaussian if draw is None else draw

    def run_block(cell, slopes, first, work, sums, exponents):
        """Networks first .. first + count - 1 into sums and exponents, both (3, count, depth)."""
        padded = len(work.live)
        one = work.live[0]
        for n in range(sums.shape[1]):
            network = first + n
            fill_normals(cell, network, 0, ROLE_INPUT, one, work.live, work.x)
            exponent, broken, lost = 0, 0.0, False
            for layer in range(1, cell.depth + 1):
                start = (layer - 1) * padded
                sums[SUM_X, n, layer - 1] = sum_of_squares(work.x, 0, padded)
                exponents[SUM_X, n, layer - 1] = exponent
                forward(draw, cell, network, layer, work.scalars[0], work, start)
                shift = preactivate(cell, network, layer, work, start, exponent)
                sums[SUM_H, n, layer - 1] = sum_of_squares(work.h, start, start + padded)
                exponents[SUM_H, n, layer - 1] = shift
                broken += 0.0 * sums[SUM_H, n, layer - 1]
                exponent = activate(phi, log_phi, slopes, cell.alpha, work, start, shift)
                if has_zeros and not lost:
                    lost = elementwise.is_lost_forward(phi, log_phi, cell, work, start)
            fill_normals(cell, network, 0, ROLE_READOUT, work.scalars[2], work.live, work.y)
            work.y[0] += broken  # NaN if any h was not finite: a comparison in dphi may have lost it
            exponent = 0
            for layer in range(cell.depth, 0, -1):
                start = (layer - 1) * padded
                exponent = differentiate(dphi, log_dphi, slopes, cell.alpha, work, start, exponent)
                if has_zeros and not lost:
                    lost = elementwise.is_lost_backward(log_dphi, cell.alpha, work, start)
                sums[SUM_DELTA, n, layer - 1] = sum_of_squares(work.delta, 0, padded)
                exponents[SUM_DELTA, n, layer - 1] = exponent
                if layer > 1:
                    backward(cell, layer, work.weights, work.delta, work.y)
                    mask(work.y, 0, work.live)
            if has_zeros and lost:
                out = sums[:, n], exponents[:, n]
                elementwise.run_again(phi, dphi, log_phi, log_dphi, slopes, cell, network, work, *out)

    return run_block


def layout(law):
    """Where the weights of a law are stored, and how."""
    return orthogonal if law.draw is None else dense


def allocate(cell, dtype, law):
    """Work for a cell."""
    row = -(-cell.width // LANES) * LANES
    empty = lambda n: aligned(n, dtype)  # noqa: E731
    live = empty(row)
    live[: cell.width] = 1
    scalars = np.array([law.deviation(cell), cell.sigma_b, 1.0 / math.sqrt(cell.width)], dtype)
    weights, words = empty(cell.depth * layout(law).storage(cell.width)), aligned(dense.AHEAD * dense.TILE, np.int32)
    return Work(weights, words, empty(cell.depth * row), empty(row), empty(row), empty(row), live, scalars)


def matrices(cell, network, work, law):
    """W (L, N, N) of the last network that ran."""
    return np.array([layout(law).matrix(work.weights, layer, cell.width) for layer in range(1, cell.depth + 1)])


def draw_vectors(cell, network, work, out):
    """Input, biases of layers 1 .. L and readout of one network, as rows of `out` (L + 2, N)."""
    for row in range(len(out)):
        if row == 0:
            fill_normals(cell, network, 0, ROLE_INPUT, work.live[0], work.live, work.y)
        elif row <= cell.depth:
            fill_normals(cell, network, row, ROLE_BIAS, work.scalars[1], work.live, work.y)
        else:
            fill_normals(cell, network, 0, ROLE_READOUT, work.scalars[2], work.live, work.y)
        out[row] = work.y[: cell.width]
