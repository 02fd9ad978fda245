"""Back-propagation with real weights: the forward and backward step, and the kernel that runs a block of networks.

Vectors carry a power of two (see `range_safe`). Per network and layer the kernel returns three sums of squares with
their exponents, of h^l, x^(l-1) and delta^l; every quantity derives from them in `quantities`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, aligned, convert, fma, lane_sum, load, select, splat, store
from gradsim_core.laws import dense, gaussian, orthogonal
from gradsim_core.parameters import SUM_DELTA, SUM_H, SUM_X
from gradsim_core.rng.draws import AHEAD
from gradsim_core.rng.normals import fill_normals
from gradsim_core.rng.philox import ROLE_BIAS, ROLE_INPUT, ROLE_READOUT
from gradsim_core.scaling import per_element
from gradsim_core.scaling.per_vector import (
    add_constants,
    known,
    largest,
    linear_part,
    place,
    saturate,
    settle,
    sum_of_squares,
    tail,
    tiny,
)


class Work(NamedTuple):
    """Arrays of one thread, in the precision of the run; layers lie in slots, see `run_block`."""

    weights: np.ndarray  # every layer's, as `dense` or `orthogonal` store them
    words: np.ndarray  # random words of a few counters, int32
    h: np.ndarray  # (depth * padded,) preactivations, as the activation took them
    slope: np.ndarray  # (depth * padded,) phi'(h)
    x: np.ndarray  # (padded,) activations of one layer
    b: np.ndarray  # (padded,) biases of one layer
    delta: np.ndarray  # (padded,)
    y: np.ndarray  # (padded,) W^T delta
    live: np.ndarray  # (padded,) 1 up to the width, then 0
    signed: np.ndarray  # of `elementwise`, float64, for laws with zeros
    scalars: np.ndarray  # standard deviations: of the draws of the weight law, of the biases, of the readout


class Slopes(NamedTuple):
    """One-sided slopes of phi at 0 and at infinity (NaN where they do not exist), and whether phi(0) = 0."""

    zero: tuple[float, float]
    infinity: tuple[float, float]
    through_zero: bool
    tail_sign: float


def preactivate(cell, network, layer, work, start, exponent):
    """W x, in units of 2^exponent, to h in reach of the activation; returns the exponent that remains, and |h|^2."""
    if cell.sigma_b > 0.0:
        fill_normals(cell, network, layer, ROLE_BIAS, work.scalars[1], work.live, work.b)
    shrink_h, shrink_b = 1.0, 1.0
    if exponent != 0 and cell.sigma_b > 0.0:  # to common units: the smaller of the two is scaled down, never up
        shrink_h, shrink_b = (
            math.ldexp(1.0, max(min(exponent, 0), -1074)),
            math.ldexp(1.0, max(min(-exponent, 0), -1074)),
        )
        exponent = max(exponent, 0)
    square = splat(convert(load(work.live, 0), 1.0), 0.0)
    for i in range(0, len(work.live), LANES):
        h = load(work.h, start + i) * (load(work.live, i) * shrink_h) + load(work.b, i) * shrink_b
        store(work.h, start + i, h)
        h = convert(h, 1.0)
        square = fma(h, h, square)
    total = lane_sum(square)
    if exponent == 0 and 2.0**-60 <= total <= 2.0**60:
        return 0, total
    stop = start + len(work.live)
    return place(work.h, start, stop, exponent), sum_of_squares(work.h, start, stop)


def activate(phi, dphi, log_phi, slopes, alpha, work, start, shift):
    """x = phi(h) and phi'(h) for the layer stored at `start`, h in units of 2^shift; returns x's exponent and |x|^2."""
    if shift == 0:
        total = apply(phi, dphi, alpha, work, start)
        if is_ordinary(total, len(work.live)):
            return 0, total
    exponent = activate_extreme(phi, dphi, log_phi, slopes, alpha, work, start, shift)
    return exponent, sum_of_squares(work.x, 0, len(work.live))


def apply(phi, dphi, alpha, work, start):
    """x = phi(h) and phi'(h), zero in the padding; returns |x|^2."""
    square = splat(convert(load(work.live, 0), 1.0), 0.0)
    for i in range(0, len(work.live), LANES):
        h, live = load(work.h, start + i), load(work.live, i) > 0.0
        x = select(live, phi(h, alpha), 0.0)
        store(work.x, i, x)
        store(work.slope, start + i, select(live, dphi(h, alpha), 0.0))
        x = convert(x, 1.0)
        square = fma(x, x, square)
    return lane_sum(square)


def is_ordinary(square, size):
    """Whether the largest of `size` numbers is sure to lie in 2^-20 .. 2^20, given the sum of their squares."""
    return size * 2.0**-40 <= square <= 2.0**40


@jit.outlined
def activate_extreme(phi, dphi, log_phi, slopes, alpha, work, start, shift):
    """The same in any range; returns the exponent of x."""
    padded, stop, exponent = len(work.live), start + len(work.live), 0
    near_zero = shift < 0 and slopes.through_zero
    far = shift > 0 and linear_part(slopes.infinity, work.h, start, stop, work.x)
    if near_zero:
        linear_part(slopes.zero, work.h, start, stop, work.x)
    if far:
        add_constants(phi, alpha, slopes.infinity, work.h, start, stop, work.x, shift)
    if shift != 0 and not near_zero:
        saturate(work.h, start, stop, shift)
    if near_zero or far:
        exponent, certain = shift, known(slopes.zero) if near_zero else known(slopes.infinity)
        for i in range(0, padded, LANES):
            slope = dphi(load(work.h, start + i), alpha) * certain
            store(work.slope, start + i, select(load(work.live, i) > 0.0, slope, 0.0))
    else:
        apply(phi, dphi, alpha, work, start)
        if largest(work.x, 0, padded) < tiny(work.x):
            exponent = tail(log_phi, slopes.tail_sign, alpha, work.h[start:stop], work.x, work.live, work.x)
    return settle(work.x, 0, padded, exponent, largest(work.x, 0, padded))


def differentiate(log_dphi, slopes, alpha, work, start, exponent):
    """delta = phi'(h) y for the layer stored at `start`, y in units of 2^exponent; returns its own, and |delta|^2."""
    square = splat(convert(load(work.live, 0), 1.0), 0.0)
    for i in range(0, len(work.live), LANES):
        y = load(work.y, i) * load(work.live, i)
        delta = load(work.slope, start + i) * y
        store(work.y, i, y)
        store(work.delta, i, delta)
        delta = convert(delta, 1.0)
        square = fma(delta, delta, square)
    total = lane_sum(square)
    if is_ordinary(total, len(work.live)):
        return exponent, total
    exponent = differentiate_extreme(log_dphi, slopes, alpha, work, start, exponent)
    return exponent, sum_of_squares(work.delta, 0, len(work.live))


@jit.outlined
def differentiate_extreme(log_dphi, slopes, alpha, work, start, exponent):
    """The same in any range; returns the exponent of delta."""
    padded = len(work.live)
    h, slope = work.h[start : start + padded], work.slope[start : start + padded]
    exponent = settle(work.y, 0, padded, exponent, largest(work.y, 0, padded))
    for i in range(0, padded, LANES):
        store(work.delta, i, load(slope, i) * load(work.y, i))
    size = largest(work.delta, 0, padded)
    if size < tiny(work.delta):
        exponent += tail(log_dphi, slopes.tail_sign, alpha, h, slope, work.y, work.delta)
        exponent, size = max(exponent, -(2**60)), largest(work.delta, 0, padded)
    return settle(work.delta, 0, padded, exponent, size)


def build(phi, dphi, log_phi, log_dphi, law):
    """The block kernel of an activation and a weight law, to be compiled or interpreted."""
    draw, has_zeros = law.draw, law.has_zeros
    strips, forward, backward = layout(law).strips, layout(law).forward, layout(law).backward
    draw = gaussian if draw is None else draw

    def run_block(cell, slopes, first, work, sums, exponents):
        """Networks first .. first + count - 1 into sums and exponents, both (3, count, depth).

        The backward pass of one network goes layer by layer with the forward pass of the next, which fills the slots
        just read: half the way to memory. Where a network may have to run again, they go one after the other.
        """
        depth, padded, count = cell.depth, len(work.live), sums.shape[1]
        exponent_x, square_x, exponent_y, broken, lost = 0, 0.0, 0, 0.0, False
        for turn in range(2 * count if has_zeros else count + 1):
            ahead, behind = turn, turn - 1
            if has_zeros:
                ahead, behind = (turn // 2, -1) if turn % 2 == 0 else (count, turn // 2)
            if behind >= 0:
                fill_normals(cell, first + behind, 0, ROLE_READOUT, work.scalars[2], work.live, work.y)
                work.y[0] += broken  # NaN if any h was not finite: a comparison in dphi may have lost it
                exponent_y = 0
            if ahead < count:
                fill_normals(cell, first + ahead, 0, ROLE_INPUT, work.live[0], work.live, work.x)
                exponent_x, square_x, broken, lost = 0, sum_of_squares(work.x, 0, padded), 0.0, False
            for step in range(1, depth + 1):
                slot, way = (step - 1, 1) if turn % 2 == 0 else (depth - step, -1)
                start = slot * padded
                if behind >= 0:
                    layer = depth - step
                    exponent_y, square = differentiate(log_dphi, slopes, cell.alpha, work, start, exponent_y)
                    sums[SUM_DELTA, behind, layer], exponents[SUM_DELTA, behind, layer] = square, exponent_y
                    if has_zeros and not lost:
                        lost = per_element.is_lost_backward(log_dphi, cell.alpha, work, start)
                for strip in range(strips(cell.width)):
                    if behind >= 0 and step < depth:
                        backward(cell, slot, strip, work)
                    if ahead < count:
                        forward(draw, cell, first + ahead, step, slot, strip, way, work.scalars[0], work)
                if ahead < count:
                    sums[SUM_X, ahead, step - 1], exponents[SUM_X, ahead, step - 1] = square_x, exponent_x
                    shift, square = preactivate(cell, first + ahead, step, work, start, exponent_x)
                    sums[SUM_H, ahead, step - 1], exponents[SUM_H, ahead, step - 1] = square, shift
                    broken += 0.0 * square
                    exponent_x, square_x = activate(phi, dphi, log_phi, slopes, cell.alpha, work, start, shift)
                    if has_zeros and not lost:
                        lost = per_element.is_lost_forward(phi, log_phi, cell, work, start)
            if has_zeros and behind >= 0 and lost:
                out = sums[:, behind], exponents[:, behind]
                per_element.run_again(phi, dphi, log_phi, log_dphi, slopes, cell, first + behind, work, *out)

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
    weights, words = empty(cell.depth * layout(law).storage(cell.width)), aligned(AHEAD * 4 * LANES, np.int32)
    h, slope = empty(cell.depth * row), empty(cell.depth * row)
    x, b, delta, y = (empty(row) for _ in range(4))
    signed = aligned(per_element.storage(cell.depth, row) if law.has_zeros else 0, np.float64)
    return Work(weights, words, h, slope, x, b, delta, y, live, signed, scalars)


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


jit.register_leaves(__name__, inline=True)
